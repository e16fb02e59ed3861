"""RNN, LSTM and GRU, unrolled: every step is products, sums and activations, each rounded on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onnx import AttributeProto

from ..types import DType
from .context import Context
from .elementwise import same_type, softplus
from .node import Node, lowers
from .product import matmul
from .shape import concat
from .value import Value

__all__: list[str] = []

Activation = Callable[[Context, Value], Value]

_LEAST = {"RNN": 2, "GRU": 12, "LSTM": 12}
"""Kernels that no step goes without: a sequence that exceeds the limit on kernels is refused before it is unrolled."""

_DEFAULTS = {
    "leakyrelu": (0.01, 0.0),
    "thresholdedrelu": (1.0, 0.0),
    "hardsigmoid": (0.2, 0.5),
    "elu": (1.0, 0.0),
    "affine": (1.0, 0.0),
    "scaledtanh": (1.0, 1.0),
}
"""alpha and beta where the node gives none; those that ONNX leaves open are 1 and, for Affine, 0."""


def _activation(node: Node, name: str, alpha: float | None, beta: float | None) -> Activation:
    """The activation called `name`; case does not matter."""
    kind = name.lower()
    a, b = _DEFAULTS.get(kind, (0.0, 0.0))
    a, b = (a if alpha is None else alpha), (b if beta is None else beta)

    def scaled(ctx: Context, x: Value, factor: float) -> Value:
        return x if factor == 1.0 else ctx.map("mul", x, ctx.real(factor, x), dtype=x.dtype)

    def plus(ctx: Context, x: Value, term: float) -> Value:
        return x if term == 0.0 else ctx.map("add", x, ctx.real(term, x), dtype=x.dtype)

    def below(ctx: Context, x: Value, otherwise: Value) -> Value:
        return ctx.map("select", ctx.map("lt", x, ctx.real(0, x)), otherwise, x, dtype=x.dtype)

    def hard(ctx: Context, x: Value) -> Value:
        line = plus(ctx, scaled(ctx, x, a), b)
        return ctx.map("max", ctx.map("min", line, ctx.real(1, x), dtype=x.dtype), ctx.real(0, x), dtype=x.dtype)

    def threshold(ctx: Context, x: Value) -> Value:
        return ctx.map("select", ctx.map("ge", x, ctx.real(a, x)), x, ctx.real(0, x), dtype=x.dtype)

    def elu(ctx: Context, x: Value) -> Value:
        return below(ctx, x, scaled(ctx, ctx.map("sub", ctx.map("exp", x), ctx.real(1, x), dtype=x.dtype), a))

    def softsign(ctx: Context, x: Value) -> Value:
        return ctx.map("div", x, ctx.map("add", ctx.map("abs", x), ctx.real(1, x), dtype=x.dtype), dtype=x.dtype)

    table: dict[str, Activation] = {
        "affine": lambda ctx, x: plus(ctx, scaled(ctx, x, a), b),
        "elu": elu,
        "hardsigmoid": hard,
        "leakyrelu": lambda ctx, x: below(ctx, x, scaled(ctx, x, a)),
        "relu": lambda ctx, x: ctx.map("max", x, ctx.real(0, x), dtype=x.dtype),
        "scaledtanh": lambda ctx, x: scaled(ctx, ctx.map("tanh", scaled(ctx, x, b)), a),
        "sigmoid": lambda ctx, x: ctx.map("sigmoid", x),
        "softplus": softplus,
        "softsign": softsign,
        "tanh": lambda ctx, x: ctx.map("tanh", x),
        "thresholdedrelu": threshold,
    }
    return table[kind] if kind in table else node.unsupported(f"the activation {name!r}", attribute="activations")


def _activations(node: Node, default: Sequence[str], directions: int) -> list[list[Activation]]:
    """The activations of each direction, in the operator's order."""
    found = node.attribute("activations", AttributeProto.STRINGS)
    names = list(default) * directions if found is None else [s.decode("utf-8", "replace") for s in found.strings]
    if len(names) != len(default) * directions:
        node.refuse(f"{len(names)} activations for {directions} directions")
    given: list[list[float]] = []
    for name in ("activation_alpha", "activation_beta"):
        values = node.attribute(name, AttributeProto.FLOATS)
        given.append([] if values is None else [float(v) for v in values.floats])
    # As in ONNX Runtime, a list of factors is used up by the activations that take one, in order.
    takers = (
        ("affine", "elu", "hardsigmoid", "leakyrelu", "scaledtanh", "thresholdedrelu"),
        (
            "affine",
            "hardsigmoid",
            "scaledtanh",
        ),
    )
    made = []
    for name in names:
        alpha, beta = (
            values.pop(0) if values and name.lower() in taking else None
            for values, taking in zip(given, takers, strict=True)
        )
        made.append(_activation(node, name, alpha, beta))
    return [made[d * len(default) : (d + 1) * len(default)] for d in range(directions)]


