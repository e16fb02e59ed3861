"""The law of the game as one pure function: `apply(record, move) -> the next record, or how the game has ended`.

This is docs/dispute.md in Python and the contracts game.vy and evidence.vy move for move; tests play the same games on
both. A move that the contract would revert raises RefusedError with the contract's words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from assay.proof import Opening, merkle
from assay.proof.trace import trace_of

from . import evidence, span
from .case import Case
from .moves import Accept, Choose, Divide, Expand, Expire, Moot, Move, Point, Show, ShowData, ShowLeaf
from .record import TREES, Game, Kind, Level, Turn, chunks, list_hash
from .refused import require

__all__ = ["Outcome", "apply", "open_data", "open_interval", "open_leaf"]

_QUESTIONED = frozenset({evidence.BATCH, evidence.KERNEL})
_FIRST_STATED = (Level.VALUES, Level.STATE, Level.PRINTS)
_SPANS = (Level.STEPS, Level.FOLD)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a game ended. Of the bonds `paid`, `burned` are destroyed, `returned` go back and `shared` to `receiver`."""

    upheld: bool
    reason: str
    paid: int
    burned: int = 0
    returned: int = 0
    shared: int = 0
    receiver: str = ""


# -- opening ---------------------------------------------------------------------------------------------------------


def _accused(case: Case, kind: Kind, interval: int, challenger: str) -> Game:
    work = case.work
    require(2 <= work.ways <= 64 and work.ways & (work.ways - 1) == 0, "game: ways")
    require(interval < case.intervals, "game: interval")
    return Game(
        task=case.task,
        work=work.digest,
        solver=case.solver,
        challenger=challenger,
        kind=kind,
        ways=work.ways,
        extension=work.extension,
        bond=work.bond,
        solver_left=work.clock,
        challenger_left=work.clock,
        interval=interval,
    )


def _coded(game: Game, case: Case, shape: int, entries: bytes) -> Game:
    require(case.work.code_root == evidence.code_root(shape, entries), "game: code root")
    coded = replace(game, shape=shape, entries=entries)
    require(coded.values_count > 0 and coded.states_count > 0, "game: empty program")
    return coded


def _begun(game: Game, now: int) -> Game:
    return replace(game, turn=Turn.SOLVER, deadline=now + max(game.solver_left, game.extension))


def open_interval(
    case: Case,
    kind: Kind,
    interval: int,
    challenger: str,
    now: int,
    program: tuple[int, bytes],
    first: Opening,
    last: Opening,
) -> Game | Outcome:
    """A game about an interval, its row numbers, or its trace. `program` is the code root's counts and entries root."""
    require(kind in (Kind.INTERVAL, Kind.BATCHES, Kind.TRACE), "game: kind")
    game = _coded(_accused(case, kind, interval, challenger), case, *program)
    lo = interval * case.interval
    wrong = evidence.leaf_contradicts(case, interval, first)
    wrong = evidence.leaf_contradicts(case, interval + 1, last) or wrong
    if wrong or last.prev_root != first.state_root:
        return _ended(game, True, "leaf", game.solver)
    hi = min(lo + case.interval, case.steps)
    game = replace(game, lo=lo, hi=hi, low=first.state_root, high=last.state_root, width=1)
    if kind is Kind.INTERVAL:
        game = _enter_steps(game)
    elif kind is Kind.BATCHES:
        game = replace(game, size=8 * case.work.batch_size)
        game = _enter_draws(game, last.batches)
    else:
        game = _enter_tree(replace(game, claim=last.trace), Level.PRINTS, merkle.ZERO, hi - lo)
    return _begun(game, now)


def open_leaf(case: Case, interval: int, challenger: str, now: int) -> Game:
    """A demand for the two leaves of an interval."""
    game = _accused(case, Kind.LEAF, interval, challenger)
    return _begun(replace(game, claim=case.result, level=Level.OPENING, paid=game.bond), now)


def open_data(
    case: Case,
    interval: int,
    index: int,
    challenger: str,
    now: int,
    program: tuple[int, bytes],
    leaf: Opening,
    number: int,
    entry: bytes,
    proof: tuple[bytes, ...],
    chunk: int,
) -> Game | Outcome:
    """A demand for KiB `chunk` of the tensor that is value `number` at the beginning of a step, of checkpoint `index`."""
    game = _coded(_accused(case, Kind.DATA, interval, challenger), case, *program)
    require(index in (interval, interval + 1), "game: checkpoint")
    if evidence.leaf_contradicts(case, index, leaf):
        return _ended(game, True, "leaf", game.solver)
    game = replace(game, claim=leaf.state_root, value=number, mark=index)
    found, size, item = evidence.questioned(game, frozenset({evidence.STATE}), entry, proof)
    game = _enter_tree(replace(game, entry=found, size=size, item=item), Level.SHOWING, merkle.ZERO, chunks(size))
    require(chunk < game.count, "game: chunk")
    return _begun(replace(game, height=0, index=chunk), now)


