"""docs/numerics.md against the code: generated sections, and every worked example executed three ways."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest

from assay.capture import philox
from assay.capture.graph import Graph
from assay.engine.clear import Interpreter
from assay.engine.exact import compile
from assay.errors import UsageError
from assay.program import DType, Kernel, Port, Program, kernel_bytes, load
from assay.program.numerics import render, sections
from assay.program.program import Cost

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
MEASURED = (ROOT / "bench" / "accuracy.json").read_bytes()
GENERATED = sections(MEASURED)


# --- what is generated


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_generated_section_is_what_the_code_generates(name: str) -> None:
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"
    assert PAGE.split(begin)[1].split(end)[0] == GENERATED[name], (
        "renew it: scripts/docs, or python -m assay.program.numerics --write docs/numerics.md"
    )


def test_the_command_renews_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    stale = re.sub(r"(<!-- generated: .* -->\n)[^<]*(?:<(?!!-- end)[^<]*)*(<!-- end)", r"\1stale\n\2", PAGE)
    assert stale.count("stale\n") == len(GENERATED)
    page.write_text(stale, encoding="utf-8")
    command = [sys.executable, "-m", "assay.program.numerics", "--write", page]
    subprocess.run([*command, "--accuracy", ROOT / "bench/accuracy.json"], check=True, timeout=100)
    assert page.read_text(encoding="utf-8") == render(stale, GENERATED)


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(UsageError, match="'casts'"):
        render("<!-- generated: casts -->\n", {"casts": ""})


def test_a_measurement_of_another_sequence_is_refused() -> None:
    lines = msgspec.json.decode(MEASURED)
    lines[0]["sequence"] = "0" * 16
    with pytest.raises(UsageError, match="not measured"):
        sections(msgspec.json.encode(lines))


@pytest.mark.parametrize(
    ("name", "most"), [("exp", 1), ("log", 1), ("erf", 2), ("tanh", 2), ("sigmoid", 2), ("pow", 4)]
)
def test_the_measured_errors_are_as_promised(name: str, most: float) -> None:
    lines = [line for line in msgspec.json.decode(MEASURED) if line["name"] == name]
    assert lines
    assert all(0.5 < line["ulp"] <= most and line["reference"] < 1e-6 for line in lines)
    assert all(line["count"] == 2**32 and line["exhaustive"] for line in lines) or name == "pow"


def test_sin_and_cos_are_measured_where_they_are_not_nan() -> None:
    for name in ("sin", "cos"):
        near, middle, far = sorted((m for m in msgspec.json.decode(MEASURED) if m["name"] == name), key=_reach)
        assert near["ulp"] <= 1 >= middle["ulp"]
        assert all(m["exhaustive"] and m["absolute"] < 2.0**-24 for m in (near, middle, far))
        assert near["count"] + middle["count"] + far["count"] == 2 * 0x54800000


def _reach(line: dict) -> int:
    return int(re.findall(r"2\^(\d+)", line["inputs"])[-1])


def test_sqrt_and_reciprocal_are_rounded_correctly() -> None:
    for name in ("sqrt", "reciprocal"):
        (line,) = (m for m in msgspec.json.decode(MEASURED) if m["name"] == name)
        assert (line["wrong"], line["count"], line["exhaustive"]) == (0, 2**32, True)


# --- the worked examples

RESULT = r"(f|[a-z]+\d+|bool):([0-9a-f]+) \(([^()]+)\)"
STEP = re.compile(rf"([a-z]\w*(?:\[\d+\])?) = (?:(.+) = )?{RESULT}")
CALL = re.compile(r"([a-z]+)\((.*)\)")


@dataclass
class Value:
    """A scalar of the document: its type and its bits."""

    dtype: DType
    bits: int

    @property
    def number(self) -> np.generic:
        unsigned = np.array(self.bits, f"u{self.dtype.itemsize}")
        return (unsigned != 0)[()] if self.dtype is DType.BOOL else unsigned.view(self.dtype.numpy)[()]

    @property
    def wide(self) -> np.float32:
        return np.float32(self.number)

    @classmethod
    def of(cls, dtype: DType, number: object) -> Value:
        """A number stored as `dtype`: floats are rounded, integers wrap."""
        if not dtype.is_float:
            return cls(dtype, int(number) % 2**dtype.bits)  # type: ignore[call-overload]
        with np.errstate(all="ignore"):
            stored = np.asarray(np.float32(number)).astype(dtype.numpy)  # type: ignore[arg-type]
        if np.isnan(stored.astype(np.float32)):
            return cls(dtype, {DType.FLOAT32: 0x7FC00000, DType.FLOAT16: 0x7E00, DType.BFLOAT16: 0x7FC0}[dtype])
        return cls(dtype, int(stored.view(f"u{dtype.itemsize}")))


def type_of(name: str) -> DType:
    return DType.FLOAT32 if name == "f" else DType(name)


def nearest(exact: Fraction) -> np.float32:
    """The binary32 nearest to a rational, ties to even, without any float arithmetic but exact scaling."""
    if not exact:
        return np.float32(0)
    exponent = max(-126, abs(exact).numerator.bit_length() - abs(exact).denominator.bit_length())
    if abs(exact) < Fraction(2) ** exponent and exponent > -126:
        exponent -= 1
    unit = Fraction(2) ** (exponent - 23)
    return np.float32(float(round(exact / unit) * unit))  # round() of a Fraction is half to even


def fma(a: np.float32, b: np.float32, c: np.float32) -> np.float32:
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    return nearest(exact) if exact else np.float32(a * b + c)  # the sign of an exact zero is IEEE 754's


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


FLOAT = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "max": lambda a, b: a if a > b or np.isnan(a) else b,
    "min": lambda a, b: a if a < b or np.isnan(a) else b,
    "fma": fma,
}
INTEGER = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: truncated(a, b) if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "rem": lambda a, b: a - b * truncated(a, b) if b else 0,
    "shr": lambda a, b: a >> b,
}


def saturated(x: np.float32, dtype: DType) -> int:
    if np.isnan(x):
        return 0
    low, high = (-(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1) - 1) if dtype.is_signed else (0, 2**dtype.bits - 1)
    return low if x <= low else high if x > high else int(x)


def perform(op: str, arguments: list[Value], dtype: DType) -> Value:
    """One line's operation by the rules of sections 1 and 4."""
    x = arguments[0]
    with np.errstate(all="ignore"):
        if op == "cast" and x.dtype.is_float and not dtype.is_float:
            return Value.of(dtype, saturated(x.wide, dtype))
        if op in ("store", "cast"):  # to a float: an integer is rounded to binary32 on the way
            return Value.of(dtype, x.number if x.dtype.is_float else nearest(Fraction(int(x.number))))
        if x.dtype.is_float:
            result = FLOAT[op](*(a.wide for a in arguments))
            assert isinstance(result, np.float32)
            return Value.of(dtype, result)
        return Value.of(dtype, INTEGER[op](*(int(a.number) for a in arguments)))


