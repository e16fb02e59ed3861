"""Whoever lies about an interval of a real training is led to its lie, and whoever tells the truth is not convicted."""

from __future__ import annotations

import numpy as np
import pytest
import small
from quarrel import Quarrel

from assay.dispute.moves import Accept, Point, Prove
from assay.dispute.record import Kind
from assay.errors import UsageError
from assay.proof import Dataset, Runner
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


