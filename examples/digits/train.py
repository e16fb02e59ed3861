"""Handwritten digits: a small convolutional network on scikit-learn's 8x8 images.

    assay submit examples/digits/train.py      # train it in the market
    python examples/digits/train.py            # train it here, with torch alone, and print the held-out accuracy

Needs torch and scikit-learn: pip install "assay[dev]".
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from assay.capture import Adam, Job, WarmupCosine

STEPS, BATCH = 240, 64


class Net(nn.Module):
    """(N, 1, 8, 8) uint8 pixels from 0 to 16 -> (N, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.float() / 16
        x = self.pool(torch.relu(self.norm(self.conv1(x))))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.head(x.flatten(1))


def data() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Training and held-out columns; every fifth image is held out."""
    digits = load_digits()
    columns = {"x": digits.images.astype(np.uint8)[:, None], "y": digits.target.astype(np.uint8)}
    held_out = np.arange(len(digits.target)) % 5 == 0
    return {k: v[~held_out] for k, v in columns.items()}, {k: v[held_out] for k, v in columns.items()}


def task() -> Job:
    """The training as the market takes it."""
    torch.manual_seed(0)
    train, test = data()
    return Job(
        name="digits",
        module=Net(),
        loss="cross_entropy",
        optimizer=Adam(lr=5e-3),
        schedule=WarmupCosine(warmup=20, steps=STEPS, floor=0.1),
        dataset=train,
        held_out=test,
        batch_size=BATCH,
        steps=STEPS,
        interval=24,
        seed=1,
    )


def main() -> None:
    """Train with torch eager and print what the market's solver should come close to."""
    job = task()
    optimizer = torch.optim.Adam(job.module.parameters(), lr=job.optimizer.lr)
    order = np.random.default_rng(job.seed)
    for step in range(job.steps):
        rows = order.choice(job.rows, job.batch_size, replace=False)
        x, y = (torch.from_numpy(job.dataset[name][rows]) for name in ("x", "y"))
        optimizer.param_groups[0]["lr"] = job.schedule.at(step, job.optimizer.lr)
        loss = nn.functional.cross_entropy(job.module(x), y.long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            print(f"step {step:>3}  loss {loss.item():.4f}")
    with torch.no_grad():
        guess = job.module.eval()(torch.from_numpy(job.held_out["x"])).argmax(1).numpy()
    print(f"held-out accuracy {np.mean(guess == job.held_out['y']):.4f}")


if __name__ == "__main__":
    main()
