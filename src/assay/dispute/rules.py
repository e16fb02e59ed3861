"""What holds for every game, whoever plays it and however: named rules, checked after each generated game.

A rule looks at the whole transcript. It is a property of the law (docs/dispute.md), not of a party's cleverness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from assay.proof import merkle

from .game import Outcome
from .moves import Move
from .record import LANES, Game, Kind, Level, Turn, chunks

__all__ = ["RULES", "Sizes", "Step", "Transcript", "most_moves", "most_seconds"]


@dataclass(frozen=True)
class Sizes:
    """The largest things of a program: what a game can have to walk through."""

    steps: int
    """Of an interval."""
    values: int
    tensors: int
    """Of a state."""
    value_bytes: int
    rows_bytes: int
    """Of a step's row numbers."""
    terms: int
    """Of a fold."""


@dataclass(frozen=True)
class Step:
    """A move that was made: on which record, by whom, when, and what came of it."""

    before: Game
    move: Move
    by: str
    at: int
    after: Game | Outcome


@dataclass(frozen=True)
class Transcript:
    """A whole game. `honest` says who played honestly and in time throughout; `wrong` whether the result is wrong there."""

    sizes: Sizes
    opened_at: int
    opened: Game
    clock: int
    steps: tuple[Step, ...]
    honest: frozenset[Turn]
    wrong: bool

    @property
    def outcome(self) -> Outcome:
        """How it ended. Raises TypeError if it has not."""
        last = self.steps[-1].after
        if not isinstance(last, Outcome):
            raise TypeError("the game is not over")
        return last


def _rounds(count: int, ways: int) -> int:
    """Rounds to get from `count` parts to one, `ways` at a time; a tree of as many leaves takes as many."""
    rounds = 0
    while count > 1:
        count, rounds = -(-count // ways), rounds + 1
    return rounds


def _levels(leaves: int, ways: int) -> int:
    """Rounds in a tree."""
    return -(-merkle.depth(leaves) // merkle.depth(ways))


def most_moves(game: Game, sizes: Sizes) -> int:
    """R of docs/dispute.md, section 5: how many moves of both sides a game with these sizes takes at most."""
    ways = game.ways
    values = max(1, _levels(sizes.values, ways))  # the root is stated even where there is but one
    state = 1 + max(1, _levels(sizes.tensors, ways))
    tensor = _levels(chunks(sizes.value_bytes), ways) + 1
    fold = _rounds(sizes.terms, ways)
    step = 2 * (_rounds(sizes.steps, ways) + max(state, values + tensor + fold)) + 2
    match game.kind:
        case Kind.LEAF | Kind.DATA:
            return 2
        case Kind.BATCHES:
            return 2 * (_levels(sizes.steps, ways) + _levels(chunks(sizes.rows_bytes), ways) + 1) + 2
        case Kind.TRACE:
            return step + 2 * max(1, _levels(sizes.steps, ways))
        case _:
            return step


def most_seconds(game: Game, sizes: Sizes, clock: int) -> int:
    """How long it takes at most: 2·clock + R·extension, and the second in which the clock is noticed to be over."""
    return 2 * clock + (most_moves(game, sizes) + 1) * game.extension + 1


Rule = Callable[[Transcript], bool]


def the_honest_challenger_wins(game: Transcript) -> bool:
    """Whoever disputes what is really wrong, and answers in time, has its bonds back: a lie cannot be talked out of."""
    return not (game.wrong and Turn.CHALLENGER in game.honest) or game.outcome.upheld


def the_honest_solver_never_loses(game: Transcript) -> bool:
    """Whoever is right and answers in time keeps its stake, whatever nonsense it is asked."""
    return game.wrong or Turn.SOLVER not in game.honest or not game.outcome.upheld


def it_ends_within_its_moves(game: Transcript) -> bool:
    """Every move narrows what is on trial, so the number of moves is fixed by ways and sizes."""
    return len(game.steps) <= most_moves(game.opened, game.sizes)


def it_ends_within_its_time(game: Transcript) -> bool:
    """Clocks and extensions add up to a bound: nobody can keep a task hanging."""
    return game.steps[-1].at - game.opened_at <= most_seconds(game.opened, game.sizes, game.clock)


def money_is_conserved(game: Transcript) -> bool:
    """What was put down comes back, is burned, or is shared; nothing else."""
    end = game.outcome
    last = game.steps[-1].before
    return end.paid == last.paid == end.returned + end.burned + end.shared and min(end.burned, end.shared) >= 0


def a_lost_bond_is_mostly_burned(game: Transcript) -> bool:
    """Otherwise a challenger and a solver who are one could quarrel for nothing."""
    end = game.outcome
    return end.returned == end.paid or end.burned * 4 >= end.paid * 3


def silence_loses(game: Transcript) -> bool:
    """Passing never wins: if the clock decides, it decides against the one who had to move."""
    end, last = game.outcome, game.steps[-1].before
    return end.reason != "silence" or end.upheld == (last.turn is Turn.SOLVER)


def every_turn_has_its_time(game: Transcript) -> bool:
    """A move in the last second does not win by itself: whoever is next has at least `extension` seconds from then on."""
    turns = [(step.at, step.after) for step in game.steps if isinstance(step.after, Game)]
    return all(after.deadline >= at + after.extension for at, after in turns)


def what_is_on_trial_narrows(game: Transcript) -> bool:
    """The next part lies within the one before it, so whoever is bound by it is bound by what it was chosen from."""
    for step in game.steps:
        before, after = step.before, step.after
        if isinstance(after, Game) and after.level is before.level:
            span = before.lo <= after.lo <= after.hi <= before.hi
            tree = after.height <= before.height and after.index >> (before.height - after.height) == before.index
            if not (span and tree and after.index << after.height < max(1, after.count)):
                return False
    return True


def bonds_follow_the_levels(game: Transcript) -> bool:
    """Each level that the challenger enters costs a bond more, so a long quarrel risks more than a short one."""
    free = (Level.STATE, Level.PROOF)
    records = [game.opened, *(step.after for step in game.steps if isinstance(step.after, Game))]
    entered = 1
    for before, after in pairwise(records):
        entered += after.level is not before.level and after.level not in free
        if after.paid != entered * after.bond:
            return False
    return game.opened.paid == game.opened.bond


def pieces_are_small(game: Transcript) -> bool:
    """What the referee has to execute is a piece of what it can execute in one call."""
    records = [step.after for step in game.steps if isinstance(step.after, Game)]
    return all(r.hi - r.lo <= r.piece <= LANES for r in records if r.level is Level.PROOF)


def moves_are_counted(game: Transcript) -> bool:
    """Every move changes the record, hence its hash: none can be made twice."""
    records = [game.opened, *(step.after for step in game.steps if isinstance(step.after, Game))]
    return [r.moves for r in records] == list(range(len(records))) and len({r.digest for r in records}) == len(records)


RULES: tuple[Rule, ...] = (
    the_honest_challenger_wins,
    the_honest_solver_never_loses,
    it_ends_within_its_moves,
    it_ends_within_its_time,
    money_is_conserved,
    a_lost_bond_is_mostly_burned,
    silence_loses,
    every_turn_has_its_time,
    what_is_on_trial_narrows,
    bonds_follow_the_levels,
    pieces_are_small,
    moves_are_counted,
)
