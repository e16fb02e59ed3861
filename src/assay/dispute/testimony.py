"""What a party says happened in one interval: the state roots on the way, and the values of any step.

The honest party says what a replay gives. A `Liar` has committed to another state at the end and stands by it: its story is
the replay up to the last step, whose results it claims to be those of its checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assay.errors import UsageError
from assay.program.program import BATCH, NEXT, STATE
from assay.proof import Array, Runner, State, merkle, rows, state_root, tensor_root
from assay.proof.tensors import by_name, raw
from assay.proof.trace import fingerprint

from .values import Compile, Values, compute

__all__ = ["Liar", "Testimony"]


@dataclass
class Testimony:
    """A replay of the steps start .. stop-1 from `state`, remembered where it is asked about.

    `state` are the tensors at step `start`; it is not changed.
    """

    runner: Runner
    state: State
    start: int
    stop: int
    compile_program: Compile | None = None
    _known: dict[int, State] = field(default_factory=dict)
    _values: tuple[int, Values] | None = None

    def state_at(self, step: int) -> State:
        """The state after `step - start` steps."""
        if not self.start <= step <= self.stop:
            raise UsageError("that step is not in the interval", step=step, start=self.start, stop=self.stop)
        self._known.setdefault(self.start, self.state)
        at = max(known for known in self._known if known <= step)
        state = self._known[at]
        for now in range(at, step):
            state, _ = self.runner.step(state, now)
        self._known[step] = state
        return state

    def state_roots(self, steps: Sequence[int]) -> list[bytes]:
        """The state roots at `steps`, which increase. The states are not kept, but for the last one before each answer."""
        roots = []
        for step in steps:
            roots.append(state_root(self.state_at(step)))
            self._forget(keep=(self.start, step))
        return roots

    def _forget(self, keep: tuple[int, ...]) -> None:
        self._known = {step: state for step, state in self._known.items() if step in keep}

    def settle_on(self, step: int) -> None:
        """From now on only what happens at `step` matters."""
        self.state_at(step)
        self._forget(keep=(self.start, step))

    def values(self, step: int) -> Values:
        """All values of `step`."""
        if self._values is None or self._values[0] != step:
            program = self.runner.executable.program
            self._values = step, compute(program, self.inputs(step), self.compile_program)
        return self._values[1]

    def inputs(self, step: int) -> dict[str, Array]:
        """The program's inputs at `step`, by port name."""
        spec = self.runner.spec
        inputs: dict[str, Array] = {STATE + name: array for name, array in self.state_at(step).items()}
        inputs |= {BATCH + name: array for name, array in self.runner.batch(step).items()}
        inputs |= {"step": np.array(step, np.int64), "seed": np.array(spec.seed, np.uint64)}
        return {port.name: inputs[port.name] for port in self.runner.executable.program.inputs}

    def row_numbers(self, step: int) -> bytes:
        """The numbers of the rows used at `step`, 8 bytes big-endian each."""
        spec = self.runner.spec
        return rows(spec.seed, step, spec.batch_size, spec.rows).astype(">i8").tobytes()

    def draws(self) -> list[bytes]:
        """For each step the root over its row numbers: the leaves under a checkpoint's `batches`."""
        return [merkle.bytes_root(self.row_numbers(step)) for step in range(self.start, self.stop)]

    def fingerprints(self) -> list[bytes]:
        """For each step the fingerprint of its metrics: the leaves under the trace digest."""
        found, state = [], self.state
        for step in range(self.start, self.stop):
            state, metrics = self.runner.step(state, step)
            found.append(fingerprint(step, metrics))
        return found


def state_tree(state: Mapping[str, Array]) -> merkle.Tree:
    """The Merkle tree under a state root: tensor roots in name order."""
    return merkle.Tree([tensor_root(name, state[name]) for name in by_name(state)])


@dataclass
class Liar(Testimony):
    """The replay, but for the state at the end, which is `claimed`: that of a checkpoint that training did not give."""

    claimed: State = field(default_factory=dict)

    def state_at(self, step: int) -> State:
        """The state that is claimed after `step - start` steps."""
        return dict(self.claimed) if step == self.stop else super().state_at(step)

    def values(self, step: int) -> Values:
        """All values of `step`; at the last one, kernels are said to have made the claimed tensors."""
        if step != self.stop - 1:
            return super().values(step)
        if self._values is None or self._values[0] != step:
            honest = super().values(step)
            self._values = step, honest.with_arrays(self._lies(honest))
        return self._values[1]

    def _lies(self, honest: Values) -> dict[int, Array]:
        """The claimed tensors, by number, where kernels make them. What is passed through cannot be lied about here."""
        program = self.runner.executable.program
        first = len(honest.arrays) - len(program.kernels)
        made = {kernel.output: first + n for n, kernel in enumerate(program.kernels)}
        lies = {}
        for port, tensor in program.outputs:
            name = port.name.removeprefix(NEXT)
            if port.name.startswith(NEXT) and tensor in made:
                claimed = self.claimed[name]
                if bytes(raw(claimed)) != bytes(raw(honest.arrays[made[tensor]])):
                    lies[made[tensor]] = claimed.reshape(honest.arrays[made[tensor]].shape)
        return lies
