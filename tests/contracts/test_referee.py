"""The referee against the arbiter against the engine, on elements of kernels of every kind; and what it does not take."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import random_programs
from kernel_steps import check_element, golden_step, kernel_step, program_step
from random_kernels import random_kernel
from referee_contract import Referee, Refused, transaction

from assay.contracts import artifact
from assay.dispute.arbiter.kernel import execute, start
from assay.dispute.arbiter.openings import encode_openings, openings, reader
from assay.errors import UsageError
from assay.program import Axis, Const, DType, Kernel, Order, Read, Scatter
from assay.proof import merkle
from assay.roles.digits import digits

GOLDEN = Path(__file__).parents[1] / "golden"
TASKS = {"digits": digits()} | {name: GOLDEN / name / "task.toml" for name in ("mlp", "gpt", "gpt-bfloat16")}
F32, I64 = DType.FLOAT32, DType.INT64


@pytest.fixture(scope="module")
def referee():
    return Referee()


# --- the same bits


@pytest.mark.parametrize("name", sorted(TASKS))
def test_elements_of_the_golden_tasks(name, referee, tmp_path):
    step, random = golden_step(TASKS[name], tmp_path), Random(name)
    forms = {}
    for at in random.sample(range(len(step.kernels)), len(step.kernels)):
        code = step.coded(at)
        if code.terms <= 2000:  # one kernel of each kind
            forms.setdefault((code.kernel.op, code.kernel.dtype, code.kernel.order, code.kernel.scatter is None), at)
    for at in forms.values():
        check_element(step, at, random.randrange(step.coded(at).elements), referee, random, 2)


@pytest.mark.parametrize("seed", range(120))
def test_elements_of_random_kernels(seed, referee):
    random = Random(seed)
    step = kernel_step(*random_kernel(random))
    check_element(step, 0, random.randrange(step.coded(0).elements), referee, random, 2)


@pytest.mark.parametrize("seed", range(8))
def test_elements_of_random_programs(seed, referee):
    random = Random(1000 + seed)
    graph = random_programs.draw(random, None, 10)
    step = program_step(graph.program(), graph.inputs)
    for at in random.sample(range(len(step.kernels)), min(6, len(step.kernels))):
        code = step.coded(at)
        if code.elements and code.terms <= 2000:
            check_element(step, at, random.randrange(code.elements), referee, random, 2)


@pytest.mark.parametrize("terms", [1, 2, 15, 16, 17, 31, 32, 33, 50])
@pytest.mark.parametrize("dtype", [F32, DType.FLOAT16, DType.BFLOAT16, DType.INT8])
def test_lanes_of_any_length(terms, dtype, referee):
    rng = np.random.default_rng(terms)
    x = (rng.standard_normal((3, terms)) * 20).astype(dtype.numpy)
    read = Read("x", (3, terms), (Axis((1,), (0,)), Axis((0,), (1,))))
    kernel = Kernel("add", "out", dtype, (3,), (3,), (read,), (terms,), Order.LANES)
    step = kernel_step(kernel, {"x": x})
    assert check_element(step, 0, 2, referee, Random(terms)) == -(-terms // 16)


def test_a_fold_over_no_terms_is_its_initial_value(referee):
    read = Read("x", (0, 2), (Axis((0,), (1,)), Axis((1,), (0,))), outside=0)
    for order in (Order.CHAIN, Order.LANES):
        kernel = Kernel("mul", "out", F32, (2,), (2,), (read,), (0,), order, 0x3F800000)
        step = kernel_step(kernel, {"x": np.zeros((0, 2), np.float32)})
        assert check_element(step, 0, 1, referee, Random(0)) == 0
        assert step.right(0, 1) == 0x3F800000


def test_a_scatter_writes_repeatedly_and_only_inside(referee):
    index = np.array([1, 0, 1, 7, 1, -1, 1, 0, 1, 1, 2], np.int64)
    update = (np.arange(11) * 1.1).astype(np.float16)
    reads = (Read("i", (11,), (Axis((1,)),)), Read("u", (11,), (Axis((1,)),)))
    scatter = Scatter("base", (4,), (Axis((0,), indirect=0),))
    kernel = Kernel("add", "out", DType.FLOAT16, (4,), (11,), reads, scatter=scatter)
    step = kernel_step(kernel, {"i": index, "u": update, "base": np.ones(4, np.float16)})
    for element in range(4):
        assert check_element(step, 0, element, referee, Random(element)) == 2


def test_a_scatters_untouched_element_keeps_its_bits(referee):
    scatter = Scatter("base", (2,), (Axis((1,), offset=1),))
    kernel = Kernel("add", "out", F32, (2,), (1,), (Const(F32, 0),), scatter=scatter)
    step = kernel_step(kernel, {"base": np.array([0x7FC01234, 0x7FC01234], np.uint32).view(np.float32)})
    assert [step.right(0, element) for element in (0, 1)] == [0x7FC01234, 0x7FC00000]
    for element in (0, 1):
        check_element(step, 0, element, referee, Random(0))


def test_any_byte_but_zero_is_a_true(referee):
    """An input's bytes are committed as they came; the engine is given 0 and 1."""
    kernel = Kernel("copy", "out", DType.BOOL, (2,), (2,), (Read("x", (2,), (Axis((1,)),)),))
    step = kernel_step(kernel, {"x": np.array([False, True])})
    step.arrays["x"] = np.array([0, 7], np.uint8)
    for element in (0, 1):
        check_element(step, 0, element, referee, Random(0))


