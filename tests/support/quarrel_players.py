"""Who plays: a solver that answers from its claims, a challenger that looks for the first claim that differs from its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from quarrel import Claims, Toy

from assay.dispute import span
from assay.dispute.arbiter.openings import openings
from assay.dispute.evidence import BATCH, KERNEL, STATE, drawn_row
from assay.dispute.moves import (
    Accept,
    Batch,
    Choose,
    Divide,
    Expand,
    Input,
    Metric,
    Metrics,
    Move,
    Output,
    Point,
    Prove,
    Rows,
    Show,
    ShowData,
    ShowLeaf,
    State,
)
from assay.dispute.record import Game, Kind, Level
from assay.program.code import decode
from assay.proof import merkle

__all__ = ["Challenger", "Solver"]


class Solver:
    """Answers every question from what it claims, whether that is true or not."""

    def __init__(self, claims: Claims) -> None:
        self.claims = claims

    def move(self, game: Game) -> Move:
        """The answer in the solver's turn."""
        match game.level:
            case Level.STEPS:
                return Divide(tuple(self.claims.roots[step] for step in span.of(game)))
            case Level.FOLD:
                found: tuple[bytes, ...] = ()
                for cut in span.of(game):
                    found += self.claims.accumulator(game.step, game.value, game.element, cut, game.width)
                return Divide(found)
            case Level.OPENING:
                k = game.interval
                return ShowLeaf(*self.claims.openings[k : k + 2])
            case Level.SHOWING:
                return self._data(game)
            case Level.TENSOR if game.height == 0:
                return Show(_chunk(self.claims.steps[game.step].data[game.value], game.index))
            case Level.ROWS if game.height == 0:
                return Show(_chunk(self.claims.steps[game.step].rows, game.index))
        levels = min(merkle.depth(game.ways), game.height)
        row = tree_of(self.claims, game)[game.height - levels]
        return Expand(tuple(row[game.index << levels : (game.index + 1) << levels]))

    def _data(self, game: Game) -> ShowData:
        claims, entry = self.claims, self.claims.toy.entries[game.value]
        step = self.claims.openings[game.mark].step
        position = int.from_bytes(entry[10:14], "big")
        name = sorted(claims.toy.initial)[position]
        data = claims.states[step][name].tobytes()
        leaves = merkle.chunk_leaves(data)
        proof = merkle.prove(claims.tensors[step], position)
        return ShowData(entry, _chunk(data, game.index), merkle.prove(leaves, game.index), proof)


def _chunk(data: bytes, index: int) -> bytes:
    return data[merkle.CHUNK * index : merkle.CHUNK * (index + 1)]


def tree_of(claims: Claims, game: Game) -> list[list[bytes]]:
    """The tree on trial, as somebody has it."""
    match game.level:
        case Level.VALUES:
            return claims.values(game.step)
        case Level.STATE:
            return claims.state(game.step + 1)
        case Level.TENSOR:
            return claims.chunks(game.step, game.value)
        case Level.DRAWS:
            return claims.draws(game.interval)
        case Level.ROWS:
            return claims.row_chunks(game.step)
        case Level.PRINTS:
            return claims.prints(game.interval)
    raise AssertionError(game.level)


