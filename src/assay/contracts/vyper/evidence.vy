# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Evidence
@license Apache-2.0
@author The assay contributors
@notice Contradictions within a step, and what leads to them (docs/dispute.md, section 4): checked here, and told to the game.
        It keeps nothing, so it serves every game: whoever calls it names the game contract, and only the one that was
        deployed with this contract's address believes it.
"""

import board
import checks
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


interface Referee:
    def start(
        kernel: Bytes[9232], element: uint256, values_root: bytes32, depth: uint256, openings: Bytes[32768]
    ) -> DynArray[uint256, 16]: view
    def execute(
        kernel: Bytes[9232],
        element: uint256,
        first: uint256,
        last: uint256,
        acc: DynArray[uint256, 16],
        values_root: bytes32,
        depth: uint256,
        openings: Bytes[32768],
    ) -> DynArray[uint256, 16]: view
    def finish(kernel: Bytes[9232], acc: DynArray[uint256, 16]) -> uint256: view


# @notice The referee has executed the piece that a game had come to, and got something else than the solver had claimed:
#         at the end of a fold an element's stored bits, before it the words of an accumulator.
event Executed:
    id: indexed(bytes32)
    element: uint256
    first: uint256
    last: uint256
    claimed: bytes32
    found: DynArray[bytes32, 4]


# @dev Kinds of values, as the entries number them.
STATE_VALUE: constant(uint256) = 0
BATCH_VALUE: constant(uint256) = 1
STEP_VALUE: constant(uint256) = 2
SEED_VALUE: constant(uint256) = 3
CONSTANT_VALUE: constant(uint256) = 4
KERNEL_VALUE: constant(uint256) = 5

# @dev Folds in lanes, in the order of Order.
LANES: constant(uint256) = 2


# @notice Who executes a piece of a kernel.
referee: public(immutable(Referee))


@deploy
def __init__(referee_: address):
    """
    @notice Fixes the referee for good.
    @param referee_ The contract that executes a piece of a kernel.
    """
    assert referee_.is_contract, "evidence: referee"
    referee = Referee(referee_)


@external
@view
def question(
    game: board.Game, kinds: uint256, entry: Bytes[9232], proof: DynArray[bytes32, 64]
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
    checks.check_entry(game, found, game.value, proof)
    assert (kinds >> checks.word(entry, 0, 1)) & 1 == 1, "evidence: kind"
    item: uint256 = checks.item(entry)
    return found, item * checks.word(entry, 2, 8), item


@external
@view
def point(
    game: board.Game, chunk: Bytes[1024], at: uint256, entry: Bytes[9232]
) -> (uint256, bytes32, uint256, uint256, uint256):
    """
    @notice An element of a KiB that was shown, and the shape of its fold.
    @param game The record of a game.
    @param chunk The KiB.
    @param at Which element of it.
    @param entry The value's entry, a kernel's.
    @return (uint256, bytes32, uint256, uint256, uint256) The element's position in the value, its bits as a number, the
            terms of its fold, how many of them the referee executes at once, and the words of an accumulator.
    """
    checks.check_chunk(game, chunk, at)
    assert sha256(concat(b"\x0b", entry)) == game.entry, "evidence: entry"
    assert checks.word(entry, 0, 1) == KERNEL_VALUE, "evidence: kind"
    bits: uint256 = 0
    for i: uint256 in range(game.item, bound=8):
        bits |= convert(slice(chunk, at * game.item + i, 1), uint256) << (8 * i)
    width: uint256 = 1
    if checks.word(entry, 11, 1) == LANES:
        # sixteen lanes, of 64 bits where the type has them
        width = 2
        if game.item == 8:
            width = 4
    element: uint256 = 1024 // game.item * game.index + at
    return element, convert(bits, bytes32), checks.word(entry, 30, 8), checks.word(entry, 13, 1), width


@external
def prove(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    entry: Bytes[9232],
    first: DynArray[bytes32, 4],
    base: Bytes[32768],
    openings: Bytes[32768],
):
    """
    @notice Executes the piece that is left, and shows that it does not give what the solver claims.
    @param table The game contract.
    @param id The game.
    @param game Its record, with a piece left.
    @param key Names the task.
    @param result What the solver swears to.
    @param entry The value's entry, a kernel's.
    @param first The words of the accumulator at lo; none where lo is 0.
    @param base What the referee's `start` opens, where lo is 0.
    @param openings What its `execute` opens.
    """
    assert game.level == board.PROOF, "evidence: level"
    assert sha256(concat(b"\x0b", entry)) == game.entry, "evidence: entry"
    depth: uint256 = merkle.depth(checks.count(game, 160))
    kernel: Bytes[9232] = slice(entry, 10, len(entry) - 10)
    acc: DynArray[uint256, 16] = []
    if game.lo == 0:
        acc = staticcall referee.start(kernel, game.element, game.values, depth, base)
    else:
        assert len(first) == game.width and self._hash(first) == game.low, "evidence: accumulator"
        acc = self._unpack(first)
    if game.hi > game.lo:
        acc = staticcall referee.execute(
            kernel, game.element, game.lo, game.hi, acc, game.values, depth, openings
        )
    words: DynArray[bytes32, 4] = []
    found: bytes32 = empty(bytes32)
    if game.hi == game.terms:
        found = convert(staticcall referee.finish(kernel, acc), bytes32)
        words = [found]
    else:
        words = self._pack(acc, game.width)
        found = self._hash(words)
    assert found != game.high, "evidence: holds"
    log Executed(id=id, element=game.element, first=game.lo, last=game.hi, claimed=game.high, found=words)
    self._uphold(table, id, game, key, result, "prove")


@external
def input(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    entry: Bytes[9232],
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
    checks.check_leaf(game, board.VALUES)
    checks.check_entry(game, sha256(concat(b"\x0b", entry)), game.index, entry_proof)
    kind: uint256 = checks.word(entry, 0, 1)
    right: bytes32 = empty(bytes32)
    if kind == CONSTANT_VALUE:
        right = extract32(entry, 10)
    elif kind == STEP_VALUE:
        right = checks.little(game.step)
    else:
        assert kind == SEED_VALUE, "evidence: kind"
        checks.check_work(game, work)
        right = checks.little(work.seed)
    assert game.node != right, "evidence: holds"
    self._uphold(table, id, game, key, result, "input")


@external
def state(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    entry: Bytes[9232],
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
    checks.check_leaf(game, board.VALUES)
    checks.check_entry(game, sha256(concat(b"\x0b", entry)), game.index, entry_proof)
    assert checks.word(entry, 0, 1) == STATE_VALUE, "evidence: kind"
    checks.check_tensor(game, game.before, tensor, checks.word(entry, 10, 4), proof)
    assert tensor != checks.tensor(slice(entry, 14, len(entry) - 14), game.node), "evidence: holds"
    self._uphold(table, id, game, key, result, "state")


@external
def batch(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    entry: Bytes[9232],
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
    checks.check_leaf(game, board.TENSOR)
    checks.check_chunk(game, chunk, at)
    checks.check_work(game, work)
    assert sha256(concat(b"\x0b", entry)) == game.entry, "evidence: entry"
    assert checks.word(entry, 0, 1) == BATCH_VALUE, "evidence: kind"
    begin: uint256 = checks.word(entry, 10, 8)
    wide: uint256 = checks.word(entry, 18, 8)
    offset: uint256 = 1024 * game.index + game.item * at
    number: uint256 = checks.row(work, game.step, offset // wide)
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
    entry: Bytes[9232],
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
    checks.check_leaf(game, board.STATE)
    assert place < checks.count(game, 128), "evidence: place"
    checks.check_entry(game, sha256(concat(b"\x0b", entry)), checks.count(game, 160) + place, entry_proof)
    assert checks.word(entry, 4, 4) == game.index, "evidence: position"
    checks.check_value(game, data, checks.word(entry, 0, 4), proof)
    assert game.node != checks.tensor(slice(entry, 8, len(entry) - 8), data), "evidence: holds"
    self._uphold(table, id, game, key, result, "output")


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
def _pack(acc: DynArray[uint256, 16], width: uint256) -> DynArray[bytes32, 4]:
    """
    @dev An accumulator in as few words as hold it: one of a chain, or sixteen lanes, the first one highest.
    @param acc The accumulator.
    @param width Words: 1, or 2 for lanes of 32 bits, 4 for lanes of 64.
    @return DynArray The words.
    """
    per: uint256 = len(acc) // width
    bits: uint256 = 256 // max(1, per)
    words: DynArray[bytes32, 4] = []
    for i: uint256 in range(width, bound=4):
        word: uint256 = 0
        for j: uint256 in range(per, bound=16):
            word |= acc[i * per + j] << (256 - bits * (j + 1))
        words.append(convert(word, bytes32))
    return words


@internal
@pure
def _unpack(words: DynArray[bytes32, 4]) -> DynArray[uint256, 16]:
    """
    @dev The reverse of `_pack`.
    @param words The words.
    @return DynArray The accumulator.
    """
    if len(words) == 1:
        return [convert(words[0], uint256)]
    per: uint256 = 16 // len(words)
    bits: uint256 = 256 // per
    acc: DynArray[uint256, 16] = []
    for word: bytes32 in words:
        for j: uint256 in range(per, bound=8):
            acc.append((convert(word, uint256) >> (256 - bits * (j + 1))) & ((1 << bits) - 1))
    return acc


@internal
@pure
def _hash(words: DynArray[bytes32, 4]) -> bytes32:
    """
    @dev What the game keeps of an accumulator.
    @param words Its words: 1, 2 or 4.
    @return bytes32 keccak256 of them, one after the other.
    """
    if len(words) == 1:
        return keccak256(words[0])
    if len(words) == 2:
        return keccak256(concat(words[0], words[1]))
    return keccak256(concat(words[0], words[1], words[2], words[3]))
