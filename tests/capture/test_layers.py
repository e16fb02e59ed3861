"""Each covered layer: losses and updated state after some steps agree with torch eager."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.capture import SGD, inference_onnx

RULE = SGD(lr=0.05, momentum=0.9)


class Lambda(nn.Module):
    def __init__(self, function: Any, **parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, *args: Any) -> Any:
        return self.function(self, *args)


def first(layer: nn.Module, before: nn.Module) -> nn.Module:
    """`layer` after a linear or convolutional one, so that its own input gets a gradient."""
    return nn.Sequential(before, layer)


def conv(c_in: int = 2, c_out: int = 4, **options: Any) -> nn.Module:
    return nn.Conv2d(c_in, c_out, 3, **{"padding": 1, **options})


ONES = torch.ones(6, 1, dtype=torch.int64)
IMAGE, ROWS, TOKENS = (3, 2, 8, 8), (6, 8), (4, 6, 8)

IMAGES = {
    "conv": lambda: nn.Sequential(conv(), conv(4, 3)),
    "conv_stride_padding": lambda: nn.Sequential(conv(stride=2, padding=2), conv(4, 3, stride=3, padding=0)),
    "conv_dilation": lambda: nn.Sequential(conv(dilation=2, padding=2), conv(4, 3, dilation=2, padding=1, stride=2)),
    "conv_groups": lambda: nn.Sequential(conv(), nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.Conv2d(6, 6, 2, groups=6)),
    "conv_rectangle": lambda: nn.Sequential(conv(), nn.Conv2d(4, 3, (3, 2), stride=(2, 1), padding=(1, 0))),
    "conv_same": lambda: nn.Sequential(conv(), nn.Conv2d(4, 3, 3, padding="same")),
    "conv_transpose": lambda: nn.Sequential(conv(), nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1)),
    "conv_transpose_groups": lambda: nn.Sequential(conv(), nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2)),
    "batch_norm": lambda: nn.Sequential(conv(), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 2)),
    "batch_norm_plain": lambda: nn.Sequential(conv(), nn.BatchNorm2d(4, affine=False, momentum=0.3)),
    "batch_norm_no_stats": lambda: nn.Sequential(conv(), nn.BatchNorm2d(4, track_running_stats=False)),
    "batch_norm_frozen": lambda: nn.Sequential(conv(), nn.BatchNorm2d(4).eval(), conv(4, 2)),
    "instance_norm": lambda: nn.Sequential(conv(), nn.InstanceNorm2d(4, affine=True)),
    "group_norm": lambda: nn.Sequential(conv(), nn.GroupNorm(2, 4), conv(4, 2)),
    "max_pool": lambda: first(nn.MaxPool2d(2), conv()),
    "max_pool_overlap": lambda: first(nn.MaxPool2d(3, stride=2, padding=1), conv()),
    "max_pool_dilation": lambda: first(nn.MaxPool2d((2, 3), stride=1, dilation=2), conv()),
    "avg_pool": lambda: first(nn.AvgPool2d(2), conv()),
    "avg_pool_overlap": lambda: first(nn.AvgPool2d(3, stride=2, padding=1), conv()),
    "avg_pool_border": lambda: first(nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), conv()),
    "adaptive_pool": lambda: first(nn.AdaptiveAvgPool2d((4, 2)), conv()),
    "global_pool": lambda: first(nn.AdaptiveAvgPool2d(1), conv()),
    "flatten": lambda: nn.Sequential(conv(), nn.Flatten(), nn.Linear(256, 3)),
    "upsample": lambda: first(nn.Upsample(scale_factor=2, mode="nearest"), conv()),
    "pixel_shuffle": lambda: first(nn.PixelShuffle(2), conv()),
    "zero_pad": lambda: first(nn.ZeroPad2d((1, 2, 0, 1)), conv()),
}  # fmt: skip

ACTIVATIONS = {
    "relu": nn.ReLU(), "relu_inplace": nn.ReLU(inplace=True), "gelu": nn.GELU(), "gelu_tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(), "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(), "leaky_relu": nn.LeakyReLU(0.1), "elu": nn.ELU(),
    "selu": nn.SELU(), "celu": nn.CELU(0.7), "softplus": nn.Softplus(), "hardtanh": nn.Hardtanh(), "relu6": nn.ReLU6(),
    "hardswish": nn.Hardswish(), "hardsigmoid": nn.Hardsigmoid(), "mish": nn.Mish(), "softmax": nn.Softmax(-1),
    "log_softmax": nn.LogSoftmax(-1), "log_sigmoid": nn.LogSigmoid(), "softsign": nn.Softsign(), "glu": nn.GLU(),
    "prelu": nn.PReLU(), "tanhshrink": nn.Tanhshrink(), "threshold": nn.Threshold(0.1, -0.2),
}  # fmt: skip

FUNCTIONS = {
    "norms": lambda x: F.normalize(x, dim=-1) + x.norm(dim=0),
    "exp_log": lambda x: torch.exp(x) + torch.log(x * x + 1) + torch.expm1(x) + torch.log1p(x.abs()),
    "powers": lambda x: x**2 + x**3 + (x * x + 1) ** 0.5 + (x * x + 1) ** -1 + (x.abs() + 0.5) ** 1.7 + torch.rsqrt(x * x + 1),
    "trigonometry": lambda x: torch.sin(x) * torch.cos(x) + torch.erf(x) + torch.exp2(x) + torch.log2(x * x + 1),
    "rounding": lambda x: x * torch.floor(x) + torch.round(x) + torch.ceil(x) + torch.trunc(x * 3) + x % 0.7 + torch.sign(x),
    "extremes": lambda x: x.max(-1).values + x.min(-1).values + x.amax(-1) + x.clamp(-0.3, 0.4).sum(-1),
    "choice": lambda x: torch.where(x > 0.1, x, -x) + torch.maximum(x, x * x) + x.masked_fill(x < -0.5, 0.0),
    "moments": lambda x: x.var(-1) + x.std(-1) + x.mean(-1) + x.var(0, unbiased=False).sum() + x.logsumexp(-1),
    "pieces": lambda x: torch.cat([x[:, 1:4], x[:, ::3], x[:, -1:]], 1).flip(1).roll(1, 1) + x[:, :7].chunk(2, 1)[0].sum(),
    "stacks": lambda x: torch.stack(x.unbind(1), 0).repeat(2, 1).tile(1, 2) + x.split([3, 5], 1)[0].sum(),
    "picks": lambda x: x[[2, 0, 1]] + x[:, torch.tensor([1, -1])].sum() + x.gather(1, torch.tensor([[0], [3], [1]])),
    "scatters": lambda x: torch.zeros(6, 8).scatter_add(0, torch.tensor([[0] * 8, [1] * 8, [0] * 8]), x[:3]),
    "selects": lambda x: x.index_select(0, torch.tensor([0, 0, 1])).select(1, 2) + x.scatter(1, ONES, x.tanh()[:, :1]).sum(),
    "triangles": lambda x: (x @ x.T).tril() @ x + torch.triu(x, 1) + x.cumsum(1),
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, x) / 3,
    "in_place": lambda x: x.clone().mul_(2).add_(1).clamp_(min=-1),
    "writes": lambda x: _write(x),
    "outer": lambda x: x[:, :1] * x[:, 1:2].T + torch.eye(6) + torch.arange(6.0),
}  # fmt: skip


def _write(x: torch.Tensor) -> torch.Tensor:
    y = torch.zeros_like(x)
    y[:, 1:3] = x[:, :2]
    y[0] = 1.0
    y[:, ::4] += x[:, ::4]
    return y


def batches(x: tuple[int, ...], module: nn.Module, steps: int = 3) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    with torch.no_grad():
        shape = module(torch.zeros(x)).shape
    made = [(draw.standard_normal(x), draw.standard_normal(tuple(shape))) for _ in range(steps)]
    return [{"x": a.astype(np.float32), "y": b.astype(np.float32)} for a, b in made]


@pytest.mark.parametrize("name", IMAGES)
def test_image_layers(name, agree):
    torch.manual_seed(0)
    module = IMAGES[name]()
    agree(module, "mse", RULE, batches(IMAGE, module))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, agree):
    torch.manual_seed(0)
    module = first(ACTIVATIONS[name], nn.Linear(8, 8))
    agree(module, "mse", RULE, batches(ROWS, module))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, agree):
    torch.manual_seed(0)
    module = Lambda(lambda m, x: FUNCTIONS[name](m.inner(x)), inner=nn.Linear(8, 8))
    agree(module, "mse", SGD(lr=0.01), batches(ROWS, module))


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(lambda: nn.Linear(8, 3, bias=False), id="linear"),
        pytest.param(lambda: nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 2)), id="layer_norm"),
        pytest.param(lambda: nn.Sequential(nn.Linear(8, 8), nn.LayerNorm((6, 8), elementwise_affine=False)), id="layer_norm_2"),
        pytest.param(lambda: nn.Sequential(nn.Linear(8, 8), nn.RMSNorm(8)), id="rms_norm"),
        pytest.param(lambda: nn.Sequential(nn.Conv1d(6, 4, 3, padding=1), nn.BatchNorm1d(4), nn.MaxPool1d(2)), id="conv1d"),
        pytest.param(lambda: Lambda(lambda m, x: m.inner(x)[0], inner=nn.LSTM(8, 5, num_layers=2)), id="lstm"),
        pytest.param(lambda: Lambda(lambda m, x: m.inner(x)[0], inner=nn.GRU(8, 5, batch_first=True)), id="gru"),
        pytest.param(lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), id="encoder"),
        pytest.param(lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=True), id="encoder_norm_first"),
    ],
)  # fmt: skip
def test_sequences(module, agree):
    torch.manual_seed(0)
    module = module()
    agree(module, "mse", RULE, batches(TOKENS, module))


def _attention(q: Any, causal: bool, mask: Any, scale: float | None = None) -> Any:
    return F.scaled_dot_product_attention(q, q * 0.5, q + 1, attn_mask=mask, is_causal=causal, scale=scale)


@pytest.mark.parametrize("kind", ["plain", "causal", "bool_mask", "float_mask", "scale", "grouped"])
def test_attention(kind, agree):
    torch.manual_seed(0)
    mask = {"bool_mask": torch.rand(6, 6) > 0.3, "float_mask": torch.randn(6, 6)}.get(kind)
    if kind == "bool_mask":
        mask[:, 0] = True

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        q = m.inner(x).view(4, 6, 2, 4).transpose(1, 2)
        if kind == "grouped":
            return F.scaled_dot_product_attention(q, q[:, :1], q[:, :1], enable_gqa=True)
        return _attention(q, kind == "causal", mask, 0.3 if kind == "scale" else None)

    module = Lambda(forward, inner=nn.Linear(8, 8))
    agree(module, "mse", RULE, batches(TOKENS, module))


@pytest.mark.parametrize("causal", [False, True])
def test_multihead_attention(causal, agree):
    torch.manual_seed(0)
    mask = nn.Transformer.generate_square_subsequent_mask(6) if causal else None
    module = Lambda(
        lambda m, x: m.inner(x, x, x, attn_mask=mask, is_causal=causal)[0],
        inner=nn.MultiheadAttention(8, 2, batch_first=True),
    )
    agree(module, "mse", RULE, batches(TOKENS, module))


@pytest.mark.parametrize("padding", [None, 2])
def test_embedding(padding, agree):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(7, 8, padding_idx=padding), nn.Linear(8, 5))
    draw = np.random.default_rng(0)
    # few of the rows occur, many twice: the others must stay as they are, and moments must not turn into NaN
    made = [{"x": draw.integers(0, 4, (3, 4)), "y": draw.integers(0, 5, (3, 4))} for _ in range(4)]
    agree(module, "cross_entropy", RULE, made)


@pytest.mark.parametrize(
    "kind", ["mean", "smoothing", "ignore", "weights", "probabilities", "image", "huber", "bce", "nll"]
)
def test_losses(kind, agree):
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    classes = draw.integers(0, 5, 6)
    if kind == "ignore":
        classes[1:3] = -100
    floats = draw.standard_normal((6, 5)).astype(np.float32)
    functions = {
        "mean": ("cross_entropy", classes.astype(np.uint8)),
        "smoothing": (lambda o, b: F.cross_entropy(o, b["y"], label_smoothing=0.1), classes),
        "ignore": ("cross_entropy", classes),
        "weights": (lambda o, b: F.cross_entropy(o, b["y"], weight=torch.arange(1.0, 6.0)), classes),
        "probabilities": ("cross_entropy", np.exp(floats) / np.exp(floats).sum(1, keepdims=True)),
        "image": ("cross_entropy", draw.integers(0, 5, (6, 3, 2))),
        "huber": (lambda o, b: F.huber_loss(o, b["y"]) + F.smooth_l1_loss(o, b["y"]) + F.l1_loss(o, b["y"]), floats),
        "bce": (lambda o, b: F.binary_cross_entropy_with_logits(o, torch.sigmoid(b["y"])), floats),
        "nll": (lambda o, b: F.nll_loss(F.log_softmax(o, -1), b["y"]), classes),
    }
    loss, y = functions[kind]
    module: nn.Module = nn.Linear(8, 5)
    x = draw.standard_normal(ROWS).astype(np.float32)
    if kind == "image":
        module = nn.Sequential(nn.Conv2d(2, 5, (2, 1)))
        x = draw.standard_normal((6, 2, 4, 2)).astype(np.float32)
    agree(module, loss, RULE, [{"x": x, "y": y}] * 3)


@pytest.mark.parametrize("name", ["conv", "batch_norm", "max_pool_overlap", "adaptive_pool"])
def test_inference(name, runner):
    torch.manual_seed(0)
    module = IMAGES[name]()
    x = torch.randn(IMAGE)
    module(x)
    program = runner(inference_onnx(module, x))
    state = {f"state/model.{n}": t.detach().numpy() for n, t in [*module.named_parameters(), *module.named_buffers()]}
    found = program.run({**state, "batch/x": x.numpy()})
    assert module.training
    np.testing.assert_allclose(found["result/output"], module.eval()(x).detach(), rtol=1e-4, atol=1e-5)