class Challenger:
    """Has replayed the run, and walks to the first claim that differs from its own; without one, anywhere.

    It remembers what the solver has revealed of the tree over the values: proofs under the solver's root need that.
    """

    def __init__(self, claims: Claims, rng: Random | None = None) -> None:
        self.claims, self.rng = claims, rng or Random(0)
        self.seen: dict[tuple[int, int], bytes] = {}
        self.words: tuple[bytes, ...] = ()
        self.shown = b""
        self.first: tuple[bytes, ...] = ()

    @property
    def toy(self) -> Toy:
        """The task."""
        return self.claims.toy

    def watch(self, before: Game, move: Move) -> None:
        """Remember what a move of the solver has revealed."""
        if isinstance(move, Show):
            self.shown = move.chunk
        elif isinstance(move, Divide):
            self.words = move.words
        elif isinstance(move, Expand):
            self.words = move.children
            if before.level is Level.VALUES:
                self._learn(before, move.children)

    def _learn(self, before: Game, children: Sequence[bytes]) -> None:
        nodes, levels = list(children), merkle.depth(len(children))
        for above in range(levels + 1):
            height, first = before.height - levels + above, before.index << levels - above
            self.seen |= {(height, first + i): node for i, node in enumerate(nodes)}
            nodes = [merkle.node(a, b) for a, b in zip(nodes[::2], nodes[1::2], strict=len(nodes) > 1)]

    def value_proof(self, step: int, number: int) -> tuple[bytes, ...]:
        """Siblings of a value under the solver's values root."""
        own = self.claims.values(step)
        places = [(height, (number >> height) ^ 1) for height in range(len(own) - 1)]
        return tuple(self.seen.get((h, i), own[h][i]) for h, i in places)

    def values_proof(self, step: int, numbers: Sequence[int]) -> tuple[bytes, ...]:
        """The common proof of several values."""
        own, known, proof = self.claims.values(step), set(numbers), []
        for height in range(len(own) - 1):
            missing = sorted({number ^ 1 for number in known} - known)
            proof += [self.seen.get((height, i), own[height][i]) for i in missing]
            known = {number >> 1 for number in known}
        return tuple(proof)

    # -- moves -----------------------------------------------------------------------------------------------------

    def move(self, game: Game) -> Move:
        """What to do in the challenger's turn."""
        if game.revealed != merkle.ZERO:
            if game.level in (Level.STEPS, Level.FOLD):
                return self._narrow(game)
            if game.level is Level.VALUES and game.height == merkle.depth(game.count):
                if self._is_mark(game):
                    return self._metrics(game)
                if game.node == self.claims.values(game.step)[-1][0]:
                    return Accept()
            return self.descend(game)
        match game.level:
            case Level.VALUES:
                return self._input(game)
            case Level.STATE:
                return self._output(game)
            case Level.ROWS:
                return Rows(self.shown, self._differing(self.claims.steps[game.step].rows, game, 8))
            case Level.TENSOR:
                return self._element(game)
            case Level.PROOF:
                return self._prove(game)
        raise AssertionError(game)

    def _is_mark(self, game: Game) -> bool:
        agreed = game.node == self.claims.values(game.step)[-1][0]
        return game.kind is Kind.TRACE and game.step == game.mark and agreed

    def _narrow(self, game: Game) -> Choose:
        at = span.of(game)
        own = [self._own(game, cut) for cut in at]
        for part, cut in enumerate(own):
            if self.words[part * game.width : (part + 1) * game.width] != cut:
                break
        else:
            part = len(at)
            mark = game.mark
            if game.kind is Kind.TRACE and game.level is Level.STEPS and self.claims.roots[game.hi] == game.high:
                part = sum(cut <= mark for cut in at)  # all states are right: go to the fingerprint
        if game.level is Level.FOLD and part > 0:
            self.first = self.words[(part - 1) * game.width : part * game.width]
        return Choose(self.words, part)

    def _own(self, game: Game, cut: int) -> tuple[bytes, ...]:
        if game.level is Level.STEPS:
            return (self.claims.roots[cut],)
        return self.claims.accumulator(game.step, game.value, game.element, cut, game.width)

    def descend(self, game: Game) -> Choose:
        """Into the first child that differs; any, if none does."""
        levels = merkle.depth(len(self.words))
        below = game.height - levels
        row = tree_of(self.claims, game)[below][game.index << levels :]
        real = ((game.count - 1) >> below) + 1 - (game.index << levels)
        parts = range(min(real, len(self.words)))
        part = next((p for p in parts if self.words[p] != row[p]), self.rng.choice(parts))
        number = (game.index << levels) + part
        if game.level is Level.VALUES and below == 0 and self.toy.entries[number][0] in (BATCH, KERNEL):
            return Choose(self.words, part, *self.toy.entry(number))
        return Choose(self.words, part)

    def _input(self, game: Game) -> Move:
        entry, proof = self.toy.entry(game.index)
        if entry[0] != STATE:
            return Input(entry, proof)
        position = int.from_bytes(entry[10:14], "big")
        tensors = self.claims.tensors[game.step]
        return State(entry, proof, tensors[position], merkle.prove(tensors, position))

    def _output(self, game: Game) -> Output:
        first = len(self.toy.layout.names)
        place = next(p for p in range(2) if self.toy.entries[first + p][4:8] == game.index.to_bytes(4, "big"))
        entry, proof = self.toy.entry(first + place)
        number = int.from_bytes(entry[:4], "big")
        return Output(
            place, entry, proof, self.claims.data_roots(game.step)[number], self.value_proof(game.step, number)
        )

    def _differing(self, own: bytes, game: Game, item: int) -> int:
        right = _chunk(own, game.index)
        parts = range(len(right) // item)
        wrong = (p for p in parts if right[p * item :][:item] != self.shown[p * item :][:item])
        return next(wrong, self.rng.choice(parts))

    def _element(self, game: Game) -> Move:
        claims, (entry, _) = self.claims, self.toy.entry(game.value)
        at = self._differing(claims.steps[game.step].data[game.value], game, game.item)
        if entry[0] == KERNEL:
            return Point(self.shown, at, entry)
        wide = int.from_bytes(entry[18:26], "big")
        j = (merkle.CHUNK * game.index + game.item * at) // wide
        number = drawn_row(self.toy.work, game.step, j)
        proof = merkle.prove(self.toy.row_leaves, number)
        return Batch(entry, self.shown, at, self.toy.columns, self.toy.row(number), proof)

    def _prove(self, game: Game) -> Prove:
        entry, step = self.toy.entries[game.value], self.claims.steps[game.step]
        code, roots = decode(entry[10:]), self.claims.data_roots(game.step)

        def opened(first: int, last: int) -> bytes:
            prove = partial(self.values_proof, game.step)
            return openings(code, game.element, first, last, lambda n: step.data[n], roots, prove)

        base = opened(0, 0) if game.lo == 0 else b""
        rest = opened(game.lo, game.hi) if game.hi > game.lo else b""
        return Prove(entry, self.first if game.lo else (), base, rest)

    def _metrics(self, game: Game) -> Metrics:
        first = len(self.toy.layout.names) + len(self.toy.initial)
        found, data = [], b""
        for place in range(first, len(self.toy.entries)):
            entry, proof = self.toy.entry(place)
            number = int.from_bytes(entry, "big")
            bits = self.claims.steps[game.step].data[number]
            found.append(Metric(number, proof, len(bits), self.value_proof(game.step, number)))
            data += bits
        return Metrics(tuple(found), data)
