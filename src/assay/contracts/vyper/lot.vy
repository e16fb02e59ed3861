# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Lot
@license Apache-2.0
@author The assay contributors
@notice The permutation with which verifiers and intervals are drawn, and the sizes that follow from a task's terms. Pure
        functions, compiled into the contracts that import them.
"""

import records


# @dev Most intervals of a verifier.
MAX_AUDIT: constant(uint256) = 32

# @dev Rounds of the permutation's walk. The domain is under four times n, so each round ends the walk with a chance of
#      over 1/4; for n up to 1024 the bound cannot be reached at all.
MAX_CYCLE: constant(uint256) = 4096
LOW_32_BITS: constant(uint256) = 2 ** 32 - 1
MIX_1: constant(uint256) = 2246822507  # 0x85ebca6b
MIX_2: constant(uint256) = 3266489909  # 0xc2b2ae35


@internal
@pure
def _intervals(terms: records.Terms) -> uint256:
    """
    @dev Number of intervals; the last one may be shorter.
    @param terms The terms.
    @return uint256 ceil(steps / interval).
    """
    return (terms.steps + terms.interval - 1) // terms.interval


@internal
@pure
def _bit_length(x: uint256) -> uint256:
    """
    @dev Number of bits of x, for x below 2**64. For a number of intervals, at least 1, also the levels of the Merkle tree
         over intervals + 1 checkpoints, padded to a power of two.
    @param x What to measure.
    @return uint256 0 for 0, else 1 + floor(log2(x)).
    """
    bits: uint256 = 0
    for _: uint256 in range(64):
        if x >> bits == 0:
            break
        bits += 1
    return bits


@internal
@pure
def _drawn_intervals(terms: records.Terms, seed: bytes32, position: uint256) -> DynArray[uint256, MAX_AUDIT]:
    """
    @dev The intervals of a verifier: consecutive places of one permutation of all intervals, so that a verifier's are all
         different and two verifiers share none unless there are too few.
    @param terms The terms.
    @param seed The randomness of the draw.
    @param position The verifier's position among those drawn.
    @return DynArray Interval numbers.
    """
    key: bytes32 = keccak256(abi_encode(seed, "intervals"))
    n: uint256 = self._intervals(terms)
    half: uint256 = self._half_width(n)
    picks: DynArray[uint256, MAX_AUDIT] = []
    for t: uint256 in range(terms.audit_intervals, bound=MAX_AUDIT):
        picks.append(self._permute((position * terms.audit_intervals + t) % n, n, half, key))
    return picks


@internal
@pure
def _half_width(n: uint256) -> uint256:
    """
    @dev Bits of each half of the permutation's words.
    @param n Size of the set.
    @return uint256 max(1, ceil(bits of n - 1, divided by 2)).
    """
    if n < 2:
        return 1
    return max(1, (self._bit_length(n - 1) + 1) // 2)


@internal
@pure
def _permute(x: uint256, n: uint256, half: uint256, key: bytes32) -> uint256:
    """
    @dev Feistel network of 8 rounds over 2 * half bits, applied again until it lands below n (cycle walking). The round
         function is the 32-bit finaliser of MurmurHash3 over half plus round key. Arithmetic is modulo 2**32 by masking.
    @param x What to map, less than n.
    @param n Size of the set.
    @param half Bits of each half, from `_half_width(n)`.
    @param key Round keys: 8 big-endian words of 32 bits.
    @return uint256 The image of x, less than n.
    """
    if n == 1:
        return 0
    keys: uint256 = convert(key, uint256)
    mask: uint256 = (1 << half) - 1
    y: uint256 = x
    for _: uint256 in range(MAX_CYCLE):
        left: uint256 = y >> half
        right: uint256 = y & mask
        for r: uint256 in range(8):
            t: uint256 = unsafe_add(right, keys >> unsafe_sub(224, unsafe_mul(32, r))) & LOW_32_BITS
            t = unsafe_mul(t ^ (t >> 16), MIX_1) & LOW_32_BITS
            t = unsafe_mul(t ^ (t >> 13), MIX_2) & LOW_32_BITS
            t = left ^ ((t ^ (t >> 16)) & mask)
            left = right
            right = t
        y = (left << half) | right
        if y < n:
            return y
    raise "market: permute"
