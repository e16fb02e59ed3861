"""The clear interpreter against the implementation that was written from docs/numerics.md (tests/support/second.py)."""

from __future__ import annotations

import importlib.util
import re
import sys
from math import prod
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import onnx
import pytest
from onnx import helper

from assay.engine.clear import Interpreter, run_kernel
from assay.program import OPS, Axis, Const, Coordinate, DType, Kernel, Order, Read, Scatter, kernel_bytes, load
from assay.program.kernel import Operand
from assay.program.numerics.operators import versions_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
FLOATS = [d for d in DType if d.is_float]
INTEGERS = [d for d in DType if d.is_integer]
KINDS = {"f": FLOATS, "i": INTEGERS, "b": [DType.BOOL]}
FOLDS = ["add", "mul", "min", "max", "fma", "sub", "div", "select", "and", "or", "xor"]
LANES = ["add", "mul", "min", "max", "and", "or", "xor"]
SCATTERS = ["copy", "add", "mul", "min", "max"]
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-40, -1e-45, 3.4e38, -65520.0, 6e-8, 255.5, np.inf, -np.inf, np.nan]


def _load() -> object:
    spec = importlib.util.spec_from_file_location("second", ROOT / "tests" / "support" / "second.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["second"] = module
    spec.loader.exec_module(module)
    return module


second = _load()
SECOND = second.Second(PAGE)  # type: ignore[attr-defined]


def test_it_imports_nothing_of_what_it_judges() -> None:
    text = (ROOT / "tests" / "support" / "second.py").read_text()
    imported = re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)
    assert set(imported) <= {
        "__future__",
        "re",
        "collections",
        "dataclasses",
        "fractions",
        "itertools",
        "math",
        "typing",
    }


def elements(random: Random, dtype: DType, count: int) -> np.ndarray:
    """One of: ordinary numbers; zeros of either sign and some ones of one; edges and any bits."""
    if dtype is DType.BOOL:
        return np.array([random.random() < 0.5 for _ in range(count)], bool)
    mood, one = random.choice(["ordinary", "ordinary", "zeros", "wild"]), random.choice([1.0, -1.0])
    made = []
    for _ in range(count):
        bits = random.getrandbits(dtype.bits)
        if dtype.is_float and (mood != "wild" or random.random() < 0.7):
            tame = {"ordinary": random.gauss(0, 1) * 2.0 ** random.randint(-6, 6), "wild": random.choice(EDGES)}
            tame["zeros"] = random.choice([0.0, -0.0, 0.0, -0.0, one])
            with np.errstate(all="ignore"):
                bits = int(np.asarray(np.float32(tame[mood])).astype(dtype.numpy).view(f"u{dtype.itemsize}"))
        elif dtype.is_integer and random.random() < 0.6:
            top = 1 << (dtype.bits - 1)
            bits = random.choice([0, 1, 2, 3, 5, dtype.bits, top, top - 1, 2 * top - 1, 2 * top - 2])
        made.append(bits)
    return np.array(made, f"u{dtype.itemsize}").view(dtype.numpy)


