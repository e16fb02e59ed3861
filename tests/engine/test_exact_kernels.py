"""The exact engine against the clear one, bit for bit: kernels drawn at random over every feature of kernel.py."""

from __future__ import annotations

from math import prod
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.engine.clear import Interpreter
from assay.engine.exact import compile
from assay.program.kernel import Axis, Const, Coordinate, Kernel, Order, Read, Scatter
from assay.program.program import Cost, Program
from assay.program.scalar import OPS
from assay.program.types import DType, Port

FLOATS = [d for d in DType if d.is_float]
INTEGERS = [d for d in DType if d.is_integer]
GROUPS = {"f": FLOATS, "i": INTEGERS, "b": [DType.BOOL]}
EXTENTS = [1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 31, 32, 33, 64, 65]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-40, -1e-45, 3.4e38, 65519.0, 65520.0, 6e-8, 2.5, 1e10]

Shape = tuple[int, ...]


def data(random: Random, dtype: DType, shape: Shape) -> np.ndarray:
    """Elements of every kind: ordinary numbers, edges, and plain random bits (any NaN, any subnormal)."""
    rng = np.random.default_rng(random.getrandbits(32))
    size = prod(shape)
    bits = rng.integers(0, 256, size * dtype.itemsize, dtype=np.uint8)
    if dtype is DType.BOOL:
        return (bits & 1).view(bool).reshape(shape)
    wild = bits.view(dtype.numpy)
    if dtype.is_float:
        special = np.array(SPECIAL, np.float32)
        with np.errstate(all="ignore"):
            tame = np.where(rng.random(size) < 0.2, rng.choice(special, size), rng.normal(size=size))
            return np.where(rng.random(size) < 0.1, wild, tame.astype(dtype.numpy)).reshape(shape)
    info = np.iinfo(dtype.numpy)
    edges = np.array([0, 1, info.min, info.max, info.max - 1, dtype.bits], dtype.numpy)
    small = rng.integers(0, 5, size).astype(dtype.numpy)
    kind = rng.integers(0, 3, size)
    return np.choose(kind, [wild, small, rng.choice(edges, size)]).astype(dtype.numpy).reshape(shape)


