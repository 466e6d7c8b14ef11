"""Is a learner's step of GRPO the course's? Both from the same weights, on the same completions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from course_utils.nano import grpo
from course_utils.nano.experiments import sums
from course_utils.nano.model import Transformer
from course_utils.nano.sample import Samples


def compare_steps(
    learn: Callable,
    model: Transformer,
    prompts: Sequence[list[int]],
    samples: Samples,
    advantage: Tensor,
    changes: Sequence[Mapping[str, float]] = (),
) -> dict[str, bool]:
    """Does one step of ``learn`` give the weights that the course's own published GRPO gives?

    ``learn(policy, optimizer, reference, prompts, samples, advantage, **lines)`` makes one step;
    ``advantage``: (problems, group).  Both begin at a policy that has moved since the completions
    were drawn: only then are ratios other than 1, so that a wrong clip would show.  With each of
    the ``changes`` to its lines the step should *not* be the same.
    """
    moved = copy.deepcopy(model)
    fast = torch.optim.AdamW(moved.parameters(), lr=1e-3)
    for _ in range(3):
        learn(moved, fast, model, prompts, samples, advantage)

    def stepped(step: Callable, *extra, **lines) -> tuple[list[Tensor], object]:
        network = copy.deepcopy(moved)
        gave = step(network, torch.optim.SGD(network.parameters(), lr=1.0), *extra, **lines)
        return list(network.parameters()), gave

    settings = sums.reinforcement(updates=1, **grpo.OBJECTIVES["GRPO"])
    ours, watched = stepped(grpo.update, prompts, samples, advantage.flatten(), settings, model)

    def same(**lines) -> bool:
        theirs, _ = stepped(learn, model, prompts, samples, advantage, **lines)
        pairs = zip(theirs, ours, strict=True)
        return all(torch.allclose(one, other, atol=1e-5) for one, other in pairs)

    found = {"the clip acts on some tokens": watched["clip_fraction"] > 0.01}
    found["the same step as the course's"] = same()
    for change in changes:
        ((line, value),) = change.items()
        found[f"the same with {line} = {value:g}"] = same(**change)
    return found
