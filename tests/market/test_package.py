"""From files to a task: what fits together becomes one, everything else is refused with the reason."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small import ASSETS, PLAN, columns, initial, program, small, write_task

from assay.errors import AssayError, BlobRefused, ConfigError, NotFoundError, ProgramRefused, RefusedError
from assay.market import Evaluation, Plan, package, quote, read_task
from assay.market.package import default_interval
from assay.market.quote import MAX_AUDIT
from assay.proof import Dataset, decode_state, program_root, state_root
from assay.roles.digits import digits
from assay.words import Audit, TaskSpec, canonical, parse


def test_the_spec_names_what_lies_in_the_store(store):
    task = small(store)
    spec = task.spec
    assert hashlib.sha256(store.get(task.blob)).hexdigest() == task.blob.sha256
    assert parse(TaskSpec, store.get(task.blob)) == spec
    assert store.get(spec.program) == program().source
    assert spec.program_root == program_root(program()).hex()
    state = decode_state(store.get(spec.initial), program().state)
    assert spec.initial_root == state_root(state).hex() == state_root(initial()).hex()
    dataset = Dataset.parse(store.get(spec.dataset))
    assert (spec.dataset_root, spec.rows) == (dataset.root.hex(), dataset.rows)
    assert (spec.steps, spec.interval, spec.intervals, spec.audit) == (12, 3, 4, Audit(2, 2))
    assert [blob.size for blob in task.blobs] == sorted(blob.size for blob in task.blobs)
    assert {task.blob, spec.program, spec.initial, spec.dataset} == set(task.blobs)


def test_equal_tasks_have_one_name(store, tmp_path):
    assert small(store).blob == small(store).blob == read_task(write_task(tmp_path / "t"), store).blob
    assert small(store, seed=2).blob != small(store).blob


def test_the_digits_assets_are_a_task(store):
    task = read_task(digits(), store)
    assert (task.spec.name, task.spec.steps, task.spec.intervals) == ("digits", 240, 10)
    assert task.inference is not None
    assert set(task.held_out) == {"x", "y"}
    assert quote(task.program, task.spec).escrow > 0


@pytest.mark.parametrize("steps", [1, 9, 10, 11, 12, 95, 12345])
def test_what_is_left_out_is_chosen_so_that_it_can_be_posted(store, steps):
    task = small(store, steps=steps, interval=0, audit=None)
    # A step of this program has 18 million operations: the work between two checkpoints has at least 3 · 10^9.
    assert task.spec.interval == default_interval(task.program, steps) == min(steps, max(-(-steps // 10), 176))
    assert task.spec.audit == Audit(2, max(1, -(-task.spec.intervals // 2)))
    quote(task.program, task.spec)


def test_the_default_audit_is_not_more_than_the_contract_takes(store):
    task = small(store, steps=1000, interval=1, audit=None)
    assert task.spec.audit.intervals == MAX_AUDIT
    quote(task.program, task.spec)


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"steps": -5},
        {"steps": 2**53 + 1},
        {"interval": -1},
        {"seed": -1},
        {"seed": 2**63},
        {"name": "n" * 121},
        {"audit": Audit(0, 1)},
        {"audit": Audit(1, 0)},
    ],
    ids=str,
)
def test_a_spec_that_no_solver_could_read_is_not_made(store, changes):
    with pytest.raises(ConfigError):
        small(store, **changes)


def refused(store, columns_, initial_=None, **changes):
    fields = {name: getattr(PLAN, name) for name in Plan.__struct_fields__} | changes
    with pytest.raises(AssayError) as caught:
        package(store, Plan(**fields), program().source, initial_ or initial(), columns_)
    assert caught.value.exit_code in (2, 4), caught.value
    return caught.value


def test_a_missing_column_is_named(store):
    error = refused(store, {"x": columns()["x"]})
    assert isinstance(error, RefusedError)
    assert error.evidence["column"] == "y"


def test_a_column_too_many_is_named(store):
    """The engine of every solver would refuse it, but only after the escrow is paid."""
    error = refused(store, columns() | {"z": columns()["y"]})
    assert isinstance(error, RefusedError)
    assert error.evidence["column"] == "z"


def test_a_column_of_another_type_is_named(store):
    error = refused(store, columns() | {"x": columns()["x"].astype(np.float32)})
    assert error.evidence["column"] == "x"
    assert "float32" in error.message
    assert "uint8" in error.message


def test_a_column_of_another_shape_is_named(store):
    error = refused(store, columns() | {"x": columns()["x"].reshape(-1, 64)})
    assert error.evidence["column"] == "x"


def test_another_batch_size_is_refused(store):
    error = refused(store, columns(), batch_size=32)
    assert "[32" in error.message
    assert "[64" in error.message


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"x": np.zeros((0, 1, 8, 8), np.uint8), "y": np.zeros((0,), np.uint8)},
        {"x": columns()["x"], "y": columns()["y"][:-1]},
        {"x": columns()["x"].astype(np.float64), "y": columns()["y"]},
        {"x": columns()["x"], "y": np.array(["a"] * len(columns()["x"]))},
    ],
    ids=["no columns", "no rows", "ragged", "float64", "text"],
)
def test_what_is_no_dataset_is_refused(store, wrong):
    refused(store, wrong)


def test_an_initial_state_of_another_program_is_refused(store):
    name = sorted(initial())[0]
    for wrong in (
        {k: v for k, v in initial().items() if k != name},
        initial() | {"more": np.zeros(3, np.float32)},
        initial() | {name: initial()[name][:-1]},
        initial() | {name: initial()[name].astype(np.float16)},
    ):
        assert isinstance(refused(store, columns(), wrong), BlobRefused)


def test_a_program_that_is_no_training_step_is_refused(store):
    with pytest.raises(RefusedError, match="state"):
        package(store, PLAN, (ASSETS / "inference.onnx").read_bytes(), initial(), columns())


def test_a_program_that_is_no_program_is_refused(store):
    with pytest.raises(ProgramRefused):
        package(store, PLAN, b"nothing of the kind", initial(), columns())


# -- TASK.toml ---------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(store, tmp_path):
    with pytest.raises(NotFoundError, match=r"TASK\.toml"):
        read_task(tmp_path / "TASK.toml", store)


@pytest.mark.parametrize("name", ["program", "initial", "dataset"])
def test_a_path_that_does_not_exist_is_named(store, tmp_path, name):
    path = write_task(tmp_path / "t", **{name: '"absent.bin"'})
    with pytest.raises(NotFoundError, match=r"absent\.bin") as caught:
        read_task(path, store)
    assert caught.value.exit_code == 6


def test_a_path_that_is_a_folder(store, tmp_path):
    with pytest.raises(NotFoundError):
        read_task(write_task(tmp_path / "t", program='"."'), store)
    with pytest.raises(NotFoundError):
        read_task(tmp_path / "t", store)


@pytest.mark.parametrize(
    "changes",
    [
        {"stpes": "12"},
        {"steps": None},
        {"name": None},
        {"batch_size": None},
        {"steps": '"12"'},
        {"steps": "12.0"},
        {"steps": "true"},
        {"audit": "{verifiers = 2}"},
        {"audit": "{verifiers = 2, intervals = 2, more = 1}"},
        {"audit": "3"},
        {"evaluate": '{program = "inference.onnx"}'},
        {"evaluate": '{program = "inference.onnx", dataset = "test.safetensors", lable = "y"}'},
        {"steps": "= 12"},
        {"seed": "-1"},
        {"name": '"' + "n" * 121 + '"'},
    ],
    ids=str,
)
def test_what_is_wrong_with_the_toml_is_a_config_error_that_names_the_file(store, tmp_path, changes):
    path = write_task(tmp_path / "t", **changes)
    with pytest.raises(ConfigError) as caught:
        read_task(path, store)
    assert caught.value.exit_code == 2
    assert "steps" not in changes or "t" in caught.value.message


def test_bytes_that_are_no_text(store, tmp_path):
    path = tmp_path / "TASK.toml"
    path.write_bytes(b'name = "\xff\xfe"')
    with pytest.raises(ConfigError, match=r"TASK\.toml"):
        read_task(path, store)


@pytest.mark.parametrize("name", ["initial", "dataset"])
def test_a_file_that_is_not_what_it_should_be(store, tmp_path, name):
    (tmp_path / "junk").write_bytes(b"\x08" + bytes(100))
    with pytest.raises(BlobRefused):
        read_task(write_task(tmp_path / "t", **{name: '"../junk"'}), store)
    with pytest.raises(ProgramRefused):
        read_task(write_task(tmp_path / "t", program='"../junk"'), store)


# -- how the submitter judges ------------------------------------------------------------------------------------

JUDGE = '{program = "inference.onnx", dataset = "test.safetensors", label = "y"}'


def test_a_task_file_may_say_how_to_judge_the_result(store, tmp_path):
    task = read_task(write_task(tmp_path / "t", evaluate=JUDGE), store)
    assert task.label == "y"
    assert task.inference is not None
    assert Evaluation("a", "b").label == "y"
    # It is the submitter's own business: the task is the same without it.
    assert task.blob == small(store).blob


@pytest.mark.parametrize(
    ("label", "held_out"),
    [
        ("z", None),
        ("x", None),
        ("y", {"y": np.zeros(5, np.uint8)}),
        ("y", {"x": np.zeros((5, 1, 8, 8), np.float32), "y": np.zeros(5, np.uint8)}),
        ("y", {"x": np.zeros((5, 64), np.uint8), "y": np.zeros(5, np.uint8)}),
        ("y", {"x": np.zeros((5, 1, 8, 8), np.uint8), "y": np.zeros((5, 2), np.uint8)}),
    ],
    ids=["no such label", "the label is the input", "no input", "another type", "another shape", "not one label a row"],
)
def test_a_judgement_that_could_not_be_made_is_refused_before_it_is_paid_for(store, tmp_path, label, held_out):
    path = write_task(tmp_path / "t", evaluate=JUDGE.replace('"y"', f'"{label}"'))
    if held_out is not None:
        save_file(held_out, tmp_path / "t" / "test.safetensors")
    with pytest.raises(RefusedError):
        read_task(path, store)


def test_a_judge_that_wants_another_state_is_refused(store, tmp_path):
    path = write_task(tmp_path / "t", evaluate=JUDGE.replace("inference.onnx", "program.onnx"))
    with pytest.raises(RefusedError):
        read_task(path, store)


def test_nothing_is_read_but_what_the_file_names(store, tmp_path):
    path = write_task(tmp_path / "t")
    for name in ("inference.onnx", "test.safetensors"):
        (path.parent / name).unlink()
    task = read_task(path, store)
    assert (task.inference, task.held_out) == (None, None)
    assert msgspec.to_builtins(task.spec) == msgspec.to_builtins(parse(TaskSpec, canonical(task.spec)))
    assert load_file(Path(ASSETS) / "test.safetensors").keys() == {"x", "y"}
