"""What a capture costs grows with the depth of the model, and no faster: counted in calls, not in seconds."""

from __future__ import annotations

import cProfile
import pstats

import numpy as np
import onnx
import pytest
from torch.nn import functional as F

from assay.capture import AdamW, training_step_onnx

transformers = pytest.importorskip("transformers")
transformers.logging.set_verbosity_error()


def captured(layers):
    """Nodes of the program, and calls of Python functions that it took to make it."""
    config = transformers.GPT2Config(vocab_size=17, n_positions=8, n_embd=32, n_layer=layers, n_head=2)
    module, rows = transformers.GPT2LMHeadModel(config), np.arange(16).reshape(2, 8)
    profile = cProfile.Profile()
    model = profile.runcall(
        training_step_onnx,
        module,
        lambda o, b: F.cross_entropy(o.logits.flatten(0, 1), b["y"].flatten()),
        AdamW(lr=1e-3),
        {"x": rows, "y": rows},
        clip_norm=1.0,
    )
    return len(onnx.load_from_string(model).graph.node), pstats.Stats(profile).total_calls


@pytest.mark.slow
def test_capture_grows_linearly_with_depth():
    captured(1)  # what is imported and cached the first time
    (n2, c2), (n4, c4), (n8, c8) = (captured(layers) for layers in (2, 4, 8))
    assert n8 - n4 == 2 * (n4 - n2)
    assert c8 - c4 < 1.15 * 2 * (c4 - c2)