# -- moving ----------------------------------------------------------------------------------------------------------


def apply(game: Game, move: Move, now: int, by: str, case: Case, refunded: bool = False) -> Game | Outcome:
    """What `move`, made by the address `by` at the time `now`, makes of the record.

    `case` is the task that the game is about, `refunded` whether it was taken from the solver. Raises RefusedError.
    """
    after = _moved(game, move, now, by, case)
    if isinstance(move, Moot):
        require(refunded, "game: not moot")
    if isinstance(after, Outcome) and refunded:  # whoever would have won it
        return Outcome(False, "moot", game.paid, returned=game.paid)
    return after


def _moved(game: Game, move: Move, now: int, by: str, case: Case) -> Game | Outcome:
    match move:
        case Expire():
            require(now > game.deadline, "game: not expired")
            return _ended(game, game.turn is Turn.SOLVER, "silence", game.solver)
        case Moot():
            return _ended(game, False, "moot", game.solver)
        case Divide() | Expand() | Show():
            _check_turn(game, Turn.SOLVER, now, by)
            return _answered(game, move, now)
        case Choose() | Accept() | Point():
            _check_turn(game, Turn.CHALLENGER, now, by)
            return _doubted(game, move, now)
        case ShowLeaf() | ShowData():
            return _shown(game, move, now, by, case)
    require(evidence.holds(game, move, case), "evidence: holds")
    require(now <= game.deadline, "game: too late")
    require(by == game.challenger, "game: not yours")
    return _ended(game, True, type(move).__name__.lower(), game.solver)


def _check_turn(game: Game, turn: Turn, now: int, by: str) -> None:
    require(game.turn is turn, "game: turn")
    require(by == (game.solver if turn is Turn.SOLVER else game.challenger), "game: not yours")
    require(now <= game.deadline, "game: too late")


def _passed(game: Game, now: int) -> Game:
    """The other's turn: a clock had begun max(clock, extension) seconds before the deadline."""
    game = replace(game, moves=game.moves + 1)
    if game.turn is Turn.SOLVER:
        left = _left(game, game.solver_left, now)
        deadline = now + max(game.challenger_left, game.extension)
        return replace(game, turn=Turn.CHALLENGER, solver_left=left, deadline=deadline)
    left = _left(game, game.challenger_left, now)
    deadline = now + max(game.solver_left, game.extension)
    return replace(game, turn=Turn.SOLVER, challenger_left=left, deadline=deadline)


def _stayed(game: Game, now: int) -> Game:
    """A move that does not pass the turn: what has to follow is the challenger's, who has its time for this one, too."""
    left = _left(game, game.challenger_left, now)
    deadline = now + max(left, game.extension)
    return replace(game, moves=game.moves + 1, challenger_left=left, deadline=deadline)


def _left(game: Game, clock: int, now: int) -> int:
    return max(0, clock - (now + max(clock, game.extension) - game.deadline))


def _ended(game: Game, upheld: bool, reason: str, receiver: str) -> Outcome:
    if upheld:
        return Outcome(True, reason, game.paid, returned=game.paid)
    quarter = game.paid // 4
    return Outcome(False, reason, game.paid, burned=game.paid - quarter, shared=quarter, receiver=receiver)


def _shown(game: Game, move: ShowLeaf | ShowData, now: int, by: str, case: Case) -> Outcome:
    if isinstance(move, ShowLeaf):
        wrong, reason = evidence.leaf_shown(game, move, case), "leaf"
    else:
        evidence.data_shown(game, move)
        wrong, reason = False, "data"
    require(now <= game.deadline, "game: too late")
    return _ended(game, wrong, reason, by)


# -- the solver's moves ----------------------------------------------------------------------------------------------


def _answered(game: Game, move: Divide | Expand | Show, now: int) -> Game:
    match move:
        case Divide():
            require(game.level in _SPANS, "game: level")
            require(len(move.words) == len(span.of(game)) * game.width, "game: length")
            return _passed(replace(game, revealed=list_hash(move.words)), now)
        case Expand():
            return _passed(replace(_expanded(game, move.children), revealed=list_hash(move.children)), now)
        case Show():
            require(game.level in (Level.TENSOR, Level.ROWS) and game.height == 0, "game: level")
            wanted = min(merkle.CHUNK, game.size - merkle.CHUNK * game.index)
            require(len(move.chunk) == wanted, "game: length")
            require(merkle.leaf(move.chunk) == game.node, "game: root")
            return _passed(game, now)


