# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Arithmetic
@license Apache-2.0
@author The assay contributors
@notice Every scalar operation of exact-1 (docs/numerics.md, section 4), one at a time. It keeps nothing and asks nobody:
        whoever calls it has checked where its operands come from.
@dev Operations are numbered as in OPS (assay.program.scalar), element types as in DType. Operands are bit patterns,
     zero-extended, of no more bits than their type has. Floats have been widened to binary32.
"""

import softfloat


# Element types.
FLOAT32: constant(uint256) = 0
FLOAT16: constant(uint256) = 1
BFLOAT16: constant(uint256) = 2
INT64: constant(uint256) = 3
UINT64: constant(uint256) = 7
BOOL: constant(uint256) = 11

# Operations.
ADD: constant(uint256) = 0
SUB: constant(uint256) = 1
MUL: constant(uint256) = 2
DIV: constant(uint256) = 3
MOD: constant(uint256) = 4
REM: constant(uint256) = 5
FMA: constant(uint256) = 6
SQRT: constant(uint256) = 7
NEG: constant(uint256) = 8
ABS: constant(uint256) = 9
SIGN: constant(uint256) = 10
FLOOR: constant(uint256) = 11
CEIL: constant(uint256) = 12
ROUND: constant(uint256) = 13
TRUNC: constant(uint256) = 14
MIN: constant(uint256) = 15
MAX: constant(uint256) = 16
LT: constant(uint256) = 17
LE: constant(uint256) = 18
GT: constant(uint256) = 19
GE: constant(uint256) = 20
EQ: constant(uint256) = 21
NE: constant(uint256) = 22
ISNAN: constant(uint256) = 23
ISINF: constant(uint256) = 24
SELECT: constant(uint256) = 25
COPY: constant(uint256) = 26
BIT_AND: constant(uint256) = 28
BIT_OR: constant(uint256) = 29
BIT_XOR: constant(uint256) = 30
BIT_NOT: constant(uint256) = 31
SHL: constant(uint256) = 32
SHR: constant(uint256) = 33
CAST: constant(uint256) = 34
BITCAST: constant(uint256) = 35

# Words of a batch.
BATCH: constant(uint256) = 512
LOW: constant(uint256) = (1 << 64) - 1


@external
@pure
def apply(op: uint256, kind: uint256, out: uint256, a: uint256, b: uint256, c: uint256) -> uint256:
    """
    @notice One scalar operation. Operands that it does not take are ignored. "arithmetic: op" if it does not exist for
            the type, or is `first`, which asks where operands lie.
    @param op Which one, by its position in OPS.
    @param kind The operands' element type after widening: a float is FLOAT32, but for `bitcast`, which takes what is stored.
           For `select` the type of b and c; a is its condition.
    @param out The kernel's element type, which decides what `cast` and `bitcast` give.
    @param a The first operand. The accumulator of a fold is always the last one.
    @param b The second.
    @param c The third.
    @return A float as binary32 (which `store` rounds), with the one NaN; an integer's bits; 0 or 1.
    """
    return self._apply(op, kind, out, a, b, c)


@external
@pure
def widen(dtype: uint256, bits: uint256) -> uint256:
    """
    @notice What an operation sees of a stored element: float16 and bfloat16 as binary32, a bool of any byte but 0 as 1,
            anything else as it is.
    """
    return self._widen(dtype, bits)


@external
@pure
def store(dtype: uint256, bits: uint256) -> uint256:
    """
    @notice The bits that a kernel of type `dtype` writes for a result: a binary32 is rounded to the type, with its one NaN;
            anything else stays as it is.
    """
    return self._store(dtype, bits)


@external
@pure
def apply_many(op: uint256, kind: uint256, out: uint256, words: DynArray[uint256, BATCH]) -> DynArray[uint256, BATCH]:
    """
    @notice `apply` for each word, which packs a, b << 64 and c << 128.
    """
    results: DynArray[uint256, BATCH] = []
    for word: uint256 in words:
        results.append(self._apply(op, kind, out, word & LOW, (word >> 64) & LOW, word >> 128))
    return results


@external
@pure
def widen_many(dtype: uint256, words: DynArray[uint256, BATCH]) -> DynArray[uint256, BATCH]:
    """
    @notice `widen` for each word.
    """
    results: DynArray[uint256, BATCH] = []
    for word: uint256 in words:
        results.append(self._widen(dtype, word))
    return results


@external
@pure
def store_many(dtype: uint256, words: DynArray[uint256, BATCH]) -> DynArray[uint256, BATCH]:
    """
    @notice `store` for each word.
    """
    results: DynArray[uint256, BATCH] = []
    for word: uint256 in words:
        results.append(self._store(dtype, word))
    return results


@internal
@pure
def _apply(op: uint256, kind: uint256, out: uint256, a: uint256, b: uint256, c: uint256) -> uint256:
    """
    @notice See `apply`.
    """
    assert kind <= BOOL, "arithmetic: type"
    if op == BITCAST:
        assert self._width(kind) == self._width(out) and kind != BOOL and out != BOOL, "arithmetic: type"
        if out == FLOAT32:
            return softfloat._canonical(a)
        return self._widen(out, a)
    if kind == FLOAT32:
        if op <= TRUNC:
            return self._float(op, a, b, c)
        if op <= ISINF:
            return self._float_order(op, a, b)
    assert kind != FLOAT16 and kind != BFLOAT16, "arithmetic: type"
    if op == CAST:
        return self._cast(kind, out, a)
    if op == SELECT or op == COPY:
        r: uint256 = a
        if op == SELECT:
            r = b
            if a == 0:
                r = c
        if kind == FLOAT32:
            return softfloat._canonical(r)
        return r
    if kind == BOOL:
        return self._bool(op, a, b)
    assert kind != FLOAT32, "arithmetic: op"
    if op <= SIGN:
        return self._integer(op, kind, a, b, c)
    return self._bits(op, kind, a, b)


@internal
@pure
def _float(op: uint256, a: uint256, b: uint256, c: uint256) -> uint256:
    """
    @notice Arithmetic on binary32.
    """
    if op == FMA:
        return softfloat._fma(a, b, c)
    if op == ADD:
        return softfloat._add(a, b)
    if op == MUL:
        return softfloat._mul(a, b)
    if op == SUB:
        return softfloat._add(a, b ^ softfloat.SIGN)
    if op == DIV:
        return softfloat._div(a, b)
    if op == SQRT:
        return softfloat._sqrt(a)
    if op == NEG:
        return softfloat._canonical(a ^ softfloat.SIGN)
    if op == ABS:
        return softfloat._canonical(a & softfloat.MAGNITUDE)
    if op == SIGN:
        if a & softfloat.MAGNITUDE == 0 or a & softfloat.MAGNITUDE > softfloat.INFINITY:
            return softfloat._canonical(a)
        return (a & softfloat.SIGN) | softfloat.ONE
    assert op >= FLOOR, "arithmetic: op"
    return softfloat._integral(a, op == FLOOR, op == CEIL, op == ROUND)


@internal
@pure
def _float_order(op: uint256, a: uint256, b: uint256) -> uint256:
    """
    @notice Comparisons of binary32, min and max.
    """
    if op == MIN or op == MAX:
        x: uint256 = b
        y: uint256 = a
        if op == MIN:
            x = a
            y = b
        if softfloat._less(x, y) or a & softfloat.MAGNITUDE > softfloat.INFINITY:
            return softfloat._canonical(a)
        return softfloat._canonical(b)
    r: bool = False
    if op == LT:
        r = softfloat._less(a, b)
    elif op == GT:
        r = softfloat._less(b, a)
    elif op == LE:
        r = softfloat._less(a, b) or softfloat._equal(a, b)
    elif op == GE:
        r = softfloat._less(b, a) or softfloat._equal(a, b)
    elif op == EQ:
        r = softfloat._equal(a, b)
    elif op == NE:
        r = not softfloat._equal(a, b)
    elif op == ISNAN:
        r = a & softfloat.MAGNITUDE > softfloat.INFINITY
    else:
        r = a & softfloat.MAGNITUDE == softfloat.INFINITY
    return convert(r, uint256)


@internal
@pure
def _bool(op: uint256, a: uint256, b: uint256) -> uint256:
    """
    @notice Operations on 0 and 1.
    """
    if op == BIT_AND or op == MIN:
        return a & b
    if op == BIT_OR or op == MAX:
        return a | b
    if op == BIT_XOR or op == NE:
        return a ^ b
    if op == EQ:
        return (a ^ b) ^ 1
    assert op == BIT_NOT, "arithmetic: op"
    return a ^ 1


@internal
@pure
def _integer(op: uint256, kind: uint256, a: uint256, b: uint256, c: uint256) -> uint256:
    """
    @notice Integer arithmetic, which wraps.
    """
    width: uint256 = self._width(kind)
    mask: uint256 = max_value(uint256) >> unsafe_sub(256, width)
    if op == ADD:
        return unsafe_add(a, b) & mask
    if op == SUB:
        return unsafe_sub(a, b) & mask
    if op == MUL:
        return unsafe_mul(a, b) & mask
    if op == FMA:
        return unsafe_add(unsafe_mul(a, b), c) & mask
    # a sign bit, or 0 for a type that has none
    top: uint256 = 0
    if kind < UINT64:
        top = 1 << unsafe_sub(width, 1)
    minus_a: uint256 = unsafe_sub(0, a) & mask
    if op == NEG:
        return minus_a
    x: uint256 = a
    if a & top != 0:
        x = minus_a
    if op == ABS:
        return x
    if op == SIGN:
        if a & top != 0:
            return mask
        return min(a, 1)
    assert op >= DIV and op <= REM, "arithmetic: op"
    if b == 0:
        return 0
    y: uint256 = b
    if b & top != 0:
        y = unsafe_sub(0, b) & mask
    # on magnitudes: that of the least number is itself, read without a sign
    r: uint256 = 0
    minus: bool = (a ^ b) & top != 0
    if op == DIV:
        r = unsafe_div(x, y)
    else:
        r = x % y
        if op == MOD:
            if minus and r != 0:
                r = unsafe_sub(y, r)
            minus = b & top != 0
        else:
            minus = a & top != 0
    if minus:
        r = unsafe_sub(0, r) & mask
    return r


@internal
@pure
def _bits(op: uint256, kind: uint256, a: uint256, b: uint256) -> uint256:
    """
    @notice Comparisons of integers, operations on their bits, shifts.
    """
    width: uint256 = self._width(kind)
    mask: uint256 = max_value(uint256) >> unsafe_sub(256, width)
    if op == BIT_AND:
        return a & b
    if op == BIT_OR:
        return a | b
    if op == BIT_XOR:
        return a ^ b
    if op == BIT_NOT:
        return a ^ mask
    if op == SHL:
        return (a << b) & mask
    top: uint256 = 0
    if kind < UINT64:
        top = 1 << unsafe_sub(width, 1)
    if op == SHR:
        if a & top != 0:
            return mask ^ ((a ^ mask) >> b)
        return a >> b
    # with the sign bit flipped, bits are ordered as values are
    x: uint256 = a ^ top
    y: uint256 = b ^ top
    if op == MIN:
        return min(x, y) ^ top
    if op == MAX:
        return max(x, y) ^ top
    r: bool = False
    if op == LT:
        r = x < y
    elif op == LE:
        r = x <= y
    elif op == GT:
        r = x > y
    elif op == GE:
        r = x >= y
    elif op == EQ:
        r = x == y
    else:
        assert op == NE, "arithmetic: op"
        r = x != y
    return convert(r, uint256)


@internal
@pure
def _cast(kind: uint256, out: uint256, a: uint256) -> uint256:
    """
    @notice The value `a` of type `kind` as type `out`; as a float type it is a binary32.
    """
    assert out <= BOOL, "arithmetic: type"
    if out == kind:
        if kind == FLOAT32:
            return softfloat._canonical(a)
        return a
    if kind == FLOAT32:
        if out <= BFLOAT16:
            return softfloat._canonical(a)
        if out == BOOL:
            return min(a & softfloat.MAGNITUDE, 1)
        return softfloat._to_integer(a, self._width(out), out < UINT64)
    if out == BOOL:
        return min(a, 1)
    if kind == BOOL:
        if out <= BFLOAT16:
            return unsafe_mul(a, softfloat.ONE)
        return a
    width: uint256 = self._width(kind)
    negative: bool = kind < UINT64 and (a >> unsafe_sub(width, 1)) != 0
    if out <= BFLOAT16:
        if negative:
            return softfloat._from_magnitude(softfloat.SIGN, unsafe_sub(0, a) & (max_value(uint256) >> unsafe_sub(256, width)))
        return softfloat._from_magnitude(0, a)
    extended: uint256 = a
    if negative:
        extended = a | (max_value(uint256) << width)
    return extended & (max_value(uint256) >> unsafe_sub(256, self._width(out)))


@internal
@pure
def _width(dtype: uint256) -> uint256:
    """
    @notice Bits of an element. Refuses what is no element type.
    """
    assert dtype <= BOOL, "arithmetic: type"
    # one byte each, the first one lowest
    return (2485627637901169405165834272 >> unsafe_mul(dtype, 8)) & 255


@internal
@pure
def _widen(dtype: uint256, bits: uint256) -> uint256:
    """
    @notice See `widen`.
    """
    if dtype == FLOAT16:
        return softfloat._from_half(bits)
    if dtype == BFLOAT16:
        return softfloat._canonical(bits << 16)
    if dtype == BOOL:
        return min(bits, 1)
    assert dtype < BOOL, "arithmetic: type"
    return bits


@internal
@pure
def _store(dtype: uint256, bits: uint256) -> uint256:
    """
    @notice See `store`.
    """
    assert dtype <= BOOL, "arithmetic: type"
    if dtype == FLOAT32:
        return softfloat._canonical(bits)
    if dtype == FLOAT16:
        return softfloat._to_half(bits)
    if dtype == BFLOAT16:
        return softfloat._to_brain(bits)
    return bits
