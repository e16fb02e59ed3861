"""From the user's own Python file to a task."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from assay.engine import exact
from assay.errors import AssayError, CaptureError, NotFoundError, UsageError
from assay.market import quote
from assay.market.job import package_job, read_job
from assay.proof import Dataset, Runner, decode_state

FINE = """
import numpy as np
import torch
from assay.capture import SGD, Job
from helper import ROWS

print("the user's own words")


def task():
    torch.manual_seed(0)
    generator = np.random.default_rng(1)
    x = generator.standard_normal((ROWS, 3)).astype(np.float32)
    y = (x @ np.array([[1], [-2], [0.5]], np.float32)).astype(np.float32)
    return Job(name="line", module=torch.nn.Linear(3, 1), loss="mse", optimizer=SGD(lr=0.1),
               dataset={"x": x, "y": y}, batch_size=4, steps=40, interval=10, seed=5)


def other():
    return task().__class__(**{**task().__dict__, "name": "other"})
"""


@pytest.fixture
def fine(tmp_path):
    (tmp_path / "helper.py").write_text("ROWS = 30\n")
    path = tmp_path / "train.py"
    path.write_text(FINE)
    yield path
    sys.modules.pop("helper", None)


def test_a_real_training_becomes_a_task_that_learns(fine, store):
    torch = pytest.importorskip("torch")
    job = read_job(fine)
    weights = job.module.weight.detach().numpy().copy()
    task = package_job(job, store)
    spec = task.spec
    assert (spec.name, spec.steps, spec.interval, spec.batch_size, spec.seed) == ("line", 40, 10, 4, 5)
    assert spec.rows == 30
    assert quote(task.program, spec).price > 0
    assert task.inference is None

    runner = Runner(exact.compile(task.program), spec, Dataset.parse(store.get(spec.dataset)))
    state = decode_state(store.get(spec.initial), task.program.state)
    assert any(array.shape == weights.shape and (array == weights).all() for array in state.values())
    segment = runner.interval(state, 0, spec.steps)
    losses = [float(metrics["loss"]) for metrics in segment.metrics]
    assert losses[-1] < losses[0] / 100
    assert torch.equal(job.module.weight.detach(), torch.from_numpy(weights)), "packaging does not train"


def test_another_function_may_be_named(fine):
    assert read_job(fine, "other").name == "other"


def test_what_the_file_prints_is_not_data(fine, capsys):
    read_job(fine)
    out, err = capsys.readouterr()
    assert out == ""
    assert "the user's own words" in err


def test_reading_leaves_the_search_path_as_it_was(fine, tmp_path):
    before = list(sys.path)
    read_job(fine)
    assert sys.path == before
    fine.write_text(FINE + "\nimport sys\nsys.path.remove(sys.path[0])\n")
    assert read_job(fine).name == "line", "a file that tidies up after itself is fine too"
    assert sys.path == before


def test_no_such_file(tmp_path):
    with pytest.raises(NotFoundError):
        read_job(tmp_path / "absent.py")
    with pytest.raises(NotFoundError):
        read_job(tmp_path)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("", "no function 'task'"),
        ("task = 3", "no function 'task'"),
        ("def task(:", "SyntaxError"),
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("1 / 0", "ZeroDivisionError"),
        ("def task(): raise RuntimeError('out of data')", "out of data"),
        ("def task(more): return None", "TypeError"),
        ("def task(): return None", "NoneType"),
        ("def task(): return {'name': 'x'}", "dict"),
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("def task():\n    import sys\n    sys.exit('usage: ...')", "SystemExit"),
        ("\0", "train.py"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(tmp_path, code, told):
    path = tmp_path / "train.py"
    path.write_text(code)
    with pytest.raises(UsageError) as caught:
        read_job(path)
    assert told in caught.value.message
    assert caught.value.exit_code == 2


def test_an_error_of_ours_in_the_file_stays_what_it_is(tmp_path):
    path = tmp_path / "train.py"
    path.write_text("from assay.errors import CaptureError\ndef task(): raise CaptureError('by hand')")
    with pytest.raises(CaptureError, match="by hand"):
        read_job(path)


def test_data_that_no_program_takes_is_refused(fine, store):
    pytest.importorskip("torch")
    job = read_job(fine)
    object.__setattr__(job, "dataset", {name: column.astype(np.float64) for name, column in job.dataset.items()})
    with pytest.raises(AssayError) as caught:
        package_job(job, store)
    assert caught.value.exit_code in (2, 4)
