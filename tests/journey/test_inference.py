"""A user's file with a scikit-learn model, posted as a task: solved, audited, settled, paid, and the labels fetched."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from roles_in_process import a_quarter

from assay.cli.receipts import describe
from assay.market import Windows, quote
from assay.market.job import package_job, read_job
from assay.roles.judge import judge
from assay.words import TaskState

FILE = """
import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.market import Inference

x, y = load_digits(return_X_y=True)
x = x.astype(np.float32)
pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100)).fit(x[:300], y[:300])


def task():
    model = to_onnx(pipeline, x[:1], options={"zipmap": False}).SerializeToString()
    return Inference(name="labels", model=model, dataset={"X": x[300:400]}, batch_size=16, interval=2)
"""


def test_the_labels_are_bought_and_paid(tmp_path: Path):
    pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_digits

    file = tmp_path / "label.py"
    file.write_text(FILE)
    with a_quarter(tmp_path) as quarter:
        hands = quarter.submitter
        task = package_job(read_job(file), hands.session.store)
        price = quote(task.program, task.spec)
        posted = hands.submit(task, price, Windows.fitting(price, task.spec, watched=False), secrets.token_hex(8))
        assert quarter.until(posted, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED
        receipt = hands.receipt(posted)
        assert receipt.outcome == "settled"
        assert len(receipt.verifiers) == 2
        for who in (receipt.solver, *receipt.verifiers):
            assert receipt.payments[who] > 0
        judged = judge(hands.session, task, hands.trajectory(posted))
        assert judged == {"loss_first": None, "loss_last": None, "accuracy": None}
        assert describe(judged) == {}, "there is no loss to show"
        answers = load_file(hands.fetch(posted, tmp_path / "mine").model)
    _, y = load_digits(return_X_y=True)
    assert answers["label"].dtype == np.int64
    assert answers["probabilities"].shape == (100, 10)
    assert (answers["label"] == y[300:400]).mean() > 0.85
