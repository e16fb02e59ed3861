"""Capture the digits training ahead, into the files that ship with assay: `assay demo` then needs no torch.

Run: python examples/digits/capture.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

from train import task

from assay.capture import inference_onnx, initial_state, training_step_onnx
from assay.proof import Dataset, encode_state

ASSETS = Path(__file__).resolve().parents[2] / "src" / "assay" / "assets" / "digits"

TASK = """\
# The training of examples/digits/train.py, captured by examples/digits/capture.py.
name = "{job.name}"
program = "program.onnx"
initial = "initial.safetensors"
dataset = "train.safetensors"
batch_size = {job.batch_size}
steps = {job.steps}
interval = {job.interval}
seed = {job.seed}

[evaluate]
program = "inference.onnx"
dataset = "test.safetensors"
label = "y"
"""


def files() -> dict[str, bytes]:
    """The contents of every file by name."""
    job = task()
    batch = job.example_batch()
    step = training_step_onnx(
        job.module, job.loss, job.optimizer, batch, schedule=job.schedule, clip_norm=job.clip_norm
    )
    return {
        "program.onnx": step,
        "inference.onnx": inference_onnx(job.module, batch),
        "initial.safetensors": encode_state(initial_state(job.module, job.optimizer)),
        "train.safetensors": Dataset(job.dataset).encode(),
        "test.safetensors": Dataset(job.held_out).encode(),
        "task.toml": TASK.format(job=job).encode(),
    }


def main() -> None:
    """Write them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ASSETS
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)
        print(f"{len(content):>8} bytes  {folder / name}")


if __name__ == "__main__":
    main()
