"""The code of a kernel: one encoding, both ways, for all that lowerings make; and the numbers that contracts rely on."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import random_programs

from assay.errors import ProgramRefused
from assay.market import read_task
from assay.program import OPS, Axis, Const, DType, Kernel, Order, Read
from assay.program.code import Coded, coded, decode, kernel_code, layout
from assay.program.code_bounds import BOUNDS, Source
from assay.roles.digits import digits
from assay.store import Store

GOLDEN = Path(__file__).parents[1] / "golden"
TASKS = {"digits": digits()} | {name: GOLDEN / name / "task.toml" for name in ("mlp", "gpt", "gpt-bfloat16")}


def check(program):
    values = layout(program)
    for at, kernel in enumerate(program.kernels):
        data = kernel_code(kernel, values)
        found = decode(data)
        assert found == coded(kernel, values)
        assert found.encode() == data
        assert values.names[values.first_kernel + at] == kernel.output
        assert [values.names[source.number] for source in found.sources] == sorted(
            set(kernel.reads), key=values.names.index
        )
        assert found.elements == values.sources[values.first_kernel + at].elements


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_kernel_of_the_golden_tasks_is_its_code(name, tmp_path):
    check(read_task(TASKS[name], Store(tmp_path)).program)


@pytest.mark.parametrize("seed", range(60))
def test_every_kernel_of_random_programs_is_its_code(seed):
    check(random_programs.draw(Random(seed), None, 14).program())


def test_the_numbers_of_operations_types_and_orders_are_frozen():
    assert " ".join(OPS) == (
        "add sub mul div mod rem fma sqrt neg abs sign floor ceil round trunc min max lt le gt ge eq ne isnan isinf "
        "select copy first and or xor not shl shr cast bitcast exp log tanh erf sin cos pow sigmoid"
    )
    assert " ".join(DType) == "float32 float16 bfloat16 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool"
    assert " ".join(Order) == "none chain lanes"


X = Source(7, DType.FLOAT32, 6)
PRODUCT = Coded(
    Kernel(
        op="fma",
        output="",
        dtype=DType.FLOAT32,
        shape=(4,),
        domain=(2, 2),
        fold=(3,),
        order=Order.CHAIN,
        operands=(
            Read("7", (2, 3), (Axis((1, 0), (0,)), Axis((0, 0), (1,), offset=-1)), outside=0),
            Const(DType.FLOAT32, 0x3F800000),
        ),
    ),
    (X,),
)


def test_the_bytes_of_one_kernel_are_these():
    assert PRODUCT.encode().hex() == (
        "06010008" + "0000000000000000" + "0000000000000004" + "0000000000000003" + "02010102"
        "0000000000000002" + "0000000000000002" + "0000000000000003"
        "00000007" + "00" + "0000000000000006"
        "020000" + "0001" + "0000000000000000" + "02"
        "0000000000000002" + "0001" + "000000000000000001"
        "0000000000000003" + "0101" + "ffffffffffffffff" + "020000000000000001"
        "000000" + "000000003f800000"
    )


@pytest.mark.parametrize("cut", range(0, len(PRODUCT.encode()), 7))
def test_other_bytes_are_refused(cut):
    data = PRODUCT.encode()
    with pytest.raises(ProgramRefused):
        decode(data[:cut])
    with pytest.raises(ProgramRefused):
        decode(data + bytes(1 + cut))


def changed(**fields):
    return msgspec.structs.replace(PRODUCT, kernel=msgspec.structs.replace(PRODUCT.kernel, **fields))


READ, ONE = PRODUCT.kernel.operands
REFUSED = {
    "axes": changed(fold=(3, *(1,) * 30)),
    "operands": Coded(
        Kernel("first", "", DType.FLOAT32, (1,), (1,), (Const(DType.FLOAT32, 0),) * (BOUNDS.operands + 1)), ()
    ),
    "arity": changed(operands=(READ,)),
    "order": changed(order=Order.NONE),
    "lanes": changed(order=Order.LANES),
    "elements": changed(shape=(5,)),
    "view": changed(operands=(msgspec.structs.replace(READ, view=(2, 4)), ONE)),
    "index": changed(
        operands=(msgspec.structs.replace(READ, axes=(Axis((1, 0), (0,), indirect=1), READ.axes[1])), ONE)
    ),
    "stride": changed(operands=(msgspec.structs.replace(READ, axes=(Axis((2**63, 0), (0,)), READ.axes[1])), ONE)),
    "divisor": changed(operands=(msgspec.structs.replace(READ, axes=(Axis((1, 0), (0,), 0, 0), READ.axes[1])), ONE)),
    "types": changed(operands=(READ, Const(DType.INT32, 1))),
    "operation": changed(op="shl", operands=(READ,)),
    "result": changed(dtype=DType.BOOL),
    "bytes": msgspec.structs.replace(PRODUCT, sources=(msgspec.structs.replace(X, elements=2**32),)),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_the_referee_could_not_execute_has_no_code(name):
    with pytest.raises(ProgramRefused, match="the referee could not execute"):
        REFUSED[name].encode()


def gathering(count, size):
    """A fold over an element that `count` indices choose, each in a value of its own, of `size` elements."""
    gathers = tuple(Read(str(n), (size,), (Axis((1,), (0,)),)) for n in range(count))
    axes = tuple(Axis((0,), (0,), indirect=n) for n in range(count))
    read = Read(str(count), (1,) * count, axes, outside=0)
    kernel = Kernel("add", "", DType.FLOAT32, (size,), (size,), (*gathers, read), (8,), Order.CHAIN)
    indices = tuple(Source(n, DType.INT64, size) for n in range(count))
    return Coded(kernel, (*indices, Source(count, DType.FLOAT32, 1)))


def test_a_piece_has_as_many_terms_as_can_be_opened():
    assert [gathering(2, 2**n).piece for n in (4, 18, 26)] == [8, 8, 8]
    assert [gathering(n, 2**20).piece for n in (2, 3, 9, 12)] == [8, 4, 2, 1]
    with pytest.raises(ProgramRefused, match="too many places"):
        gathering(24, 2**20).encode()


@pytest.mark.parametrize("rank", [1, 4, 12])
def test_thirty_two_tensors_side_by_side_have_a_code(rank):
    """The widest join that the lowering makes, with as many axes as a tensor may have."""
    rest = (2,) * (rank - 1)
    axes = [Axis(tuple(int(a == b) for b in range(rank))) for a in range(rank)]
    reads = tuple(
        Read(str(n), (3, *rest), (msgspec.structs.replace(axes[0], offset=-3 * n), *axes[1:]), outside=0)
        for n in range(32)
    )
    kernel = Kernel("first", "", DType.FLOAT32, (96 * 2 ** (rank - 1),), (96, *rest), reads)
    code = Coded(kernel, tuple(Source(n, DType.FLOAT32, 3 * 2 ** (rank - 1)) for n in range(32)))
    assert decode(code.encode()) == code
    assert code.piece == 1


@pytest.mark.slow
def test_every_kernel_of_the_standards_node_tests_is_its_code():
    from assay.engine.conformance import cases
    from assay.errors import AssayError
    from assay.program import adopt, load

    checked = 0
    for case in cases():
        try:
            program = load(adopt(case.model.SerializeToString()))
        except AssayError:  # not covered, or not a program
            continue
        check(program)
        checked += 1
    assert checked > 1000
