"""What is inside a QwQ-shaped transformer? All of it, in one short file of PyTorch.

The shape is llama.cpp's ``qwen2``, which QwQ-32B has too: RMSNorm before each part, rotary
positions (RoPE), grouped-query attention with biases on queries, keys and values, a SwiGLU
feed-forward, and an output matrix of its own (untied).  Switches of ``Shape`` make it a ``qwen3``,
or a ``qwen3moe`` with experts.  Sources: the Qwen2 technical report, arXiv 2407.10671; RoPE, arXiv
2104.09864; grouped-query attention, arXiv 2305.13245; SwiGLU, arXiv 2002.05202; RMSNorm, arXiv
1910.07467.

Modules carry the names that llama.cpp gives the tensors of a GGUF file (``blk.0.attn_q`` ...), so
that exporting a model is copying its ``state_dict``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.nano import moe
from course_utils.nano.shape import Shape, qwen3

__all__ = ["Block", "Cache", "Shape", "Transformer", "initialise", "qwen3"]


class Cache:
    """Keys and values of the tokens seen so far, for ``rows`` texts at once.

    ``keys`` and ``values``: one tensor (rows, kv_heads, capacity, head_width) per layer.
    ``starts``: (rows,) where each text begins when shorter ones are padded on the left; None
    when nothing is padded.  ``place``: ``device`` and ``dtype``, those of the model's weights
    (``Transformer.cache`` sees to it).
    """

    def __init__(
        self, shape: Shape, rows: int, capacity: int, starts: Tensor | None = None, **place
    ):
        size = (rows, shape.kv_heads, capacity, shape.head_width)
        self.keys = [torch.zeros(size, **place) for _ in range(shape.layers)]
        self.values = [torch.zeros(size, **place) for _ in range(shape.layers)]
        self.length = 0
        self.starts = starts

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order; a row named twice is copied (``rows``: indices)."""
        self.keys = [keys[rows] for keys in self.keys]
        self.values = [values[rows] for values in self.values]
        if self.starts is not None:
            self.starts = self.starts[rows]

    def mask(self, queries: int) -> Tensor | None:
        """(rows or 1, 1, queries, keys): which keys each query may see; None means all."""
        if self.starts is None and queries == 1:
            return None
        keys = torch.arange(self.length + queries, device=self.keys[0].device)
        own_keys = keys[self.length :, None]
        seen = keys <= own_keys
        if self.starts is None:
            return seen[None, None]
        # A padded query sees itself alone: a row of nothing would make its softmax undefined.
        return (seen & (keys >= self.starts[:, None, None]) | (keys == own_keys))[:, None]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + half) of a head's numbers by an angle that grows with position.

    This is the convention of Qwen2 and of llama.cpp's "NEOX" rope. ``x``: (..., T, head_width).
    """
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Block(nn.Module):
    """One layer: attention, then feed-forward, each added to what came in.

    With experts, ``choice`` is what the router decided in the last forward pass, and ``removed``
    are experts that it must not choose (for ablations).
    """

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.choice: moe.Choice | None = None
        self.removed: frozenset[int] = frozenset()
        width, kv_width = shape.width, shape.kv_heads * shape.head_width
        self.attn_norm = nn.RMSNorm(width, eps=shape.norm_epsilon)
        self.attn_q = nn.Linear(width, width, bias=shape.biases)
        self.attn_k = nn.Linear(width, kv_width, bias=shape.biases)
        self.attn_v = nn.Linear(width, kv_width, bias=shape.biases)
        if shape.head_norms:
            self.attn_q_norm = nn.RMSNorm(shape.head_width, eps=shape.norm_epsilon)
            self.attn_k_norm = nn.RMSNorm(shape.head_width, eps=shape.norm_epsilon)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = nn.RMSNorm(width, eps=shape.norm_epsilon)
        if shape.experts:
            moe.add_experts(self, shape)
            return
        self.ffn_gate = nn.Linear(width, shape.ffn_width, bias=False)
        self.ffn_up = nn.Linear(width, shape.ffn_width, bias=False)
        self.ffn_down = nn.Linear(shape.ffn_width, width, bias=False)

    def attention(self, x, cos, sin, layer: int, cache: Cache | None, mask: Tensor | None):
        rows, length, width = x.shape
        q = self.attn_q(x).view(rows, length, self.shape.heads, -1).transpose(1, 2)
        k = self.attn_k(x).view(rows, length, self.shape.kv_heads, -1).transpose(1, 2)
        v = self.attn_v(x).view(rows, length, self.shape.kv_heads, -1).transpose(1, 2)
        if self.shape.head_norms:
            q, k = self.attn_q_norm(q), self.attn_k_norm(k)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            end = cache.length + length
            cache.keys[layer][:, :, cache.length : end] = k
            cache.values[layer][:, :, cache.length : end] = v
            k, v = cache.keys[layer][:, :, :end], cache.values[layer][:, :, :end]
        # Grouped-query attention: two query heads read each pair of key and value heads.
        mixed = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=cache is None, enable_gqa=True
        )
        return self.attn_output(mixed.transpose(1, 2).reshape(rows, length, width))

    def forward(self, x, cos, sin, layer=0, cache=None, mask=None):
        x = x + self.attention(self.attn_norm(x), cos, sin, layer, cache, mask)
        y = self.ffn_norm(x)
        if self.shape.experts:
            return x + moe.feed_forward(self, y)
        return x + self.ffn_down(F.silu(self.ffn_gate(y)) * self.ffn_up(y))


def initialise(module: nn.Module, shape: Shape) -> None:
    """Random weights as GPT-2 begins with: matrices that write into the residual are smaller."""
    for name, parameter in module.named_parameters():
        if parameter.dim() >= 2:
            writes = "attn_output" in name or "ffn_down" in name
            deviation = 0.02 / (2 * shape.layers) ** 0.5 if writes else 0.02
            nn.init.normal_(parameter, std=deviation)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


class Transformer(nn.Module):
    """Tokens in, a score (logit) for every possible next token out."""

    def __init__(self, shape: Shape | None = None):
        super().__init__()
        self.shape = shape = shape or Shape()
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList([Block(shape) for _ in range(shape.layers)])
        self.output_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.output = nn.Linear(shape.width, shape.vocabulary, bias=False)
        initialise(self, shape)

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights are, and so where every tensor that meets them must be."""
        return self.token_embd.weight.device

    def cache(self, rows: int, capacity: int, starts: Tensor | None = None) -> Cache:
        """An empty cache for ``rows`` texts of up to ``capacity`` tokens, beside the weights."""
        weight = self.token_embd.weight
        place = {"device": weight.device, "dtype": weight.dtype}
        return Cache(self.shape, rows, capacity, starts, **place)

    def batch(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """(texts, T): token numbers beside the weights, shorter texts padded on the right.

        The padding is never read by a text before it, since attention only looks back.
        """
        longest = max(map(len, texts))
        rows = [[*text, *[0] * (longest - len(text))] for text in texts]
        return torch.tensor(rows, device=self.device)

    def angles(self, start: int, length: int) -> tuple[Tensor, Tensor]:
        """RoPE's cosines and sines for positions from ``start``: two of (length, head_width)."""
        weight = self.token_embd.weight
        half = torch.arange(0, self.shape.head_width, 2, device=weight.device)
        positions = torch.arange(start, start + length, device=weight.device)[:, None]
        angle = positions * self.shape.rope_theta ** -(half / self.shape.head_width)
        angle = torch.cat([angle, angle], dim=-1)
        return angle.cos().to(weight.dtype), angle.sin().to(weight.dtype)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """``tokens``: (rows, T) of token numbers; returns logits (rows, T, vocabulary).

        With a cache, ``tokens`` continue the texts it holds, and it grows by T.  Left padding
        shifts a text's positions, which changes nothing: RoPE makes attention depend on the
        distance between two tokens alone.
        """
        return self.output(self.hidden(tokens, cache))

    def hidden(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """What ``output`` turns into logits: (rows, T, width), after the last norm.

        For whoever wants the logits of a few tokens alone: with 1,024 of them to a token they are
        a good part of the work.
        """
        length = tokens.shape[1]
        cos, sin = self.angles(cache.length if cache else 0, length)
        mask = cache.mask(length) if cache else None
        x = self.token_embd(tokens)
        for layer, block in enumerate(self.blk):
            x = block(x, cos, sin, layer, cache, mask)
        if cache is not None:
            cache.length += length
        return self.output_norm(x)

    def choices(self) -> list[moe.Choice]:
        """What each layer's router decided in the last forward pass; empty for a dense model."""
        return [block.choice for block in self.blk if block.choice is not None]

    def balance_loss(self) -> Tensor:
        """The mean over layers of ``Choice.balance_loss``; 0 for a dense model."""
        losses = [choice.balance_loss() for choice in self.choices()]
        return torch.stack(losses).mean() if losses else torch.zeros((), device=self.device)

    @torch.no_grad()
    def routing(self, tokens: Sequence[int]) -> Tensor:
        """(layers, T, used): the experts that each layer chooses for each token of one text."""
        self(self.batch([tokens]))
        return torch.stack([choice.experts for choice in self.choices()])
