# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Softfloat
@license Apache-2.0
@author The assay contributors
@notice IEEE 754 binary32 in integers: round to nearest, ties to even, subnormals kept, one NaN (docs/numerics.md, section 1).
        A library without storage or entries. Values are bit patterns, zero-extended to 256 bits.
@dev Exponents are kept positive by biases, so that no step can wrap; hence unsafe arithmetic throughout.
     A finite number is m * 2**(e - 150), with e its biased exponent (1 for subnormals) and m its significand.
"""


# @notice The one NaN.
NAN: constant(uint256) = 511 << 22

# @notice The bits of 1.0.
ONE: constant(uint256) = 127 << 23

# Infinity; magnitudes above it are NaN.
INFINITY: constant(uint256) = 255 << 23

# The sign bit, and everything below it.
SIGN: constant(uint256) = 1 << 31
MAGNITUDE: constant(uint256) = (1 << 31) - 1

# The stored bits of a significand, and the one that is not stored.
FRACTION: constant(uint256) = (1 << 23) - 1
HIDDEN: constant(uint256) = 1 << 23

# Where terms of a sum are further apart than this, the smaller one is a sticky bit: 200 > 2 * 24 + 2.
FAR: constant(uint256) = 200


@internal
@pure
def _canonical(a: uint256) -> uint256:
    """
    @notice `a`, with the one NaN for any NaN.
    """
    if a & MAGNITUDE > INFINITY:
        return NAN
    return a


@internal
@pure
def _top(x: uint256) -> uint256:
    """
    @notice Position of the highest set bit of `x`, which is not zero.
    """
    v: uint256 = x
    r: uint256 = 0
    if v >= 1 << 128:
        v = v >> 128
        r = 128
    if v >= 1 << 64:
        v = v >> 64
        r = r | 64
    if v >= 1 << 32:
        v = v >> 32
        r = r | 32
    if v >= 1 << 16:
        v = v >> 16
        r = r | 16
    if v >= 1 << 8:
        v = v >> 8
        r = r | 8
    if v >= 1 << 4:
        v = v >> 4
        r = r | 4
    # floor(log2(v)) of 1 to 15, two bits each
    return r | ((4294945360 >> unsafe_mul(v, 2)) & 3)


@internal
@pure
def _round(sign: uint256, m: uint256, e: uint256) -> uint256:
    """
    @notice The nearest binary32 to m * 2**(e - 1000), ties to even.
    @param sign 0 or SIGN.
    @param m Not zero, below 2**254. Its lowest bit may stand for all that lies below it, if there are 26 above.
    @param e At least 100.
    """
    # q - 1000: the exponent of the result's last bit
    q: uint256 = unsafe_add(self._top(m), e)
    if q < 874:
        q = 851
    else:
        q = unsafe_sub(q, 23)
    r: uint256 = 0
    if q > e:
        by: uint256 = unsafe_sub(q, e)
        r = m >> by
        rest: uint256 = m << unsafe_sub(256, by)
        if rest > 1 << 255:
            r = unsafe_add(r, 1)
        elif rest == 1 << 255:
            r = unsafe_add(r, r & 1)
    else:
        r = m << unsafe_sub(e, q)
    # the hidden bit carries into the exponent, and so does rounding; beyond the largest number lies infinity
    return sign | min(unsafe_add(unsafe_sub(q, 851) << 23, r), INFINITY)


@internal
@pure
def _sum(sa: uint256, x: uint256, sb: uint256, y: uint256, e: uint256) -> uint256:
    """
    @notice x * 2**(e - 1000) with sign `sa` plus y * 2**(e - 1000) with sign `sb`. A sum of opposites is +0.
    """
    if sa == sb:
        s: uint256 = unsafe_add(x, y)
        if s == 0:
            return sa
        return self._round(sa, s, e)
    if x > y:
        return self._round(sa, unsafe_sub(x, y), e)
    if y > x:
        return self._round(sb, unsafe_sub(y, x), e)
    return 0


@internal
@pure
def _add(a: uint256, b: uint256) -> uint256:
    """
    @notice a + b, rounded once.
    """
    ea: uint256 = (a >> 23) & 255
    eb: uint256 = (b >> 23) & 255
    x: uint256 = a & FRACTION
    y: uint256 = b & FRACTION
    if ea == 255 or eb == 255:
        if a & MAGNITUDE > INFINITY or b & MAGNITUDE > INFINITY:
            return NAN
        if ea != 255:
            return b
        if eb == 255 and a != b:
            return NAN
        return a
    if ea == 0:
        ea = 1
    else:
        x |= HIDDEN
    if eb == 0:
        eb = 1
    else:
        y |= HIDDEN
    e: uint256 = 0
    if ea >= eb:
        apart: uint256 = unsafe_sub(ea, eb)
        if apart > FAR:  # then x is not zero, and neither is it touched by y
            x = x << FAR
            y = min(y, 1)
            e = unsafe_add(ea, 650)
        else:
            x = x << apart
            e = unsafe_add(eb, 850)
    else:
        apart: uint256 = unsafe_sub(eb, ea)
        if apart > FAR:
            y = y << FAR
            x = min(x, 1)
            e = unsafe_add(eb, 650)
        else:
            y = y << apart
            e = unsafe_add(ea, 850)
    return self._sum(a & SIGN, x, b & SIGN, y, e)


@internal
@pure
def _mul(a: uint256, b: uint256) -> uint256:
    """
    @notice a * b, rounded once.
    """
    ea: uint256 = (a >> 23) & 255
    eb: uint256 = (b >> 23) & 255
    x: uint256 = a & FRACTION
    y: uint256 = b & FRACTION
    sign: uint256 = (a ^ b) & SIGN
    if ea == 255 or eb == 255:
        if a & MAGNITUDE > INFINITY or b & MAGNITUDE > INFINITY:
            return NAN
        if a & MAGNITUDE == 0 or b & MAGNITUDE == 0:
            return NAN
        return sign | INFINITY
    if ea == 0:
        ea = 1
    else:
        x |= HIDDEN
    if eb == 0:
        eb = 1
    else:
        y |= HIDDEN
    product: uint256 = unsafe_mul(x, y)
    if product == 0:
        return sign
    return self._round(sign, product, unsafe_add(unsafe_add(ea, eb), 700))


@internal
@pure
def _fma(a: uint256, b: uint256, c: uint256) -> uint256:
    """
    @notice a * b + c, rounded once.
    """
    ea: uint256 = (a >> 23) & 255
    eb: uint256 = (b >> 23) & 255
    ec: uint256 = (c >> 23) & 255
    x: uint256 = a & FRACTION
    y: uint256 = b & FRACTION
    z: uint256 = c & FRACTION
    sign: uint256 = (a ^ b) & SIGN
    if ea == 255 or eb == 255 or ec == 255:
        if a & MAGNITUDE > INFINITY or b & MAGNITUDE > INFINITY or c & MAGNITUDE > INFINITY:
            return NAN
        if ea != 255 and eb != 255:
            return c
        if a & MAGNITUDE == 0 or b & MAGNITUDE == 0:
            return NAN
        if ec == 255 and sign != c & SIGN:
            return NAN
        return sign | INFINITY
    if ea == 0:
        ea = 1
    else:
        x |= HIDDEN
    if eb == 0:
        eb = 1
    else:
        y |= HIDDEN
    if ec == 0:
        ec = 1
    else:
        z |= HIDDEN
    x = unsafe_mul(x, y)
    if x == 0:
        if z == 0:
            return sign & c
        return c
    if z == 0:
        return self._round(sign, x, unsafe_add(unsafe_add(ea, eb), 700))
    # the product is x * 2**(ea + eb - 300), the addend z * 2**(ec + 150 - 300)
    ep: uint256 = unsafe_add(ea, eb)
    ec = unsafe_add(ec, 150)
    e: uint256 = 0
    if ep >= ec:
        apart: uint256 = unsafe_sub(ep, ec)
        if apart > FAR:
            x = x << FAR
            z = 1
            e = unsafe_add(ep, 500)
        else:
            x = x << apart
            e = unsafe_add(ec, 700)
    else:
        apart: uint256 = unsafe_sub(ec, ep)
        if apart > FAR:
            z = z << FAR
            x = 1
            e = unsafe_add(ec, 500)
        else:
            z = z << apart
            e = unsafe_add(ep, 700)
    return self._sum(sign, x, c & SIGN, z, e)


@internal
@pure
def _div(a: uint256, b: uint256) -> uint256:
    """
    @notice a / b, rounded once; by zero an infinity, 0 / 0 is NaN.
    """
    ea: uint256 = (a >> 23) & 255
    eb: uint256 = (b >> 23) & 255
    x: uint256 = a & FRACTION
    y: uint256 = b & FRACTION
    sign: uint256 = (a ^ b) & SIGN
    if ea == 255 or eb == 255:
        if a & MAGNITUDE > INFINITY or b & MAGNITUDE > INFINITY or ea == eb:
            return NAN
        if ea == 255:
            return sign | INFINITY
        return sign
    if ea == 0:
        ea = 1
    else:
        x |= HIDDEN
    if eb == 0:
        eb = 1
    else:
        y |= HIDDEN
    if y == 0:
        if x == 0:
            return NAN
        return sign | INFINITY
    if x == 0:
        return sign
    # at least 40 bits of the quotient, and one that says whether something is left
    x = x << 64
    quotient: uint256 = unsafe_div(x, y)
    sticky: uint256 = min(unsafe_sub(x, unsafe_mul(quotient, y)), 1)
    return self._round(sign, (quotient << 1) | sticky, unsafe_sub(unsafe_add(ea, 935), eb))


@internal
@pure
def _sqrt(a: uint256) -> uint256:
    """
    @notice The square root, rounded once; of -0 it is -0, of other negative numbers NaN.
    """
    if a & MAGNITUDE == 0 or a == INFINITY:
        return a
    if a >= INFINITY:
        return NAN
    e: uint256 = a >> 23
    m: uint256 = a & FRACTION
    if e == 0:
        e = 1
    else:
        m |= HIDDEN
    # shifted so that the exponent is even: at least 31 bits of the root, and one for what is left
    by: uint256 = 60 | (e & 1)
    m = m << by
    root: uint256 = isqrt(m)
    sticky: uint256 = min(unsafe_sub(m, unsafe_mul(root, root)), 1)
    return self._round(0, (root << 1) | sticky, unsafe_sub(unsafe_add(e, 1848), by) >> 1)


@internal
@pure
def _integral(a: uint256, down: bool, up: bool, nearest: bool) -> uint256:
    """
    @notice The integer next to `a`: the greater magnitude if `up` and a > 0, if `down` and a < 0, or if `nearest` (ties to
            even) and it is nearer; else the smaller one. A zero has the sign of `a`.
    """
    e: uint256 = (a >> 23) & 255
    if e >= 150:
        return self._canonical(a)
    sign: uint256 = a & SIGN
    away: bool = up
    if sign != 0:
        away = down
    if e < 127:
        if (away and a != sign) or (nearest and a ^ sign > 126 << 23):
            return sign | ONE
        return sign
    unit: uint256 = 1 << unsafe_sub(150, e)
    rest: uint256 = a & unsafe_sub(unit, 1)
    r: uint256 = a ^ rest
    if nearest:
        # bit `unit` is the integer's last one, also where it is not stored: then e = 127 is odd
        twice: uint256 = unsafe_mul(rest, 2)
        away = twice > unit or (twice == unit and a & unit != 0)
    if away and rest != 0:
        r = unsafe_add(r, unit)
    return r


@internal
@pure
def _key(a: uint256) -> uint256:
    """
    @notice A number that orders values as integers are ordered; the same for both zeros. NaN is not asked about.
    """
    if a & SIGN != 0:
        return unsafe_sub(SIGN, a & MAGNITUDE)
    return unsafe_add(SIGN, a)


@internal
@pure
def _less(a: uint256, b: uint256) -> bool:
    """
    @notice a < b; false if either is NaN.
    """
    if a & MAGNITUDE > INFINITY or b & MAGNITUDE > INFINITY:
        return False
    return self._key(a) < self._key(b)


@internal
@pure
def _equal(a: uint256, b: uint256) -> bool:
    """
    @notice a = b; the zeros are equal, and NaN is equal to nothing.
    """
    if a == b:
        return a & MAGNITUDE <= INFINITY
    return (a | b) & MAGNITUDE == 0


@internal
@pure
def _to_integer(a: uint256, width: uint256, signed: bool) -> uint256:
    """
    @notice An integer of `width` bits: toward zero, saturating at both ends; NaN gives 0.
    """
    if a & MAGNITUDE > INFINITY:
        return 0
    e: uint256 = (a >> 23) & 255
    if e < 127:
        return 0
    m: uint256 = (a & FRACTION) | HIDDEN
    if e >= 150:
        m = m << unsafe_sub(e, 150)
    else:
        m = m >> unsafe_sub(150, e)
    if not signed:
        if a & SIGN != 0:
            return 0
        return min(m, max_value(uint256) >> unsafe_sub(256, width))
    half: uint256 = 1 << unsafe_sub(width, 1)
    if a & SIGN != 0:
        return unsafe_sub(half << 1, min(m, half))
    return min(m, unsafe_sub(half, 1))


@internal
@pure
def _from_magnitude(sign: uint256, m: uint256) -> uint256:
    """
    @notice The integer `m`, negative if `sign` is SIGN, rounded once. Zero is +0.
    """
    if m == 0:
        return 0
    return self._round(sign, m, 1000)


@internal
@pure
def _from_half(bits: uint256) -> uint256:
    """
    @notice A binary16 as binary32, exactly.
    """
    sign: uint256 = (bits & 32768) << 16
    e: uint256 = (bits >> 10) & 31
    m: uint256 = bits & 1023
    if e == 31:
        if m != 0:
            return NAN
        return sign | INFINITY
    if e != 0:
        return sign | (unsafe_add(e, 112) << 23) | (m << 13)
    if m == 0:
        return sign
    top: uint256 = self._top(m)
    return sign | (unsafe_add(top, 103) << 23) | ((m << unsafe_sub(23, top)) & FRACTION)


@internal
@pure
def _to_half(a: uint256) -> uint256:
    """
    @notice A binary32 rounded to binary16, with its one NaN.
    """
    m: uint256 = a & MAGNITUDE
    if m > INFINITY:
        return 63 << 9
    sign: uint256 = (a & SIGN) >> 16
    if m >= 143 << 23:  # 65536
        return sign | (31 << 10)
    by: uint256 = 13
    if m >= 113 << 23:  # 2**-14, the least normal number
        m = unsafe_sub(m, 112 << 23)  # the bias of one type for that of the other
    else:
        e: uint256 = m >> 23
        if e < 101:  # at most a quarter of the least subnormal number
            return sign
        m = (m & FRACTION) | HIDDEN
        by = unsafe_sub(126, e)
    below: uint256 = max_value(uint256) >> unsafe_sub(257, by)
    return sign | (unsafe_add(unsafe_add(m, below), (m >> by) & 1) >> by)


@internal
@pure
def _to_brain(a: uint256) -> uint256:
    """
    @notice A binary32 rounded to bfloat16, with its one NaN.
    """
    m: uint256 = a & MAGNITUDE
    if m > INFINITY:
        return 511 << 6
    return ((a & SIGN) >> 16) | (unsafe_add(unsafe_add(m, 32767), (m >> 16) & 1) >> 16)
