"""Random ONNX programs: the LLVM engine has the clear interpreter's bits, and both are close to ONNX Runtime.

A failure prints the smallest part of the graph that shows it. `python tests/support/random_programs.py` draws more.
"""

from __future__ import annotations

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

SEEDS = st.integers(0, 2**48)
SEEN: Counter[str] = Counter()
"""What became of the nodes of all programs: compared with ONNX Runtime, or why not."""


def every(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


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


@pytest.mark.slow
@every(1500)
@given(SEEDS)
def test_many_programs(seed: int) -> None:
    random = Random(seed)
    run(seed, 20, SEEN, [(level, random.randint(1, 8)) for level in levels()])
