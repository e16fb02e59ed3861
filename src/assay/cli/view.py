"""The live view of a task: who must act next and by when, steps, loss, speed and money."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from assay.market import Quote
from assay.program import Program
from assay.roles.submitter import Snapshot
from assay.words.units import amount, seconds

from .bisection import Bisection
from .output import console, escape, say

__all__ = ["LiveView"]

MOST_LINES = 40


class LiveView:
    """Draws snapshots in place on a terminal; elsewhere one line per change of state."""

    def __init__(
        self,
        quote: Quote | None = None,
        console: Console = console,
        symbol: str = "",
        program: Callable[[], Program] | None = None,
    ) -> None:
        self._quote, self._symbol = quote, symbol
        self._bisection = Bisection(program)
        self._state: object = None
        self._bars = Progress(
            TextColumn("{task.description:<12}", markup=False),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
        self._lines: dict[str, TaskID] = {}
        self._live = Live(console=console, refresh_per_second=8, transient=False) if console.is_terminal else None

    def __enter__(self) -> LiveView:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Draw one snapshot."""
        for line in snapshot.progress:
            role, phase = _plain(line.role), _plain(line.phase)
            note = phase + (f"  loss {line.loss:g}" if line.loss is not None else "")
            note += f"  {line.speed:g} steps/s" if line.speed and phase == "training" else ""
            key = f"{role}/{phase}"
            if key not in self._lines:
                if len(self._lines) == MOST_LINES:
                    continue
                self._lines[key] = self._bars.add_task(role, total=line.total, note=note)
            self._bars.update(self._lines[key], completed=line.done, total=line.total, note=note)
        if self._live:
            tree = self._bisection.tree(snapshot)
            self._live.update(Group(self._headline(snapshot), self._bars, *([tree] if tree else ())))
        else:
            if snapshot.task.state != self._state:
                say(self._headline(snapshot).plain)
            for told in self._bisection.news(snapshot):
                say(escape(told))
        self._state = snapshot.task.state

    def wait(self, reason: str) -> None:
        """Say that what is shown may be old, and why."""
        text = Text(f"waiting    {reason}; trying again", style="yellow")
        if self._live:
            self._live.update(Group(text, self._bars))
        elif self._state != reason:
            say(escape(text.plain))
            self._state = reason

    def _headline(self, snapshot: Snapshot) -> Text:
        task = snapshot.task
        text = Text(f"{task.state.name.title():<10}", style="bold")
        text.append(f" {task.state.sentence}", style="none")
        if not task.state.final:
            waits_for = task.state.waits_for + "".join(f" {address[:8]}…" for address in snapshot.waits_for)
            text.append(f"\n           next: {waits_for}, within {seconds(task.deadline - snapshot.now)}", style="dim")
            if self._quote:
                text.append(f"; escrow {amount(self._quote.escrow, self._symbol)}", style="dim")
        return text


def _plain(text: str) -> str:
    """What a stranger's page says, short and without control codes."""
    return "".join(character for character in text[:24] if character.isprintable())