def _expanded(game: Game, children: tuple[bytes, ...]) -> Game:
    """The record with the root stated, if it was not; refused unless the children are those of the node in doubt."""
    require(game.level in TREES, "game: level")
    states = game.level in _FIRST_STATED and game.height == merkle.depth(game.count)
    require(game.height > 0 or states, "game: leaf")
    levels = min(merkle.depth(game.ways), game.height)
    require(len(children) == 1 << levels, "game: length")
    node = span.join(children)
    if states:
        game = _stated(game, node)
    require(node == game.node, "game: root")
    below = game.height - levels
    used = ((game.count - 1) >> below) + 1 - (game.index << levels)
    require(all(child == span.padding(below) for child in children[used:]), "game: padding")
    return game


def _stated(game: Game, node: bytes) -> Game:
    match game.level:
        case Level.VALUES:
            return replace(game, values=node, node=node)
        case Level.STATE:
            require(evidence.state_root(game.count, node) == game.after, "game: root")
        case _:
            require(trace_of(node) == game.claim, "game: root")
    return replace(game, node=node)


# -- the challenger's moves ------------------------------------------------------------------------------------------


def _doubted(game: Game, move: Choose | Accept | Point, now: int) -> Game:
    match move:
        case Choose():
            require(game.revealed != merkle.ZERO, "game: nothing revealed")
            require(game.revealed == list_hash(move.words), "game: words")
            return _chosen(game, move, now)
        case Accept():
            root = game.height == merkle.depth(game.count) and game.revealed != merkle.ZERO
            require(game.level is Level.VALUES and root, "game: level")
            count = game.states_count
            height = merkle.depth(count)
            return _passed(replace(game, level=Level.STATE, count=count, height=height, revealed=merkle.ZERO), now)
        case Point():
            require(game.level is Level.TENSOR and game.height == 0, "game: level")
            element, high, terms, piece, width = evidence.pointed(game, move)
            game = replace(game, element=element, high=high, terms=terms, piece=piece, width=width)
            game = replace(game, lo=0, hi=terms, low=merkle.ZERO)
            if span.is_piece(game):
                return _stayed(replace(game, level=Level.PROOF), now)
            return _passed(replace(game, level=Level.FOLD, paid=game.paid + game.bond), now)


def _chosen(game: Game, move: Choose, now: int) -> Game:
    after = replace(game, revealed=merkle.ZERO)
    after = _narrowed(after, move) if game.level in _SPANS else _descended(after, move)
    if game.level in (Level.VALUES, Level.STATE) and after.height == 0:
        if game.level is Level.STATE or not move.entry:
            return _stayed(after, now)  # a contradiction has to follow
        after = replace(after, value=after.index)
        found, size, item = evidence.questioned(after, _QUESTIONED, move.entry, move.proof)
        after = replace(after, entry=found, size=size, item=item)
        after = _enter_tree(after, Level.TENSOR, after.node, chunks(size))
    return _stayed(after, now) if after.level is Level.PROOF else _passed(after, now)


def _narrowed(game: Game, move: Choose) -> Game:
    require(move.part <= len(span.of(game)), "game: part")
    lo, hi, low, high = span.part(game, move.words, move.part)
    game = replace(game, lo=lo, hi=hi, low=low, high=high)
    if game.level is Level.STEPS:
        return _enter_steps(game) if hi - lo == 1 else game
    return replace(game, level=Level.PROOF) if span.is_piece(game) else game


def _descended(game: Game, move: Choose) -> Game:
    levels = merkle.depth(len(move.words))
    require(move.part < len(move.words), "game: part")
    height, index = game.height - levels, (game.index << levels) + move.part
    require(index << height < game.count, "game: padding")
    game = replace(game, node=move.words[move.part], height=height, index=index)
    if height == 0 and game.level is Level.DRAWS:
        game = replace(game, step=game.lo + index)
        return _enter_tree(game, Level.ROWS, game.node, chunks(game.size))
    if height == 0 and game.level is Level.PRINTS:
        return _enter_steps(replace(game, mark=game.lo + index, claim=game.node))
    return game


def _enter_steps(game: Game) -> Game:
    """The steps between lo and hi are on trial; if it is one, its values."""
    if game.hi - game.lo > 1:
        return replace(game, level=Level.STEPS, paid=game.paid + game.bond)
    game = replace(game, step=game.lo, before=game.low, after=game.high)
    return _enter_tree(game, Level.VALUES, merkle.ZERO, game.values_count)


def _enter_draws(game: Game, node: bytes) -> Game:
    """The row numbers of the steps between lo and hi are on trial; if it is one step, its own."""
    if game.hi - game.lo > 1:
        return _enter_tree(game, Level.DRAWS, node, game.hi - game.lo)
    return _enter_tree(replace(game, step=game.lo), Level.ROWS, node, chunks(game.size))


def _enter_tree(game: Game, level: Level, node: bytes, count: int) -> Game:
    """A tree is on trial, for another bond."""
    height, paid = merkle.depth(count), game.paid + game.bond
    return replace(game, level=level, paid=paid, node=node, count=count, height=height, index=0)
