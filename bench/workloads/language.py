"""Transformers: a GPT that is trained and that decodes, a Llama that is trained, a MiniLM that encodes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.capture import AdamW

from .workload import Inference, Training

__all__ = ["decode", "gpt", "llama", "minilm"]

LAYERS, WIDTH, HEADS, TOKENS, ROWS, VOCABULARY = 4, 256, 8, 128, 8, 512


def gpt() -> Training:
    """4 layers of width 256, 8 heads, 8 rows of 128 tokens, AdamW."""
    return Training("gpt", GPT, AdamW(lr=3e-4), _batch())


def llama() -> Training:
    """LlamaForCausalLM of `transformers` with random weights and the sizes of `gpt`, AdamW."""
    return Training("llama", Llama, AdamW(lr=3e-4), _batch())


def minilm() -> Inference:
    """BertModel of `transformers` with the sizes of all-MiniLM-L6-v2 and random weights: 1 row of 128 tokens."""
    tokens = torch.randint(0, 30522, (1, TOKENS), generator=torch.Generator().manual_seed(1))
    return Inference("minilm", MiniLM, (tokens, torch.ones_like(tokens)))


def decode() -> Inference:
    """The GPT of `gpt`, one token at position 100 of 128: appends to a cache of fixed length and returns the logits.

    The program returns the caches as new tensors; torch writes them in place.
    """
    draw = torch.Generator().manual_seed(1)
    caches = [torch.randn(LAYERS, HEADS, TOKENS, WIDTH // HEADS, generator=draw) for _ in range(2)]
    args = (torch.tensor([[7]]), torch.tensor([100]), *caches)
    return Inference("decode", Decoder, args, eager=lambda: Decoder(in_place=True))


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self) -> None:
        super().__init__()
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH)
        self.c_proj = nn.Linear(WIDTH, WIDTH)

    def heads(self, x: Tensor) -> list[Tensor]:
        """Queries, keys and values as (rows, heads, tokens, width of a head)."""
        rows, tokens, _ = x.shape
        return [t.view(rows, tokens, HEADS, WIDTH // HEADS).transpose(1, 2) for t in self.c_attn(x).split(WIDTH, dim=2)]

    def joined(self, y: Tensor) -> Tensor:
        """Back to (rows, tokens, width), projected."""
        rows, _, tokens, _ = y.shape
        return self.c_proj(y.transpose(1, 2).contiguous().view(rows, tokens, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.joined(F.scaled_dot_product_attention(*self.heads(x), is_causal=True))


class Layer(nn.Module):
    """Pre-norm attention and a four times wider feed-forward part."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.attn, self.ln_2 = nn.LayerNorm(WIDTH), Attention(), nn.LayerNorm(WIDTH)
        self.c_fc, self.c_proj = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def wide(self, x: Tensor) -> Tensor:
        """The feed-forward part."""
        return x + self.c_proj(F.gelu(self.c_fc(self.ln_2(x))))

    def forward(self, x: Tensor) -> Tensor:
        return self.wide(x + self.attn(self.ln_1(x)))


class GPT(nn.Module):
    """As nanoGPT's model.py: learned positions, GELU, the output layer tied to the token embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(TOKENS, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.apply(self._init)
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * LAYERS))
        self.lm_head.weight = self.wte.weight

    @staticmethod
    def _init(module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.wte(x) + self.wpe(torch.arange(x.shape[1]))
        for layer in self.layers:
            h = layer(h)
        return self.lm_head(self.ln_f(h))


class Decoder(GPT):
    """One token of one row, with keys and values of the earlier ones in caches (layers, heads, tokens, width)."""

    def __init__(self, in_place: bool = False) -> None:
        super().__init__()
        self.in_place = in_place

    def forward(self, token: Tensor, position: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        """Logits (1, vocabulary) and both caches with the token's row at `position` (shape (1,))."""
        h = self.wte(token) + self.wpe(position)
        seen = (torch.arange(TOKENS) <= position)[None, None, None]
        made: list[tuple[Tensor, Tensor]] = []
        for n, layer in enumerate(self.layers):
            q, k, v = layer.attn.heads(layer.ln_1(h))
            made.append((self._append(keys[n], position, k[0]), self._append(values[n], position, v[0])))
            y = F.scaled_dot_product_attention(q, made[n][0][None], made[n][1][None], attn_mask=seen)
            h = layer.wide(h + layer.attn.joined(y))
        logits = self.lm_head(self.ln_f(h))[:, -1]
        if self.in_place:
            return logits, keys, values
        return logits, torch.stack([k for k, _ in made]), torch.stack([v for _, v in made])

    def _append(self, cache: Tensor, position: Tensor, row: Tensor) -> Tensor:
        if self.in_place:
            return cache.index_copy_(1, position, row)
        return torch.where((torch.arange(TOKENS) == position)[None, :, None], row, cache)


class Llama(nn.Module):
    """The logits of LlamaForCausalLM."""

    def __init__(self) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        super().__init__()
        self.model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY,
                hidden_size=WIDTH,
                intermediate_size=688,
                num_hidden_layers=LAYERS,
                num_attention_heads=HEADS,
                max_position_embeddings=TOKENS,
                use_cache=False,
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(input_ids=x, use_cache=False).logits


class MiniLM(nn.Module):
    """The mean over the tokens of BertModel's last hidden states, of length 1: a sentence embedding."""

    def __init__(self) -> None:
        from transformers import BertConfig, BertModel

        super().__init__()
        self.model = BertModel(
            BertConfig(
                hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
                max_position_embeddings=512, vocab_size=30522,
            ),
            add_pooling_layer=False,
        )  # fmt: skip

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state
        weight = mask[:, :, None].to(hidden.dtype)
        return F.normalize((hidden * weight).sum(1) / weight.sum(1), dim=1)


def _batch() -> dict[str, Tensor]:
    tokens = torch.randint(0, VOCABULARY, (ROWS, TOKENS + 1), generator=torch.Generator().manual_seed(1))
    return {"x": tokens[:, :-1].contiguous(), "y": tokens[:, 1:].contiguous()}
