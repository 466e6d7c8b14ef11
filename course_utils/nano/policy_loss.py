"""Which loss makes the better completions likelier? The policy loss of GRPO, and a step with it.

For a token of a completion with advantage A, drawn with probability p_old and now of probability
p, the objective (to be raised) is::

    r = p / p_old
    min(r A, clip(r, 1 - clip_low, 1 + clip_high) A) - kl * k3(p, p_reference)

and the policy loss is minus its mean, which ``Settings.mean_over`` takes over tokens or over
completions.  Sources: ``course_utils.nano.grpo_settings``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.errors import OptionError, TrainingError
from course_utils.nano.grpo_settings import Settings
from course_utils.nano.model import Transformer
from course_utils.nano.sample import Samples


def advantages(rewards: Tensor, *, baseline: bool = True, deviation: bool = True) -> Tensor:
    """How much better each completion is than its group's mean, in standard deviations.

    ``rewards``: (problems, group).  The deviation is that of a sample, with ``group - 1`` below
    the line, as in TRL and verl (the papers write "std").  A group of equal rewards has advantage
    0, whatever its mean is rounded to: it teaches nothing.  Without ``baseline`` the mean is not
    subtracted, without ``deviation`` nothing is divided.
    """
    if not baseline:
        return rewards / (rewards.std(dim=1, keepdim=True) + 1e-4) if deviation else rewards
    result = rewards - rewards.mean(dim=1, keepdim=True)
    if deviation:
        result = result / (rewards.std(dim=1, keepdim=True) + 1e-4)
    return result.masked_fill(without_spread(rewards)[:, None], 0.0)


def without_spread(rewards: Tensor) -> Tensor:
    """(problems,) which groups earned equal rewards; ``rewards``: (problems, group)."""
    return rewards.amax(dim=1) == rewards.amin(dim=1)


def clipped_objective(
    log_probs: Tensor, old_log_probs: Tensor, advantage: Tensor, clip_low: float, clip_high: float
) -> Tensor:
    """What each token contributes to the objective (to be raised): shapes (rows, T).

    The ratio says how much likelier the token is now than when it was drawn; beyond the clips
    there is nothing more to gain, so one batch cannot pull the model far (PPO, arXiv 1707.06347).
    """
    ratio = (log_probs - old_log_probs).exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    return torch.minimum(ratio * advantage, clipped * advantage)


def kl_penalty(log_probs: Tensor, reference: Tensor) -> Tensor:
    """How far each token's probability has moved from the reference model's: shapes (rows, T).

    An estimate of the Kullback-Leibler divergence that is never negative and has little variance:
    r - log r - 1 with r the reference's probability over the policy's (DeepSeekMath, equation 4;
    known as k3, http://joschu.net/blog/kl-approx.html).
    """
    ratio = reference - log_probs
    return ratio.exp() - ratio - 1


def log_probabilities(
    model: Transformer,
    prompts: Sequence[list[int]],
    texts: Sequence[list[int]],
    temperature: float = 1.0,
) -> Tensor:
    """(rows, T) log-probability of each token of each text after its prompt; 0 in the padding.

    Those of the distribution that ``sample`` draws from at this temperature: the logits are
    divided by it.  The ratio of two policies is that of the distributions their tokens came from;
    with the logits as they are in one of the two, an unchanged policy would have a ratio other
    than 1 (Huang et al., "The N implementation details of RLHF with PPO"; TRL and verl do so too).
    """
    rows = [prompt + text for prompt, text in zip(prompts, texts, strict=True)]
    padded = model.batch(rows)
    every = F.log_softmax(model(padded[:, :-1]).float() / temperature, dim=-1)
    chosen = every.gather(2, padded[:, 1:, None])[:, :, 0]
    width = max(map(len, texts))
    result = chosen.new_zeros(len(rows), width)
    for row, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        start = len(prompt) - 1  # the token before the first of the text predicts it
        result[row, : len(text)] = chosen[row, start : start + len(text)]
    return result


@dataclass(frozen=True)
class Batch:
    """What the policy learns from, a row for each completion.

    ``prompts`` and ``completions``: token numbers; ``log_probs``: (rows, T) of the policy that
    drew them; ``mask``: (rows, T) true where there is a token; ``advantage``: (rows,).
    """

    prompts: Sequence[list[int]]
    completions: Sequence[list[int]]
    log_probs: Tensor
    mask: Tensor
    advantage: Tensor


def update(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    prompts: Sequence[list[int]],
    samples: Samples,
    advantage: Tensor,
    settings: Settings,
    reference: Transformer | None = None,
) -> dict[str, float]:
    """``improve`` with the completions of ``samples``; ``prompts`` has one for each of them."""
    batch = Batch(prompts, samples.texts(), samples.log_probs, samples.mask(), advantage)
    return improve(model, optimizer, batch, settings, reference)


def improve(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    settings: Settings,
    reference: Transformer | None = None,
) -> dict[str, float]:
    """Make the better completions likelier, in ``settings.updates`` steps over parts of them.

    Completions with advantage 0 have no gradient, so they are not computed, unless a KL penalty
    gives them one; they still count in the mean.  ``reference``: the model that training began
    with, which ``settings.kl`` holds on to.

    Gives, as means over the steps made, ``loss``; ``grad_norm`` before it is shortened to 1;
    ``ratio``, the mean over the tokens trained on; and ``clip_fraction``, the share of all tokens
    whose gradient the clip took away; with a ``reference`` also ``kl`` (``kl_to``).  Raises
    TrainingError where a loss, a gradient or the new weights are no longer numbers; the model then
    has the weights it came with.  Raises OptionError for a penalty without a reference.
    """
    if settings.kl and reference is None:
        raise OptionError(
            f"kl={settings.kl:g} holds on to a reference model, and none is given.",
            "Give a copy of the model that training begins with, or set kl=0.",
        )
    mask, advantage = batch.mask, batch.advantage
    lengths = mask.sum(dim=1)
    clips = (settings.clip_low, settings.clip_high) if settings.clip else (1.0, float("inf"))
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    watched = {"kl": kl_to(reference, batch, settings)} if reference else {}
    steps, trained, clipped, ratios = [], 0, 0.0, 0.0
    for start in range(settings.updates):
        part = torch.arange(start, len(mask), settings.updates, device=mask.device)
        learning = part if settings.kl else part[advantage[part] != 0]
        if not len(learning):
            continue
        weights = token_weights(mask, part, settings)
        # Completions of similar length side by side need little padding.
        learning = learning[lengths[learning].argsort()]
        optimizer.zero_grad()
        total = 0.0
        for rows in learning.split(settings.micro_batch):
            chosen = rows.tolist()
            texts = [batch.prompts[r] for r in chosen], [batch.completions[r] for r in chosen]
            new = log_probabilities(model, *texts, settings.temperature)
            shape = rows, slice(new.shape[1])
            old, own = batch.log_probs[shape], advantage[rows, None]
            objective = clipped_objective(new, old, own, *clips)
            if settings.kl:
                with torch.no_grad():
                    there = log_probabilities(reference, *texts, settings.temperature)
                objective = objective - settings.kl * kl_penalty(new, there)
            loss = -(objective * weights[shape]).sum()
            loss.backward()
            total += loss.item()
            ratio, drawn = (new.detach() - old).exp(), mask[shape]
            trained += drawn.sum().item()
            ratios += ratio[drawn].sum().item()
            beyond = (ratio > 1 + clips[1]) & (own > 0) | (ratio < 1 - clips[0]) & (own < 0)
            clipped += (beyond & drawn).sum().item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()
        steps.append((total, norm))
        if not math.isfinite(total + norm):
            break
        optimizer.step()
    if steps and not (math.isfinite(sum(steps[-1])) and still_works(model, batch.prompts[0])):
        model.load_state_dict(before)
        raise TrainingError(
            "A step with loss {:.3g} and gradient norm {:.3g} leaves weights that are no longer "
            "numbers; the model keeps those from before it.".format(*steps[-1]),
            f"Lower the learning rate, which is {optimizer.param_groups[0]['lr']:g}, and begin "
            "again with a new optimiser.",
        )
    made = max(1, len(steps))
    return watched | {
        "loss": sum(loss for loss, _ in steps) / made,
        "grad_norm": sum(norm for _, norm in steps) / made,
        "ratio": ratios / trained if trained else 1.0,
        "clip_fraction": clipped / mask.sum().item(),
    }


@torch.no_grad()
def kl_to(reference: Transformer, batch: Batch, settings: Settings) -> float:
    """How far the policy that drew a batch is from ``reference``: nats per token.

    Estimated (``kl_penalty``) on one completion of each group, which costs little.
    """
    rows = range(0, len(batch.completions), settings.group)
    there = log_probabilities(
        reference,
        [batch.prompts[row] for row in rows],
        [batch.completions[row] for row in rows],
        settings.temperature,
    )
    shape = slice(None, None, settings.group), slice(there.shape[1])
    return kl_penalty(batch.log_probs[shape], there)[batch.mask[shape]].mean().item()


@torch.no_grad()
def still_works(model: Transformer, prompt: list[int]) -> bool:
    """Does the model still give numbers for the tokens after a prompt?"""
    return bool(model(model.batch([prompt])).isfinite().all())


def token_weights(mask: Tensor, part: Tensor, settings: Settings) -> Tensor:
    """(rows, T) what each token of the completions ``part`` counts in the loss; 0 in the padding.

    The three means of ``Settings.mean_over``, each over the completions of this part.
    """
    if settings.mean_over == "tokens":
        return mask / mask[part].sum()
    if settings.mean_over == "completion":
        return mask / (mask.sum(dim=1, keepdim=True) * len(part))
    return mask / (settings.max_tokens * len(part))
