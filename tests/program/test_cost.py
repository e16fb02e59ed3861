"""Costs are arithmetic on shapes: written out by hand for small programs."""

from __future__ import annotations

import numpy as np

from assay.program import OPS, Cost

A, B = np.zeros((8, 16), np.float32), np.zeros((16, 4), np.float32)


def test_a_product(one_node):
    # 8·4·16 steps; both matrices read and the result written once; all three alive at once.
    bytes_ = 4 * (8 * 16 + 16 * 4 + 8 * 4)
    assert one_node("MatMul", [A, B]).program().cost == Cost(8 * 4 * 16, bytes_, bytes_)


def test_named_functions_count_their_sequence(one_node):
    assert one_node("Tanh", [A]).program().cost.operations == A.size * OPS["tanh"].weight


def test_values_die_after_their_last_reader(graph):
    g = graph(inputs={"x": A}, outputs=["y"])
    g.node("Neg", ["x"], ["a"]).node("Exp", ["a"], ["b"]).node("Add", ["a", "b"], ["c"]).node("Sqrt", ["c"], ["y"])
    # x, a, b, c while c is made; before and after there are fewer.
    assert g.program().cost.peak_bytes == 4 * A.nbytes


def test_outputs_live_to_the_end(graph):
    g = graph(inputs={"x": A}, outputs=["a", "y"])
    g.node("Neg", ["x"], ["a"]).node("Exp", ["a"], ["b"]).node("Sqrt", ["b"], ["y"])
    assert g.program().cost.peak_bytes == 4 * A.nbytes


def test_what_no_output_needs_costs_nothing(graph):
    g = graph(inputs={"x": A}, constants={"c": B}, outputs=["y"])
    g.node("MatMul", ["x", "c"], ["lost"]).node("Exp", ["lost"], ["also lost"]).node("Neg", ["x"], ["y"])
    program = g.program()
    assert [k.op for k in program.kernels] == ["neg"]
    assert not program.constants
    assert program.cost == Cost(A.size, 2 * A.nbytes, 2 * A.nbytes)


def test_a_gather_moves_what_it_reads(one_node):
    table, index = np.zeros((1000, 4), np.float32), np.zeros(3, np.int64)
    cost = one_node("Gather", [table, index]).program().cost
    wrap = (24 + 24) + (24 + 3) + (3 + 24 + 24 + 24)  # add, lt, select over three int64
    assert cost.bytes_moved == wrap + 24 + 12 * 4 + 12 * 4


def test_equal_kernels_are_run_once(graph):
    g = graph(inputs={"x": A}, outputs=["y"])
    g.node("Exp", ["x"], ["a"]).node("Exp", ["x"], ["b"]).node("Add", ["a", "b"], ["y"])
    assert [k.op for k in g.program().kernels] == ["exp", "add"]
