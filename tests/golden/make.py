"""Makes the golden tasks `mlp`, `gpt` and `gpt-bfloat16`: captures small trainings and writes their files beside this one.

Run by hand, once: python tests/golden/make.py [TASK ...]. The files are committed, so that the golden roots do not depend on a
version of torch. A root in roots.json changes only with a new numerics version and a written reason.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from assay.capture import SGD, AdamW, WarmupCosine, initial_state, training_step_onnx
from assay.proof import Dataset, encode_state

HERE = Path(__file__).parent


class Mlp(nn.Module):
    """Regression with the smooth functions: tanh, gelu (erf), layer norm."""

    def __init__(self):
        super().__init__()
        self.a, self.n, self.b, self.c = nn.Linear(7, 33), nn.LayerNorm(33), nn.Linear(33, 19), nn.Linear(19, 3)

    def forward(self, x):
        return self.c(F.gelu(self.b(torch.tanh(self.n(self.a(x))))))


class Gpt(nn.Module):
    """One block of attention with dropout over a vocabulary of 13."""

    def __init__(self):
        super().__init__()
        self.token, self.place = nn.Embedding(13, 24), nn.Embedding(10, 24)
        self.norm, self.qkv, self.out = nn.LayerNorm(24), nn.Linear(24, 72), nn.Linear(24, 24)
        self.drop, self.head = nn.Dropout(0.1), nn.Linear(24, 13, bias=False)

    def forward(self, x):
        h = self.drop(self.token(x) + self.place.weight)
        q, k, v = self.qkv(self.norm(h)).view(*x.shape, 3, 3, 8).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(h + self.drop(F.silu(self.out(mixed.transpose(1, 2).reshape(h.shape)))))


def next_token(outputs, batch):
    return F.cross_entropy(outputs.flatten(0, 1), batch["y"].flatten())


def write(name, module, loss, optimizer, columns, batch_size, steps, precision="float32", **more):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    batch = {key: column[:batch_size] for key, column in columns.items()}
    step = training_step_onnx(module, loss, optimizer, batch, precision=precision, **more)
    (folder / "program.onnx").write_bytes(step)
    initial = initial_state(module, optimizer, precision=precision)
    (folder / "initial.safetensors").write_bytes(encode_state(initial))
    (folder / "dataset.safetensors").write_bytes(Dataset(columns).encode())
    (folder / "task.toml").write_text(
        f"name = {json.dumps(name)}\nsteps = {steps}\nbatch_size = {batch_size}\ninterval = 7\nseed = 2026\n"
    )


def main(wanted) -> None:
    torch.manual_seed(3)
    draw = np.random.default_rng(3)
    x = draw.standard_normal((50, 7)).astype(np.float32)
    y = np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2], np.abs(x[:, 3])], 1).astype(np.float32)
    sgd = SGD(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    mlp, gpt, schedule = Mlp(), Gpt(), WarmupCosine(warmup=5, steps=30, floor=0.1)
    tokens = draw.integers(0, 13, (40, 11))
    columns = {"x": tokens[:, :-1].copy(), "y": tokens[:, 1:].copy()}
    if "mlp" in wanted:
        write("mlp", mlp, "mse", sgd, {"x": x, "y": y}, 16, 30, clip_norm=0.5)
    if "gpt" in wanted:
        write("gpt", gpt, next_token, AdamW(lr=3e-3), columns, 8, 30, schedule=schedule)
    if "gpt-bfloat16" in wanted:
        more = {"schedule": schedule, "clip_norm": 1.0, "precision": "bfloat16"}
        write("gpt-bfloat16", gpt, next_token, AdamW(lr=3e-3), columns, 8, 30, **more)


if __name__ == "__main__":
    main(sys.argv[1:] or ("mlp", "gpt", "gpt-bfloat16"))
