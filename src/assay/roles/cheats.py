"""Dishonest solvers and verifiers, for demonstrations and tests: real deviations, honestly computed otherwise.

A cheating solver is an honest one whose `interval` is not what the task says; it claims the task's roots all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import helper, numpy_helper

from assay.errors import UsageError
from assay.program import Program, load
from assay.proof import OnStep, Runner, Segment, State, batches_root

__all__ = ["CHEATS", "Cheat", "cheating_worker"]


@dataclass(frozen=True)
class Cheat:
    """Who cheats and how, in a sentence."""

    name: str
    role: str
    sentence: str


CHEATS = {
    cheat.name: cheat
    for cheat in (
        Cheat("weights", "solver", "tampers with the weights of one checkpoint"),
        Cheat("steps", "solver", "does half of the steps"),
        Cheat("order", "solver", "trains on other batches"),
        Cheat("rate", "solver", "trains with another learning rate"),
        Cheat("echo", "verifier", "attests without replaying"),
    )
}


@dataclass(frozen=True)
class _Weights:
    """Trains honestly, but one weight of the checkpoint in the middle of the run is not what training gave."""

    runner: Runner

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        segment = self.runner.interval(state, start, stop, on_step)
        middle = self.runner.spec.intervals // 2
        if start != self.runner.spec.bounds(middle)[0]:
            return segment
        tampered = {name: array.copy() for name, array in segment.state.items()}
        victim = next(array for _, array in sorted(tampered.items()) if array.dtype == np.float32 and array.size > 1)
        victim.flat[0] = np.nextafter(victim.flat[0], np.float32(np.inf))
        return replace(segment, state=tampered)


@dataclass(frozen=True)
class _Steps:
    """Does the first half of each interval's steps and claims all of them."""

    runner: Runner

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        segment = self.runner.interval(state, start, start + (stop - start) // 2, on_step)
        return replace(segment, stop=stop, batches=_claimed_batches(self.runner, start, stop))


@dataclass(frozen=True)
class _Order:
    """Draws the rows with another seed, and claims the batches of the task."""

    runner: Runner

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        spec = self.runner.spec
        other = Runner(self.runner.executable, msgspec.structs.replace(spec, seed=spec.seed ^ 1), self.runner.dataset)
        segment = other.interval(state, start, stop, on_step)
        return replace(segment, batches=_claimed_batches(self.runner, start, stop))


def _claimed_batches(runner: Runner, start: int, stop: int) -> bytes:
    spec = runner.spec
    return batches_root(spec.seed, start, stop, spec.batch_size, spec.rows)


def with_half_rate(program: Program) -> Program:
    """The same training step with its learning rate halved, wherever the graph uses it."""
    model = onnx.load_from_string(program.source)
    graph = model.graph
    # An initializer or a node gives the rate; everything that reads it now reads half of it.
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == "learning_rate":
                node.input[position] = "learning_rate/half"
    graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    halving = helper.make_node("Mul", ["learning_rate", "half"], ["learning_rate/half"])
    made_by = [i for i, node in enumerate(graph.node) if "learning_rate" in node.output]
    if not made_by and all(tensor.name != "learning_rate" for tensor in graph.initializer):
        raise UsageError("This program has no value called learning_rate to cheat with.")
    nodes = list(graph.node)
    nodes.insert(made_by[0] + 1 if made_by else 0, halving)
    del graph.node[:]
    graph.node.extend(nodes)
    return load(model.SerializeToString())


def cheating_worker(cheat: str, runner: Runner, compile_program: Callable[[Program], Any]) -> Any:
    """`runner`, made dishonest."""
    match cheat:
        case "weights":
            return _Weights(runner)
        case "steps":
            return _Steps(runner)
        case "order":
            return _Order(runner)
        case "rate":
            executable = compile_program(with_half_rate(runner.executable.program))
            return Runner(executable, runner.spec, runner.dataset)
    raise UsageError(f"There is no cheat {cheat!r} for a solver.", hint=f"Known: {', '.join(sorted(CHEATS))}.")
