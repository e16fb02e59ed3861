"""A dispute on the terminal: the walk from the interval down to one operation, and what each side claims for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from assay.words.units import seconds

if TYPE_CHECKING:
    from assay.program import Program
    from assay.roles.disputes import Dispute
    from assay.roles.submitter import Snapshot

__all__ = ["Bisection"]


class Bisection:
    """Tells the disputes of a task. `program` is asked for when there is one to tell."""

    def __init__(self, program: Callable[[], Program] | None) -> None:
        self._program = program
        self._known: Program | None = None
        self._said: dict[bytes, list[str]] = {}

    def tree(self, snapshot: Snapshot) -> Tree | None:
        """All disputes of a task, each with its walk; None where there are none."""
        if not snapshot.disputes:
            return None
        tree = Tree("disputes", guide_style="dim")
        for dispute in snapshot.disputes:
            branch = tree.add(Text(_head(dispute, snapshot.now), style="bold"))
            for line in self._lines(dispute, snapshot):
                branch = branch.add(Text(line))
        return tree

    def news(self, snapshot: Snapshot) -> Iterator[str]:
        """The lines that were not told yet: what a log shows."""
        for dispute in snapshot.disputes:
            lines = [_head(dispute, None), *self._lines(dispute, snapshot)]
            said = self._said.setdefault(dispute.id, [])
            for line in lines:
                if line not in said:
                    said.append(line)
                    yield line if line == lines[0] else f"           {line}"

    def _lines(self, dispute: Dispute, snapshot: Snapshot) -> Iterator[str]:
        from assay.dispute.telling import claimed, executed, path

        if dispute.record is None:
            yield from _ruling(dispute)
            return
        if self._known is None and self._program is not None:
            self._known = self._program()
        if self._known is not None:
            yield from path(dispute.record, self._known)
            if value := claimed(dispute.record, self._known):
                yield f"the solver claims     {value}"
            yield from (f"the challenger claims {line.note}" for line in snapshot.progress if _is_claim(line.note))
            if dispute.executed:
                found = executed(dispute.executed["found"], dispute.record, self._known)
                yield f"the referee computes  {found}"
        yield from _ruling(dispute)


def _is_claim(note: str) -> bool:
    return bool(note) and len(note) < 80 and note.isprintable()


def _head(dispute: Dispute, now: int | None) -> str:
    head = f"{dispute.kind.sentence} in interval {dispute.interval}, says {dispute.challenger[:8]}…"
    game = dispute.current()
    if game is None or now is None:
        return head
    mover = "solver" if game.turn == 1 else "challenger"
    return f"{head}: {mover} moves within {seconds(game.deadline - now)}"


def _ruling(dispute: Dispute) -> Iterator[str]:
    if dispute.ended is not None:
        reason = dispute.ended["reason"]
        outcome = (
            "the task has ended otherwise" if reason == "moot" else "proven" if dispute.ended["upheld"] else "not shown"
        )
        yield f"ruling: {outcome}" + ("" if reason == "moot" else f" ({reason})")