def test_a_read_that_leaves_its_view_without_a_guard_gives_zero_bits(referee):
    """No lowering makes such a kernel; should one appear, no party can gain from it, for its result is defined."""
    kernel = Kernel("neg", "out", F32, (3,), (3,), (Read("x", (2,), (Axis((1,)),)),))
    guarded = Kernel("neg", "out", F32, (3,), (3,), (Read("x", (2,), (Axis((1,)),), outside=0),))
    step = kernel_step(guarded, {"x": np.ones(2, np.float32)})
    step.kernels = (kernel,)
    assert step.right(0, 2) == 0x80000000
    check_element(step, 0, 2, referee, Random(0))


# --- what a piece is


def product(rows, terms, columns):
    rng = np.random.default_rng(rows)
    reads = (
        Read("a", (rows, terms), (Axis((1, 0), (0,)), Axis((0, 0), (1,)))),
        Read("b", (terms, columns), (Axis((0, 0), (1,)), Axis((0, 1), (0,)))),
    )
    kernel = Kernel("fma", "out", F32, (rows, columns), (rows, columns), reads, (terms,), Order.CHAIN)
    tensors = {n: rng.standard_normal(r.view).astype(np.float32) for n, r in zip("ab", reads, strict=True)}
    return kernel_step(kernel, tensors)


@pytest.fixture(scope="module")
def step():
    """A product of matrices whose columns and rows have 256 elements of 4 bytes: every chunk is whole."""
    return product(8, 256, 256)


ELEMENT, FIRST, LAST = 1000, 16, 24


@pytest.fixture(scope="module")
def piece(step):
    """What `execute` takes for a piece, by name."""
    code = step.coded(0)
    read = reader(code, step.data)
    acc = start(code, ELEMENT, read)
    for first in range(0, FIRST, 8):
        acc = execute(code, ELEMENT, first, first + 8, acc, read)
    return {
        "kernel": code.encode(),
        "element": ELEMENT,
        "first": FIRST,
        "last": LAST,
        "acc": acc,
        "root": step.root,
        "depth": step.depth,
        "opened": openings(code, ELEMENT, FIRST, LAST, step.data, step.roots),
    }


