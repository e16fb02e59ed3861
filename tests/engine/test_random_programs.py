"""Random ONNX programs: the LLVM engine has the clear interpreter's bits, and both are close to ONNX Runtime.

A failure prints the smallest part of the graph that shows it. `python tests/support/random_programs.py` draws more.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.engine.exact.cache import Cache
from assay.program.types import DType

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from random_programs import Graph, check, draw, levels, run

SUPPORT = Path(__file__).parents[1] / "support"
SEEDS = st.integers(0, 2**48)
SEEN: Counter[str] = Counter()
"""What became of the nodes of all programs: compared with ONNX Runtime, or why not."""


def every(examples: int) -> settings:
    return settings(max_examples=examples, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@every(60)
@given(SEEDS)
def test_one_instruction_set_per_program(seed: int) -> None:
    """Each program at one level and number of threads that are drawn with it."""
    random = Random(seed)
    run(seed, 10, SEEN, [(random.choice(levels()), random.randint(1, 8))])


@every(12)
@given(SEEDS)
def test_every_instruction_set_on_the_same_program(seed: int) -> None:
    run(seed, 8, SEEN, [(level, 1 + (seed + n) % 8) for n, level in enumerate(levels())])


@every(4)
@given(SEEDS)
def test_every_number_of_threads_on_the_same_program(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    settings = [(levels()[-1], threads) for threads in range(1, 9)]
    check(draw(Random(seed), nodes=8), settings, cache=Cache(tmp_path_factory.mktemp("cache")))


def test_a_block_whose_rows_fill_no_square() -> None:
    """SSE2 once laid out blocks of six rows in squares of four, which ran into the next column."""
    for columns in (10, 12, 33):
        graph = Graph(Random(columns), wild=False)
        x = graph.input(DType.FLOAT32, (3, 100, 65))
        (turned,) = graph.add("Transpose", [x], perm=[0, 2, 1])
        graph.add("MatMul", [turned, graph.input(DType.FLOAT32, (100, columns))])
        check(graph, [(level, 2) for level in levels()])


def test_an_input_that_an_output_shows_is_not_written_over() -> None:
    """Once it was, when it was given away: the output was copied from it only afterwards."""
    graph = Graph(Random(1), wild=False)
    x = graph.input(DType.FLOAT32, (3, 16, 5, 1))
    graph.add("Squeeze", [x, graph.constant([3])])
    graph.add("Add", [x, x])
    check(graph, [(level, 1) for level in levels()], share=1)


@every(25)
@given(SEEDS)
def test_ordinary_numbers_agree_with_onnx_runtime(seed: int) -> None:
    """Most nodes of these can be compared; whatever cannot is counted under its reason."""
    run(seed, 10, SEEN, [], wild=False)


def test_enough_was_compared_with_onnx_runtime() -> None:
    """Should the reasons not to compare ever grow over everything, this says so."""
    seen: Counter[str] = Counter()
    for seed in range(20):
        run(seed, 10, seen, [], wild=False)
    assert seen["compared with ONNX Runtime"] > 0.6 * seen["nodes"], seen


def guarded(count: int, *more: str) -> subprocess.CompletedProcess[str]:
    """Programs whose inputs, constants and outputs lie beside forbidden pages, in a process that would not survive."""
    command = [sys.executable, str(SUPPORT / "random_programs.py"), "--guard", "--count", str(count), *more]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=1800)


def test_nothing_beside_a_tensor_is_touched() -> None:
    done = guarded(12, "--seconds", "1000")
    assert done.returncode == 0, (done.returncode, done.stdout[-3000:], done.stderr[-200:])


def test_a_guarded_array_cannot_be_overrun() -> None:
    """So the test above can fail."""
    for at_end, place in ((True, 40), (False, -4)):
        code = (
            "import ctypes, numpy as np; from guarded import guarded;"
            f"a = guarded(np.zeros(10, np.float32), {at_end}); a += 1; ctypes.c_int.from_address(a.ctypes.data + {place}).value"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=SUPPORT, capture_output=True, check=False, timeout=100)
        assert done.returncode == -signal.SIGSEGV, done.stderr


@pytest.mark.slow
def test_nothing_beside_a_tensor_is_touched_by_many_programs() -> None:
    done = guarded(600, "--seed", "1000", "--seconds", "1700")
    assert done.returncode == 0, (done.returncode, done.stdout[-3000:], done.stderr[-200:])


@pytest.mark.slow
@every(1500)
@given(SEEDS)
def test_many_programs(seed: int) -> None:
    random = Random(seed)
    run(seed, 20, SEEN, [(level, random.randint(1, 8)) for level in levels()])