class Draw:
    """A random kernel and the tensors that it reads."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.tensors: dict[str, np.ndarray] = {}

    def tensor(self, dtype: DType, shape: tuple[int, ...]) -> str:
        name = f"x{len(self.tensors)}"
        self.tensors[name] = elements(self.random, dtype, prod(shape)).reshape(shape)
        return name

    def axis(self, domain: tuple[int, ...], fold: tuple[int, ...], via: int) -> Axis:
        pick = self.random.choice
        strides = tuple(pick([0, 1, 1, -1, 2]) for _ in domain)
        folds = tuple(pick([0, 1, 1, -1, 2]) for _ in fold)
        index = via if via >= 0 and self.random.random() < 0.5 else -1
        return Axis(strides, folds, self.random.randint(-2, 3), pick([1, 1, 1, 2, 3]), index)

    def operand(self, dtype: DType, domain: tuple[int, ...], fold: tuple[int, ...] = (), via: int = -1) -> Operand:
        if self.random.random() < 0.15:
            return Const(dtype, self.bits(dtype))
        if self.random.random() < 0.5:  # each element once
            shape, loops = domain + fold, len(domain)
            axes = []
            for a in range(len(shape)):
                hot = tuple(int(a == d) for d in range(len(shape)))
                axes.append(Axis(hot[:loops], hot[loops:]))
            return Read(self.tensor(dtype, shape), shape, tuple(axes))
        view = tuple(self.random.randint(1, 4) for _ in range(self.random.randint(1, 2)))
        axes = [self.axis(domain, fold, via) for _ in view]
        return Read(self.tensor(dtype, view), view, tuple(axes), self.bits(dtype))

    def bits(self, dtype: DType) -> int:
        return int(elements(self.random, dtype, 1).view(f"u{dtype.itemsize}")[0])

    def index(self, domain: tuple[int, ...]) -> Operand:
        if self.random.random() < 0.3:
            return Coordinate(Axis(tuple(self.random.randint(-1, 1) for _ in domain), (), self.random.randint(0, 2)))
        dtype = self.random.choice([DType.INT64, DType.INT32, DType.UINT8, DType.UINT64])
        name = self.tensor(dtype, domain)
        small = np.array([self.random.randint(0, 3) for _ in range(prod(domain))]).astype(dtype.numpy).reshape(domain)
        if self.random.random() < 0.8:
            self.tensors[name] = small
        return Read(
            name, domain, tuple(Axis(tuple(int(a == d) for d in range(len(domain)))) for a in range(len(domain)))
        )

    def types(self, op: str) -> list[DType]:
        spec = OPS[op]
        dtype = self.random.choice(KINDS[self.random.choice(spec.domain)])
        arity = spec.arity if spec.arity > 0 else 3
        found = [self.random.choice(FLOATS) if dtype.is_float and op != "first" else dtype for _ in range(arity)]
        return [DType.BOOL, *found[1:]] if op == "select" else found

    def result(self, op: str, last: DType) -> DType:
        if OPS[op].result == "bool":
            return DType.BOOL
        if op == "cast":
            return self.random.choice(list(DType))
        if op == "bitcast":
            return self.random.choice([d for d in DType if d.bits == last.bits and d is not DType.BOOL])
        return self.random.choice(FLOATS) if last.is_float else last

    def pointwise(self, op: str, domain: tuple[int, ...]) -> Kernel:
        types = self.types(op)
        front = [self.index(domain)] if self.random.random() < 0.5 else []
        operands = [self.operand(t, domain, (), 0 if front else -1) for t in types]
        if front and not any(a.indirect == 0 for x in operands if isinstance(x, Read) for a in x.axes):
            front = []
        return Kernel(op, "y", self.result(op, types[-1]), domain, domain, (*front, *operands))

    def fold(self, op: str, order: Order, fold: tuple[int, ...]) -> Kernel:
        domain = (self.random.randint(1, 3),)
        types = self.types(op)
        dtype = self.result(op, types[-1])
        operands = tuple(self.operand(t, domain, fold) for t in types[:-1])
        initial = self.bits(DType.FLOAT32 if dtype.is_float else dtype)
        return Kernel(op, "y", dtype, domain, domain, operands, fold, order, initial)

    def scatter(self, op: str) -> Kernel:
        domain, shape = (self.random.randint(1, 12),), (self.random.randint(1, 3), 2)
        dtype = self.random.choice(self.random.choice([FLOATS, INTEGERS]))
        axes = (Axis((0,), (), 0, indirect=0), self.axis(domain, (), -1))
        target = Scatter(self.tensor(dtype, shape), shape, axes)
        operands = (self.index(domain), self.operand(dtype, domain, (), -1))
        return Kernel(op, "y", dtype, shape, domain, operands, scatter=target)

    def check(self, kernel: Kernel) -> None:
        """Every bit of the output is the same."""
        given = {n: _tensor(a) for n, a in self.tensors.items()}
        mine = SECOND.run(msgspec.json.decode(kernel_bytes(kernel)), given)
        theirs = run_kernel(kernel, self.tensors)
        assert (mine.dtype, mine.shape) == (DType.of(theirs).value, theirs.shape)
        width = theirs.dtype.itemsize * 2
        expected = [f"{int(b):0{width}x}" for b in theirs.reshape(-1).view(f"u{theirs.dtype.itemsize}")]
        assert [f"{b:0{width}x}" for b in mine.bits] == expected, (kernel, self.tensors)


def _tensor(array: np.ndarray) -> object:
    bits = np.ascontiguousarray(array).reshape(-1).view(f"u{array.dtype.itemsize}").tolist()
    return second.Tensor(DType.of(array).value, array.shape, bits)  # type: ignore[attr-defined]


@pytest.mark.parametrize("op", sorted(op.name for op in OPS.values() if op.weight == 1))
def test_every_scalar_operation(op: str) -> None:
    for seed in range(12):
        draw = Draw(Random(f"{op} {seed}"))
        draw.check(draw.pointwise(op, (3, 7)))


@pytest.mark.parametrize("source", list(DType))
def test_every_cast(source: DType) -> None:
    for target in DType:
        draw = Draw(Random(f"{source} {target}"))
        name = draw.tensor(source, (60,))
        draw.check(Kernel("cast", "y", target, (60,), (60,), (Read(name, (60,), (Axis((1,)),)),)))


@pytest.mark.parametrize("op", sorted(op.name for op in OPS.values() if op.weight > 1))
def test_every_named_function(op: str) -> None:
    draw = Draw(Random(op))
    for _ in range(2):
        draw.check(draw.pointwise(op, (30,)))
    x = draw.tensor(DType.FLOAT32, (60,))
    draw.tensors[x] = np.frombuffer(draw.random.randbytes(240), np.float32)  # any bits
    reads = tuple(Read(x, (60,), (Axis((s,), (), o),)) for s, o in ((1, 0), (-1, 59)))
    draw.check(Kernel(op, "y", DType.FLOAT32, (60,), (60,), reads[: OPS[op].arity]))


TERMS = [(0,), (1,), (3,), (15,), (16,), (17,), (2, 9), (33,), (3, 2, 7)]


@pytest.mark.parametrize("op", FOLDS)
def test_chains(op: str) -> None:
    for seed in range(36):
        draw = Draw(Random(f"{op} {seed}"))
        draw.check(draw.fold(op, Order.CHAIN, TERMS[seed % len(TERMS)]))


@pytest.mark.parametrize("op", LANES)
def test_lanes(op: str) -> None:
    for seed in range(54):
        draw = Draw(Random(f"{op} {seed}"))
        draw.check(draw.fold(op, Order.LANES, TERMS[seed % len(TERMS)]))


@pytest.mark.parametrize("op", SCATTERS)
def test_scatters(op: str) -> None:
    for seed in range(40):
        draw = Draw(Random(f"{op} {seed}"))
        draw.check(draw.scatter(op))


# --- section 6: element-wise operators as expressions

ROWS = re.findall(
    r"^\| (\w+)\(([xyz, ]+)\) \| ([\w, ]+) \| (`.*`) \|$", PAGE.split("generated: compositions")[1], re.MULTILINE
)
EXPRESSIONS: dict[tuple[str, tuple[str, ...]], list[str]] = {}
for _op, _names, _types, _text in ROWS:
    _kinds = _types.split(", ") * (1 if ", " in _types else len(_names.split(", ")))
    EXPRESSIONS[_op, tuple(_kinds)] = _text.split("; ")
for (_op, _types), _parts in list(EXPRESSIONS.items()):  # where float16 has no row of its own, it is the same
    EXPRESSIONS.setdefault((_op, tuple(t.replace("float32", "float16") for t in _types)), _parts)
TOKEN = re.compile(r"\w+:[0-9a-f]+|\w+\[\w+\](?=\()|\w+|[(),]")


def evaluate(text: str, values: dict) -> object:
    """An expression of the page. An operation's result is stored in the type that the page says it has."""
    tokens = TOKEN.findall(text)
    assert "".join(tokens) == text.replace(" ", "")

    def parse(at: int) -> tuple[object, int, bool]:
        """(value, position behind it, whether it is a constant)."""
        word, at = tokens[at], at + 1
        if at < len(tokens) and tokens[at] == "(":
            arguments, telling = [], []
            while tokens[at] != ")":
                argument, at, constant = parse(at + 1)
                arguments.append(second.read(argument))
                telling += [] if constant else [argument.dtype]
            op, _, target = word.rstrip("]").partition("[")
            if not target:
                choice = op == "select" and len(telling) > 1  # the condition does not tell
                target = "bool" if OPS[op].result == "bool" else telling[1 if choice else 0]
            result = SECOND.apply(op, arguments, target)
            return second.V(target, second.store(result, target)), at + 1, False
        if ":" in word:
            kind, bits = word.split(":")
            return second.V({"f": "float32", "i": "int32"}.get(kind, kind), int(bits, 16)), at, True
        return values[word], at, False

    value, end, _ = parse(0)
    assert end == len(tokens)
    return value