class Maker:
    """Collects kernels and the inputs that they read; `check` compares the engines on all of them."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.inputs: dict[str, np.ndarray] = {}
        self.kernels: list[Kernel] = []

    def tensor(self, dtype: DType, shape: Shape, values: np.ndarray | None = None) -> str:
        name = f"batch/{len(self.inputs)}"
        self.inputs[name] = data(self.random, dtype, shape) if values is None else values
        return name

    def extents(self, most: int, least: int = 0, limit: int = 3000) -> Shape:
        while True:
            shape = tuple(self.random.choice(EXTENTS) for _ in range(self.random.randint(least, most)))
            if prod(shape) <= limit:
                return shape

    def bits(self, dtype: DType) -> int:
        return int(data(self.random, dtype, (1,)).view(f"u{dtype.itemsize}")[0])

    def axis(
        self, strides: dict[int, int], domain: Shape, fold: Shape, offset: int = 0, divisor: int = 1, via: int = -1
    ) -> Axis:
        values = tuple(strides.get(d, 0) for d in range(len(domain + fold)))
        return Axis(values[: len(domain)], values[len(domain) :], offset, divisor, via)

    def window(self, dtype: DType, domain: Shape, fold: Shape, order: list[int]) -> Read:
        """A whole tensor whose axes are some of the loops, in some order."""
        view = tuple((domain + fold)[d] for d in order)
        axes = tuple(self.axis({d: 1}, domain, fold) for d in order)
        return Read(self.tensor(dtype, view), view, axes, self.random.choice([None, 1]))

    def read(self, dtype: DType, domain: Shape, fold: Shape, via: list[int]) -> Read:
        """A plain window, a permuted or broadcast one, or a wild guarded one."""
        kind, loops = self.random.randrange(6), list(range(len(domain + fold)))
        if kind == 1:
            self.random.shuffle(loops)
        if kind == 2:
            loops = [d for d in loops if self.random.random() < 0.6]
        if kind < 4:
            return self.window(dtype, domain, fold, loops)
        view, axes = self.extents(3, 1, 500), []
        for extent in view:
            picked = {d: self.random.choice([1, 1, 1, -1, 2, 3, 0]) for d in loops if self.random.random() < 0.6}
            offset, divisor = self.random.randint(-3, max(3, extent - 1)), self.random.choice([1, 1, 1, 2, 3])
            index = self.random.choice(via) if via and self.random.random() < 0.4 else -1
            axes.append(self.axis(picked, domain, fold, offset, divisor, index))
        return Read(self.tensor(dtype, view), view, tuple(axes), self.bits(dtype))

    def operand(self, dtype: DType, domain: Shape, fold: Shape = (), via: list[int] | None = None) -> Read | Const:
        if self.random.random() < 0.15:
            return Const(dtype, self.bits(dtype))
        return self.read(dtype, domain, fold, via or [])

    def index(self, domain: Shape) -> Read | Coordinate:
        """An operand of integer type that later ones may take coordinates from."""
        if self.random.random() < 0.3:
            return Coordinate(self.axis({d: self.random.randint(-1, 2) for d in range(len(domain))}, domain, (), 1))
        dtype = self.random.choice([DType.INT64, DType.INT32, DType.UINT8])
        low = 0 if dtype is DType.UINT8 else -2
        values = np.array([self.random.randint(low, 9) for _ in range(prod(domain))], dtype.numpy).reshape(domain)
        axes = tuple(self.axis({d: 1}, domain, ()) for d in range(len(domain)))
        return Read(self.tensor(dtype, domain, values), domain, axes)

    def add(self, op: str, dtype: DType, shape: Shape, operands: list, **rest: object) -> None:
        domain = rest.pop("domain", shape)
        self.kernels.append(Kernel(op, f"k{len(self.kernels)}", dtype, shape, domain, tuple(operands), **rest))

    def program(self, visible: float = 1.0) -> Program:
        """All kernels; each result is an output with the probability `visible`, the last one always."""
        shown = [k for k in self.kernels[:-1] if self.random.random() < visible] + self.kernels[-1:]
        inputs = tuple(Port(n, DType.of(a), a.shape) for n, a in self.inputs.items())
        outputs = tuple((Port(f"result/{k.output}", k.dtype, k.shape), k.output) for k in shown)
        return Program(b"", inputs, outputs, {}, tuple(self.kernels), Cost(0, 0, 0))

    def check(self, visible: float = 1.0, **options: object) -> None:
        """Both engines agree in every bit of every output."""
        program = self.program(visible)
        expected = Interpreter(program).run(self.inputs)
        given = compile(program, **options).run(self.inputs)
        assert given.keys() == expected.keys()
        for name, b in expected.items():
            a = given[name]
            assert a.dtype == b.dtype
            assert a.shape == b.shape
            assert a.tobytes() == b.tobytes(), (name, a, b)


def types_of(op: str, random: Random) -> list[DType]:
    """Operand dtypes for an operation, drawn among those that it accepts."""
    spec = OPS[op]
    dtype = random.choice([dtype for letter in spec.domain for dtype in GROUPS[letter]])
    arity = spec.arity if spec.arity > 0 else random.randint(1, 4)
    mixed = dtype.is_float and op != "first"
    kinds = [random.choice(FLOATS) if mixed else dtype for _ in range(arity)]
    return [DType.BOOL, *kinds[1:]] if op == "select" else kinds


def result_type(op: str, last: DType, random: Random) -> DType:
    if OPS[op].result == "bool":
        return DType.BOOL
    if op == "cast":
        return random.choice(list(DType))
    if op == "bitcast":
        return random.choice([d for d in DType if d.bits == last.bits and d is not DType.BOOL])
    return random.choice(FLOATS) if last.is_float else last


def pointwise(make: Maker, op: str) -> None:
    random, domain = make.random, make.extents(3)
    types = types_of(op, random)
    front = [make.index(domain)] if random.random() < 0.3 else []
    operands = [make.operand(t, domain, (), [0] if front else []) for t in types]
    if not any(a.indirect == 0 for x in operands if isinstance(x, Read) for a in x.axes):
        front = []
    make.add(op, result_type(op, types[-1], random), domain, [*front, *operands])


FOLDS = ["add", "mul", "min", "max", "and", "or", "xor", "fma", "select"]


def folded(make: Maker, op: str, order: Order) -> None:
    random, domain, fold = make.random, make.extents(2, limit=200), make.extents(2, 1, limit=200)
    fold = (0, *fold) if random.random() < 0.1 else fold
    types = types_of(op, random)
    dtype = result_type(op, types[-1], random)
    operands = [make.operand(t, domain, fold) for t in types[:-1]]
    initial = make.bits(DType.FLOAT32 if dtype.is_float else dtype)
    make.add(op, dtype, domain, operands, fold=fold, order=order, initial=initial)


def scattered(make: Maker) -> None:
    random, domain, shape = make.random, make.extents(3, limit=300), make.extents(3, 1, 300)
    op, dtype = random.choice(["copy", "add", "mul", "max", "min"]), random.choice(FLOATS + INTEGERS)
    front = [make.index(domain)] if random.random() < 0.5 else []
    axes = []
    for d, extent in enumerate(shape):
        straight = random.random() < 0.5 and d < len(domain)
        picked = {d: 1} if straight else {n: random.randint(-1, 2) for n in range(len(domain))}
        via = 0 if front and (d == 0 or random.random() < 0.5) else -1
        axes.append(make.axis(picked, domain, (), random.randint(-1, extent), random.choice([1, 1, 2]), via))
    scatter = Scatter(make.tensor(dtype, shape), shape, tuple(axes))
    make.add(op, dtype, shape, [*front, make.operand(dtype, domain)], domain=domain, scatter=scatter)


def product(make: Maker) -> None:
    """A batched matrix product whose operands lie any way round, large enough for the tiles."""
    random = make.random
    batch, rows, columns = random.choice([1, 2, 3]), random.choice(EXTENTS), random.choice([4, 7, 10, 16, 33, 100])
    fold = random.choice([(1,), (5,), (64,), (257,), (3, 5), (2, 300), (17, 3, 3)])
    domain, terms = (batch, rows, columns), [3 + n for n in range(len(fold))]
    left = [0, 1, *terms] if random.random() < 0.7 else [*terms, 1]
    right = [0, *terms, 2] if random.random() < 0.5 else [2, *terms]
    operands = [make.window(random.choice([DType.FLOAT32, *FLOATS]), domain, fold, order) for order in (left, right)]
    random.shuffle(operands)
    dtype = random.choice([DType.FLOAT32, *FLOATS])
    make.add("fma", dtype, domain, operands, fold=fold, order=Order.CHAIN, initial=make.bits(DType.FLOAT32))


def convolution(make: Maker) -> None:
    """Padding, strides, dilation and upsampling as guarded reads; weights on either side."""
    random = make.random
    images, inner, outer, kernel = random.choice([1, 3]), random.choice([1, 3]), random.choice([2, 5, 16]), 3
    height, width = random.choice([4, 7, 8, 14]), random.choice([5, 8, 16, 20])
    stride, dilation, divisor, pad = (random.choice(x) for x in ([1, 2], [1, 2], [1, 1, 2], [0, 1, 2]))
    domain, fold = (images, outer, height, width), (inner, kernel, kernel)
    axes = [make.axis({0: 1}, domain, fold), make.axis({4: 1}, domain, fold)]
    for n in range(2):
        axes.append(make.axis({2 + n: stride, 5 + n: dilation}, domain, fold, -pad, divisor))
    view = (images, inner, random.randint(3, 16), random.randint(3, 20))
    x = Read(make.tensor(DType.FLOAT32, view), view, tuple(axes), random.choice([0, 0x80000000, 0x3F800000]))
    w = make.window(DType.FLOAT32, domain, fold, [1, 4, 5, 6])
    make.add("fma", DType.FLOAT32, domain, [x, w], fold=fold, order=Order.CHAIN)
    # the gradient of the weights: the fold runs over images and pixels
    domain, fold = (outer, inner, kernel, kernel), (images, height, width)
    axes = [make.axis({4: 1}, domain, fold), make.axis({1: 1}, domain, fold)]
    for n in range(2):
        axes.append(make.axis({2 + n: dilation, 5 + n: stride}, domain, fold, -pad, divisor))
    x = Read(make.tensor(DType.FLOAT32, view), view, tuple(axes), 0)
    dy = make.window(DType.FLOAT32, domain, fold, [4, 0, 5, 6])
    make.add("fma", DType.FLOAT32, domain, [x, dy], fold=fold, order=Order.CHAIN)


SHAPES = [(240,), (12, 20), (3, 4, 20), (2, 120), (3, 80), (16, 15), (6, 2, 4, 5), (1, 240, 1)]


def graph(make: Maker) -> None:
    """Kernels that feed each other, most of them element by element: what the engine fuses, and what it must not."""
    random = make.random
    alive = [(make.tensor(dtype, (240,)), dtype) for dtype in (DType.FLOAT32, DType.FLOAT16, DType.INT32, DType.BOOL)]
    for n in range(random.randint(10, 40)):
        domain, op = random.choice(SHAPES), random.choice(sorted(OPS))
        types = types_of(op, random)
        operands: list[Read | Const] = []
        for dtype in types:
            known = [name for name, kind in alive if kind is dtype]
            if not known or random.random() < 0.1:
                operands.append(make.operand(dtype, domain))
                continue
            order = list(range(len(domain)))
            if random.random() < 0.15:
                random.shuffle(order)
            view = tuple(domain[d] for d in order)
            axes = tuple(make.axis({d: 1}, domain, (), random.random() < 0.05) for d in order)
            operands.append(Read(random.choice(known[-3:]), view, axes, 1))
        dtype = result_type(op, types[-1], random)
        make.add(op, dtype, domain, operands)
        alive.append((f"k{n}", dtype))
    sums = [name for name, dtype in alive if dtype is DType.FLOAT32]
    fold = Read(random.choice(sums), (12, 20), (make.axis({0: 1}, (12,), (20,)), make.axis({1: 1}, (12,), (20,))))
    make.add("add", DType.FLOAT32, (12,), [fold], fold=(20,), order=Order.LANES)
    spread = Read(f"k{len(make.kernels) - 1}", (12,), (make.axis({0: 1}, (12, 20), ()),))
    make.add(
        "mul",
        DType.FLOAT32,
        (12, 20),
        [spread, Read(sums[-1], (12, 20), (*spread.axes, make.axis({1: 1}, (12, 20), ())))],
    )


RANDOM = st.integers(0, 2**32).map(Random)
DRAW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("op", sorted(OPS))
def test_every_operation(op: str) -> None:
    make = Maker(Random(op))
    for _ in range(6):
        pointwise(make, op)
    make.check()


@DRAW
@given(RANDOM)
def test_pointwise(random: Random) -> None:
    make = Maker(random)
    for op in random.sample(sorted(OPS), 12):
        pointwise(make, op)
    make.check(threads=random.choice([1, 2, 3]))


@DRAW
@given(RANDOM)
def test_folds(random: Random) -> None:
    make = Maker(random)
    for _ in range(8):
        folded(make, random.choice(FOLDS), Order.CHAIN)
        folded(make, random.choice(FOLDS[:-2]), Order.LANES)
    make.check(threads=random.choice([1, 2, 3]))


@DRAW
@given(RANDOM, st.sampled_from([0.0, 0.2, 1.0]))
def test_graphs(random: Random, visible: float) -> None:
    make = Maker(random)
    graph(make)
    make.check(visible, threads=random.choice([1, 2]))


@DRAW
@given(RANDOM)
def test_scatters(random: Random) -> None:
    make = Maker(random)
    for _ in range(8):
        scattered(make)
    make.check(threads=random.choice([1, 2]))


@DRAW
@given(RANDOM)
def test_products(random: Random) -> None:
    make = Maker(random)
    for _ in range(3):
        product(make)
    convolution(make)
    make.check(threads=random.choice([1, 2, 3]))


@pytest.mark.parametrize("level", ["sse2", "avx2", "avx512"])
def test_every_instruction_set_gives_the_same_bits(level: str, level_present: None) -> None:
    for seed in range(3):
        make = Maker(Random(seed))
        for op in make.random.sample(sorted(OPS), 8):
            pointwise(make, op)
        for _ in range(3):
            folded(make, make.random.choice(FOLDS), Order.CHAIN)
            folded(make, make.random.choice(FOLDS[:-2]), Order.LANES)
            scattered(make)
        product(make)
        convolution(make)
        make.check(features=level)


@pytest.fixture
def level_present(level: str) -> None:
    from assay.engine.exact.native import machine
    from assay.errors import ConfigError

    try:
        machine(level)
    except ConfigError:
        pytest.skip(f"this machine has no {level}")
