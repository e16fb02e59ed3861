"""What a party claims: an honest one what the interval gives, a liar its own checkpoint by way of one lie in the last step."""

from __future__ import annotations

import numpy as np
import pytest
import small

from assay.dispute import testimony
from assay.dispute.testimony import Liar, state_tree
from assay.dispute.values import compute
from assay.engine import exact
from assay.errors import UsageError
from assay.proof import Dataset, Runner, merkle, state_root
from assay.proof.tensors import raw
from assay.store import Store


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    package = small.small(store)
    return Runner(small.compiled(), package.spec, Dataset.parse(store.get(package.spec.dataset)))


@pytest.fixture(scope="module")
def honest(runner):
    return testimony.Testimony(runner, small.initial(), 0, 6)


@pytest.fixture(scope="module")
def liar(runner, honest):
    claimed = {name: array.copy() for name, array in honest.state_at(6).items()}
    victim = claimed["model.conv2.weight"]
    victim.flat[7] = np.nextafter(victim.flat[7], np.float32(np.inf))
    return Liar(runner, small.initial(), 0, 6, claimed=claimed)


def test_the_roots_are_those_of_training(runner, honest):
    expected = [state_root(runner.interval(small.initial(), 0, stop).state) for stop in (1, 4, 6)]
    assert honest.state_roots([1, 4, 6]) == expected
    assert honest.state_roots([2, 3])[0] == state_root(runner.interval(small.initial(), 0, 2).state)
    with pytest.raises(UsageError):
        honest.state_at(7)


def test_the_values_of_a_step_lead_from_state_to_state(runner, honest):
    program, values = runner.executable.program, honest.values(3)
    before, after = honest.state_at(3), honest.state_at(4)
    names = [p.name for p in program.inputs] + sorted(program.constants) + [k.output for k in program.kernels]
    number = {name: n for n, name in enumerate(names)}
    for name, array in before.items():
        assert bytes(raw(values.arrays[number["state/" + name]])) == bytes(raw(array))
    for port, tensor in program.outputs:
        if port.name.startswith("next/"):
            assert bytes(raw(values.arrays[number[tensor]])) == bytes(raw(after[port.name.removeprefix("next/")]))
    assert values.root == merkle.root([merkle.bytes_root(raw(array)) for array in values.arrays])


def test_both_engines_give_the_same_values(runner, honest):
    inputs = honest.inputs(2)
    program = runner.executable.program
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.dispute.values.CLEAR_OPERATIONS", 0)
        patch.setattr("assay.dispute.values.SLICE_BYTES", 1 << 20)
        assert compute(program, inputs, exact.compile).roots == compute(program, inputs).roots


def test_chunks_and_elements(honest):
    values = honest.values(3)
    largest = max(range(len(values.arrays)), key=lambda n: values.arrays[n].nbytes)
    tree, data = values.chunks(largest), bytes(raw(values.arrays[largest]))
    assert tree.root == values.roots[largest]
    assert values.chunk(largest, 1) == data[1024:2048]
    assert merkle.leaf(values.chunk(largest, 1)) == tree.node(0, 1)
    size = values.arrays[largest].itemsize
    assert values.bits(largest, 300) == int.from_bytes(data[300 * size : 301 * size], "little")


def test_a_liar_tells_one_lie(honest, liar):
    assert liar.state_roots([1, 5]) == honest.state_roots([1, 5])
    assert liar.state_roots([6]) != honest.state_roots([6])
    mine, theirs = honest.values(5), liar.values(5)
    different = [n for n, (a, b) in enumerate(zip(mine.roots, theirs.roots, strict=True)) if a != b]
    assert len(different) == 1
    assert liar.values(4).root == honest.values(4).root
    assert state_tree(liar.claimed).root != state_tree(honest.state_at(6)).root


def test_rows_and_fingerprints_are_those_that_a_checkpoint_binds(runner, honest):
    segment = runner.interval(small.initial(), 0, 6)
    assert merkle.root(honest.draws()) == segment.batches
    assert merkle.root(honest.fingerprints()) == segment.digest