def lowered(op: str, arrays: list[np.ndarray]) -> np.ndarray:
    """The operator through the lowering and the clear interpreter."""
    names = list("xyz")[: len(arrays)]
    kinds = [helper.np_dtype_to_tensor_dtype(a.dtype) for a in arrays]
    inputs = [helper.make_tensor_value_info(n, k, a.shape) for n, k, a in zip(names, kinds, arrays, strict=True)]
    graph = helper.make_graph([helper.make_node(op, names, ["r"])], "g", inputs, [onnx.ValueInfoProto(name="r")])
    opset = helper.make_opsetid("", versions_of(op)[-1])
    program = load(helper.make_model(graph, opset_imports=[opset]).SerializeToString(), named=False)
    return Interpreter(program).run(dict(zip(names, arrays, strict=True)))["r"]


@pytest.mark.parametrize(("op", "types"), sorted(EXPRESSIONS))
def test_an_operator_is_its_expression(op: str, types: tuple[str, ...]) -> None:
    parts, kinds, random = EXPRESSIONS[op, types], [DType(t) for t in types], Random(op)
    arrays = [elements(random, k, 20) for k in kinds for _ in range(2)]
    arrays = [np.concatenate(arrays[n : n + 2]) for n in range(0, len(arrays), 2)]
    theirs = lowered(op, arrays)
    expected = theirs.view(f"u{theirs.dtype.itemsize}").tolist()
    for n in range(40):
        values = {
            name: second.V(k.value, int(a.view(f"u{a.dtype.itemsize}")[n]))
            for name, k, a in zip("xyz", kinds, arrays, strict=False)
        }
        for part in parts[:-1]:
            target, text = part.strip("`").split(" = ")
            values[target] = evaluate(text, values)
        result = evaluate(parts[-1].strip("`"), values)
        assert (result.dtype, result.bits) == (DType.of(theirs).value, expected[n]), (n, values)


def test_the_expressions_are_those_of_many_operators() -> None:
    operators = {op for op, _ in EXPRESSIONS}
    assert len(operators) > 60
    assert {"Gelu", "Selu", "Softplus", "Mish", "Equal", "And", "Where", "Asin", "Tan"} <= operators
