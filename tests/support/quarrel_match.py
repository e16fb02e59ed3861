"""Matches between liars, honest ones, fools and sleepers, by any rules: the pure ones, or those and a contract at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from quarrel import BATCH, INTERVAL, SOLVER, Claims, Lie, claims, toy
from quarrel_players import Challenger, Solver

from assay.dispute.game import Outcome
from assay.dispute.moves import Accept, Choose, Divide, Expand, Expire, Metrics, Move, Point
from assay.dispute.record import Game, Kind, Level, Turn
from assay.dispute.rules import Sizes, Step
from assay.errors import RefusedError
from assay.proof import merkle

Make = Callable[[Game, Move, int, str], Game | Outcome]
"""Makes a move at a time, by an address."""


SIZES = Sizes(INTERVAL, len(toy().layout.names), 2, max(len(d) for d in claims().steps[0].data), 8 * BATCH, 300)
HARMLESS = 0
LIES = [
    *(Lie("value", 4, number, 5 + 31 * number, 7 * number) for number in range(25)),
    *(Lie("value", step, 8, 0, 299) for step in (0, 2, 6)),
    *(Lie("state", step, step % 2, 9) for step in (0, 2, 5, 6)),
    *(Lie("root", step) for step in (3, 4, 7)),
    *(Lie("print", step) for step in (1, 6)),
    *(Lie("rows", step, place=999) for step in (2, 6)),
    Lie("padding", 4),
]


class Wild(Solver):
    """Answers what it is free to choose at random, now and then."""

    def __init__(self, theirs: Claims, rng: Random, wildness: float) -> None:
        super().__init__(theirs)
        self.rng, self.wildness = rng, wildness

    def move(self, game: Game) -> Move:
        found = super().move(game)
        stated = game.level in (Level.VALUES, Level.STATE, Level.PRINTS) and game.height == merkle.depth(game.count)
        if self.rng.random() < self.wildness:
            if isinstance(found, Divide):
                return Divide(self._bent(found.words, 0))
            if isinstance(found, Expand) and (stated or self.rng.random() < 0.3):
                return Expand(self._bent(found.children, 1))
        return found

    def _bent(self, words: tuple[bytes, ...], kept: int) -> tuple[bytes, ...]:
        at = self.rng.randrange(len(words)) if words else 0
        return tuple(self.rng.randbytes(32) if i >= at else word for i, word in enumerate(words))


class Fool(Challenger):
    """Chooses and points at random, and tries contradictions where there are none."""

    def move(self, game: Game) -> Move:
        found = super().move(game)
        if isinstance(found, Accept | Metrics) and self.rng.random() < 0.8:
            found = self.descend(game)
        if isinstance(found, Choose) and self.rng.random() < 0.7:
            part = self.rng.randrange(len(self.words) // max(1, game.width) + 1)
            number = (game.index << merkle.depth(max(1, len(self.words)))) + part
            leads = game.level is Level.VALUES and number < len(self.toy.layout.names)
            kept = game.height == merkle.depth(len(self.words)) and self.rng.random() < 0.8 and leads
            return Choose(self.words, part, *(self.toy.entry(number) if kept else (b"", ())))
        if isinstance(found, Point):
            return replace(found, at=self.rng.randrange(256))
        return found


def sit(
    game: Game, solver: Solver, challenger: Challenger, rng: Random, sleepy: float, who: str, make: Make
) -> list[Step]:
    """Play until it is over. With chance `sleepy` somebody does not move in time; illegal moves are as good as none."""
    steps: list[Step] = []
    now, record = game.deadline - max(game.solver_left, game.extension), game
    while True:
        mover, by = (solver, SOLVER) if record.turn is Turn.SOLVER else (challenger, who)
        at = rng.choice([now, rng.randint(now, record.deadline), record.deadline])
        move: Move = Expire()
        after: Game | Outcome | None = None
        if rng.random() >= sleepy:
            for _ in range(3):
                try:
                    move = mover.move(record)
                    after = make(record, move, at, by)
                    break
                except RefusedError:
                    continue
        if after is None:
            move, at, by = Expire(), record.deadline + 1, who
            after = make(record, move, at, by)
        if record.turn is Turn.SOLVER:
            challenger.watch(record, move)
        steps.append(Step(record, move, by, at, after))
        if isinstance(after, Outcome):
            return steps
        record, now = after, at


def accused(lie: Lie | None, kind: Kind, k: int, ways: int) -> tuple[Kind, int, bool]:
    """What to accuse a solver with this lie of: kind, interval, and whether it is wrong there. Without one as given."""
    if lie is None:
        return kind, k, False
    pairs = list(zip(claims(None, ways).openings[1:], claims(lie, ways).openings[1:], strict=True))
    names = {Kind.INTERVAL: "state_root", Kind.TRACE: "trace", Kind.BATCHES: "batches"}
    for found, name in names.items():
        differs = [getattr(a, name) != getattr(b, name) for a, b in pairs]
        if True in differs:
            return found, differs.index(True), True
    return kind, k, False


def cast(who: str, lie: Lie | None, ways: int, rng: Random) -> tuple[Solver, Challenger, float, frozenset[Turn]]:
    """Solver, challenger, how sleepy they are, and who of them is honest."""
    own, theirs = claims(None, ways), claims(lie, ways)
    solver = Wild(theirs, rng, 0.3) if who == "wild" else Solver(theirs)
    challenger = Fool(own, rng) if who == "fool" else Challenger(own, rng)
    honest = {"honest": {1, 2}, "wild": {2}, "fool": {1}, "sleepers": set[int]()}[who] - ({1} if lie else set())
    return solver, challenger, 0.15 if who == "sleepers" else 0.0, frozenset(Turn(n) for n in honest)
