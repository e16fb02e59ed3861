"""State that is given away: outputs in its memory, with the same bits, and never where somebody still has to read it."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import load as tensors

from assay.engine.exact import compile
from assay.engine.exact.plan import plan
from assay.program import load

STATE = [16, 1024]


def training(nodes, extra=()):
    """A program of two states x and y, of one size, with the nodes that make next/x and next/y (or outputs in `extra`)."""

    def value(name, shape=STATE):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    inputs = [value("state/x"), value("state/y"), value("batch/g")]
    outputs = [value("next/x"), value("next/y"), *(value(name) for name in extra)]
    graph = helper.make_graph(
        [helper.make_node(*n[:3], **(n[3] if len(n) > 3 else {})) for n in nodes], "g", inputs, outputs
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return load(model.SerializeToString())


def inputs_of(program):
    rng = np.random.default_rng(5)
    return {p.name: rng.normal(size=p.shape).astype(p.dtype.numpy) for p in program.inputs}


def both(program, threads=1):
    """Outputs without and with donation, and the inputs as they are after the latter."""
    engine, given = compile(program, threads=threads), inputs_of(program)
    mine = {name: a.copy() for name, a in given.items()}
    kept = engine.run({name: a.copy() for name, a in given.items()})
    taken = engine.run(mine, [n for n in mine if n.startswith("state/")])
    for name, array in kept.items():
        assert array.tobytes() == taken[name].tobytes(), name
    return taken, mine


UPDATE = [
    ("Mul", ["state/y", "batch/g"], ["a"]),
    ("Add", ["state/x", "a"], ["next/x"]),
    ("Sub", ["state/y", "batch/g"], ["next/y"]),
]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_an_update_is_written_over_its_state(threads):
    taken, mine = both(training(UPDATE), threads)
    for name in ("x", "y"):
        assert np.shares_memory(taken[f"next/{name}"], mine[f"state/{name}"])


def test_whoever_reads_the_old_state_runs_first():
    """next/x is ready at once, but a product and a metric need the old x: they are not given the new one."""
    nodes = [
        ("Add", ["state/x", "batch/g"], ["next/x"]),
        ("Transpose", ["state/x"], ["t"], {"perm": [1, 0]}),
        ("MatMul", ["state/x", "t"], ["square"]),
        ("MatMul", ["square", "state/y"], ["next/y"]),
        ("Sub", ["state/x", "batch/g"], ["metric/old"]),
    ]
    taken, mine = both(training(nodes, ["metric/old"]))
    assert np.shares_memory(taken["next/x"], mine["state/x"])
    assert not np.shares_memory(taken["next/y"], mine["state/y"])  # a product reads more than its own place


@pytest.mark.parametrize(
    "nodes",
    [
        [("Identity", ["state/y"], ["next/x"]), ("Identity", ["state/x"], ["next/y"])],
        [("Add", ["state/y", "batch/g"], ["next/x"]), ("Add", ["state/x", "batch/g"], ["next/y"])],
        [("Add", ["state/x", "next/y"], ["next/x"]), ("Add", ["state/x", "state/y"], ["next/y"])][::-1],
    ],
    ids=["exchanged", "crossed", "one after the other"],
)
def test_states_that_read_each_other(nodes):
    both(training(nodes))


def test_a_state_read_elsewhere_than_where_it_is_written_is_left_alone():
    nodes = [
        ("Reshape", ["state/x", "shape"], ["r"]),
        ("Transpose", ["r"], ["t"], {"perm": [1, 0]}),
        ("Reshape", ["t", "state_shape"], ["back"]),
        ("Add", ["back", "state/x"], ["next/x"]),
        ("Add", ["state/y", "batch/g"], ["next/y"]),
    ]
    constants = [
        ("Constant", [], ["shape"], {"value_ints": [128, 128]}),
        ("Constant", [], ["state_shape"], {"value_ints": STATE}),
    ]
    taken, mine = both(training([*constants, *nodes]))
    assert not np.shares_memory(taken["next/x"], mine["state/x"])
    assert np.shares_memory(taken["next/y"], mine["state/y"])


def test_what_is_not_given_away_or_read_only_stays():
    program = training(UPDATE)
    engine, given = compile(program), inputs_of(program)
    before = {name: a.copy() for name, a in given.items()}
    given["state/y"].flags.writeable = False
    engine.run(given, ["state/y"])
    outputs = engine.run(given, ["batch/g", "nothing"])
    assert not any(np.shares_memory(o, a) for o in outputs.values() for a in given.values())
    for name, array in given.items():
        assert array.tobytes() == before[name].tobytes()


@pytest.mark.parametrize("rows", [0, 5], ids=["one array", "overlapping views"])
@pytest.mark.parametrize("other", ["state/y", "batch/g"])
def test_memory_that_two_inputs_share_is_not_overwritten(rows, other):
    program = training(UPDATE)
    engine, given = compile(program), inputs_of(program)
    base = np.random.default_rng(2).normal(size=(STATE[0] + rows, STATE[1])).astype(np.float32)
    given["state/x"], given[other] = base[: STATE[0]], base[rows:]
    before = {name: a.copy() for name, a in given.items()}
    outputs = engine.run(given, ["state/x", "state/y"])
    for name in {"state/x", other}:
        assert given[name].tobytes() == before[name].tobytes()
    for name, array in engine.run(before).items():
        assert outputs[name].tobytes() == array.tobytes()


def test_a_training_step_needs_no_second_state():
    """Every tensor of the digits' state is updated where it is, and twenty steps leave the bits of twenty fresh ones."""
    folder = files("assay") / "assets" / "digits"
    program = load((folder / "program.onnx").read_bytes())
    assert set(plan(program).replaced) == {f"state/{name}" for name in program.state}
    start = {f"state/{n}": v for n, v in tensors((folder / "initial.safetensors").read_bytes()).items()}
    rows = {f"batch/{n}": v for n, v in tensors((folder / "train.safetensors").read_bytes()).items()}
    size = next(iter(program.batch.values())).shape[0]
    engine = compile(program, threads=2)
    fresh, donated = dict(start), {name: array.copy() for name, array in start.items()}
    for step in range(20):
        batch = {name: column[step * size : (step + 1) * size] for name, column in rows.items()}
        common = {**batch, "step": np.array(step)}
        for state, given in ((fresh, ()), (donated, list(donated))):
            outputs = engine.run({**state, **common}, given)
            state.update({"state/" + n[5:]: a for n, a in outputs.items() if n.startswith("next/")})
    assert all(donated[name].tobytes() == array.tobytes() for name, array in fresh.items())
