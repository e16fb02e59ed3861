"""Solvers that have a final model by other means and make up a way to it: the published attacks on proof-of-learning.

Those attacks were made for verifiers that accept a replay which comes *close* to a checkpoint. Here a replay gives the same bits
or does not, and the rows of every step are bound; so each attack is carried out as far as this protocol lets it go.
The model comes from a third of the training, which is what the attacker saves; the rest of its checkpoints are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from assay.proof import OnStep, Runner, Segment, State, merkle
from assay.proof.trace import fingerprint

from .scene import Scene, claimed_batches

__all__ = ["FittedData", "Infinitesimal", "Interpolated", "TopQ", "between"]

SHARE = 3
"""The attacker trains one step in so many."""

CANDIDATES = 4
"""Variants of a batch that are tried for each made-up checkpoint."""


def between(low: State, high: State, done: int, of: int) -> State:
    """The state `done` / `of` of the way from `low` to `high`. Integers, which only count, are rounded down."""
    share = np.float32(done / of)
    found = {}
    for name, array in low.items():
        if array.dtype.kind in "iu":
            found[name] = (array + (high[name] - array) * done // of).astype(array.dtype)
        elif array.dtype.kind == "b":
            found[name] = high[name].copy()
        else:
            found[name] = (array + (high[name] - array) * share).astype(array.dtype)
    return {name: np.asarray(array).reshape(low[name].shape) for name, array in found.items()}


@dataclass(frozen=True)
class _Forger:
    """Knows a final model that a third of the work gave, and what a step at any state looks like."""

    scene: Scene

    @cached_property
    def final(self) -> State:
        """The model to be passed off as the result."""
        return self._shortcut(self.scene.initial, 0)

    def _shortcut(self, state: State, first: int) -> State:
        """Trains a third of the steps that are left after `first`; counters go on as if it were all of them."""
        runner = self.scene.runner
        left = runner.spec.steps - first
        short = runner.interval(state, first, first + max(1, left // SHARE)).state
        counted = max(1, left // SHARE)
        for name, array in short.items():
            if array.dtype.kind in "iu":
                short[name] = (state[name] + (array - state[name]) * left // counted).astype(array.dtype)
        return short

    def segment(self, state: State, start: int, stop: int, after: State, on_step: OnStep | None) -> Segment:
        """An interval that ends at `after`. One real step gives metrics that look like those of training."""
        runner = self.scene.runner
        _, metrics = runner.step(state, start)
        return self.told(start, stop, after, metrics, on_step)

    def told(
        self, start: int, stop: int, after: State, metrics: Mapping[str, np.ndarray], on_step: OnStep | None
    ) -> Segment:
        """The same with these metrics for every step."""
        if on_step is not None:
            for step in range(start, stop):
                on_step(step, metrics)
        prints = [fingerprint(step, metrics) for step in range(start, stop)]
        made = Segment(start, stop, after, merkle.root(prints), merkle.ZERO, (metrics,) * (stop - start))
        return replace(made, batches=claimed_batches(self.scene.runner, made))


class Interpolated(_Forger):
    """Checkpoints on the straight line from the initial state to the model: how all of the published attacks begin."""

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        """One piece of the line."""
        after = between(self.scene.initial, self.final, stop, self.scene.runner.spec.steps)
        return self.segment(state, start, stop, after, on_step)


class FittedData(_Forger):
    """Checkpoints on a line, and data made to fit them.

    Zhang et al., "'Adversarial Examples' for Proof-of-Learning" (IEEE S&P 2022): noise is added to the training data until a
    step on them leads from one made-up checkpoint to about the next one. The data are the task's here, so that the noise can't be
    handed in; what is left is to commit to the trace of the run on the noisy rows, and to claim the task's. The paper follows
    gradients with respect to the data; a program shows none, so the best of a few random noises is taken.
    """

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        """One piece of the line, with the metrics of the best noisy batch."""
        runner = self.scene.runner
        after = between(self.scene.initial, self.final, stop, runner.spec.steps)
        tried = [_Noisy(runner, seed).step(state, start) for seed in range(CANDIDATES)]
        _, metrics = min(tried, key=lambda found: _distance(found[0], after))
        return self.told(start, stop, after, metrics, on_step)


class _Noisy(Runner):
    """Rows with noise: one unit of an integer, a hundredth of a float."""

    def __init__(self, honest: Runner, seed: int) -> None:
        super().__init__(honest.executable, honest.spec, honest.dataset)
        self._seed = seed

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """The task's rows, disturbed: except the column with the fewest bytes, which holds the labels."""
        rows = super().batch(step)
        labels = min(sorted(rows), key=lambda name: rows[name][:1].nbytes)
        generator = np.random.Generator(np.random.PCG64([self._seed, step]))
        for name, array in rows.items():
            if name != labels:
                noise = generator.integers(0, 2, array.shape)
                rows[name] = (array + (noise if array.dtype.kind in "iu" else noise / 100)).astype(array.dtype)
        return rows


def _distance(a: State, b: State) -> float:
    floats = [name for name in a if a[name].dtype.kind == "f"]
    return sum(float(np.abs(a[name].astype(np.float64) - b[name]).sum()) for name in floats)


class Infinitesimal(_Forger):
    """Jumps to the model in the first interval, and then hardly moves.

    The infinitesimal-update attack of Fang et al., "Proof-of-Learning is Currently More Broken Than You Think" (IEEE EuroS&P
    2023): updates smaller than the verifier's tolerance pass whatever their direction. Every checkpoint after the first is within
    a millionth of the way of the one before it.
    """

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        """The jump, or next to nothing."""
        steps, tiny = self.scene.runner.spec.steps, 10**6
        after = between(self.scene.initial, self.final, steps * tiny - (steps - stop), steps * tiny)
        return self.segment(state, start, stop, after, on_step)


class TopQ(_Forger):
    """Trains the intervals with the largest updates, and makes up the others.

    The blindfold top-Q attack of Fang et al. (EuroS&P 2023): a verifier that looks at the Q largest updates sees honest ones
    only. The largest are the first ones here; what follows runs on a line to a model that a third of the remaining steps gave.
    The lot, which draws after the commitment, does not look at sizes.
    """

    @property
    def honest_until(self) -> int:
        """The first step that is not trained."""
        spec = self.scene.runner.spec
        return spec.bounds(spec.intervals // 2)[0]

    @cached_property
    def turn(self) -> tuple[State, State]:
        """The last honest state, and the model at the end."""
        state = self.scene.runner.interval(self.scene.initial, 0, self.honest_until).state
        return state, self._shortcut(state, self.honest_until)

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        """Honest work, or a piece of the line."""
        runner, first = self.scene.runner, self.honest_until
        if start < first:
            return runner.interval(state, start, stop, on_step)
        after = between(*self.turn, stop - first, runner.spec.steps - first)
        return self.segment(state, start, stop, after, on_step)
