# pragma version 0.4.3
"""
@title Checks
@license Apache-2.0
@author The assay contributors
@notice What is shown in a dispute against what the solver has committed to: the parts that evidence and trajectory share.
"""

import board
import merkle
import records


# @dev Bytes of an element, in the order of DType, four bits each from the lowest: float32, float16, bfloat16, int64, int32,
#      int16, int8, uint64, uint32, uint16, uint8, bool.
ITEMS: constant(uint256) = 18848483148324  # 0x112481248224
TYPES: constant(uint256) = 12

# @dev Rounds of the permutation's walk, each of which ends it with a chance of over 1/4.
MAX_CYCLE: constant(uint256) = 4096
LOW_32_BITS: constant(uint256) = 2 ** 32 - 1
MIX_1: constant(uint256) = 2246822507  # 0x85ebca6b
MIX_2: constant(uint256) = 3266489909  # 0xc2b2ae35


@internal
@pure
def check_leaf(game: board.Game, level: uint256):
    """
    @dev Refuses a contradiction before its time.
    @param game The record of a game.
    @param level In which tree one leaf has to be left.
    """
    assert game.level == level and game.height == 0 and game.turn == board.CHALLENGER, "evidence: level"
    assert game.revealed == empty(bytes32), "evidence: level"


@internal
@pure
def check_work(game: board.Game, work: records.Work):
    """
    @dev Refuses other work than the task's.
    @param game The record of a game.
    @param work What is to be computed.
    """
    assert game.work == keccak256(abi_encode(work)), "evidence: work"


@internal
@pure
def check_chunk(game: board.Game, chunk: Bytes[1024], at: uint256):
    """
    @dev Refuses another KiB than the one shown, and elements beyond its end.
    @param game The record of a game.
    @param chunk The KiB.
    @param at Which element of it.
    """
    item: uint256 = 8 if game.level == board.ROWS else game.item
    assert sha256(concat(b"\x00", chunk)) == game.node, "evidence: chunk"
    assert at < len(chunk) // item, "evidence: element"


@internal
@pure
def check_entry(game: board.Game, entry: bytes32, place: uint256, proof: DynArray[bytes32, 64]):
    """
    @dev Refuses an entry that is not the program's.
    @param game The record of a game.
    @param entry Its leaf hash.
    @param place Where it is.
    @param proof Siblings from the leaf upwards.
    """
    count: uint256 = self.count(game, 160) + self.count(game, 128) + self.count(game, 96)
    assert len(proof) == merkle.depth(count), "evidence: length"
    assert merkle.climb(entry, place, proof) == game.entries, "evidence: entry"


@internal
@pure
def check_value(game: board.Game, data: bytes32, number: uint256, proof: DynArray[bytes32, 64]):
    """
    @dev Refuses a data root that is not under the values root.
    @param game The record of a game.
    @param data The data root.
    @param number Of the value.
    @param proof Siblings from the leaf upwards.
    """
    assert len(proof) == merkle.depth(self.count(game, 160)), "evidence: length"
    assert merkle.climb(data, number, proof) == game.values, "evidence: value"


@internal
@pure
def check_tensor(
    game: board.Game, root: bytes32, tensor: bytes32, position: uint256, proof: DynArray[bytes32, 64]
):
    """
    @dev Refuses a tensor that is not in a state.
    @param game The record of a game.
    @param root The state's root.
    @param tensor The tensor's hash.
    @param position Its place among the tensors.
    @param proof Siblings from the leaf upwards.
    """
    states: uint256 = self.count(game, 64)
    assert len(proof) == merkle.depth(states), "evidence: length"
    count: bytes4 = convert(convert(states, uint32), bytes4)
    assert sha256(concat(b"\x03", count, merkle.climb(tensor, position, proof))) == root, "evidence: tensor"


@internal
@pure
def tensor(kind: Bytes[9232], data: bytes32) -> bytes32:
    """
    @dev The hash of a tensor.
    @param kind Its type bytes.
    @param data Root over its bytes.
    @return bytes32 The hash.
    """
    return sha256(concat(b"\x02", kind, data))


@internal
@pure
def count(game: board.Game, bit: uint256) -> uint256:
    """
    @dev One of the counts of the code root.
    @param game The record of a game.
    @param bit 160 for values, 128 outputs, 96 metrics, 64 states.
    @return uint256 How many.
    """
    return (game.shape >> bit) & LOW_32_BITS


@internal
@pure
def word(data: Bytes[9232], at: uint256, size: uint256) -> uint256:
    """
    @dev A big-endian number in some bytes.
    @param data The bytes.
    @param at Where it begins.
    @param size Its bytes, at most 8.
    @return uint256 The number.
    """
    found: uint256 = 0
    for i: uint256 in range(size, bound=8):
        found = (found << 8) | convert(slice(data, at + i, 1), uint256)
    return found


@internal
@pure
def item(entry: Bytes[9232]) -> uint256:
    """
    @dev Bytes of an element of a value.
    @param entry The value's entry.
    @return uint256 1, 2, 4 or 8.
    """
    kind: uint256 = self.word(entry, 1, 1)
    assert kind < TYPES, "evidence: type"
    return (ITEMS >> (4 * kind)) & 15


@internal
@pure
def little(x: uint256) -> bytes32:
    """
    @dev The data root of a number as eight little-endian bytes.
    @param x The number.
    @return bytes32 Its one leaf.
    """
    turned: uint256 = 0
    for i: uint256 in range(8):
        turned = (turned << 8) | ((x >> (8 * i)) & 255)
    return sha256(concat(b"\x00", convert(convert(turned, uint64), bytes8)))


@internal
@pure
def row(work: records.Work, step: uint256, j: uint256) -> uint256:
    """
    @dev The row that the sampler draws (docs/proof.md).
    @param work What is to be computed.
    @param step The step.
    @param j Its place in the batch.
    @return uint256 Number of the row.
    """
    place: uint256 = step * work.batch_size + j
    seed: bytes8 = convert(convert(work.seed, uint64), bytes8)
    epoch: bytes8 = convert(convert(place // work.rows, uint64), bytes8)
    return self.permute(place % work.rows, work.rows, sha256(concat(b"\x0a", seed, epoch)))


@internal
@pure
def permute(x: uint256, n: uint256, key: bytes32) -> uint256:
    """
    @dev The sampler's Feistel network, with cycle walking; as in market.vy.
    @param x What to map, less than n.
    @param n Size of the set.
    @param key Round keys: 8 big-endian words of 32 bits.
    @return uint256 The image of x, less than n.
    """
    if n == 1:
        return 0
    half: uint256 = max(1, (merkle.depth(n) + 1) // 2)
    keys: uint256 = convert(key, uint256)
    mask: uint256 = (1 << half) - 1
    y: uint256 = x
    for _: uint256 in range(MAX_CYCLE):
        left: uint256 = y >> half
        right: uint256 = y & mask
        for r: uint256 in range(8):
            t: uint256 = unsafe_add(right, keys >> unsafe_sub(224, unsafe_mul(32, r))) & LOW_32_BITS
            t ^= t >> 16
            t = unsafe_mul(t, MIX_1) & LOW_32_BITS
            t ^= t >> 13
            t = unsafe_mul(t, MIX_2) & LOW_32_BITS
            t ^= t >> 16
            swapped: uint256 = left ^ (t & mask)
            left = right
            right = swapped
        y = (left << half) | right
        if y < n:
            return y
    raise "evidence: permute"