@dataclass
class Example:
    """A subsection of section 9: its kernels, its inputs, its lines, and the lines of what it warns of."""

    title: str
    kernels: list[Kernel] = field(default_factory=list)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    wrong: list[list[str]] = field(default_factory=list)

    def program(self) -> Program:
        inputs = tuple(Port(n, DType.of(a), a.shape) for n, a in self.inputs.items())
        outputs = tuple((Port(k.output, k.dtype, k.shape), k.output) for k in self.kernels)
        return Program(b"", inputs, outputs, {}, tuple(self.kernels), Cost(0, 0, 0))


def agrees_with_decimal(dtype: DType, bits: int, text: str) -> bool:
    """Whether the decimal in brackets is the number that the bits are."""
    number = Value(dtype, bits).number
    if not dtype.is_float:
        return int(number) == int(text)
    if text == "nan":
        return bool(np.isnan(number))
    # Rounded from binary64, which the decimal is first read as; the digits are few enough for that to be harmless.
    return int(np.asarray(float(text)).astype(dtype.numpy).view(f"u{dtype.itemsize}")) == bits


def tensor(line: str) -> tuple[str, np.ndarray]:
    """`name = type[extents]: bits (decimal), ...`."""
    name, dtype, extents, rest = re.fullmatch(r"(\w+) = (\w+)\[([\d, ]*)\]: (.*)", line).groups()  # type: ignore[union-attr]
    elements = re.findall(r"([0-9a-f]+) \(([^()]+)\)", rest)
    assert rest == ", ".join(f"{bits} ({text})" for bits, text in elements), line
    kind = DType(dtype)
    for bits, text in elements:
        assert agrees_with_decimal(kind, int(bits, 16), text), line
    unsigned = np.array([int(bits, 16) for bits, _ in elements], f"u{kind.itemsize}")
    return name, unsigned.view(kind.numpy).reshape([int(e) for e in extents.split(", ")])