def test_the_facts_of_a_kernel(step, referee):
    code = step.coded(0)
    assert referee.facts(code.encode()) == (0, 1, 2048, 256, 8)
    assert referee.terms(code.encode()) == 256


@pytest.mark.parametrize(("first", "last"), [(17, 16), (16, 25), (255, 257), (256, 257), (0, 9)])
def test_no_such_piece(first, last, step, piece, referee):
    with pytest.raises(Refused, match="referee: piece"):
        referee.execute(**piece | {"first": first, "last": last})
    with pytest.raises(UsageError):
        execute(step.coded(0), ELEMENT, first, last, [0], reader(step.coded(0), step.data))


@pytest.mark.parametrize("acc", [[], [0, 0], [0] * 16])
def test_no_such_accumulator(acc, step, piece, referee):
    with pytest.raises(Refused, match="referee: accumulator"):
        referee.execute(**piece | {"acc": acc})
    with pytest.raises(UsageError):
        execute(step.coded(0), ELEMENT, FIRST, LAST, acc, reader(step.coded(0), step.data))


def test_no_such_element(piece, referee):
    for element in (2048, 2**64, 2**256 - 1):
        with pytest.raises(Refused, match="referee: element"):
            referee.execute(**piece | {"element": element})
        with pytest.raises(Refused, match="referee: element"):
            referee.start(piece["kernel"], element, piece["root"], piece["depth"], b"")


def test_no_terms_leave_the_accumulator(piece, referee):
    assert referee.execute(**piece | {"last": FIRST, "opened": b""}) == piece["acc"]


# --- hostile openings


def test_the_piece_itself_is_taken(step, piece, referee):
    code = step.coded(0)
    wanted = execute(code, ELEMENT, FIRST, LAST, piece["acc"], reader(code, step.data))
    assert referee.execute(**piece) == wanted


def test_no_byte_of_openings_may_differ(piece, referee):
    """Every byte of the heads and of the siblings, and some of each chunk."""
    opened, random = piece["opened"], Random(0)
    places = {*range(80), *random.sample(range(len(opened)), 60), len(opened) - 1}
    for place in sorted(places):
        changed = bytearray(opened)
        changed[place] ^= 1 << random.randrange(8)
        with pytest.raises(Refused):
            referee.execute(**piece | {"opened": bytes(changed)})


@pytest.mark.parametrize("cut", [1, 2, 31, 32, 33, 1024])
def test_openings_end_where_they_should(cut, piece, referee):
    for opened in (piece["opened"][:-cut], piece["opened"] + bytes(cut), piece["opened"] * 2):
        with pytest.raises(Refused):
            referee.execute(**piece | {"opened": opened})


def test_the_root_and_the_depth_of_the_tree_are_given(piece, referee):
    for wrong in ({"depth": 2}, {"depth": 4}, {"depth": 33}, {"depth": 2**255}, {"root": bytes(32)}):
        with pytest.raises(Refused):
            referee.execute(**piece | wrong)


def test_each_chunk_that_is_read_is_needed(step, piece, referee):
    code = step.coded(0)
    whole = {0: [3], 1: list(range(FIRST, LAST))}
    assert encode_openings(code, whole, step.data, step.roots) == piece["opened"]
    for chunks in ({}, {0: [3]}, {1: whole[1]}, {0: [2], 1: whole[1]}, {0: [3], 1: whole[1][:-1]}, {0: [3], 1: [0]}):
        opened = encode_openings(code, chunks, step.data, step.roots)
        with pytest.raises(Refused, match="referee: opening"):
            referee.execute(**piece | {"opened": opened})


def test_what_is_not_read_may_be_opened_too(step, piece, referee):
    chunks = {0: [3, 5], 1: [0, *range(FIRST, LAST), 200]}
    opened = encode_openings(step.coded(0), chunks, step.data, step.roots)
    assert referee.execute(**piece | {"opened": opened}) == referee.execute(**piece)


