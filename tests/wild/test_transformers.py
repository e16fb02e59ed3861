"""Models of `transformers` as they are, small and with random weights: 50 steps follow torch's own loss curve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from assay.capture import AdamW, inference, initial_state
from assay.engine import exact

transformers = pytest.importorskip("transformers")
transformers.logging.set_verbosity_error()

STEPS, ROWS, TOKENS, VOCABULARY = 50, 4, 16, 37
RULE = AdamW(lr=2e-3)


def sentences(seed=0):
    """Batches of arithmetic progressions modulo the vocabulary: next tokens that can be learnt in 50 steps."""
    draw = np.random.default_rng(seed)
    start, pace = draw.integers(0, VOCABULARY, (STEPS, ROWS, 1)), draw.integers(1, 3, (STEPS, ROWS, 1))
    return (start + pace * np.arange(TOKENS + 1)) % VOCABULARY


def next_tokens(outputs, batch):
    return F.cross_entropy(outputs.logits.flatten(0, 1), batch["y"].flatten())


def gpt2(**more):
    torch.manual_seed(0)
    silent = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    sizes = {"vocab_size": VOCABULARY, "n_positions": TOKENS, "n_embd": 64, "n_layer": 2, "n_head": 4}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**sizes, **silent, **more}))


def llama(**more):
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {"num_key_value_heads": 2, "vocab_size": VOCABULARY, "max_position_embeddings": TOKENS, **more}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, **more))


def test_gpt2_with_its_own_loss_and_tied_weights(follows_torch):
    """The model computes its loss from the keyword `labels`, and its head is its embedding."""
    batches = [{"x": s[:, :-1], "x_labels": s[:, :-1]} for s in sentences()]
    _, after = follows_torch(gpt2(), lambda outputs, batch: outputs.loss, RULE, batches)
    assert "model.transformer.wte.weight" in after
    assert "model.lm_head.weight" not in after


def test_llama_with_padded_sentences(follows_torch):
    """Grouped-query attention, rotary positions, and an attention mask that cuts sentences short."""
    draw, batches = np.random.default_rng(1), []
    for s in sentences():
        mask = (np.arange(TOKENS) < draw.integers(TOKENS // 2, TOKENS + 1, (ROWS, 1))).astype(np.int64)
        batches.append({"x": s[:, :-1], "x_attention_mask": mask, "y": np.where(mask, s[:, 1:], -100)})
    follows_torch(llama(), next_tokens, RULE, batches)


@pytest.mark.slow
def test_llama_with_the_attention_written_out(follows_torch):
    batches = [{"x": s[:, :-1], "y": s[:, 1:]} for s in sentences(2)]
    follows_torch(llama(attn_implementation="eager", num_key_value_heads=1), next_tokens, RULE, batches)


def test_bert_fills_masked_tokens(follows_torch):
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    silent = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=VOCABULARY + 1, max_position_embeddings=TOKENS, type_vocab_size=2, **sizes, **silent
    )
    draw, batches = np.random.default_rng(3), []
    for s in sentences(3)[:, :, :TOKENS]:
        hidden = draw.random(s.shape) < 0.3
        columns = {"x_attention_mask": np.ones_like(s), "x_token_type_ids": np.arange(TOKENS)[None].repeat(ROWS, 0) % 2}
        batches.append({"x": np.where(hidden, VOCABULARY, s), "y": np.where(hidden, s, -100), **columns})
    batches = [batches[n % 4] for n in range(STEPS)]  # few sentences, so that it learns them by heart
    follows_torch(transformers.BertForMaskedLM(config), next_tokens, RULE, batches)


def test_vit_tells_pictures_apart(follows_torch):
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    silent = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    torch.manual_seed(0)
    config = transformers.ViTConfig(image_size=16, patch_size=4, num_labels=5, **sizes, **silent)
    draw, batches = np.random.default_rng(4), []
    for _ in range(STEPS):
        y = draw.integers(0, 5, 8)
        x = draw.standard_normal((8, 3, 16, 16)) * 0.5
        x[np.arange(8), :, y * 3] += 2
        batches.append({"x": x.astype(np.float32), "y": y})
    follows_torch(
        transformers.ViTForImageClassification(config), lambda o, b: F.cross_entropy(o.logits, b["y"]), RULE, batches
    )


def test_dropout_of_gpt2_is_captured(trainer):
    """Another seed drops other elements, and the same one the same."""
    batches = [{"x": s[:, :-1], "y": s[:, 1:]} for s in sentences(5)[:3]]
    training = trainer(gpt2(resid_pdrop=0.1, embd_pdrop=0.1, attn_pdrop=0.1), next_tokens, RULE, batches[0])
    assert "seed" in training.ports
    one, same, other = (training.run(batches, seed=seed)[0] for seed in (1, 1, 2))
    assert one == same
    assert one != other
    np.testing.assert_allclose(one, other, rtol=0.1)


def test_inference_gives_the_outputs_by_name():
    module, rows = llama().eval(), sentences(6)[0, :, :-1]
    program = inference(module, rows)
    assert [port.name for port, _ in program.outputs] == ["result/logits"]
    state = {f"state/{name}": value for name, value in initial_state(module, RULE).items() if "model." in name[:6]}
    out = exact.compile(program).run({**state, "batch/x": rows})
    with torch.no_grad():
        wanted = module(torch.as_tensor(rows)).logits
    np.testing.assert_allclose(out["result/logits"], wanted, rtol=1e-4, atol=1e-5)
