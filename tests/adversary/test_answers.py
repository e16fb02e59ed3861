"""A solver tampers with one answer of an inference task: it is shown to the contract, and the submitter has everything back."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from roles_in_process import a_quarter

from assay.errors import NotFoundError
from assay.market import Inference, Windows, quote
from assay.market.job import package_job
from assay.words import TaskState

ROWS, WIDTH = 96, 8


def model() -> bytes:
    """Two layers, so that the probe has something inside to look at."""
    rng = np.random.default_rng(3)

    def value(name, columns):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", columns])

    weights = [numpy_helper.from_array(rng.normal(size=(WIDTH, WIDTH)).astype(np.float32), n) for n in ("a", "b")]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"]),
        helper.make_node("Tanh", ["h"], ["t"]),
        helper.make_node("MatMul", ["t", "b"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [value("x", WIDTH)], [value("y", WIDTH)], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return made.SerializeToString()


@pytest.mark.parametrize("cheat", ["weights", "steps", "order"])
def test_an_altered_answer_sheet_is_refunded(cheat, tmp_path):
    x = np.random.default_rng(4).normal(size=(ROWS, WIDTH)).astype(np.float32)
    job = Inference(name="answers", model=model(), dataset={"x": x}, batch_size=8, interval=2)
    with a_quarter(tmp_path, cheat=cheat) as quarter:
        hands = quarter.submitter
        task = package_job(job, hands.session.store)
        price = quote(task.program, task.spec)
        before = hands.session.token.balance_of(hands.session.address)
        posted = hands.submit(task, price, Windows.fitting(price, task.spec, watched=False), secrets.token_hex(8))
        escrow = before - hands.session.token.balance_of(hands.session.address)
        assert quarter.until(posted, TaskState.SETTLED, TaskState.REFUNDED, turns=80) is TaskState.REFUNDED
        receipt = hands.receipt(posted)
        assert receipt.outcome == "refunded"
        lost = receipt.slashed[quarter.solver.session.address]
        assert receipt.slashed == {receipt.solver: lost}
        (caught,) = receipt.caught
        assert (caught.who, receipt.ruling[:6]) == (receipt.solver, "proven")
        me, share = hands.session.address, lost // 4
        assert {who: paid for who, paid in receipt.payments.items() if paid} == {me: escrow + share, caught.by: share}
        assert hands.collect() == escrow + share > 0
        assert hands.session.token.balance_of(me) == before + share
        with pytest.raises(NotFoundError):
            hands.fetch(posted, tmp_path / "mine")
