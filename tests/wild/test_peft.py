"""LoRA through `peft`: what is frozen is state that passes through, and only adapters have moments."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from assay.capture import AdamW

transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")
transformers.logging.set_verbosity_error()

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

STEPS, ROWS, TOKENS, VOCABULARY = 50, 4, 16, 37


def adapted():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=TOKENS,
    )  # fmt: skip
    targets = ["q_proj", "v_proj", "down_proj", "lm_head"]
    adapters = peft.LoraConfig(r=8, lora_alpha=32, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM")
    return peft.get_peft_model(transformers.LlamaForCausalLM(config), adapters)


def test_lora_of_a_llama(follows_torch):
    progressions = [(np.arange(TOKENS + 1) * 3 + np.arange(ROWS)[:, None] + n) % VOCABULARY for n in range(3)]
    batches = [{"x": progressions[n % 3][:, :-1], "y": progressions[n % 3][:, 1:]} for n in range(STEPS)]
    module = adapted()
    before, after = follows_torch(
        module,
        lambda outputs, batch: F.cross_entropy(outputs.logits.flatten(0, 1), batch["y"].flatten()),
        AdamW(lr=5e-3),
        batches,
    )
    learning = {name for name, p in module.named_parameters() if p.requires_grad}
    assert 0 < len(learning) < len(list(module.parameters()))
    moments = {name for name in after if name.startswith("optimizer.")}
    assert moments == {f"optimizer.{m}.{name}" for m in ("exp_avg", "exp_avg_sq") for name in learning}
    for name, value in before.items():
        if name.startswith("model."):
            changed = after[name].tobytes() != value.tobytes()
            assert changed == (name.removeprefix("model.") in learning), name
