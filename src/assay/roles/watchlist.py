"""Which tasks a role still has to look after: filled from the chain's events, kept on disk, emptied as tasks end."""

from __future__ import annotations

from pathlib import Path

from assay.chain import Event, EventReader
from assay.observe import read_json, write_json

__all__ = ["Watchlist"]


class Watchlist:
    """The ids of unfinished tasks, in the order in which they were posted. Survives a SIGKILL at any moment.

    The list is saved before the reader's cursor: after a crash an event may come again, and is then already known.
    """

    def __init__(self, path: Path, reader: EventReader) -> None:
        self._path = path
        self._reader = reader
        self._tasks: dict[str, None] = dict.fromkeys(read_json(path, []))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks to look after, as of the last `refresh`."""
        return tuple(self._tasks)

    def refresh(self) -> tuple[str, ...]:
        """Read what is new on the chain; returns the tasks to look after."""
        found = self._reader.read()
        # After a rewind the events of the new fork follow; a task that vanished with the old one asks for nothing.
        posted = [event.args["id"] for event in found if isinstance(event, Event) and event.name == "Posted"]
        if any(task not in self._tasks for task in posted):
            self._tasks |= dict.fromkeys(posted)
            self._save()
        self._reader.acknowledge()
        return tuple(self._tasks)

    def drop(self, task: str) -> None:
        """Forget a task: it has ended, or it is none of ours."""
        if self._tasks.pop(task, self) is not self:
            self._save()

    def _save(self) -> None:
        write_json(self._path, list(self._tasks))
