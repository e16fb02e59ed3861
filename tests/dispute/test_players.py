"""Whoever lies about an interval of a real training is led to its lie, and whoever tells the truth is not convicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import small
from digits_quarrel import CHALLENGER, SOLVER, Quarrel

from assay.dispute import game as law
from assay.dispute.defender import Defender
from assay.dispute.moves import Accept, Expire, Point, Prove
from assay.dispute.record import Kind
from assay.dispute.showing import show_data, show_leaf
from assay.dispute.testimony import Testimony as Told
from assay.errors import RefusedError, UsageError
from assay.proof import Dataset, Runner, merkle, opening, trace_of
from assay.proof.code import code_leaves, code_shape
from assay.store import Store

STEPS = 6


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    spec = small.small(store, steps=STEPS, interval=STEPS).spec
    return Runner(small.compiled(), spec, Dataset.parse(store.get(spec.dataset)))


@pytest.fixture(scope="module")
def final(runner):
    return runner.interval(small.initial(), 0, STEPS).state


def tampered(final, name, element=0):
    claimed = {key: array.copy() for key, array in final.items()}
    victim = claimed[name].reshape(-1)
    victim[element] = victim[element] + 1 if victim.dtype.kind == "i" else np.nextafter(victim[element], np.float32(9))
    return claimed


@pytest.mark.parametrize("ways", [2, 32])
@pytest.mark.parametrize(
    ("name", "element"),
    [("model.conv2.weight", 700), ("optimizer.exp_avg.conv1.weight", 3), ("model.norm.running_var", 1)],
)
def test_one_unit_in_the_last_place_is_found(runner, final, name, element, ways):
    quarrel = Quarrel(runner, tampered(final, name, element), ways)
    outcome = quarrel.play()
    assert (outcome.upheld, outcome.reason) == (True, "prove")
    (point,) = [move for move in quarrel.moves if isinstance(move, Point)]
    size = final[name].itemsize
    assert point.at == element * size % 1024 // size
    assert isinstance(quarrel.moves[-1], Prove)


def test_fewer_steps_are_found(runner):
    quarrel = Quarrel(runner, runner.interval(small.initial(), 0, STEPS // 2).state)
    assert quarrel.play().upheld


def test_a_state_that_no_value_gives_is_found(runner, final):
    """The solver's values are right, and its state after the step is not made of them."""
    quarrel = Quarrel(runner, tampered(final, "model.head.bias"))
    quarrel.defender.testimony._lies = lambda honest: {}
    outcome = quarrel.play()
    assert (outcome.upheld, outcome.reason) == (True, "output")
    assert any(isinstance(move, Accept) for move in quarrel.moves)


def test_an_honest_solver_gives_nothing_to_choose(runner):
    for ways in (2, 64):
        with pytest.raises(UsageError, match="those of the replay"):
            Quarrel(runner, ways=ways).play()


class Misled(Told):
    """Tells of every step what happened, but for one value."""

    def __init__(self, honest, number, step):
        super().__init__(honest.runner, honest.state, honest.start, honest.stop)
        self.number, self.step = number, step

    def values(self, step):
        true = super().values(step)
        if step != self.step:
            return true
        array = true.arrays[self.number].copy()
        flat = array.reshape(-1).view(np.uint8)
        flat[-1] ^= 1
        return true.with_arrays({self.number: array})


@pytest.mark.parametrize("what", ["state/model.conv2.weight", "batch/x", "batch/y", "step", "constant"])
def test_every_input_of_a_step_is_bound(runner, final, what):
    """The solver has a false state at the end, and says of the last step that an input was other than it was."""
    quarrel = Quarrel(runner, tampered(final, "model.conv2.weight"))
    program = runner.executable.program
    names = [port.name for port in program.inputs]
    number = len(names) if what == "constant" else names.index(what)
    misled = Misled(quarrel.honest, number, STEPS - 1)
    quarrel.defender.testimony.values = misled.values
    outcome = quarrel.play()
    kind = {"constant": "input", "step": "input"}.get(what, what.split("/")[0])
    assert (outcome.upheld, outcome.reason) == (True, kind)


def test_other_row_numbers_than_the_samplers_are_found(runner):
    other = Told(runner, small.initial(), 0, STEPS)
    numbers = bytearray(other.row_numbers(4))
    numbers[8 * 37 + 7] ^= 1
    honest = other.row_numbers
    other.row_numbers = lambda step: bytes(numbers) if step == 4 else honest(step)
    quarrel = Quarrel(runner, batches=merkle.root(other.draws()), solver=Defender(other))
    outcome = quarrel.play(Kind.BATCHES)
    assert (outcome.upheld, outcome.reason) == (True, "rows")
    assert quarrel.moves[-1].at == 37


@pytest.mark.parametrize("step", [0, 3, STEPS - 1])
def test_a_forged_trace_is_found(runner, step):
    other = Told(runner, small.initial(), 0, STEPS)
    prints = other.fingerprints()
    prints[step] = bytes(32)
    other.fingerprints = lambda: prints
    quarrel = Quarrel(runner, trace=trace_of(merkle.root(prints)), solver=Defender(other), ways=2)
    outcome = quarrel.play(Kind.TRACE)
    assert (outcome.upheld, outcome.reason) == (True, "metrics")


def test_true_rows_and_traces_give_nothing_to_choose(runner):
    for kind in (Kind.BATCHES, Kind.TRACE):
        with pytest.raises(UsageError, match="those of the replay"):
            Quarrel(runner).play(kind)


def test_a_kib_of_a_checkpoint_is_shown(runner):
    quarrel = Quarrel(runner)
    program, state = runner.executable.program, small.initial()
    shape = int.from_bytes(code_shape(program), "big"), merkle.root(code_leaves(program))
    number = [port.name for port in program.inputs].index("state/model.conv2.weight")
    demanded = Defender(quarrel.honest)
    for chunk in (0, 3, 17):  # 18 KiB
        game = law.open_data(
            quarrel.case,
            0,
            0,
            CHALLENGER,
            0,
            shape,
            opening(quarrel.trajectory, 0),
            number,
            *demanded.entry(number),
            chunk,
        )
        shown = show_data(program, state, game)
        outcome = law.apply(game, shown, 1, SOLVER, quarrel.case)
        assert (outcome.upheld, outcome.reason, outcome.receiver) == (False, "data", SOLVER)
        with pytest.raises(RefusedError):
            law.apply(game, replace(shown, chunk=bytes(1024)), 1, SOLVER, quarrel.case)
    assert law.apply(game, Expire(), game.deadline + 1, CHALLENGER, quarrel.case).upheld


def test_a_leaf_of_the_trajectory_is_shown(runner):
    quarrel = Quarrel(runner)
    game = law.open_leaf(quarrel.case, 0, CHALLENGER, 0)
    outcome = law.apply(game, show_leaf(quarrel.trajectory, game), 1, SOLVER, quarrel.case)
    assert (outcome.upheld, outcome.reason) == (False, "leaf")
