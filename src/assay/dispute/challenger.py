"""The challenger's side: it walks to the first claim that differs from its own, and shows what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from assay.errors import UsageError
from assay.proof import merkle, rows
from assay.proof.tensors import raw

from . import span
from .arbiter.openings import openings
from .moves import (
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
    State,
)
from .player import Player, first_difference
from .record import Game, Kind, Level
from .telling import number
from .testimony import state_tree
from .transcript import Transcript

__all__ = ["Challenger", "Revealed"]

_STATE, _BATCH, _KERNEL = 0, 1, 5

Revealed = tuple[Game, Divide | Expand | Show]
"""The record when the solver moved, and its move."""


class Challenger(Player):
    """Plays for whoever has replayed the interval honestly."""

    def move(self, game: Game, history: Sequence[Revealed]) -> Move:
        """The next move. `history` has all that the solver has revealed in this game, oldest first.

        Raises UsageError if nothing differs: then there is nothing to challenge.
        """
        if any(game.revealed):
            return self._choose(game, history)
        match game.level:
            case Level.VALUES:
                return self._input(game)
            case Level.STATE:
                return self._output(game)
            case Level.TENSOR:
                return self._element(game, history)
            case Level.ROWS:
                return self._row_number(game, history)
            case Level.PROOF:
                return self._prove(game, history)
            case _:
                raise UsageError("there is nothing to do for the challenger", level=game.level)

    def claim(self, game: Game) -> str:
        """What this side has where the solver claims something else; empty before the walk has come to an element."""
        if game.level not in (Level.FOLD, Level.PROOF):
            return ""
        return number(self.fold(game).result(), self.coded(game.value).kernel.dtype)

    def _choose(self, game: Game, history: Sequence[Revealed]) -> Move:
        words = _words(history[-1][1])
        if game.level in (Level.STEPS, Level.FOLD):
            return Choose(words, self._part(game, words))
        part = first_difference(self.children(game), words)
        if part == len(words):
            if game.level is Level.VALUES and game.height == self.tree(game).depth:
                return self._metrics(game) if self._is_marked(game) else Accept()
            raise UsageError("the solver's claims are those of the replay", level=game.level)
        levels = (len(words) - 1).bit_length()
        entry: tuple[bytes, tuple[bytes, ...]] = (b"", ())
        if game.level is Level.VALUES and game.height == levels:
            value = (game.index << levels) + part
            if self.entries[value][0] in (_BATCH, _KERNEL):
                entry = self.entry(value)
        return Choose(words, part, *entry)

    def _part(self, game: Game, words: Sequence[bytes]) -> int:
        """The first part at whose end the solver has something else."""
        at = span.of(game)
        if game.level is Level.STEPS:
            different = first_difference(self.testimony.state_roots(at), words)
            # Where only the fingerprint of a step is wrong, that step is looked at.
            return min(different, sum(cut <= game.mark for cut in at)) if game.kind is Kind.TRACE else different
        width = game.width
        ours = self.fold(game).words(at)
        return first_difference(ours, words) // width

    def _is_marked(self, game: Game) -> bool:
        return game.kind is Kind.TRACE and game.step == game.mark

    def _metrics(self, game: Game) -> Metrics:
        """All values of the step are granted, and its fingerprint is not that of its metrics."""
        values = self.testimony.values(game.step)
        first, data, found = game.values_count + game.outputs_count, b"", []
        for place in range(first, first + game.metrics_count):
            entry, proof = self.entry(place)
            number = int.from_bytes(entry, "big")
            found.append(Metric(number, proof, values.arrays[number].nbytes, values.tree.prove(number)))
            data += bytes(raw(values.arrays[number]))
        return Metrics(tuple(found), data)

    def _input(self, game: Game) -> Move:
        """One value is left, and it is no kernel's: it contradicts what stands in its entry."""
        entry, proof = self.entry(game.index)
        if entry[0] != _STATE:
            return Input(entry, proof)
        before = state_tree(self.testimony.state_at(game.step))
        position = int.from_bytes(entry[10:14], "big")
        return State(entry, proof, before.node(0, position), before.prove(position))

    def _output(self, game: Game) -> Move:
        """One tensor of the state after the step is left; all values are granted."""
        values = self.testimony.values(game.step)
        entry, proof = self.entry(len(values.arrays) + game.index)
        value = int.from_bytes(entry[:4], "big")
        return Output(game.index, entry, proof, values.roots[value], values.tree.prove(value))

    def _element(self, game: Game, history: Sequence[Revealed]) -> Move:
        """The KiB is shown: name its first wrong element."""
        shown = _shown(history[-1][1])
        ours, size = self.chunk(game), game.item
        starts = range(0, len(ours), size)
        at = next(n for n, start in enumerate(starts) if ours[start : start + size] != shown[start : start + size])
        entry = self.entries[game.value]
        if entry[0] == _KERNEL:
            return Point(shown, at, entry)
        return self._row(game, shown, at, entry)

    def _row(self, game: Game, shown: bytes, at: int, entry: bytes) -> Move:
        """A batch has another element than the row that the sampler draws."""
        width = int.from_bytes(entry[18:26], "big")
        offset = game.index * 1024 + at * game.item
        spec, dataset = self.testimony.runner.spec, self.testimony.runner.dataset
        row = int(rows(spec.seed, game.step, spec.batch_size, spec.rows)[offset // width])
        return Batch(entry, shown, at, dataset.header, dataset.row(row), dataset.prove(row))

    def _row_number(self, game: Game, history: Sequence[Revealed]) -> Move:
        shown = _shown(history[-1][1])
        ours = self.chunk(game)
        at = next(n for n in range(len(ours) // 8) if ours[8 * n : 8 * n + 8] != shown[8 * n : 8 * n + 8])
        return Rows(shown, at)

    def _prove(self, game: Game, history: Sequence[Revealed]) -> Move:
        """Let the referee execute what is left, on operands opened under the solver's own root."""
        values = self.testimony.values(game.step)
        known = Transcript(values.tree)
        for record, answer in history:
            if record.level is Level.VALUES and record.step == game.step:
                known.reveal(record.height, record.index, _words(answer))
        code, fold = self.coded(game.value), self.fold(game)

        def opened(first: int, last: int) -> bytes:
            def data(number: int) -> memoryview:
                return raw(values.arrays[number])

            def prove(numbers: Sequence[int]) -> Sequence[bytes]:
                return merkle.siblings(known, numbers)

            return openings(code, game.element, first, last, data, values.roots, prove)

        base = opened(0, 0) if game.lo == 0 else b""
        first = tuple(fold.words([game.lo])) if game.lo else ()
        return Prove(self.entries[game.value], first, base, opened(game.lo, game.hi) if game.lo < game.hi else b"")


def _words(answer: Divide | Expand | Show) -> tuple[bytes, ...]:
    match answer:
        case Divide(words) | Expand(words):
            return words
        case _:
            raise UsageError("the solver has shown bytes where it had to reveal hashes")


def _shown(answer: Divide | Expand | Show) -> bytes:
    if not isinstance(answer, Show):
        raise UsageError("the solver has revealed hashes where it had to show bytes")
    return answer.chunk