@dataclass
class Cell:
    """What a step needs: the input's share of all gates (rows, gates·hidden), weights and biases of one direction."""

    ctx: Context
    node: Node
    hidden: int
    recurrence: Value
    bias: Value | None
    peephole: Value | None
    activations: list[Activation]
    clip: float

    def gate(self, value: Value, number: int) -> Value:
        """Columns of one gate, or its part of a bias."""
        return value.slice(value.rank - 1, number * self.hidden, self.hidden)

    def biased(self, value: Value, part: Value | None) -> Value:
        """A sum with a bias, where there is one."""
        return value if part is None else self.add(value, part)

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        return self.ctx.map("add", a, b, dtype=a.dtype)

    def mul(self, a: Value, b: Value) -> Value:
        """a·b."""
        return self.ctx.map("mul", a, b, dtype=a.dtype)

    def activate(self, which: int, x: Value) -> Value:
        """Clip to [-clip, clip] if that is asked for, then the activation."""
        if self.clip > 0:
            x = self.ctx.map("max", x, self.ctx.real(-self.clip, x), dtype=x.dtype)
            x = self.ctx.map("min", x, self.ctx.real(self.clip, x), dtype=x.dtype)
        return self.activations[which](self.ctx, x)

    def recur(self, state: Value, first: int, count: int) -> Value:
        """state times the transposed recurrence weights of some gates."""
        rows = self.recurrence.slice(0, first * self.hidden, count * self.hidden)
        return matmul(self.ctx, state, rows.transpose((1, 0)))

    def split_bias(self, gates: int) -> tuple[Value | None, Value | None]:
        """The biases beside the input's and beside the state's product."""
        if self.bias is None:
            return None, None
        return self.bias.slice(0, 0, gates * self.hidden), self.bias.slice(0, gates * self.hidden, gates * self.hidden)


Step = Callable[[Cell, Value, tuple[Value, ...]], tuple[Value, ...]]
"""The states after a step, from the input's share of the gates and the states before; the first state is the output."""


def _rnn_step(cell: Cell, x: Value, states: tuple[Value, ...]) -> tuple[Value, ...]:
    """f(X·Wᵀ + Wb + H·Rᵀ + Rb)."""
    own, other = cell.split_bias(1)
    total = cell.add(cell.biased(x, own), cell.biased(cell.recur(states[0], 0, 1), other))
    return (cell.activate(0, total),)


