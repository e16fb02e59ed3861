"""What a contradiction has to show, check by check as the contract evidence.vy does it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from eth_utils.crypto import keccak

from assay.program.code import decode
from assay.program.types import DType
from assay.proof import Opening, merkle, permute
from assay.proof.sampler import sampler_key

from .arbiter.kernel import execute, finish, start
from .case import Case, Work
from .moves import Batch, Finding, Input, Metrics, Output, Point, Proof, Prove, Rows, ShowData, ShowLeaf, State
from .opened import opened
from .record import Game, Kind, Level, Turn
from .refused import require

__all__ = [
    "BATCH",
    "KERNEL",
    "STATE",
    "code_root",
    "data_shown",
    "drawn_row",
    "entry_leaf",
    "holds",
    "leaf_contradicts",
    "leaf_shown",
    "pack",
    "pointed",
    "questioned",
    "state_root",
    "unpack",
]

_TYPES = tuple(DType)
STATE, BATCH, STEP, SEED, CONSTANT, KERNEL = range(6)
_LANES = 2


def _word(data: bytes, at: int, size: int) -> int:
    require(at + size <= len(data), "")
    return int.from_bytes(data[at : at + size], "big")


def entry_leaf(entry: bytes) -> bytes:
    """sha256(0b || entry)."""
    return sha256(b"\x0b" + entry).digest()


def _climb(leaf: bytes, index: int, proof: Proof) -> bytes:
    for sibling in proof:
        leaf = merkle.node(sibling, leaf) if index & 1 else merkle.node(leaf, sibling)
        index >>= 1
    require(index == 0, "merkle: index")
    return leaf


def _check_entry(game: Game, entry: bytes, place: int, proof: Proof) -> None:
    count = game.values_count + game.outputs_count + game.metrics_count
    require(len(proof) == merkle.depth(count), "evidence: length")
    require(_climb(entry_leaf(entry), place, proof) == game.entries, "evidence: entry")


def _check_value(game: Game, data: bytes, number: int, proof: Proof) -> None:
    require(len(proof) == merkle.depth(game.values_count), "evidence: length")
    require(_climb(data, number, proof) == game.values, "evidence: value")


def _check_tensor(game: Game, root: bytes, tensor: bytes, position: int, proof: Proof) -> None:
    require(len(proof) == merkle.depth(game.states_count), "evidence: length")
    found = state_root(game.states_count, _climb(tensor, position, proof))
    require(found == root, "evidence: tensor")


def state_root(count: int, node: bytes) -> bytes:
    """The root of a state whose `count` tensors have the tree `node`."""
    return sha256(b"\x03" + count.to_bytes(4, "big") + node).digest()


def code_root(shape: int, entries: bytes) -> bytes:
    """The code root with these counts and this tree over the entries."""
    return sha256(b"\x0c" + shape.to_bytes(24, "big") + entries).digest()


def _tensor(types: bytes, data: bytes) -> bytes:
    return sha256(b"\x02" + types + data).digest()


def _check_leaf(game: Game, level: Level) -> None:
    held = game.level is level and game.height == 0 and game.turn is Turn.CHALLENGER
    require(held and game.revealed == merkle.ZERO, "evidence: level")


def _check_chunk(game: Game, chunk: bytes, at: int) -> None:
    item = 8 if game.level is Level.ROWS else game.item
    require(merkle.leaf(chunk) == game.node, "evidence: chunk")
    require(at < len(chunk) // item, "evidence: element")


def _check_work(game: Game, work: Work) -> None:
    require(game.work == work.digest, "evidence: work")


def leaf_contradicts(case: Case, index: int, opening: Opening) -> bool:
    """Whether a leaf of the trajectory contradicts the task; refused if it is not under the commitment."""
    require(index <= case.intervals, "evidence: leaf")
    require(len(opening.proof) == merkle.depth(case.intervals + 1), "evidence: length")
    require(_climb(opening.leaf, index, opening.proof) == case.root, "evidence: proof")
    if opening.step != min(index * case.interval, case.steps) or opening.program_root != case.program_root:
        return True
    if index == case.intervals and opening.state_root != case.final_root:
        return True
    nothing = (opening.prev_root, opening.batches, opening.trace) == (merkle.ZERO,) * 3
    return index == 0 and (opening.state_root != case.work.initial_root or not nothing)


def questioned(game: Game, kinds: frozenset[int], entry: bytes, proof: Proof) -> tuple[bytes, int, int]:
    """The leaf hash of value `game.value`'s entry, the value's bytes and those of an element."""
    _check_entry(game, entry, game.value, proof)
    require(_word(entry, 0, 1) in kinds, "evidence: kind")
    dtype = _word(entry, 1, 1)
    require(dtype < len(_TYPES), "evidence: type")
    item = _TYPES[dtype].itemsize
    return entry_leaf(entry), item * _word(entry, 2, 8), item


def pointed(game: Game, move: Point) -> tuple[int, bytes, int, int, int]:
    """Place of the element in its value, its bits, the terms of its fold, those of a piece, words of an accumulator."""
    _check_chunk(game, move.chunk, move.at)
    require(entry_leaf(move.entry) == game.entry, "evidence: entry")
    require(_word(move.entry, 0, 1) == KERNEL, "evidence: kind")
    bits = int.from_bytes(move.chunk[move.at * game.item : (move.at + 1) * game.item], "little")
    width = 1
    if _word(move.entry, 11, 1) == _LANES:
        width = 4 if game.item == 8 else 2
    element = merkle.CHUNK // game.item * game.index + move.at
    return element, bits.to_bytes(32, "big"), _word(move.entry, 30, 8), _word(move.entry, 13, 1), width


def pack(acc: Sequence[int], width: int) -> tuple[bytes, ...]:
    """An accumulator in as few words as hold it: one of a chain, or sixteen lanes, the first one highest."""
    size = 32 * width // max(1, len(acc))
    packed = b"".join(lane.to_bytes(size, "big") for lane in acc)
    return tuple(packed[at : at + 32] for at in range(0, 32 * width, 32))


def unpack(words: Sequence[bytes]) -> list[int]:
    """The reverse of `pack`."""
    size = 32 if len(words) == 1 else 2 * len(words)
    packed = b"".join(words)
    return [int.from_bytes(packed[at : at + size], "big") for at in range(0, len(packed), size)]


def _prove(game: Game, move: Prove, case: Case) -> bool:
    require(game.level is Level.PROOF, "evidence: level")
    require(entry_leaf(move.entry) == game.entry, "evidence: entry")
    code, depth = decode(move.entry[10:]), merkle.depth(game.values_count)
    if game.lo == 0:
        acc = start(code, game.element, opened(code, move.base, game.values, depth))
    else:
        right = len(move.first) == game.width and keccak(b"".join(move.first)) == game.low
        require(right, "evidence: accumulator")
        acc = unpack(move.first)
    if game.hi > game.lo:
        read = opened(code, move.openings, game.values, depth)
        acc = execute(code, game.element, game.lo, game.hi, acc, read)
    if game.hi == game.terms:
        return finish(code, acc).to_bytes(32, "big") != game.high
    return keccak(b"".join(pack(acc, game.width))) != game.high


def _input(game: Game, move: Input, case: Case) -> bool:
    _check_leaf(game, Level.VALUES)
    _check_entry(game, move.entry, game.index, move.entry_proof)
    kind = _word(move.entry, 0, 1)
    if kind == CONSTANT:
        return game.node != move.entry[10:42]
    require(kind in (STEP, SEED), "evidence: kind")
    if kind == SEED:
        _check_work(game, case.work)
    number = game.step if kind == STEP else case.work.seed
    return game.node != merkle.leaf(number.to_bytes(8, "little"))


def _state(game: Game, move: State, case: Case) -> bool:
    _check_leaf(game, Level.VALUES)
    _check_entry(game, move.entry, game.index, move.entry_proof)
    require(_word(move.entry, 0, 1) == STATE, "evidence: kind")
    _check_tensor(game, game.before, move.tensor, _word(move.entry, 10, 4), move.proof)
    return move.tensor != _tensor(move.entry[14:], game.node)


def drawn_row(work: Work, step: int, j: int) -> int:
    """The row that the sampler draws at place `j` of `step`."""
    epoch, place = divmod(step * work.batch_size + j, work.rows)
    return permute(place, work.rows, sampler_key(work.seed, epoch))


def _batch(game: Game, move: Batch, case: Case) -> bool:
    work = case.work
    _check_leaf(game, Level.TENSOR)
    _check_chunk(game, move.chunk, move.at)
    _check_work(game, work)
    require(entry_leaf(move.entry) == game.entry, "evidence: entry")
    require(_word(move.entry, 0, 1) == BATCH, "evidence: kind")
    begin, wide = _word(move.entry, 10, 8), _word(move.entry, 18, 8)
    j, within = divmod(merkle.CHUNK * game.index + game.item * move.at, wide)
    number = drawn_row(work, game.step, j)
    require(len(move.row) == game.row_bytes, "evidence: row")
    require(len(move.proof) == merkle.depth(work.rows), "evidence: length")
    root = _climb(sha256(b"\x06" + move.row).digest(), number, move.proof)
    found = sha256(b"\x09" + work.rows.to_bytes(8, "big") + move.columns + root).digest()
    require(found == work.dataset_root, "evidence: row")
    right = move.row[begin + within : begin + within + game.item]
    return move.chunk[game.item * move.at : game.item * (move.at + 1)] != right


def _output(game: Game, move: Output, case: Case) -> bool:
    _check_leaf(game, Level.STATE)
    require(move.place < game.outputs_count, "evidence: place")
    _check_entry(game, move.entry, game.values_count + move.place, move.entry_proof)
    require(_word(move.entry, 4, 4) == game.index, "evidence: position")
    _check_value(game, move.data, _word(move.entry, 0, 4), move.proof)
    return game.node != _tensor(move.entry[8:], move.data)


def _rows(game: Game, move: Rows, case: Case) -> bool:
    _check_leaf(game, Level.ROWS)
    _check_chunk(game, move.chunk, move.at)
    _check_work(game, case.work)
    return _word(move.chunk, 8 * move.at, 8) != drawn_row(case.work, game.step, 128 * game.index + move.at)


def _metrics(game: Game, move: Metrics, case: Case) -> bool:
    require(game.level is Level.VALUES and game.turn is Turn.CHALLENGER, "evidence: level")
    require(game.kind is Kind.TRACE and game.step == game.mark, "evidence: step")
    require(len(move.found) == game.metrics_count, "evidence: length")
    first, at = game.values_count + game.outputs_count, 0
    for place, metric in enumerate(move.found, first):
        _check_entry(game, metric.number.to_bytes(4, "big"), place, metric.entry_proof)
        require(at + metric.size <= len(move.data), "")
        _check_value(game, merkle.leaf(move.data[at : at + metric.size]), metric.number, metric.proof)
        at += metric.size
    require(at == len(move.data), "evidence: length")
    return game.claim != merkle.leaf(game.step.to_bytes(8, "big") + move.data)


def leaf_shown(game: Game, move: ShowLeaf, case: Case) -> bool:
    """Whether the leaves that were demanded contradict the task or each other."""
    require(game.level is Level.OPENING, "evidence: level")
    require(game.task == case.task, "evidence: task")
    require(game.claim == case.result, "evidence: result")
    _check_work(game, case.work)
    wrong = leaf_contradicts(case, game.interval, move.first)
    wrong = leaf_contradicts(case, game.interval + 1, move.last) or wrong
    return wrong or move.last.prev_root != move.first.state_root


def data_shown(game: Game, move: ShowData) -> None:
    """Refuse anything but the KiB that was demanded."""
    require(game.level is Level.SHOWING, "evidence: level")
    require(entry_leaf(move.entry) == game.entry, "evidence: entry")
    require(len(move.chunk) == min(merkle.CHUNK, game.size - merkle.CHUNK * game.index), "evidence: length")
    require(len(move.chunk_proof) == merkle.depth(game.count), "evidence: length")
    data = _climb(merkle.leaf(move.chunk), game.index, move.chunk_proof)
    _check_tensor(game, game.claim, _tensor(move.entry[14:], data), _word(move.entry, 10, 4), move.proof)


def holds(game: Game, move: Finding, case: Case) -> bool:
    """Whether a contradiction is one. Raises Refused where it is not even well-formed."""
    match move:
        case Prove():
            return _prove(game, move, case)
        case Input():
            return _input(game, move, case)
        case State():
            return _state(game, move, case)
        case Batch():
            return _batch(game, move, case)
        case Output():
            return _output(game, move, case)
        case Rows():
            return _rows(game, move, case)
        case Metrics():
            return _metrics(game, move, case)
