# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Evidence
@license Apache-2.0
@author The assay contributors
@notice Checks what is shown in a dispute against what the solver has committed to (docs/dispute.md, section 4), and tells the
        game. It keeps nothing, so it serves every game: whoever calls it names the game contract, and only the one that was
        deployed with this contract's address believes it.
"""

import board
import merkle
import records


interface Game:
    def conclude(
        id: bytes32,
        game: board.Game,
        key: records.Key,
        result: records.Result,
        by: address,
        upheld: bool,
        reason: String[32],
    ): nonpayable


# @dev Bytes of an element, in the order of DType, four bits each from the lowest: float32, float16, bfloat16, int64, int32,
#      int16, int8, uint64, uint32, uint16, uint8, bool.
ITEMS: constant(uint256) = 18848483148324  # 0x112481248224
TYPES: constant(uint256) = 12

# @dev Kinds of values, as the entries number them.
STATE_VALUE: constant(uint256) = 0
BATCH_VALUE: constant(uint256) = 1
STEP_VALUE: constant(uint256) = 2
SEED_VALUE: constant(uint256) = 3
CONSTANT_VALUE: constant(uint256) = 4
KERNEL_VALUE: constant(uint256) = 5

# @dev Folds in lanes, in the order of Order.
LANES: constant(uint256) = 2

# @dev Rounds of the permutation's walk, each of which ends it with a chance of over 1/4.
MAX_CYCLE: constant(uint256) = 4096
LOW_32_BITS: constant(uint256) = 2 ** 32 - 1
MIX_1: constant(uint256) = 2246822507  # 0x85ebca6b
MIX_2: constant(uint256) = 3266489909  # 0xc2b2ae35


@external
@view
def leaf(
    key: records.Key, result: records.Result, work: records.Work, index: uint256, opening: board.Opening
) -> bool:
    """
    @notice Whether a leaf of the trajectory contradicts the task; refused if it is not under the commitment.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param index Which leaf, counted from 0.
    @param opening Its fields, and its proof.
    @return bool Whether step or program are wrong, the first one is not the initial state, or the last not the final one.
    """
    return self._leaf(key, result, work, index, opening)


@external
@view
def question(
    game: board.Game, kinds: uint256, entry: Bytes[16640], proof: DynArray[bytes32, 64]
) -> (bytes32, uint256, uint256):
    """
    @notice What an entry says about the value `game.value`; refused if it is not the program's.
    @param game The record of a game.
    @param kinds Bit k is set if values of kind k are wanted.
    @param entry The value's entry.
    @param proof Of the entry.
    @return (bytes32, uint256, uint256) Its leaf hash, bytes of the value, bytes of an element.
    """
    found: bytes32 = sha256(concat(b"\x0b", entry))
    self._check_entry(game, found, game.value, proof)
    assert (kinds >> self._word(entry, 0, 1)) & 1 == 1, "evidence: kind"
    item: uint256 = self._item(entry)
    return found, item * self._word(entry, 2, 8), item


@external
@view
def point(
    game: board.Game, chunk: Bytes[1024], at: uint256, entry: Bytes[16640]
) -> (uint256, bytes32, uint256, uint256):
    """
    @notice An element of a KiB that was shown, and the shape of its fold.
    @param game The record of a game.
    @param chunk The KiB.
    @param at Which element of it.
    @param entry The value's entry, a kernel's.
    @return (uint256, bytes32, uint256, uint256) The element's position in the value, its bits as a number, the terms of its
                                                fold, and the words of an accumulator.
    """
    self._check_chunk(game, chunk, at)
    assert sha256(concat(b"\x0b", entry)) == game.entry, "evidence: entry"
    assert self._word(entry, 0, 1) == KERNEL_VALUE, "evidence: kind"
    bits: uint256 = 0
    for i: uint256 in range(game.item, bound=8):
        bits |= convert(slice(chunk, at * game.item + i, 1), uint256) << (8 * i)
    width: uint256 = 1
    if self._word(entry, 11, 1) == LANES:
        # sixteen lanes, of 64 bits where the type has them
        width = 2
        if game.item == 8:
            width = 4
    element: uint256 = 1024 // game.item * game.index + at
    return element, convert(bits, bytes32), self._word(entry, 30, 8), width


@external
def input(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    entry: Bytes[16640],
    entry_proof: DynArray[bytes32, 64],
):
    """
    @notice Shows that a value is not the step number, the seed or the constant that it has to be.
    @param table The game contract.
    @param id The game.
    @param game Its record, with one value left.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param entry The value's entry.
    @param entry_proof Of the entry.
    """
    self._check_leaf(game, board.VALUES)
    self._check_entry(game, sha256(concat(b"\x0b", entry)), game.index, entry_proof)
    kind: uint256 = self._word(entry, 0, 1)
    right: bytes32 = empty(bytes32)
    if kind == CONSTANT_VALUE:
        right = extract32(entry, 10)
    elif kind == STEP_VALUE:
        right = self._little(game.step)
    else:
        assert kind == SEED_VALUE, "evidence: kind"
        self._check_work(game, work)
        right = self._little(work.seed)
    assert game.node != right, "evidence: holds"
    self._uphold(table, id, game, key, result, "input")


@external
def state(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    entry: Bytes[16640],
    entry_proof: DynArray[bytes32, 64],
    tensor: bytes32,
    proof: DynArray[bytes32, 64],
):
    """
    @notice Shows that a value is not the tensor of the state before the step that it has to be.
    @param table The game contract.
    @param id The game.
    @param game Its record, with one value left.
    @param key Names the task.
    @param result What the solver swears to.
    @param entry The value's entry.
    @param entry_proof Of the entry.
    @param tensor The tensor hash in the state before.
    @param proof Of the tensor hash, in that state.
    """
    self._check_leaf(game, board.VALUES)
    self._check_entry(game, sha256(concat(b"\x0b", entry)), game.index, entry_proof)
    assert self._word(entry, 0, 1) == STATE_VALUE, "evidence: kind"
    self._check_tensor(game, game.before, tensor, self._word(entry, 10, 4), proof)
    assert tensor != self._tensor(slice(entry, 14, len(entry) - 14), game.node), "evidence: holds"
    self._uphold(table, id, game, key, result, "state")


@external
def batch(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    entry: Bytes[16640],
    chunk: Bytes[1024],
    at: uint256,
    columns: Bytes[8192],
    row: Bytes[32768],
    proof: DynArray[bytes32, 64],
):
    """
    @notice Shows that an element of a batch is not what the sampler's row has there.
    @param table The game contract.
    @param id The game.
    @param game Its record, with a KiB of a batch shown.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param entry The value's entry.
    @param chunk The KiB that the solver has shown.
    @param at Which of its elements.
    @param columns Number of columns 4 and their type bytes, as in the dataset root.
    @param row The bytes of the row that the sampler draws.
    @param proof Of the row, in the dataset.
    """
    self._check_leaf(game, board.TENSOR)
    self._check_chunk(game, chunk, at)
    self._check_work(game, work)
    assert sha256(concat(b"\x0b", entry)) == game.entry, "evidence: entry"
    assert self._word(entry, 0, 1) == BATCH_VALUE, "evidence: kind"
    begin: uint256 = self._word(entry, 10, 8)
    wide: uint256 = self._word(entry, 18, 8)
    offset: uint256 = 1024 * game.index + game.item * at
    number: uint256 = self._row(work, game.step, offset // wide)
    assert len(row) == game.shape & (2**64 - 1), "evidence: row"
    assert len(proof) == merkle.depth(work.rows), "evidence: length"
    root: bytes32 = merkle.climb(sha256(concat(b"\x06", row)), number, proof)
    rows: bytes8 = convert(convert(work.rows, uint64), bytes8)
    assert sha256(concat(b"\x09", rows, columns, root)) == work.dataset_root, "evidence: row"
    right: bytes32 = keccak256(slice(row, begin + offset % wide, game.item))
    assert keccak256(slice(chunk, game.item * at, game.item)) != right, "evidence: holds"
    self._uphold(table, id, game, key, result, "batch")


@external
def output(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    place: uint256,
    entry: Bytes[16640],
    entry_proof: DynArray[bytes32, 64],
    data: bytes32,
    proof: DynArray[bytes32, 64],
):
    """
    @notice Shows that a tensor of the state after the step is not the value that it has to be.
    @param table The game contract.
    @param id The game.
    @param game Its record, with one tensor left.
    @param key Names the task.
    @param result What the solver swears to.
    @param place Place of the output's entry among the outputs.
    @param entry That entry.
    @param entry_proof Of the entry.
    @param data The value's data root.
    @param proof Of the data root, under the values root.
    """
    self._check_leaf(game, board.STATE)
    assert place < self._count(game, 128), "evidence: place"
    self._check_entry(game, sha256(concat(b"\x0b", entry)), self._count(game, 160) + place, entry_proof)
    assert self._word(entry, 4, 4) == game.index, "evidence: position"
    self._check_value(game, data, self._word(entry, 0, 4), proof)
    assert game.node != self._tensor(slice(entry, 8, len(entry) - 8), data), "evidence: holds"
    self._uphold(table, id, game, key, result, "output")


@external
def rows(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    chunk: Bytes[1024],
    at: uint256,
):
    """
    @notice Shows that a row number is not the one that the sampler draws.
    @param table The game contract.
    @param id The game.
    @param game Its record, with a KiB of row numbers shown.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param chunk The KiB that the solver has shown.
    @param at Which of its row numbers.
    """
    self._check_leaf(game, board.ROWS)
    self._check_chunk(game, chunk, at)
    self._check_work(game, work)
    right: uint256 = self._row(work, game.step, 128 * game.index + at)
    assert self._word(chunk, 8 * at, 8) != right, "evidence: holds"
    self._uphold(table, id, game, key, result, "rows")


@external
def metrics(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    found: DynArray[board.Metric, 16],
    data: Bytes[16384],
):
    """
    @notice Shows that the fingerprint of a step is not that of the step's metrics.
    @param table The game contract.
    @param id The game.
    @param game Its record, with the step's values root stated.
    @param key Names the task.
    @param result What the solver swears to.
    @param found All metrics in name order, at most a KiB each, opened under the values root.
    @param data Their bytes, one after the other.
    """
    assert game.level == board.VALUES and game.turn == board.CHALLENGER, "evidence: level"
    assert game.kind == board.TRACE and game.step == game.mark, "evidence: step"
    assert len(found) == self._count(game, 96), "evidence: length"
    first: uint256 = self._count(game, 160) + self._count(game, 128)
    at: uint256 = 0
    for i: uint256 in range(len(found), bound=16):
        number: bytes4 = convert(convert(found[i].number, uint32), bytes4)
        self._check_entry(game, sha256(concat(b"\x0b", number)), first + i, found[i].entry_proof)
        value: bytes32 = sha256(concat(b"\x00", slice(data, at, found[i].size)))
        self._check_value(game, value, found[i].number, found[i].proof)
        at += found[i].size
    assert at == len(data), "evidence: length"
    step: bytes8 = convert(convert(game.step, uint64), bytes8)
    assert game.claim != sha256(concat(b"\x00", step, data)), "evidence: holds"
    self._uphold(table, id, game, key, result, "metrics")


@external
def show_leaf(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    opening: board.Opening,
    before: board.Opening,
):
    """
    @notice Shows the leaf that was demanded. Anybody may, and has the solver's share of the bond. If the leaf contradicts the
            task or the leaf before it, the solver has lost.
    @param table The game contract.
    @param id The game.
    @param game Its record.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param opening The leaf.
    @param before The leaf before it; not looked at for leaf 0.
    """
    assert game.level == board.OPENING, "evidence: level"
    assert game.task == keccak256(abi_encode(key)), "evidence: task"
    assert game.claim == keccak256(abi_encode(result)), "evidence: result"
    self._check_work(game, work)
    wrong: bool = self._leaf(key, result, work, game.interval, opening)
    if game.interval > 0:
        wrong = self._leaf(key, result, work, game.interval - 1, before) or wrong
        wrong = wrong or opening.prev_root != before.state_root
    extcall Game(table).conclude(id, game, key, result, msg.sender, wrong, "leaf")


@external
def show_data(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    entry: Bytes[16640],
    chunk: Bytes[1024],
    chunk_proof: DynArray[bytes32, 64],
    proof: DynArray[bytes32, 64],
):
    """
    @notice Shows the KiB that was demanded. Anybody may, and has the solver's share of the bond.
    @param table The game contract.
    @param id The game.
    @param game Its record.
    @param key Names the task.
    @param result What the solver swears to.
    @param entry The tensor's entry.
    @param chunk The bytes.
    @param chunk_proof Of the KiB, in the tensor.
    @param proof Of the tensor, in the state.
    """
    assert game.level == board.SHOWING, "evidence: level"
    assert sha256(concat(b"\x0b", entry)) == game.entry, "evidence: entry"
    assert len(chunk) == min(1024, game.size - 1024 * game.index), "evidence: length"
    assert len(chunk_proof) == merkle.depth(game.count), "evidence: length"
    data: bytes32 = merkle.climb(sha256(concat(b"\x00", chunk)), game.index, chunk_proof)
    tensor: bytes32 = self._tensor(slice(entry, 14, len(entry) - 14), data)
    self._check_tensor(game, game.claim, tensor, self._word(entry, 10, 4), proof)
    extcall Game(table).conclude(id, game, key, result, msg.sender, False, "data")


@internal
def _uphold(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    reason: String[32],
):
    """
    @dev Tells the game that the challenger is right.
    @param table The game contract.
    @param id The game.
    @param game Its record.
    @param key Names the task.
    @param result What the solver swears to.
    @param reason Which contradiction.
    """
    extcall Game(table).conclude(id, game, key, result, msg.sender, True, reason)


@internal
@pure
def _leaf(
    key: records.Key, result: records.Result, work: records.Work, index: uint256, opening: board.Opening
) -> bool:
    """
    @dev See `leaf`.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param index Which leaf.
    @param opening Its fields, and its proof.
    @return bool Whether it contradicts the task.
    """
    intervals: uint256 = (key.terms.steps + key.terms.interval - 1) // key.terms.interval
    assert index <= intervals, "evidence: leaf"
    assert len(opening.proof) == merkle.depth(intervals + 1), "evidence: length"
    node: bytes32 = sha256(
        concat(
            b"\x04",
            opening.prev_root,
            opening.state_root,
            convert(convert(opening.step, uint64), bytes8),
            opening.batches,
            opening.program_root,
            opening.trace,
        )
    )
    assert merkle.climb(node, index, opening.proof) == result.root, "evidence: proof"
    if opening.step != min(index * key.terms.interval, key.terms.steps):
        return True
    if opening.program_root != key.terms.program_root:
        return True
    if index == intervals and opening.state_root != result.final_root:
        return True
    if index > 0:
        return False
    nothing: bool = opening.prev_root == empty(bytes32) and opening.batches == empty(bytes32)
    return opening.state_root != work.initial_root or not nothing or opening.trace != empty(bytes32)


@internal
@pure
def _check_leaf(game: board.Game, level: uint256):
    """
    @dev Refuses a contradiction before its time.
    @param game The record of a game.
    @param level In which tree one leaf has to be left.
    """
    assert game.level == level and game.height == 0 and game.turn == board.CHALLENGER, "evidence: level"
    assert game.revealed == empty(bytes32), "evidence: level"


@internal
@pure
def _check_work(game: board.Game, work: records.Work):
    """
    @dev Refuses other work than the task's.
    @param game The record of a game.
    @param work What is to be computed.
    """
    assert game.work == keccak256(abi_encode(work)), "evidence: work"


@internal
@pure
def _check_chunk(game: board.Game, chunk: Bytes[1024], at: uint256):
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
def _check_entry(game: board.Game, entry: bytes32, place: uint256, proof: DynArray[bytes32, 64]):
    """
    @dev Refuses an entry that is not the program's.
    @param game The record of a game.
    @param entry Its leaf hash.
    @param place Where it is.
    @param proof Siblings from the leaf upwards.
    """
    count: uint256 = self._count(game, 160) + self._count(game, 128) + self._count(game, 96)
    assert len(proof) == merkle.depth(count), "evidence: length"
    assert merkle.climb(entry, place, proof) == game.entries, "evidence: entry"


@internal
@pure
def _check_value(game: board.Game, data: bytes32, number: uint256, proof: DynArray[bytes32, 64]):
    """
    @dev Refuses a data root that is not under the values root.
    @param game The record of a game.
    @param data The data root.
    @param number Of the value.
    @param proof Siblings from the leaf upwards.
    """
    assert len(proof) == merkle.depth(self._count(game, 160)), "evidence: length"
    assert merkle.climb(data, number, proof) == game.values, "evidence: value"


@internal
@pure
def _check_tensor(
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
    states: uint256 = self._count(game, 64)
    assert len(proof) == merkle.depth(states), "evidence: length"
    count: bytes4 = convert(convert(states, uint32), bytes4)
    assert sha256(concat(b"\x03", count, merkle.climb(tensor, position, proof))) == root, "evidence: tensor"


@internal
@pure
def _tensor(kind: Bytes[16640], data: bytes32) -> bytes32:
    """
    @dev The hash of a tensor.
    @param kind Its type bytes.
    @param data Root over its bytes.
    @return bytes32 The hash.
    """
    return sha256(concat(b"\x02", kind, data))


@internal
@pure
def _count(game: board.Game, bit: uint256) -> uint256:
    """
    @dev One of the counts of the code root.
    @param game The record of a game.
    @param bit 160 for values, 128 outputs, 96 metrics, 64 states.
    @return uint256 How many.
    """
    return (game.shape >> bit) & LOW_32_BITS


@internal
@pure
def _word(data: Bytes[16640], at: uint256, size: uint256) -> uint256:
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
def _item(entry: Bytes[16640]) -> uint256:
    """
    @dev Bytes of an element of a value.
    @param entry The value's entry.
    @return uint256 1, 2, 4 or 8.
    """
    kind: uint256 = self._word(entry, 1, 1)
    assert kind < TYPES, "evidence: type"
    return (ITEMS >> (4 * kind)) & 15


@internal
@pure
def _little(x: uint256) -> bytes32:
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
def _row(work: records.Work, step: uint256, j: uint256) -> uint256:
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
    return self._permute(place % work.rows, work.rows, sha256(concat(b"\x0a", seed, epoch)))


@internal
@pure
def _permute(x: uint256, n: uint256, key: bytes32) -> uint256:
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
