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

import integers
import sequences
import softfloat


interface Machine:
    def evaluate(op: uint256, a: uint256, b: uint256) -> uint256: view


# Element types.
FLOAT32: constant(uint256) = 0
FLOAT16: constant(uint256) = 1
BFLOAT16: constant(uint256) = 2
UINT64: constant(uint256) = 7
BOOL: constant(uint256) = 11

# Operations. What lies between two of them is decided where integers are.
ADD: constant(uint256) = 0
SUB: constant(uint256) = 1
MUL: constant(uint256) = 2
DIV: constant(uint256) = 3
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
CAST: constant(uint256) = 34
BITCAST: constant(uint256) = 35
EXP: constant(uint256) = 36
SIGMOID: constant(uint256) = 43

# Words of a batch, and the part of a word that is one operand.
BATCH: constant(uint256) = 512
LOW: constant(uint256) = (1 << 64) - 1


@external
@view
@reentrant
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
    if op >= EXP:
        # a call of its own, so that other operations do not pay for the memory of the machine
        assert kind == FLOAT32, "arithmetic: op"
        return staticcall Machine(self).evaluate(op, a, b)
    return self._apply(op, kind, out, a, b, c)


@external
@pure
def evaluate(op: uint256, a: uint256, b: uint256) -> uint256:
    """
    @notice A named function of binary32 values; `apply` forwards to it.
    @param op Which one, by its position in OPS, from `exp` on.
    @param a The first operand.
    @param b The second one, of `pow`.
    @return A binary32.
    """
    return self._evaluate(op, a, b)


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
        if op >= EXP:
            assert kind == FLOAT32, "arithmetic: op"
            results.append(self._evaluate(op, word & LOW, (word >> 64) & LOW))
        else:
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
def _evaluate(op: uint256, a: uint256, b: uint256) -> uint256:
    """
    @notice See `evaluate`. Executes the code in `sequences`.
    """
    assert op >= EXP and op <= SIGMOID, "arithmetic: op"
    span: uint256 = sequences.SPANS >> unsafe_mul(unsafe_sub(op, EXP), 32)
    start: uint256 = (span >> 16) & 65535
    code: uint256[sequences.WORDS] = sequences.CODE
    slots: uint256[sequences.SLOTS] = sequences.INITIAL
    slots[sequences.ARGUMENTS] = a
    slots[unsafe_add(sequences.ARGUMENTS, 1)] = b
    r: uint256 = 0
    for n: uint256 in range(start, unsafe_add(start, span & 65535), bound=sequences.LONGEST):
        i: uint256 = code[unsafe_div(n, 5)] >> unsafe_mul(n % 5, 48)
        x: uint256 = slots[(i >> 16) & 255]
        y: uint256 = slots[(i >> 8) & 255]
        r = self._apply((i >> 40) & 255, (i >> 36) & 15, (i >> 32) & 15, x, y, slots[i & 255])
        slots[(i >> 24) & 255] = r
    return softfloat._canonical(r)


@internal
@pure
def _apply(op: uint256, kind: uint256, out: uint256, a: uint256, b: uint256, c: uint256) -> uint256:
    """
    @notice See `apply`; no named functions.
    """
    if kind == FLOAT32:
        if op <= TRUNC:
            return self._float(op, a, b, c)
        if op <= ISINF:
            return self._float_order(op, a, b)
    if op == BITCAST:
        assert integers._width(kind) == integers._width(out) and kind != BOOL and out != BOOL, "arithmetic: type"
        if out == FLOAT32:
            return softfloat._canonical(a)
        return self._widen(out, a)
    assert kind <= BOOL and kind != FLOAT16 and kind != BFLOAT16, "arithmetic: type"
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
        return integers._bool(op, a, b)
    assert kind != FLOAT32, "arithmetic: op"
    if op <= SIGN:
        return integers._arithmetic(op, kind, a, b, c)
    return integers._bits(op, kind, a, b)


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
        return softfloat._to_integer(a, integers._width(out), out < UINT64)
    if out == BOOL:
        return min(a, 1)
    if kind == BOOL:
        if out <= BFLOAT16:
            return unsafe_mul(a, softfloat.ONE)
        return a
    negative: bool = a & integers._top(kind) != 0
    mask: uint256 = integers._mask(kind)
    if out <= BFLOAT16:
        if negative:
            return softfloat._from_magnitude(softfloat.SIGN, unsafe_sub(0, a) & mask)
        return softfloat._from_magnitude(0, a)
    extended: uint256 = a
    if negative:
        extended = a | ~mask
    return extended & integers._mask(out)


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
