# pragma version 0.4.3
# What lot.vy computes, callable.
import lot
import records


@external
@pure
def permute(x: uint256, n: uint256, key: bytes32) -> uint256:
    return lot._permute(x, n, lot._half_width(n), key)


@external
@pure
def drawn_intervals(terms: records.Terms, seed: bytes32, position: uint256) -> DynArray[uint256, 64]:
    return lot._drawn_intervals(terms, seed, position)
