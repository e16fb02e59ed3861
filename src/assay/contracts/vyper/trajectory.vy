# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Trajectory
@license Apache-2.0
@author The assay contributors
@notice What a trajectory binds besides states: its leaves, row numbers, traces and the bytes of checkpoints, shown in disputes
        (docs/dispute.md, section 4). It keeps nothing and serves every game, like evidence.vy.
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
def show_leaf(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    work: records.Work,
    first: board.Opening,
    last: board.Opening,
):
    """
    @notice Shows the two leaves that were demanded. Anybody may, and has the solver's share of the bond. If they contradict the
            task or each other, the solver has lost.
    @param table The game contract.
    @param id The game.
    @param game Its record.
    @param key Names the task.
    @param result What the solver swears to.
    @param work What is to be computed.
    @param first The leaf of the checkpoint before the interval.
    @param last The leaf of the one after it.
    """
    assert game.level == board.OPENING, "evidence: level"
    assert game.task == keccak256(abi_encode(key)), "evidence: task"
    assert game.claim == keccak256(abi_encode(result)), "evidence: result"
    checks.check_work(game, work)
    wrong: bool = self._leaf(key, result, work, game.interval, first)
    wrong = self._leaf(key, result, work, game.interval + 1, last) or wrong
    wrong = wrong or last.prev_root != first.state_root
    extcall Game(table).conclude(id, game, key, result, msg.sender, wrong, "leaf")


@external
def show_data(
    table: address,
    id: bytes32,
    game: board.Game,
    key: records.Key,
    result: records.Result,
    entry: Bytes[9232],
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
    tensor: bytes32 = checks.tensor(slice(entry, 14, len(entry) - 14), data)
    checks.check_tensor(game, game.claim, tensor, checks.word(entry, 10, 4), proof)
    extcall Game(table).conclude(id, game, key, result, msg.sender, False, "data")


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
    checks.check_leaf(game, board.ROWS)
    checks.check_chunk(game, chunk, at)
    checks.check_work(game, work)
    right: uint256 = checks.row(work, game.step, 128 * game.index + at)
    assert checks.word(chunk, 8 * at, 8) != right, "evidence: holds"
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
    assert len(found) == checks.count(game, 96), "evidence: length"
    first: uint256 = checks.count(game, 160) + checks.count(game, 128)
    at: uint256 = 0
    for i: uint256 in range(len(found), bound=16):
        number: bytes4 = convert(convert(found[i].number, uint32), bytes4)
        checks.check_entry(game, sha256(concat(b"\x0b", number)), first + i, found[i].entry_proof)
        value: bytes32 = sha256(concat(b"\x00", slice(data, at, found[i].size)))
        checks.check_value(game, value, found[i].number, found[i].proof)
        at += found[i].size
    assert at == len(data), "evidence: length"
    step: bytes8 = convert(convert(game.step, uint64), bytes8)
    assert game.claim != sha256(concat(b"\x00", step, data)), "evidence: holds"
    self._uphold(table, id, game, key, result, "metrics")


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