def _lstm_step(cell: Cell, x: Value, states: tuple[Value, ...]) -> tuple[Value, ...]:
    """Gates i, o, f, c with peepholes for i, f (old cell) and o (new cell); input_forget couples f = 1 - i."""
    hidden, memory = states
    own, other = cell.split_bias(4)
    total = cell.add(cell.biased(x, own), cell.biased(cell.recur(hidden, 0, 4), other))
    parts = [cell.gate(total, n) for n in range(4)]

    def peep(n: int, value: Value) -> Value:
        return parts[n] if cell.peephole is None else cell.add(parts[n], cell.mul(cell.gate(cell.peephole, n), value))

    entering = cell.activate(0, peep(0, memory))
    if cell.node.integer("input_forget", 0):
        kept = cell.ctx.map("sub", cell.ctx.real(1, entering), entering, dtype=entering.dtype)
    else:
        kept = cell.activate(0, peep(2, memory))
    memory = cell.add(cell.mul(kept, memory), cell.mul(entering, cell.activate(1, parts[3])))
    leaving = cell.activate(0, peep(1, memory))
    return cell.mul(leaving, cell.activations[2](cell.ctx, memory)), memory


def _gru_step(cell: Cell, x: Value, states: tuple[Value, ...]) -> tuple[Value, ...]:
    """Gates z, r, h; linear_before_reset multiplies r with the state's product and bias instead of the state."""
    hidden = states[0]
    own, other = cell.split_bias(3)
    x = cell.biased(x, own)

    def bias(n: int) -> Value | None:
        return None if other is None else cell.gate(other, n)

    update, reset = (
        cell.activate(0, cell.add(cell.gate(x, n), cell.biased(cell.recur(hidden, n, 1), bias(n)))) for n in (0, 1)
    )
    if cell.node.integer("linear_before_reset", 0):
        inner = cell.mul(reset, cell.biased(cell.recur(hidden, 2, 1), bias(2)))
    else:
        inner = cell.biased(cell.recur(cell.mul(reset, hidden), 2, 1), bias(2))
    fresh = cell.activate(1, cell.add(cell.gate(x, 2), inner))
    rest = cell.ctx.map("sub", cell.ctx.real(1, update), update, dtype=update.dtype)
    return (cell.add(cell.mul(rest, fresh), cell.mul(update, hidden)),)


_KINDS: dict[str, tuple[int, int, Step, tuple[str, ...]]] = {
    "RNN": (1, 1, _rnn_step, ("Tanh",)),
    "GRU": (3, 1, _gru_step, ("Sigmoid", "Tanh")),
    "LSTM": (4, 2, _lstm_step, ("Sigmoid", "Tanh", "Tanh")),
}
"""Gates, states, the step, and the default activations."""


@lowers("RNN", "GRU", "LSTM")
def recurrent(ctx: Context, node: Node) -> list[Value]:
    """Unrolled: per step (X·Wᵀ + Wb) + (H·Rᵀ + Rb), then the gates; beyond sequence_lens the states stay."""
    gates, states, step, names = _KINDS[node.op]
    x, w, r = node[0], node[1], node[2]
    dtype = same_type(node, x, w, r)
    batch_first = bool(node.integer("layout", 0))
    if x.rank != 3 or w.rank != 3 or r.rank != 3 or not dtype.is_float:
        node.refuse(f"shapes {x.shape}, {w.shape} and {r.shape}")
    x = x.transpose((1, 0, 2)) if batch_first else x
    steps, rows, width = x.shape
    directions, hidden = w.shape[0], r.shape[2]
    where = node.text("direction", "forward")
    if where not in ("forward", "reverse", "bidirectional") or directions != 1 + (where == "bidirectional"):
        node.refuse(f"direction {where!r} with weights for {directions}")
    if w.shape != (directions, gates * hidden, width) or r.shape != (directions, gates * hidden, hidden):
        node.refuse(f"weights of shape {w.shape} and {r.shape} for inputs of {width}")
    if node.integer("hidden_size", hidden) != hidden:
        node.refuse(f"hidden_size {node.integer('hidden_size')} beside weights for {hidden}")
    if steps * directions * _LEAST[node.op] > ctx.limits.kernels:
        node.refuse(f"{steps} steps are too many to unroll", limit=ctx.limits.kernels)
    bias = _optional(node, 3, (directions, 2 * gates * hidden), dtype)
    lengths = _optional(node, 4, (rows,), DType.INT32)
    initial = [_initial(ctx, node, n, (directions, rows, hidden), dtype, batch_first) for n in range(states)]
    peephole = _optional(node, 7, (directions, 3 * hidden), dtype) if node.op == "LSTM" else None
    activations = _activations(node, names, directions)
    outputs, finals = [], []
    for d in range(directions):
        pick = [None if v is None else v.slice(0, d, 1).drop(0) for v in (bias, peephole)]
        cell = Cell(
            ctx, node, hidden, r.slice(0, d, 1).drop(0), pick[0], pick[1], activations[d], node.real("clip", 0.0)
        )
        share = matmul(ctx, x, w.slice(0, d, 1).drop(0).transpose((1, 0)))
        start = tuple(v.slice(0, d, 1).drop(0) for v in initial)
        rows_of, last = _unrolled(cell, step, share, start, lengths, where == "reverse" or d == 1)
        outputs.append(rows_of)
        finals.append(last)
    return _shaped(ctx, node, outputs, finals, batch_first)