def test_a_chunk_cannot_stand_for_another_value_or_place(step, piece, referee):
    """Openings of a step in which the two tensors have changed places, or one chunk has."""
    swapped = product(8, 256, 256)
    swapped.arrays = step.arrays | {"b": np.roll(step.arrays["b"], 1, axis=0)}
    opened = openings(swapped.coded(0), ELEMENT, FIRST, LAST, swapped.data, swapped.roots)
    with pytest.raises(Refused, match="referee: opening"):
        referee.execute(**piece | {"opened": opened})
    assert referee.execute(**piece | {"opened": opened, "root": swapped.root}) != referee.execute(**piece)


def handmade(step, chunks, number=1):
    """Openings of value `number` alone, with the chunks' (number, bytes) as given and its true proofs."""
    leaves = merkle.chunk_leaves(step.data(number))
    parts = [bytes([1, 1, len(chunks)]), step.roots[number], *merkle.prove_many(step.roots, [number])]
    parts += [at.to_bytes(4, "big") for at, _ in chunks] + [data for _, data in chunks]
    return b"".join((*parts, *merkle.prove_many(leaves, sorted({at % len(leaves) for at, _ in chunks}))))


def test_chunks_stand_in_order_once_and_exist(step, piece, referee):
    data = step.data(1)
    chunk = {at: bytes(data[at * 1024 : at * 1024 + 1024]) for at in (16, 17)}
    good = referee.execute(**piece | {"first": 16, "last": 16})
    assert good == piece["acc"]
    for numbers in ([17, 16], [16, 16], [16 + 256], [16 + 2**31], [2**32 - 1]):
        opened = handmade(step, [(n, chunk[17 if n == 17 else 16]) for n in numbers])
        with pytest.raises(Refused):
            referee.execute(**piece | {"opened": opened})


@pytest.mark.parametrize("length", [0, 1, 1000, 1023, 1025, 2048])
def test_a_chunk_has_its_length(length, step, piece, referee):
    data = bytes(step.data(1)[16 * 1024 :])[:length]
    with pytest.raises(Refused):
        referee.execute(**piece | {"opened": handmade(step, [(16, data)])})


def test_the_last_chunk_ends_with_the_value(referee):
    """Its leaf is the hash of what there is: the same bytes with zeros behind are another value."""
    kernel = Kernel("neg", "out", F32, (300,), (300,), (Read("x", (300,), (Axis((1,)),)),))
    step = kernel_step(kernel, {"x": np.arange(300, dtype=np.float32)})
    check_element(step, 0, 299, referee, Random(0))
    code, padded, x = step.coded(0), np.pad(step.arrays["x"], (0, 212)), step.values.numbers["x"]
    roots = [merkle.bytes_root(padded.tobytes()) if n == x else root for n, root in enumerate(step.roots)]
    opened = encode_openings(code, {x: [1]}, lambda n: padded.tobytes(), roots)
    with pytest.raises(Refused, match="referee: opening"):
        referee.execute(code.encode(), 299, 0, 1, [], merkle.root(roots), step.depth, opened)


def test_too_many_chunks_do_not_fit(step, piece, referee):
    opened = encode_openings(step.coded(0), {1: list(range(32))}, step.data, step.roots)
    with pytest.raises(Refused):
        referee.execute(**piece | {"opened": opened})


# --- what it costs


def test_the_code_fits_into_a_contract():
    assert len(artifact("referee").runtime) < 24_576


def test_the_gas_of_eight_terms_of_a_product(referee):
    """Execution, and the openings' bytes in the call: docs/dispute.md has the figures of larger tensors."""
    step = product(64, 256, 256)
    code = step.coded(0)
    opened = openings(code, 9999, 64, 72, step.data, step.roots)
    referee.execute(code.encode(), 9999, 64, 72, [0], step.root, step.depth, opened)
    assert referee.gas < 200_000
    assert transaction(opened) < 200_000
