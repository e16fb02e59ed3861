"""Networks on images: a multi-layer perceptron, a small convolutional network, ResNet-18 for 32x32."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.capture import SGD, AdamW

from .workload import Training

__all__ = ["cnn", "mlp", "resnet18"]


def mlp() -> Training:
    """784-512-512-10, batch 128, AdamW."""

    def make() -> nn.Module:
        return nn.Sequential(
            nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )  # fmt: skip

    return Training("mlp", make, AdamW(lr=1e-3), _batch(128, 784))


def cnn() -> Training:
    """Two convolutions with max pooling and two linear layers on 1x28x28, batch 64, AdamW."""

    def make() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip

    return Training("cnn", make, AdamW(lr=1e-3), _batch(64, 1, 28, 28), images=True)


def resnet18() -> Training:
    """ResNet-18 as it is trained on 32x32 images (3x3 stem, no max pooling), batch 16, SGD with momentum."""
    rule = SGD(lr=0.05, momentum=0.9, weight_decay=5e-4)
    return Training("resnet18", ResNet18, rule, _batch(16, 3, 32, 32), images=True)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2015, figure 2)."""

    def __init__(self, wide: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(wide, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        straight = stride == 1 and wide == out
        self.shortcut = (
            nn.Identity()
            if straight
            else nn.Sequential(nn.Conv2d(wide, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    """64, 128, 256, 512 channels, two blocks each."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        widths = [64, 64, 128, 256, 512]
        blocks = []
        for n, out in enumerate(widths[1:]):
            blocks += [Block(widths[n], out, 1 if n == 0 else 2), Block(out, out, 1)]
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


def _batch(rows: int, *shape: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(rows, *shape, generator=draw)
    return {"x": x, "y": torch.randint(0, 10, (rows,), generator=draw)}
