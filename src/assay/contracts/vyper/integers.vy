# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Integers
@license Apache-2.0
@author The assay contributors
@notice The operations of exact-1 on integers and bools (docs/numerics.md, section 4). A library without storage or entries.
@dev Values are two's complement bits, zero-extended to 256 bits, of no more bits than their type has. Operations and element
     types are numbered as in `arithmetic`.
"""


# Element types: the first unsigned one, and the last of all.
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
NEG: constant(uint256) = 8
ABS: constant(uint256) = 9
SIGN: constant(uint256) = 10
MIN: constant(uint256) = 15
MAX: constant(uint256) = 16
LT: constant(uint256) = 17
LE: constant(uint256) = 18
GT: constant(uint256) = 19
GE: constant(uint256) = 20
EQ: constant(uint256) = 21
NE: constant(uint256) = 22
BIT_AND: constant(uint256) = 28
BIT_OR: constant(uint256) = 29
BIT_XOR: constant(uint256) = 30
BIT_NOT: constant(uint256) = 31
SHL: constant(uint256) = 32
SHR: constant(uint256) = 33


@internal
@pure
def _bool(op: uint256, a: uint256, b: uint256) -> uint256:
    """
    @notice What there is for bools.
    """
    if op == BIT_AND or op == MIN:
        return a & b
    if op == BIT_OR or op == MAX:
        return a | b
    if op == BIT_XOR or op == NE:
        return a ^ b
    if op == EQ:
        return (a ^ b) ^ 1
    assert op == BIT_NOT, "integers: op"
    return a ^ 1


@internal
@pure
def _arithmetic(op: uint256, kind: uint256, a: uint256, b: uint256, c: uint256) -> uint256:
    """
    @notice Integer arithmetic, which wraps.
    """
    mask: uint256 = self._mask(kind)
    if op == ADD:
        return unsafe_add(a, b) & mask
    if op == SUB:
        return unsafe_sub(a, b) & mask
    if op == MUL:
        return unsafe_mul(a, b) & mask
    if op == FMA:
        return unsafe_add(unsafe_mul(a, b), c) & mask
    top: uint256 = self._top(kind)
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
    assert op >= DIV and op <= REM, "integers: op"
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
    mask: uint256 = self._mask(kind)
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
    top: uint256 = self._top(kind)
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
        assert op == NE, "integers: op"
        r = x != y
    return convert(r, uint256)


@internal
@pure
def _width(dtype: uint256) -> uint256:
    """
    @notice Bits of an element. Refuses what is no element type.
    """
    assert dtype <= BOOL, "integers: type"
    # one byte each, the first one lowest
    return (2485627637901169405165834272 >> unsafe_mul(dtype, 8)) & 255


@internal
@pure
def _mask(dtype: uint256) -> uint256:
    """
    @notice As many ones as an element has bits.
    """
    return max_value(uint256) >> unsafe_sub(256, self._width(dtype))


@internal
@pure
def _top(dtype: uint256) -> uint256:
    """
    @notice The sign bit; 0 for a type that has none.
    """
    if dtype >= UINT64:
        return 0
    return 1 << unsafe_sub(self._width(dtype), 1)
