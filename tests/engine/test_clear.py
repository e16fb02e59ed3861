"""Kernels as a whole: reads, folds, scatters and programs, against loops over single Python numbers."""

from __future__ import annotations

import ctypes
import warnings
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.engine import check_inputs
from assay.engine import clear as clear_module
from assay.engine.clear import Interpreter, run_kernel
from assay.engine.clear_read import blocks
from assay.errors import AssayError, UsageError
from assay.program.kernel import Axis, Const, Coordinate, Kernel, Order, Read, Scatter
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

F32, I64, BOOL = DType.FLOAT32, DType.INT64, DType.BOOL
LIBM = ctypes.CDLL("libm.so.6")
LIBM.fmaf.restype, LIBM.fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3


# The same thing once more, by loops: this is what kernel.py says, one element at a time.


def single(value: float) -> float:
    return ctypes.c_float(value).value


SCALAR = {
    "add": lambda a, b: single(a + b) if isinstance(a, float) else (a + b + 2**63) % 2**64 - 2**63,
    "mul": lambda a, b: single(a * b) if isinstance(a, float) else (a * b + 2**63) % 2**64 - 2**63,
    "max": lambda a, b: a if a > b or a != a else b,
    "min": lambda a, b: a if a < b or a != a else b,
    "fma": lambda a, b, c: LIBM.fmaf(a, b, c),
    "copy": lambda a: a,
    "xor": lambda a, b: a ^ b,
}


def from_bits(bits: int, dtype: DType) -> float | int:
    return np.array([bits], f"u{dtype.itemsize}").view(dtype.numpy)[0].item()


def place(axis: Axis, i: tuple[int, ...], r: tuple[int, ...], earlier: list) -> int:
    n = axis.offset + sum(s * x for s, x in zip(axis.strides, i, strict=True))
    n += sum(s * x for s, x in zip(axis.fold_strides, r, strict=False))
    return n + (earlier[axis.indirect] if axis.indirect >= 0 else 0)


