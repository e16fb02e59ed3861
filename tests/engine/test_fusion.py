"""Fusion: that what feeds each other runs in one loop, and that its bits stay those of the clear interpreter."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.engine.clear import Interpreter
from assay.engine.exact import compile
from assay.engine.exact.plan import Plan, plan
from assay.program.kernel import Axis, Const, Kernel, Order, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

F32 = DType.FLOAT32
Shape = tuple[int, ...]
FLOATS = [F32, F32, F32, DType.BFLOAT16, DType.FLOAT16]
LAYOUTS = [(480,), (6, 80), (4, 6, 20), (2, 3, 4, 20), (24, 20), (12, 40), (20, 24), (3, 160)]
"""Shapes of as many elements, under which the same tensors are seen."""


def seen(tensor: str, domain: Shape, strides: Shape, loops: int = 0) -> Read:
    """All of a tensor as one axis, at sum of strides · index; the last `loops` strides belong to the fold."""
    split = len(strides) - loops
    return Read(tensor, (480,), (Axis(strides[:split], strides[split:]),))


def rows(shape: Shape) -> Shape:
    """Row-major strides."""
    strides, below = [], 1
    for n in reversed(shape):
        strides.insert(0, below)
        below *= n
    return tuple(strides)


SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, 3.4e38, 65519.0, 0.5]


def along(dim: int, loops: int) -> Axis:
    """The index of one loop."""
    return Axis(tuple(int(d == dim) for d in range(loops)))


class Maker:
    """Collects kernels and what they read; `check` compares the engines on all of them."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.inputs: dict[str, np.ndarray] = {}
        self.kernels: list[Kernel] = []

    def tensor(self, dtype: DType, shape: Shape) -> str:
        """A new input: ordinary numbers, and some of every odd kind."""
        rng = np.random.default_rng(self.random.getrandbits(32))
        values = np.where(rng.random(shape) < 0.1, rng.choice(SPECIAL, shape), rng.normal(size=shape))
        with np.errstate(all="ignore"):
            self.inputs[f"batch/{len(self.inputs)}"] = values.astype(np.float32).astype(dtype.numpy)
        return f"batch/{len(self.inputs) - 1}"

    def add(self, op: str, dtype: DType, shape: Shape, operands: list[Read | Const], **rest: object) -> str:
        domain = rest.pop("domain", shape)
        self.kernels.append(Kernel(op, f"k{len(self.kernels)}", dtype, shape, domain, tuple(operands), **rest))
        return self.kernels[-1].output

    def program(self, visible: float = 0.0) -> Program:
        """All kernels; each result is an output with the probability `visible`, the last one always."""
        shown = [k for k in self.kernels[:-1] if self.random.random() < visible] + self.kernels[-1:]
        inputs = tuple(Port(n, DType.of(a), a.shape) for n, a in self.inputs.items())
        outputs = tuple((Port(f"result/{k.output}", k.dtype, k.shape), k.output) for k in shown)
        return Program(b"", inputs, outputs, {}, tuple(self.kernels), Cost(0, 0, 0))

    def check(self, visible: float = 0.0, **options: object) -> Plan:
        """Both engines agree in every bit of every output."""
        program = self.program(visible)
        expected, given = Interpreter(program).run(self.inputs), compile(program, **options).run(self.inputs)
        for name, array in expected.items():
            assert given[name].tobytes() == array.tobytes(), name
        return plan(program)


