"""From the user's own Python file to a task: run the file, package the training or inference that it returns."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import uuid
from pathlib import Path

from assay import capture
from assay.capture import Job
from assay.errors import AssayError, NotFoundError, UsageError
from assay.program import load
from assay.store import Store

from .inference import Inference, package_inference
from .package import Package, Plan, package

__all__ = ["package_job", "read_job"]


def read_job(path: Path, function: str = "task") -> Job | Inference:
    """Run the Python file at `path` and call its `function`, which returns a Job or an Inference.

    It is the submitter's own code. What it prints goes to stderr: stdout is for this command's own data.

    Raises NotFoundError or UsageError; an error inside the file is shown with its own traceback as the cause.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.")
    name = f"assay_submission_{uuid.uuid4().hex}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise UsageError(f"{path} can't be run as Python.")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found.loader.exec_module(module)
            make = getattr(module, function, None)
            if not callable(make):
                raise UsageError(f"{path} has no function {function!r}.", hint="Name another one: FILE.py:function.")
            job = make()
    except AssayError:
        raise
    except (Exception, SystemExit) as reason:
        raise UsageError(
            f"{path} failed: {type(reason).__name__}: {reason}", hint="Run it with python to see more."
        ) from reason
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(path.parent.resolve()))
    if not isinstance(job, Job | Inference):
        raise UsageError(
            f"{function}() in {path} returned {type(job).__name__}, not an assay.capture.Job or an assay.market.Inference.",
            hint="See examples/digits/train.py.",
        )
    return job


def package_job(job: Job | Inference, store: Store) -> Package:
    """Capture `job` and package it into `store`. Raises CaptureError for what can't be captured."""
    if isinstance(job, Inference):
        return package_inference(job, store)
    batch = job.example_batch()
    judging = {}
    with contextlib.redirect_stdout(sys.stderr):
        source = capture.training_step_onnx(
            job.module, job.loss, job.optimizer, batch, schedule=job.schedule, clip_norm=job.clip_norm,
            precision=job.precision,
        )  # fmt: skip
        if job.held_out is not None:
            forward = capture.inference_onnx(job.module, batch, precision=job.precision)
            judging = {"inference": load(forward), "held_out": job.held_out}
    plan = Plan(job.name, job.steps, job.batch_size, job.interval, job.seed)
    initial = capture.initial_state(job.module, job.optimizer, precision=job.precision)
    return package(store, plan, source, initial, job.dataset, **judging)