def examples() -> list[Example]:
    section = PAGE.split("## 9. Worked examples\n")[1].split("\n## ")[0]
    found = []
    for part in section.split("\n### ")[1:]:
        example = Example(part.split("\n")[0])
        for kind, text in re.findall(r"```(\w+)\n(.*?)```", part, re.DOTALL):
            lines = text.splitlines()
            if kind == "kernels":
                example.kernels = [msgspec.json.decode(line, type=Kernel) for line in lines]
            elif kind == "tensors":
                example.inputs = dict(map(tensor, lines))
            elif kind == "steps":
                example.steps = lines
            elif kind == "wrong":
                example.wrong.append(lines)
        found.append(example)
    return found


EXAMPLES = examples()
KERNELS = [e for e in EXAMPLES if e.kernels]


def follow(example: Example, lines: list[str]) -> dict[str, Value]:
    """Every line, computed and compared with what is printed."""
    values = {
        f"{name}[{n}]": Value(DType.of(a), int(bits))
        for name, a in example.inputs.items()
        for n, bits in enumerate(a.reshape(-1).view(f"u{a.itemsize}"))
    }

    def value(word: str) -> Value:
        if ":" in word:
            kind, bits = word.split(":")
            return Value(type_of(kind), int(bits, 16))
        return values[word]

    for line in lines:
        name, expression, kind, bits, text = STEP.fullmatch(line).groups()  # type: ignore[union-attr]
        dtype = type_of(kind)
        assert len(bits) == max(1, dtype.bits // 4) or dtype is DType.BOOL, line
        assert agrees_with_decimal(dtype, int(bits, 16), text), line
        printed = Value(dtype, int(bits, 16))
        if expression is None:
            values[name] = printed
            continue
        call = CALL.fullmatch(expression)
        words = call[2].split(", ") if call else [expression]
        got = perform(call[1], [value(w) for w in words], dtype) if call else value(expression)
        assert (got.dtype, got.bits) == (dtype, printed.bits), (line, got)
        values[name] = got
    return values


def results_of(example: Example, values: dict[str, Value]) -> dict[str, np.ndarray]:
    """The outputs that the lines arrive at."""
    made = {}
    for kernel in example.kernels:
        count = int(np.prod(kernel.shape, dtype=int))
        elements = [values[f"{kernel.output}[{n}]"] for n in range(count)]
        assert {e.dtype for e in elements} == {kernel.dtype}
        unsigned = np.array([e.bits for e in elements], f"u{kernel.dtype.itemsize}")
        made[kernel.output] = unsigned.view(kernel.dtype.numpy).reshape(kernel.shape)
    return made


def titled(example: Example) -> str:
    return example.title


@pytest.mark.parametrize("example", KERNELS, ids=titled)
def test_an_example_is_what_both_engines_give(example: Example) -> None:
    by_hand = results_of(example, follow(example, example.steps))
    program = example.program()
    for engine in (Interpreter(program), compile(program)):
        given = engine.run(example.inputs)
        assert given.keys() == by_hand.keys()
        for name, expected in by_hand.items():
            assert given[name].dtype == expected.dtype
            assert given[name].tobytes() == expected.tobytes(), (type(engine), name, given[name], expected)


def second() -> ModuleType:
    """tests/support/second.py."""
    spec = spec_from_file_location("second", ROOT / "tests" / "support" / "second.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("example", KERNELS, ids=titled)
def test_an_example_is_what_the_second_implementation_gives(example: Example) -> None:
    module, by_hand = second(), results_of(example, follow(example, example.steps))

    def tensor_of(a: np.ndarray) -> object:
        return module.Tensor(DType.of(a).value, a.shape, a.reshape(-1).view(f"u{a.itemsize}").tolist())

    tensors, engine = {n: tensor_of(a) for n, a in example.inputs.items()}, module.Second(PAGE)
    for kernel in example.kernels:
        tensors[kernel.output] = engine.run(msgspec.json.decode(kernel_bytes(kernel)), tensors)
        assert tensors[kernel.output] == tensor_of(by_hand[kernel.output])


@pytest.mark.parametrize("example", [e for e in KERNELS if e.wrong], ids=titled)
def test_what_an_example_warns_of_gives_other_bits(example: Example) -> None:
    right = follow(example, example.steps)
    for lines in example.wrong:
        name = lines[-1].split(" = ")[0]
        assert follow(example, [*example.steps, *lines])[name].bits != right[name].bits


def test_every_kind_of_fold_has_an_example_where_order_matters() -> None:
    kinds = {(k.op, k.order.value, k.dtype.is_float) for e in KERNELS if e.wrong for k in e.kernels if k.fold}
    assert {("fma", "chain", True), ("add", "chain", True), ("add", "lanes", True), ("max", "lanes", True)} <= kinds
    terms = {int(np.prod(k.fold)) for e in KERNELS for k in e.kernels if k.order == "lanes"}
    assert min(terms) < 16 < max(terms)
    assert any(k.scatter for e in KERNELS if e.wrong for k in e.kernels)


# --- Philox


def test_the_philox_example() -> None:
    """The table's rounds by section 5; the words and numbers by the program that capture writes, on both engines."""
    part = PAGE.split("### Philox")[1].split("\n### ")[0].split("\n## ")[0]
    given = re.search(r"seed = ([0-9a-f]{16}), step = (\d+), ordinal = (\d+), element (\d+)", part)
    seed, step, ordinal, element = int(given[1], 16), int(given[2]), int(given[3]), int(given[4])  # type: ignore[index]
    rows = [line.split(" | ") for line in re.findall(r"^\| (\d+ \| .*) \|$", part, re.MULTILINE)]
    block, mask = element // 4, 2**32 - 1
    c, k = [block & mask, block >> 32, step & mask, ordinal], [seed & mask, seed >> 32]
    for number, *words in rows:
        if number != "0":
            if number != "1":
                k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
            high, low = 0xCD9E8D57 * c[2], 0xD2511F53 * c[0]
            c = [(high >> 32) ^ c[1] ^ k[0], high & mask, (low >> 32) ^ c[3] ^ k[1], low & mask]
        assert [f"`{word:08x}`" for word in (*k, *c)] == words, number
    assert [row[0] for row in rows] == [str(n) for n in range(11)]
    example = next(e for e in EXAMPLES if e.title.startswith("Philox"))
    values = follow(example, example.steps)
    assert values["word"].bits == c[element % 4]

    graph = Graph()
    ports = graph.input("state/seed", DType.UINT64, ()), graph.input("step", DType.INT64, ())
    graph.output("u", philox.uniform(graph, *ports, ordinal, (element + 2,)))
    program = load(graph.model("philox"), named=False)
    inputs = {"state/seed": np.array(seed, np.uint64), "step": np.array(step, np.int64)}
    for engine in (Interpreter(program), compile(program)):
        drawn = engine.run(inputs)["u"]
        assert int(drawn[element].view(np.uint32)) == values["u"].bits