class Web:
    """Draws kernels over 480 elements that read each other in place, turned, mirrored, spread and folded."""

    def __init__(self, random: Random) -> None:
        self.random, self.make = random, Maker(random)
        self.full = [(self.make.tensor(d, (480,)), d) for d in (F32, F32, DType.BFLOAT16)]
        self.few: list[tuple[str, DType, Shape, Shape]] = []

    def operand(self, dtype: DType, domain: Shape) -> Read | Const:
        """A tensor of `dtype`, one just made as a rule."""
        random = self.random
        known = [name for name, kind in self.full if kind is dtype][-4:]
        few = [(name, shape, places) for name, kind, shape, places in self.few if kind is dtype and shape == domain]
        if few and random.random() < 0.5:
            name, _, places = random.choice(few[-3:])
            extents = [domain[d] for d in places]
            return Read(name, tuple(extents), tuple(along(d, len(domain)) for d in places))
        if not known or random.random() < 0.1:
            read = seen(self.make.tensor(dtype if dtype is not DType.BOOL else F32, (480,)), domain, rows(domain))
            return read if dtype is not DType.BOOL else Const(dtype, 1)
        strides = list(rows(domain))
        if random.random() < 0.15:
            strides = list(rows(tuple(domain[d] for d in (*range(1, len(domain)), 0))))
            strides = [strides[-1], *strides[:-1]]
        if random.random() < 0.1:
            return Read(random.choice(known), (480,), (Axis(tuple(-s for s in strides), (), 479),))
        if random.random() < 0.05:
            return Read(random.choice(known), (480,), (Axis(tuple(strides), (), 7),), 0x1F)
        return seen(random.choice(known), domain, tuple(strides))

    def pointwise(self) -> None:
        random = self.random
        domain, dtype = random.choice(LAYOUTS), random.choice(FLOATS)
        op = random.choice(["add", "sub", "mul", "div", "max", "exp", "neg", "copy", "cast", "sqrt", "lt", "select"])
        count = {"select": 2}.get(op, 1 if op in ("exp", "neg", "copy", "cast", "sqrt") else 2)
        operands = [self.operand(random.choice(FLOATS) if op == "cast" else dtype, domain) for _ in range(count)]
        if op == "select":
            operands.insert(0, self.operand(DType.BOOL, domain))
        self.full.append((f"k{len(self.make.kernels)}", DType.BOOL if op == "lt" else dtype))
        self.make.add(op, self.full[-1][1], domain, operands)

    def fold(self) -> None:
        random = self.random
        shape, dtype = random.choice([s for s in LAYOUTS if len(s) > 1]), random.choice(FLOATS)
        known = [name for name, kind in self.full if kind is dtype][-4:]
        if not known:
            return
        kept = random.choice([(0,), (len(shape) - 1,), (len(shape) // 2,)])
        inner = tuple(d for d in range(len(shape)) if d not in kept)
        domain, fold, strides = tuple(shape[d] for d in kept), tuple(shape[d] for d in inner), rows(shape)
        order = random.choice([Order.LANES, Order.CHAIN])
        read = seen(random.choice(known), domain, tuple(strides[d] for d in (*kept, *inner)), len(inner))
        self.few.append((f"k{len(self.make.kernels)}", dtype, shape, kept))
        self.make.add(random.choice(["add", "max", "min", "mul"]), dtype, domain, [read], fold=fold, order=order)


def web(random: Random, length: int) -> Maker:
    drawn = Web(random)
    for _ in range(length):
        drawn.fold() if random.random() < 0.25 else drawn.pointwise()
    return drawn.make


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 1.0]))
def test_what_feeds_each_other_keeps_its_bits(seed: int, visible: float) -> None:
    random = Random(seed)
    make = web(random, random.randint(5, 30))
    make.check(visible, threads=random.choice([1, 2, 3]))


def softmax(make: Maker, x: str, rows_: int, columns: int, kind: DType = F32) -> str:
    """Five kernels over (rows, columns): max, sub, exp, sum, div."""
    shape, whole = (rows_, columns), (Axis((1, 0)), Axis((0, 1)))
    folded = (Axis((1,), (0,)), Axis((0,), (1,)))

    def fold(op: str, tensor: str) -> str:
        return make.add(op, kind, (rows_,), [Read(tensor, shape, folded)], fold=(columns,), order=Order.LANES)

    def spread(tensor: str) -> Read:
        return Read(tensor, (rows_,), (Axis((1, 0)),))

    shifted = make.add("sub", kind, shape, [Read(x, shape, whole), spread(fold("max", x))])
    raised = make.add("exp", kind, shape, [Read(shifted, shape, whole)])
    return make.add("div", kind, shape, [Read(raised, shape, whole), spread(fold("add", raised))])


@pytest.mark.parametrize("kind", [F32, DType.BFLOAT16])
def test_softmax(kind: DType) -> None:
    make = Maker(Random(1))
    softmax(make, make.tensor(kind, (37, 75)), 37, 75, kind)
    for threads in (1, 2, 3, 8):
        assert len(make.check(threads=threads).steps) <= 4


