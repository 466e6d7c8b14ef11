"""What changes when a layer holds many small feed-forward networks, and a token uses only two?

In place of its feed-forward a block of llama.cpp's ``qwen3moe``, which Qwen3-30B-A3B has too, holds
a router and its experts.  Sources: Qwen3 technical report, arXiv 2505.09388; experts chosen per
token, Shazeer et al., arXiv 1701.06538; shared expert, DeepSeekMoE, arXiv 2401.06066.

The functions take a ``course_utils.nano.model.Block``, whose weights ``add_experts`` makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.nano.shape import Shape


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


def add_experts(block: nn.Module, shape: Shape) -> None:
    """Give ``block`` the weights of a router and of its experts."""
    width = shape.width
    block.ffn_gate_inp = nn.Linear(width, shape.experts, bias=False)  # the router
    block.ffn_gate_exps = Experts(shape.experts, width, shape.expert_width)
    block.ffn_up_exps = Experts(shape.experts, width, shape.expert_width)
    block.ffn_down_exps = Experts(shape.experts, shape.expert_width, width)
    if shape.shared_width:
        block.ffn_gate_shexp = nn.Linear(width, shape.shared_width, bias=False)
        block.ffn_up_shexp = nn.Linear(width, shape.shared_width, bias=False)
        block.ffn_down_shexp = nn.Linear(shape.shared_width, width, bias=False)


def feed_forward(block: nn.Module, x: Tensor) -> Tensor:
    """What the experts of ``block`` add to ``x`` (rows, T, width); their choice stays with it."""
    tokens = x.flatten(0, 1)
    block.choice = choose(block, tokens)
    made = combine(block, tokens, block.choice)
    if block.shape.shared_width:
        hidden = F.silu(block.ffn_gate_shexp(tokens)) * block.ffn_up_shexp(tokens)
        made = made + block.ffn_down_shexp(hidden)
    return made.view_as(x)


def choose(block: nn.Module, tokens: Tensor) -> Choice:
    """The router: a score for every expert, softmax, the ``used`` highest, made to sum to 1.

    ``tokens``: (N, width).
    """
    scores = block.ffn_gate_inp(tokens)
    if block.removed:
        scores = scores.clone()
        scores[:, sorted(block.removed)] = float("-inf")
    probabilities = scores.softmax(-1)
    weights, experts = probabilities.topk(block.shape.used)
    return Choice(probabilities, experts, weights / weights.sum(-1, keepdim=True))


def combine(block: nn.Module, tokens: Tensor, choice: Choice) -> Tensor:
    """(N, width): for each token the weighted sum of what its experts make of it."""
    # Sorted by expert, each expert reads one stretch; a token stands in ``used`` of them.
    order = choice.experts.flatten().argsort(stable=True)
    source = order // block.shape.used
    counts = choice.experts.flatten().bincount(minlength=block.shape.experts).tolist()
    stretches = tokens.index_select(0, source).split(counts)
    weights = (
        block.ffn_gate_exps.weight.unbind(),
        block.ffn_up_exps.weight.unbind(),
        block.ffn_down_exps.weight.unbind(),
    )
    made = torch.cat(
        [
            F.linear(F.silu(F.linear(stretch, gate)) * F.linear(stretch, up), down)
            for stretch, gate, up, down in zip(stretches, *weights, strict=True)
        ]
    )
    made = made * choice.weights.flatten()[order][:, None]
    return made.new_zeros(tokens.shape).index_add(0, source, made)


@contextmanager
def without_expert(model: nn.Module, layer: int, expert: int) -> Iterator[None]:
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
