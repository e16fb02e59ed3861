"""The order of the steps, among those that respect what they read: one that keeps little alive at a time.

A step that takes more memory than it gives back waits until its result is asked for; one that gives back more (the
update of a weight from its gradient, above all) runs as soon as it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Step", "ordered"]


class Step(NamedTuple):
    """Run form number `form` with these tensors in its slots (the outputs first)."""

    form: int
    tensors: tuple[str, ...]
    outputs: int = 1

    @property
    def made(self) -> tuple[str, ...]:
        """What it writes."""
        return self.tensors[: self.outputs]

    @property
    def read(self) -> tuple[str, ...]:
        """What it reads, each tensor once."""
        return tuple(dict.fromkeys(t for t in self.tensors[self.outputs :] if t not in self.made))


def ordered(
    steps: Sequence[Step], sizes: dict[str, int], kept: set[str], before: Sequence[set[int]] = ()
) -> list[Step]:
    """The steps in their new order; tensors in `kept` have memory of their own. They are given in a possible order.

    `before` has for each step others, of a smaller number, that have to run first whatever they make.
    """
    return _Order(steps, sizes, kept, before or [set() for _ in steps]).run()


class _Order:
    def __init__(
        self, steps: Sequence[Step], sizes: dict[str, int], kept: set[str], before: Sequence[set[int]]
    ) -> None:
        self.steps = steps
        self.maker = {t: n for n, step in enumerate(steps) for t in step.made}
        self.readers: dict[str, set[int]] = {t: set() for t in self.maker}
        for n, step in enumerate(steps):
            for tensor in step.read:
                if tensor in self.maker:
                    self.readers[tensor].add(n)
        self.sizes = {t: 0 if t in kept else sizes[t] for t in self.maker}
        self.needs = [
            b | {self.maker[t] for t in s.read if t in self.maker} for s, b in zip(steps, before, strict=True)
        ]
        self.waiting = [len(needed) for needed in self.needs]
        self.after: list[set[int]] = [set() for _ in steps]
        for n, needed in enumerate(self.needs):
            for m in needed:
                self.after[m].add(n)
        self.waits = [self._grows(n) for n in range(len(steps))]
        self.done = [False] * len(steps)
        self.order: list[Step] = []

    def run(self) -> list[Step]:
        for n in range(len(self.steps)):
            if not self.waits[n]:
                self._ask(n)
        for n in range(len(self.steps)):
            self._ask(n)
        return self.order

    def _grows(self, n: int) -> bool:
        """Whether a step, where it stands, takes more than it frees; one that somebody outside waits for does not."""
        step = self.steps[n]
        frees = sum(self.sizes[t] for t in step.read if t in self.maker and max(self.readers[t]) == n)
        return sum(self.sizes[t] for t in step.made) > frees and all(self.readers[t] for t in step.made)

    def _ask(self, n: int) -> None:
        """Run step `n`, after all it needs."""
        stack = [n]
        while stack:
            top = stack[-1]
            missing = sorted((m for m in self.needs[top] if not self.done[m]), reverse=True)
            if missing and not self.done[top]:
                stack += missing
            else:
                stack.pop()
                self._perform(top)

    def _perform(self, n: int) -> None:
        """Run a step, and then those that have become ready and give back more than they take."""
        todo = [n]
        while todo:
            n = todo.pop()
            if self.done[n]:
                continue
            self.done[n] = True
            self.order.append(self.steps[n])
            near: set[int] = set()
            for tensor in self.steps[n].read:
                if tensor in self.maker:
                    self.readers[tensor].discard(n)
                    near |= self.readers[tensor] if len(self.readers[tensor]) == 1 else set()
            for reader in self.after[n]:
                self.waiting[reader] -= 1
                near.add(reader)
            todo += sorted((m for m in near if self.waiting[m] == 0 and self._gives(m)), reverse=True)

    def _gives(self, n: int) -> bool:
        """Whether a step frees more than it takes, now."""
        step = self.steps[n]
        frees = sum(self.sizes[t] for t in step.read if t in self.maker and self.readers[t] == {n})
        return frees > sum(self.sizes[t] for t in step.made)