def test_an_optimizer_is_one_loop() -> None:
    """p' = p·a - lr·m' / (sqrt(v') + eps), m' and v' as well: what reads inputs only runs with what it feeds."""
    make = Maker(Random(2))
    n = 5000
    p, m, v, g = (Read(make.tensor(F32, (n,)), (n,), (Axis((1,)),)) for _ in range(4))

    def op(name: str, *args: Read | Const) -> Read:
        return Read(make.add(name, F32, (n,), list(args)), (n,), (Axis((1,)),))

    def number(value: float) -> Const:
        return Const(F32, int(np.float32(value).view(np.uint32)))

    decayed = op("mul", p, number(0.999))
    first = op("add", op("mul", m, number(0.9)), op("mul", g, number(0.1)))
    second = op("add", op("mul", v, number(0.999)), op("mul", op("mul", g, g), number(0.001)))
    step = op("div", first, op("add", op("sqrt", second), number(1e-8)))
    op("sub", decayed, op("mul", step, number(1e-3)))
    shown = {first.tensor, second.tensor, make.kernels[-1].output}
    program = make.program()
    outputs = tuple((Port(f"result/{t}", F32, (n,)), t) for t in sorted(shown))
    program = Program(b"", program.inputs, outputs, {}, program.kernels, program.cost)
    made = plan(program)
    assert len(made.steps) == 1
    assert made.arena == 0
    expected = Interpreter(program).run(make.inputs)
    for threads in (1, 2, 8):
        given = compile(program, threads=threads).run(make.inputs)
        assert all(given[name].tobytes() == array.tobytes() for name, array in expected.items())


def test_a_fold_computes_what_only_it_reads() -> None:
    make = Maker(Random(3))
    a, b = (make.tensor(F32, (64, 100)) for _ in range(2))
    both = (Axis((1, 0)), Axis((0, 1)))
    product = make.add("mul", F32, (64, 100), [Read(a, (64, 100), both), Read(b, (64, 100), both)])
    read = Read(product, (64, 100), (Axis((1,), (0,)), Axis((0,), (1,))))
    make.add("add", F32, (64,), [read], fold=(100,), order=Order.LANES)
    assert len(make.check().steps) == 1


@pytest.mark.parametrize("fold", [(5, 19), (3, 2, 20), (4, 3), (7, 16)])
def test_lanes_go_round_all_loops_of_a_fold(fold: Shape) -> None:
    """A row's end is no end for the lanes: the next row's first term goes to the next lane."""
    make = Maker(Random(4))
    shape = (fold[0], 6, *fold[1:])
    axes = (Axis((0,), (1, *(0 for _ in fold[1:]))), Axis((1,), (0,) * len(fold)))
    axes += tuple(Axis((0,), tuple(int(d == e) for e in range(len(fold)))) for d in range(1, len(fold)))
    make.add("add", F32, (6,), [Read(make.tensor(F32, shape), shape, axes)], fold=fold, order=Order.LANES)
    make.check()


def test_a_fold_is_laid_out_as_its_readers_walk() -> None:
    """The gradient of a convolution's weights comes out with its first two axes swapped."""
    make = Maker(Random(5))
    x = make.tensor(F32, (20, 12, 9, 8))
    read = Read(x, (20, 12, 9, 8), tuple(Axis(tuple(int(d == e) for e in range(3)), (int(d == 3),)) for d in range(4)))
    sums = make.add("add", F32, (20, 12, 9), [read], fold=(8,), order=Order.CHAIN)
    w = make.tensor(F32, (12, 20, 9))
    turned = Read(sums, (20, 12, 9), (Axis((0, 1, 0)), Axis((1, 0, 0)), Axis((0, 0, 1))))
    make.add("sub", F32, (12, 20, 9), [Read(w, (12, 20, 9), tuple(along(d, 3) for d in range(3))), turned])
    steps = make.check()
    last = steps.forms[steps.steps[-1].form]
    assert last.domain == (12 * 20 * 9,)


def test_outputs_that_nobody_holds_are_written_again() -> None:
    make = Maker(Random(6))
    n = 1 << 16
    x = Read(make.tensor(F32, (n,)), (n,), (Axis((1,)),))
    make.add("neg", F32, (n,), [x])
    engine = compile(make.program())
    first = engine.run(make.inputs)["result/k0"]
    kept, view = first.copy(), first[5:]
    second = engine.run({"batch/0": kept})["result/k0"]
    assert not np.shares_memory(first, second)
    address = first.ctypes.data
    del first
    assert engine.run({"batch/0": kept})["result/k0"].ctypes.data != address
    assert view.tobytes() == kept[5:].tobytes()
    del view
    assert engine.run({"batch/0": kept})["result/k0"].ctypes.data == address