def _unrolled(
    cell: Cell, step: Step, share: Value, state: tuple[Value, ...], lengths: Value | None, backward: bool
) -> tuple[list[Value], tuple[Value, ...]]:
    """The output of each step in the order of time, and the last states. Steps beyond a row's length leave its states."""
    ctx, count = cell.ctx, share.shape[0]
    outputs: list[Value] = []
    for at in reversed(range(count)) if backward else range(count):
        after = step(cell, share.slice(0, at, 1).drop(0), state)
        if lengths is None:
            state = after
            outputs.append(after[0])
            continue
        live = ctx.map("lt", ctx.scalar(at, DType.INT32), lengths).insert(1)
        state = tuple(ctx.map("select", live, new, old, dtype=new.dtype) for new, old in zip(after, state, strict=True))
        outputs.append(ctx.map("select", live, after[0], ctx.real(0, after[0]), dtype=after[0].dtype))
    return (outputs[::-1] if backward else outputs), state


def _optional(node: Node, position: int, shape: tuple[int, ...], dtype: DType) -> Value | None:
    value = node.get(position)
    if value is not None and (value.shape != shape or value.dtype is not dtype):
        node.refuse(f"input {position} is {value.dtype} of shape {value.shape}, expected {dtype} of shape {shape}")
    return value


def _initial(ctx: Context, node: Node, number: int, shape: tuple[int, ...], dtype: DType, batch_first: bool) -> Value:
    """An initial state (directions, rows, hidden), zeros if there is none."""
    given = node.get(5 + number)
    if given is None:
        return ctx.full(0, dtype, shape)
    if batch_first and given.rank == 3:
        given = given.transpose((1, 0, 2))
    if given.shape != shape or given.dtype is not dtype:
        node.refuse(f"an initial state of {given.dtype} and shape {given.shape}, expected {shape}")
    return given


def _shaped(
    ctx: Context, node: Node, outputs: list[list[Value]], finals: list[tuple[Value, ...]], batch_first: bool
) -> list[Value]:
    """Y (steps, directions, rows, hidden) and the last states (directions, rows, hidden); rows first under layout 1."""
    results = []
    if outputs[0]:
        steps = [concat(ctx, [v.insert(0) for v in per_step], 0).insert(0) for per_step in zip(*outputs, strict=True)]
        results.append(concat(ctx, steps, 0))
    else:
        rows, hidden = finals[0][0].shape
        results.append(ctx.full(0, finals[0][0].dtype, (0, len(outputs), rows, hidden)))
    results += [concat(ctx, [v.insert(0) for v in states], 0) for states in zip(*finals, strict=True)]
    if batch_first:
        results = [results[0].transpose((2, 0, 1, 3)), *(v.transpose((1, 0, 2)) for v in results[1:])]
    return results