def element(axes: tuple[Axis, ...], view: tuple[int, ...], i: tuple, r: tuple, earlier: list) -> tuple | None:
    where = []
    for axis, size in zip(axes, view, strict=True):
        n = place(axis, i, r, earlier)
        if n % axis.divisor or not 0 <= n // axis.divisor < size:
            return None
        where.append(n // axis.divisor)
    return tuple(where)


def values(kernel: Kernel, tensors: dict, i: tuple, r: tuple) -> tuple[list, list, list[bool]]:
    """(all values, those that the operation takes, whether these lie inside)."""
    found: list = []
    indices = {a.indirect for x in (*kernel.operands, kernel.scatter) for a in getattr(x, "axes", ())}
    insides = []
    for operand in kernel.operands:
        inside = True
        if isinstance(operand, Const):
            value = from_bits(operand.bits, operand.dtype)
        elif isinstance(operand, Coordinate):
            value = place(operand.axis, i, r, found)
        else:
            where = element(operand.axes, operand.view, i, r, found)
            inside = where is not None
            tensor = tensors[operand.tensor]
            if where is not None:
                value = tensor.reshape(operand.view)[where].item()
            else:
                value = from_bits(operand.outside, DType.of(tensor))
        found.append(value)
        insides.append(inside)
    taken = [n for n in range(len(found)) if n not in indices]
    return found, [found[n] for n in taken], [insides[n] for n in taken]


def by_loops(kernel: Kernel, tensors: dict) -> np.ndarray:
    if kernel.scatter:
        output = tensors[kernel.scatter.base].reshape(kernel.scatter.view).copy()
        for i in product(*map(range, kernel.domain)):
            found, (x,), _ = values(kernel, tensors, i, ())
            where = element(kernel.scatter.axes, kernel.scatter.view, i, (), found)
            if where is not None:
                old = () if kernel.op == "copy" else (output[where].item(),)
                output[where] = SCALAR[kernel.op](x, *old)
        return output.reshape(kernel.shape)
    out = []
    for i in product(*map(range, kernel.domain)):
        if kernel.order is Order.NONE:
            _, found, insides = values(kernel, tensors, i, ())
            if kernel.op == "first":
                out.append(next((v for v, inside in zip(found, insides, strict=True) if inside), found[-1]))
            else:
                out.append(SCALAR[kernel.op](*found))
            continue
        initial = from_bits(kernel.initial, F32 if kernel.dtype.is_float else kernel.dtype)
        lanes = [initial] * (16 if kernel.order is Order.LANES else 1)
        for k, r in enumerate(product(*map(range, kernel.fold))):
            lane = k % len(lanes)
            lanes[lane] = SCALAR[kernel.op](*values(kernel, tensors, i, r)[1], lanes[lane])
        while len(lanes) > 1:
            half = len(lanes) // 2
            lanes = [SCALAR[kernel.op](lanes[n + half], lanes[n]) for n in range(half)]
        out.append(lanes[0])
    return np.array(out, kernel.dtype.numpy).reshape(kernel.shape)


def check(kernel: Kernel, tensors: dict) -> np.ndarray:
    """Run, compare bit by bit with the loops, and give the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = run_kernel(kernel, tensors)
    with np.errstate(all="ignore"):
        want = by_loops(kernel, tensors)
    assert (got.dtype, got.shape) == (want.dtype, want.shape) == (kernel.dtype.numpy, kernel.shape)
    assert got.tobytes() == want.tobytes()
    return got


def whole(name: str, shape: tuple[int, ...]) -> Read:
    """The element at the domain's own index."""
    n = len(shape)
    return Read(name, shape, tuple(Axis(tuple(int(a == b) for b in range(n))) for a in range(n)))


def wild(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Values of very different size: any other order of additions gives other bits."""
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 1, shape) * np.exp(rng.uniform(-8, 8, shape))).astype(np.float32)


def matmul(m: int, n: int, k: int) -> Kernel:
    a = Read("a", (m, k), (Axis((1, 0), (0,)), Axis((0, 0), (1,))))
    b = Read("b", (k, n), (Axis((0, 0), (1,)), Axis((0, 1), (0,))))
    return Kernel("fma", "c", F32, (m, n), (m, n), (a, b), (k,), Order.CHAIN)


def test_product_is_one_fma_chain() -> None:
    tensors = {"a": wild((5, 70)), "b": wild((70, 6), 1)}
    got = check(matmul(5, 6, 70), tensors)
    backwards = {"a": tensors["a"][:, ::-1].copy(), "b": tensors["b"][::-1].copy()}
    assert not np.array_equal(got, run_kernel(matmul(5, 6, 70), backwards))  # the data shows the order


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {"a": wild((7, 90)), "b": wild((90, 9), 1), "x": wild((40, 77), 2)}
    rows = Kernel("add", "y", F32, (40,), (40,), (Read("x", (40, 77), (Axis((1,), (0,)), Axis((0,), (1,)))),),
                  (77,), Order.LANES)  # fmt: skip
    whole_result = run_kernel(matmul(7, 9, 90), tensors), run_kernel(rows, tensors)
    for points, cells in ((1, 1), (5, 64), (9, 1000), (1 << 16, 1)):
        monkeypatch.setattr(clear_module, "POINTS", points)
        monkeypatch.setattr(clear_module, "CELLS", cells)
        assert run_kernel(matmul(7, 9, 90), tensors).tobytes() == whole_result[0].tobytes()
        assert run_kernel(rows, tensors).tobytes() == whole_result[1].tobytes()


@pytest.mark.parametrize("count", [0, 1, 3, 15, 16, 17, 31, 32, 33, 100, 1000])
@pytest.mark.parametrize("order", [Order.CHAIN, Order.LANES])
def test_sums_follow_their_order(order: Order, count: int) -> None:
    x = wild((3, count), count)
    read = Read("x", (3, count), (Axis((1,), (0,)), Axis((0,), (1,))))
    kernel = Kernel("add", "y", F32, (3, 1), (3,), (read,), (count,), order, initial=0x3DCCCCCD)
    got = check(kernel, {"x": x})
    if count >= 100:
        other = Order.CHAIN if order is Order.LANES else Order.LANES
        swapped = Kernel("add", "y", F32, (3, 1), (3,), (read,), (count,), other, initial=0x3DCCCCCD)
        assert not np.array_equal(got, run_kernel(swapped, {"x": x}))


def test_lanes_beyond_the_terms_stay_at_initial_and_count() -> None:
    read = Read("x", (3,), (Axis((), (1,)),))
    kernel = Kernel("add", "y", F32, (), (), (read,), (3,), Order.LANES, initial=0x3F800000)
    assert check(kernel, {"x": np.array([2, 3, 4], np.float32)})[()] == 25.0  # 9 and sixteen ones


@pytest.mark.parametrize(("op", "initial"), [("max", 0xFF800000), ("min", 0x7F800000), ("mul", 0x3F800000)])
@pytest.mark.parametrize("order", [Order.CHAIN, Order.LANES])
def test_other_folds(op: str, initial: int, order: Order) -> None:
    x = wild((4, 3, 50)) if op != "mul" else np.float32(1) + wild((4, 3, 50)) * np.float32(1e-5)
    read = Read("x", (4, 3, 50), (Axis((0,), (1, 0)), Axis((1,), (0, 0)), Axis((0,), (0, 1))))
    check(Kernel(op, "y", F32, (3,), (3,), (read,), (4, 50), order, initial), {"x": x})


def test_integer_folds_wrap_and_start_at_initial() -> None:
    x = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (5, 40))
    read = Read("x", (5, 40), (Axis((1,), (0,)), Axis((0,), (1,))))
    for op in ("add", "mul", "xor", "max"):
        for order in (Order.CHAIN, Order.LANES):
            check(Kernel(op, "y", I64, (5,), (5,), (read,), (40,), order, 2**64 - 7), {"x": x})


def test_a_half_precision_fold_accumulates_in_binary32() -> None:
    read = Read("x", (4096,), (Axis((), (1,)),))
    kernel = Kernel("add", "y", DType.FLOAT16, (), (), (read,), (4096,), Order.CHAIN)
    assert run_kernel(kernel, {"x": np.full(4096, 1, np.float16)})[()] == 4096  # in binary16 it would stick at 2048


def test_nan_through_a_fold_is_canonical() -> None:
    x = np.array([1, 0xFFC12345, 3], np.uint32).view(np.float32)
    read = Read("x", (3,), (Axis((), (1,)),))
    for op in ("add", "max", "min"):
        y = run_kernel(Kernel(op, "y", F32, (), (), (read,), (3,), Order.LANES), {"x": x})
        assert y.view(np.uint32)[()] == 0x7FC00000


def test_strides_offsets_and_views() -> None:
    x = wild((4, 6))
    transposed = Read("x", (4, 6), (Axis((0, 1)), Axis((1, 0))))
    assert np.array_equal(check(Kernel("copy", "y", F32, (6, 4), (6, 4), (transposed,)), {"x": x}), x.T)
    backwards = Read("x", (24,), (Axis((-1,), offset=23),))
    assert np.array_equal(check(Kernel("copy", "y", F32, (4, 6), (24,), (backwards,)), {"x": x}), x[::-1, ::-1])
    column = Read("x", (2, 2, 6), (Axis((1, 0)), Axis((0, 0), offset=1), Axis((0, 2))))
    assert np.array_equal(check(Kernel("copy", "y", F32, (2, 3), (2, 3), (column,)), {"x": x}), x[1::2, ::2])
    one = Read("s", (), ())
    kernel = Kernel("add", "y", F32, (4, 6), (4, 6), (whole("x", (4, 6)), one))
    assert np.array_equal(check(kernel, {"x": x, "s": np.array(2, np.float32)}), x + np.float32(2))


def test_outside_reads_and_divisors() -> None:
    """A transposed convolution's read: input (i + 1 - r) / 2 where that exists, else the constant."""
    x = wild((5,))
    for outside in (0, 0x80000000, 0x7FC00000, 0x3F800000):
        read = Read("x", (5,), (Axis((1,), (-1,), offset=1, divisor=2),), outside)
        check(Kernel("fma", "y", F32, (11,), (11,), (read, Const(F32, 0x40400000)), (4,), Order.CHAIN), {"x": x})
    padded = Read("x", (5,), (Axis((1,), offset=-2),), outside=0xFFC00001)
    y = run_kernel(Kernel("copy", "y", F32, (9,), (9,), (padded,)), {"x": x})
    assert np.array_equal(y[2:7], x)
    assert y.view(np.uint32)[[0, 1, 7, 8]].tolist() == [0x7FC00000] * 4


def test_indirect_reads_gather_and_leave_the_view_visibly() -> None:
    table = wild((6, 3))
    for index in (np.array([5, 0, -1, 6, 2, 2**62, -(2**63)]), np.array([5, 0, 255, 6, 2, 3, 4], np.uint8)):
        n = Read("index", (7,), (Axis((1, 0)),))
        row = Read("table", (6, 3), (Axis((0, 0), indirect=0), Axis((0, 1))), outside=0x7F800000)
        y = check(Kernel("copy", "y", F32, (7, 3), (7, 3), (n, row)), {"index": index, "table": table})
        assert np.array_equal(y[1], table[0])
        assert np.isinf(y[3]).all()
    far = np.array([2**63, 2**64 - 1, 5], np.uint64)
    n, row = Read("index", (3,), (Axis((1,)),)), Read("table", (18,), (Axis((0,), indirect=0),), outside=0)
    y = run_kernel(Kernel("copy", "y", F32, (3,), (3,), (n, row)), {"index": far, "table": table})
    assert y.tolist() == [0.0, 0.0, table[1, 2]]


def test_an_index_may_come_from_a_constant_or_a_coordinate_and_be_strided_away() -> None:
    x = wild((8,))
    two, at = Const(I64, 2), Coordinate(Axis((3,), offset=-1))
    read = Read("x", (8,), (Axis((-1,), offset=1, indirect=1),), outside=0)
    other = Read("x", (8,), (Axis((1,), indirect=0, divisor=2),), outside=0x3F800000)
    check(Kernel("add", "y", F32, (5,), (5,), (two, at, read, other)), {"x": x})
    last = Read("x", (8,), (Axis((-1,), (2,), offset=1, indirect=0),), outside=0)
    check(Kernel("add", "y", F32, (5,), (5,), (at, last), (3,), Order.CHAIN), {"x": x})


def test_coordinates_are_int64() -> None:
    y = check(Kernel("copy", "y", I64, (2, 3), (2, 3), (Coordinate(Axis((10, -1), offset=5)),)), {})
    assert y.tolist() == [[5, 4, 3], [15, 14, 13]]
    check(Kernel("add", "y", I64, (4,), (4,), (Coordinate(Axis((1,), (2,))),), (3,), Order.LANES), {})


def test_first_takes_the_first_read_that_is_inside() -> None:
    """A concatenation of 4, 3 and 2 elements, and one place where nothing is."""
    tensors = {"a": wild((4,)), "b": wild((3,), 1), "c": wild((2,), 2)}
    reads = [
        Read(name, (n,), (Axis((1,), offset=-at),), outside=0x40E00000)
        for name, n, at in (("a", 4, 0), ("b", 3, 4), ("c", 2, 7))
    ]
    y = check(Kernel("first", "y", F32, (10,), (10,), tuple(reads)), tensors)
    assert np.array_equal(y, [*tensors["a"], *tensors["b"], *tensors["c"], 7.0])
    wide = tuple(Read(n, (4,), (Axis((1,)),)) for n in ("a", "a"))
    assert np.array_equal(run_kernel(Kernel("first", "y", F32, (4,), (4,), wide), tensors), tensors["a"])


def scatter(op: str, updates: int, rows: int) -> Kernel:
    index = Read("index", (updates,), (Axis((1, 0)),))
    x = Read("x", (updates, 3), (Axis((1, 0)), Axis((0, 1))))
    target = Scatter("base", (rows, 3), (Axis((0, 0), indirect=0), Axis((0, 1))))
    return Kernel(op, "y", F32, (rows, 3), (updates, 3), (index, x), scatter=target)


@pytest.mark.parametrize("op", ["add", "copy", "max", "mul"])
def test_scatter_runs_in_row_major_order(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    tensors = {"base": wild((6, 3)), "x": wild((90, 3), 1), "index": rng.integers(-1, 7, 90)}
    got = check(scatter(op, 90, 6), tensors)
    monkeypatch.setattr(clear_module, "POINTS", 7)
    assert run_kernel(scatter(op, 90, 6), tensors).tobytes() == got.tobytes()
    backwards = tensors | {"x": tensors["x"][::-1].copy(), "index": tensors["index"][::-1].copy()}
    assert op == "max" or not np.array_equal(run_kernel(scatter(op, 90, 6), backwards), got)


def test_scatter_leaves_its_base_alone() -> None:
    base = np.array([0x7FC12345, 0x7FC12345, 0x3F800000], np.uint32).view(np.float32)
    tensors = {"base": base.copy(), "x": np.array([[1, 2, 3]], np.float32), "index": np.array([1])}
    target = Scatter("base", (3,), (Axis((0, 0), indirect=0),))
    y = run_kernel(Kernel("add", "y", F32, (3,), (1, 3), scatter("add", 1, 1).operands, scatter=target), tensors)
    assert y.view(np.uint32).tolist() == [0x7FC12345, 0x7FC00000, 0x3F800000]  # only what is written is made canonical
    assert tensors["base"].tobytes() == base.tobytes()


def test_scatter_rounds_at_every_write() -> None:
    index, x = Read("index", (4,), (Axis((1,)),)), Read("x", (4,), (Axis((1,)),))
    kernel = Kernel("add", "y", DType.FLOAT16, (1,), (4,), (index, x),
                    scatter=Scatter("base", (1,), (Axis((0,), indirect=0),)))  # fmt: skip
    tensors = {"base": np.array([2048], np.float16), "x": np.ones(4, np.float16), "index": np.zeros(4, np.int32)}
    assert run_kernel(kernel, tensors)[0] == 2048


def test_empty_domains_and_tensors() -> None:
    nothing = np.zeros((0, 3), np.float32)
    assert run_kernel(Kernel("copy", "y", F32, (0, 3), (0, 3), (whole("x", (0, 3)),)), {"x": nothing}).shape == (0, 3)
    read = Read("x", (0,), (Axis((1,)),), outside=0x3F800000)
    assert run_kernel(Kernel("copy", "y", F32, (2,), (2,), (read,)), {"x": nothing}).tolist() == [1, 1]
    y = run_kernel(Kernel("add", "y", F32, (3,), (3,), (Read("x", (0, 3), (Axis((0,), (1,)), Axis((1,), (0,)))),),
                          (0,), Order.CHAIN, 0x40000000), {"x": nothing})  # fmt: skip
    assert y.tolist() == [2, 2, 2]


def test_a_read_that_was_promised_to_stay_inside_is_checked() -> None:
    for offset in (1, -1):
        kernel = Kernel("copy", "y", F32, (4,), (4,), (Read("x", (4,), (Axis((1,), offset=offset),)),))
        with pytest.raises(AssayError) as caught:
            run_kernel(kernel, {"x": wild((4,))})
        assert caught.value.evidence["tensor"] == "x"


@pytest.mark.parametrize("domain", [(), (1,), (7,), (3, 4), (2, 3, 5), (1, 1, 9), (5, 1, 2)])
@pytest.mark.parametrize("limit", [1, 2, 5, 6, 100])
def test_blocks_cover_the_domain_in_order(domain: tuple[int, ...], limit: int) -> None:
    seen = []
    for block in blocks(domain, limit):
        assert prod(block.shape) <= limit
        seen += list(
            zip(*(np.broadcast_to(i, block.shape).reshape(-1).tolist() for i in block.points), strict=True)
        ) or [()]
    assert seen == list(product(*map(range, domain)))


@st.composite
def kernels(draw: st.DrawFn) -> tuple[Kernel, dict]:
    """Any kernel of integer additions over guarded, divided, indirect reads: all arithmetic of coordinates."""
    small = st.integers(-3, 3)
    domain = tuple(draw(st.lists(st.integers(1, 4), max_size=3)))
    fold = tuple(draw(st.lists(st.integers(1, 5), max_size=2)))

    def axis(indirect: int) -> Axis:
        strides, folds = (tuple(draw(small) for _ in shape) for shape in (domain, fold))
        return Axis(strides, folds, draw(st.integers(-4, 6)), draw(st.integers(1, 3)), indirect)

    tensors = {"i": np.array(draw(st.lists(small, min_size=6, max_size=6))), "x": np.arange(1, 25) ** 5}
    index = Read("i", (6,), (axis(-1),), outside=1)
    views = draw(st.permutations([(24,), (4, 6), (2, 3, 4)]))[: 1 if fold else 2]
    reads = [Read("x", view, tuple(axis(draw(st.sampled_from([-1, 0]))) for _ in view), 2**64 - 9) for view in views]
    if not any(a.indirect == 0 for read in reads for a in read.axes):
        reads[0] = Read("x", (24,), (axis(0),), 2**64 - 9)
    order = draw(st.sampled_from([Order.CHAIN, Order.LANES])) if fold else Order.NONE
    return Kernel("add", "y", I64, domain, domain, (index, *reads), fold, order, 3), tensors


@settings(max_examples=150, deadline=None)
@given(kernels())
def test_any_coordinates(case: tuple[Kernel, dict]) -> None:
    check(*case)


def port(name: str, array: np.ndarray) -> Port:
    return Port(name, DType.of(array), array.shape)


def program() -> Program:
    """next/w = w + 0.5·w, next/same = same, result/c = a constant, metric/m = the step as a float."""
    w, half, step = np.ones((2, 2), np.float32), np.array(0.5, np.float32), np.array(0)
    kernels_ = (
        Kernel("mul", "t", F32, (2, 2), (2, 2), (whole("state/w", (2, 2)), Read("half", (), ()))),
        Kernel("add", "u", F32, (2, 2), (2, 2), (whole("state/w", (2, 2)), whole("t", (2, 2)))),
        Kernel("cast", "m", F32, (), (), (Read("step", (), ()),)),
        Kernel("neg", "unused", F32, (), (), (Read("m", (), ()),)),
    )
    return Program(
        source=b"",
        inputs=(port("state/w", w), Port("state/same", BOOL, (2,)), port("step", step)),
        outputs=((port("next/w", w), "u"), (Port("next/same", BOOL, (2,)), "state/same"), (port("result/c", half), "half"),
                 (Port("metric/m", F32, ()), "m")),
        constants={"half": half},
        kernels=kernels_,
        cost=Cost(0, 0, 0),
    )  # fmt: skip


def inputs() -> dict[str, np.ndarray]:
    return {
        "state/w": np.array([[1, 2], [3, 4]], np.float32),
        "state/same": np.array([True, False]),
        "step": np.array(3),
    }


def test_interpreter_runs_a_program() -> None:
    given_ = inputs()
    interpreter = Interpreter(program())
    out = interpreter.run(given_)
    assert list(out) == ["next/w", "next/same", "result/c", "metric/m"]
    assert out["next/w"].tolist() == [[1.5, 3], [4.5, 6]]
    assert out["metric/m"].shape == ()
    assert out["metric/m"] == 3
    assert out["result/c"] == 0.5
    out["next/same"][:] = False
    out["result/c"][...] = 7
    assert given_["state/same"].tolist() == [True, False]
    again = interpreter.run(inputs())
    assert again["result/c"] == 0.5
    assert all(a.flags.c_contiguous for a in again.values())


def test_inputs_are_checked_and_made_contiguous() -> None:
    given_ = inputs() | {"state/w": np.asfortranarray(inputs()["state/w"])}
    assert Interpreter(program()).run(given_)["next/w"].tolist() == [[1.5, 3], [4.5, 6]]
    assert all(a.flags.c_contiguous for a in check_inputs(program(), given_).values())
    odd = np.array([2, 0], np.uint8).view(bool)
    assert Interpreter(program()).run(given_ | {"state/same": odd})["next/same"].view(np.uint8).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"state/w": np.ones((2, 2))}, "state/w"),
        ({"state/w": np.ones((4,), np.float32)}, "state/w"),
        ({"state/w": np.ones((2, 2), ">f4")}, "state/w"),
        ({"step": np.array(3, np.int32)}, "step"),
        ({"batch/x": np.array(3)}, "batch/x"),
        ({"step": None}, "step"),
    ],
)
def test_wrong_inputs_are_named(change: dict, name: str) -> None:
    given_ = {k: v for k, v in (inputs() | change).items() if v is not None}
    with pytest.raises(UsageError, match=name) as caught:
        Interpreter(program()).run(given_)
    assert caught.value.evidence["name"] == name
