"""Which tasks a role still has to look after: filled from the chain's events, kept on disk, emptied as tasks end."""

from __future__ import annotations

from pathlib import Path

from assay.chain import Event, EventReader, Rewind
from assay.observe import read_json, write_json

__all__ = ["Watchlist"]


DROPPED = 256
"""How many of the tasks that were dropped last are remembered, for a chain that goes back behind their ends."""


class Watchlist:
    """The ids of unfinished tasks, in the order in which they were posted. Survives a SIGKILL at any moment.

    The list is saved before the reader's cursor: after a crash an event may come again, and is then already known.
    """

    def __init__(self, path: Path, reader: EventReader) -> None:
        self._path = path
        self._reader = reader
        self._tasks: dict[str, None] = dict.fromkeys(read_json(path, []))
        self._dropped_file = path.with_name(f"{path.stem}-dropped.json")
        self._dropped: dict[str, int] = read_json(self._dropped_file, {})

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks to look after, as of the last `refresh`."""
        return tuple(self._tasks)

    def refresh(self) -> tuple[str, ...]:
        """Read what is new on the chain; returns the tasks to look after."""
        found = self._reader.read()
        # After a rewind the events of the new fork follow; a task that vanished with the old one asks for nothing. One that
        # had ended there may be going on, though, and has promises to be kept.
        posted = [event.args["id"] for event in found if isinstance(event, Event) and event.name == "Posted"]
        for rewind in (event for event in found if isinstance(event, Rewind)):
            posted += [task for task, block in self._dropped.items() if block > rewind.fork]
        if any(task not in self._tasks for task in posted):
            self._tasks |= dict.fromkeys(posted)
            self._save()
        self._reader.acknowledge()
        return tuple(self._tasks)

    def drop(self, task: str) -> None:
        """Forget a task: it has ended, or it is none of ours."""
        if self._tasks.pop(task, self) is not self:
            self._dropped.pop(task, None)
            self._dropped[task] = self._reader.position[0]
            for oldest in list(self._dropped)[:-DROPPED]:
                del self._dropped[oldest]
            write_json(self._dropped_file, self._dropped)
            self._save()

    def _save(self) -> None:
        write_json(self._path, list(self._tasks))
