"""What changes when a layer holds many small feed-forward networks, and a token uses only two?

The shape is llama.cpp's ``qwen3moe``, which Qwen3-30B-A3B has too: attention without biases, a
norm on each head's query and key, and in place of the feed-forward a router and its experts.
With ``experts=0`` it is the dense ``qwen3``, so that both differ in nothing but this.  Sources:
Qwen3 technical report, arXiv 2505.09388; experts chosen per token, Shazeer et al., arXiv
1701.06538; shared expert, DeepSeekMoE, arXiv 2401.06066.

Modules carry the names that llama.cpp gives the tensors, as in ``course_utils.nano.model``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.architectures import Architecture, GroupedQueryAttention, MixtureOfExperts
from course_utils.nano.model import Block, Cache, Shape, Transformer, rotate


@dataclass(frozen=True)
class MixtureShape(Shape):
    """A shape with experts; Qwen3-30B-A3B's numbers stand behind each.

    ``used`` of ``experts`` serve each token, each ``expert_width`` wide.  ``shared_width`` is the
    width of an expert that serves every token, 0 for none; llama.cpp's ``qwen3moe`` has none, so
    that a model with one lives in PyTorch only.  ``ffn_width`` counts where ``experts`` is 0.
    """

    layers: int = 3  # 48
    width: int = 128  # 2,048
    experts: int = 8  # 128
    used: int = 2  # 8
    expert_width: int = 128  # 768
    shared_width: int = 0  # 0
    ffn_width: int = 256  # 6,144, in no layer

    @property
    def architecture(self) -> Architecture:
        """The same shape as ``course_utils.architectures`` counts it: parameters and FLOPs."""
        experts = MixtureOfExperts(
            experts=self.experts,
            used=self.used,
            width=self.expert_width,
            shared=int(self.shared_width > 0),
            shared_width=self.shared_width,
        )
        return Architecture(
            family="qwen3moe" if self.experts else "qwen3",
            layers=self.layers,
            hidden=self.width,
            feed_forward=self.ffn_width,
            vocabulary=self.vocabulary,
            attention=GroupedQueryAttention(
                self.heads, self.kv_heads, self.head_width, head_norms=True
            ),
            experts=experts if self.experts else None,
            context=self.context,
            rope_theta=self.rope_theta,
            norm_epsilon=self.norm_epsilon,
        )


class Experts(nn.Module):
    """One matrix for each expert, stacked: ``weight`` is (experts, out, in)."""

    def __init__(self, experts: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, outputs, inputs))


@dataclass(frozen=True)
class Choice:
    """What one layer's router decided for N tokens.

    ``probabilities``: (N, experts), softmax over all; ``experts``: (N, used), those chosen, the
    likeliest first; ``weights``: (N, used), their shares, which sum to 1.
    """

    probabilities: Tensor
    experts: Tensor
    weights: Tensor

    def load(self) -> Tensor:
        """(experts,) the share of all choices that fell on each expert; the shares sum to 1."""
        chosen = self.experts.flatten().bincount(minlength=self.probabilities.shape[-1])
        return chosen / chosen.sum()

    def balance_loss(self) -> Tensor:
        """1 where the load is even, up to ``experts / used`` where the same few take every token.

        The number of experts times the sum of load x mean probability: the load has no gradient,
        the probability has.  Source: Switch Transformer, arXiv 2101.03961, equation 4, after
        GShard, arXiv 2006.16668.
        """
        experts = self.probabilities.shape[-1]
        return experts * (self.load() * self.probabilities.mean(0)).sum()


class MixtureBlock(Block):
    """One layer: attention, then the experts that the router chooses, each added to what came in.

    ``choice`` is what the router decided in the last forward pass; ``removed`` are experts that
    it must not choose (for ablations).
    """

    def __init__(self, shape: MixtureShape):
        nn.Module.__init__(self)  # another set of weights than the dense block's
        self.shape = shape
        width, kv_width = shape.width, shape.kv_heads * shape.head_width
        self.attn_norm = nn.RMSNorm(width, eps=shape.norm_epsilon)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, kv_width, bias=False)
        self.attn_v = nn.Linear(width, kv_width, bias=False)
        self.attn_q_norm = nn.RMSNorm(shape.head_width, eps=shape.norm_epsilon)
        self.attn_k_norm = nn.RMSNorm(shape.head_width, eps=shape.norm_epsilon)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = nn.RMSNorm(width, eps=shape.norm_epsilon)
        self.choice: Choice | None = None
        self.removed: frozenset[int] = frozenset()
        if not shape.experts:
            self.ffn_gate = nn.Linear(width, shape.ffn_width, bias=False)
            self.ffn_up = nn.Linear(width, shape.ffn_width, bias=False)
            self.ffn_down = nn.Linear(shape.ffn_width, width, bias=False)
            return
        self.ffn_gate_inp = nn.Linear(width, shape.experts, bias=False)  # the router
        self.ffn_gate_exps = Experts(shape.experts, width, shape.expert_width)
        self.ffn_up_exps = Experts(shape.experts, width, shape.expert_width)
        self.ffn_down_exps = Experts(shape.experts, shape.expert_width, width)
        if shape.shared_width:
            self.ffn_gate_shexp = nn.Linear(width, shape.shared_width, bias=False)
            self.ffn_up_shexp = nn.Linear(width, shape.shared_width, bias=False)
            self.ffn_down_shexp = nn.Linear(shape.shared_width, width, bias=False)

    def attention(self, x, cos, sin, layer: int, cache: Cache | None, mask: Tensor | None):
        rows, length, width = x.shape
        q = self.attn_q(x).view(rows, length, self.shape.heads, -1).transpose(1, 2)
        k = self.attn_k(x).view(rows, length, self.shape.kv_heads, -1).transpose(1, 2)
        v = self.attn_v(x).view(rows, length, self.shape.kv_heads, -1).transpose(1, 2)
        q, k = rotate(self.attn_q_norm(q), cos, sin), rotate(self.attn_k_norm(k), cos, sin)
        if cache is not None:
            end = cache.length + length
            cache.keys[layer][:, :, cache.length : end] = k
            cache.values[layer][:, :, cache.length : end] = v
            k, v = cache.keys[layer][:, :, :end], cache.values[layer][:, :, :end]
        mixed = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=cache is None, enable_gqa=True
        )
        return self.attn_output(mixed.transpose(1, 2).reshape(rows, length, width))

    def forward(self, x, cos, sin, layer=0, cache=None, mask=None):
        x = x + self.attention(self.attn_norm(x), cos, sin, layer, cache, mask)
        y = self.ffn_norm(x)
        if not self.shape.experts:
            return x + self.ffn_down(F.silu(self.ffn_gate(y)) * self.ffn_up(y))
        tokens = y.flatten(0, 1)
        self.choice = self.choose(tokens)
        mixed = self.mix(tokens, self.choice)
        if self.shape.shared_width:
            hidden = F.silu(self.ffn_gate_shexp(tokens)) * self.ffn_up_shexp(tokens)
            mixed = mixed + self.ffn_down_shexp(hidden)
        return x + mixed.view_as(x)

    def choose(self, tokens: Tensor) -> Choice:
        """The router: a score for every expert, softmax, the ``used`` highest, made to sum to 1.

        ``tokens``: (N, width).
        """
        scores = self.ffn_gate_inp(tokens)
        if self.removed:
            scores = scores.clone()
            scores[:, sorted(self.removed)] = float("-inf")
        probabilities = scores.softmax(-1)
        weights, experts = probabilities.topk(self.shape.used)
        return Choice(probabilities, experts, weights / weights.sum(-1, keepdim=True))

    def mix(self, tokens: Tensor, choice: Choice) -> Tensor:
        """(N, width): for each token the weighted sum of what its experts make of it."""
        # Sorted by expert, each expert reads one stretch; a token stands in ``used`` of them.
        order = choice.experts.flatten().argsort(stable=True)
        source = order // self.shape.used
        counts = choice.experts.flatten().bincount(minlength=self.shape.experts).tolist()
        stretches = tokens.index_select(0, source).split(counts)
        weights = (
            self.ffn_gate_exps.weight.unbind(),
            self.ffn_up_exps.weight.unbind(),
            self.ffn_down_exps.weight.unbind(),
        )
        made = torch.cat(
            [
                F.linear(F.silu(F.linear(stretch, gate)) * F.linear(stretch, up), down)
                for stretch, gate, up, down in zip(stretches, *weights, strict=True)
            ]
        )
        made = made * choice.weights.flatten()[order][:, None]
        return made.new_zeros(tokens.shape).index_add(0, source, made)


class MixtureTransformer(Transformer):
    """Tokens in, logits out, as ``Transformer``; each layer's experts are chosen per token."""

    def __init__(self, shape: MixtureShape | None = None):
        shape = shape or MixtureShape()
        super().__init__(shape)
        self.blk = nn.ModuleList([MixtureBlock(shape) for _ in range(shape.layers)])
        for name, parameter in self.blk.named_parameters():
            if parameter.dim() >= 2:
                writes = "attn_output" in name or "ffn_down" in name
                deviation = 0.02 / (2 * shape.layers) ** 0.5 if writes else 0.02
                nn.init.normal_(parameter, std=deviation)

    def choices(self) -> list[Choice]:
        """What each layer's router decided in the last forward pass; empty for a dense model."""
        return [block.choice for block in self.blk if block.choice is not None]

    def balance_loss(self) -> Tensor:
        """The mean over layers of ``Choice.balance_loss``; 0 for a dense model."""
        losses = [choice.balance_loss() for choice in self.choices()]
        return torch.stack(losses).mean() if losses else torch.zeros((), device=self.device)

    @torch.no_grad()
    def routing(self, tokens: list[int]) -> Tensor:
        """(layers, T, used): the experts that each layer chooses for each token of one text."""
        self(self.batch([tokens]))
        return torch.stack([choice.experts for choice in self.choices()])


@contextmanager
def without_expert(model: MixtureTransformer, layer: int, expert: int) -> Iterator[None]:
    """For as long as the ``with`` block lasts, this layer's router cannot choose this expert.

    The next best expert takes its place, as if the removed one had never been built.
    """
    block = model.blk[layer]
    before = block.removed
    block.removed = before | {expert}
    try:
        yield
    finally:
        block.removed = before
