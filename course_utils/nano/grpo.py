"""How does reward alone make a fluent model a correct one? GRPO, on answers a program checks.

For each problem the model writes a group of solutions.  A verifier gives each a reward; a
solution better than its group's mean is made likelier, a worse one less likely.  Group relative
policy optimisation is from DeepSeekMath, arXiv 2402.03300.  As in DAPO, arXiv 2503.14476, the
loss is a mean over tokens, the upper clip is wider than the lower, and there is no KL penalty.
``Settings`` switches each of these choices, so that a learner can take one away and see.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from course_utils.nano.model import Transformer
from course_utils.nano.pretrain import save_state, write_log
from course_utils.nano.sample import Samples, sample
from course_utils.nano.tasks import Problem, verify
from course_utils.nano.tokenizer import END, decode, render, split_reply


@dataclass(frozen=True)
class Settings:
    """What a run depends on: each step draws ``group`` solutions of each of ``problems``.

    The switches of an ablation: ``baseline`` subtracts the group's mean reward, ``deviation``
    divides by its standard deviation (Dr. GRPO, arXiv 2503.20783, does not), ``clip`` bounds the
    ratio.  ``mean_over`` says what the loss is a mean over: all "tokens" of a batch (DAPO), each
    "solution" and then the solutions (GRPO as first published), or a "constant" number of tokens,
    ``max_tokens`` per solution (Dr. GRPO).  ``kl`` weighs a penalty for leaving the model that
    training began with.
    """

    steps: int = 40
    problems: int = 32
    group: int = 16
    updates: int = 2  # optimiser steps per batch of solutions; with one, clipping has no effect
    learning_rate: float = 1e-4
    clip_low: float = 0.2
    clip_high: float = 0.28
    temperature: float = 1.0
    max_tokens: int = 96
    micro_batch: int = 128  # solutions per backward pass; sets the memory, not the result
    evaluate_every: int = 10
    seed: int = 1
    baseline: bool = True
    deviation: bool = True
    clip: bool = True
    mean_over: Literal["tokens", "solution", "constant"] = "tokens"
    kl: float = 0.0


def advantages(rewards: Tensor, *, baseline: bool = True, deviation: bool = True) -> Tensor:
    """How much better each solution is than its group's mean, in standard deviations.

    ``rewards``: (problems, group).  A group of equal rewards has advantage 0: it teaches nothing.
    Without ``baseline`` the mean is not subtracted, without ``deviation`` nothing is divided.
    """
    result = rewards - rewards.mean(dim=1, keepdim=True) if baseline else rewards
    return result / (rewards.std(dim=1, keepdim=True) + 1e-4) if deviation else result


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
    """How far each token's probability has moved from the reference's: shapes (rows, T).

    An estimate of the Kullback-Leibler divergence that is never negative and has little variance:
    r - log r - 1 with r the reference's probability over the model's (DeepSeekMath, equation 4).
    """
    ratio = reference - log_probs
    return ratio.exp() - ratio - 1


def reward(problem: Problem, text: str) -> float:
    """1 for a solution that ends properly with the right answer, else 0."""
    _, answer = split_reply(text)
    return float(text.endswith(END) and verify(problem, answer))


def log_probabilities(model: Transformer, prompts: Sequence[list[int]], texts: Sequence[list[int]]):
    """(rows, T) log-probability of each token of each text after its prompt; 0 in the padding."""
    rows = [prompt + text for prompt, text in zip(prompts, texts, strict=True)]
    padded = model.batch(rows)
    every = F.log_softmax(model(padded[:, :-1]).float(), dim=-1)
    chosen = every.gather(2, padded[:, 1:, None])[:, :, 0]
    width = max(map(len, texts))
    result = chosen.new_zeros(len(rows), width)
    for row, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        start = len(prompt) - 1  # the token before the first of the text predicts it
        result[row, : len(text)] = chosen[row, start : start + len(text)]
    return result


def update(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    prompts: Sequence[list[int]],
    samples: Samples,
    advantage: Tensor,
    settings: Settings,
    reference: Transformer | None = None,
) -> None:
    """Make the better solutions likelier, in ``settings.updates`` steps over parts of them.

    ``prompts``: one per solution.  ``advantage``: (rows,).  Solutions with advantage 0 have no
    gradient, so they are not computed; they still count in the mean.  ``reference``: the model
    that ``settings.kl`` holds on to.
    """
    texts, mask = samples.texts(), samples.mask()
    clips = (settings.clip_low, settings.clip_high) if settings.clip else (1.0, float("inf"))
    for start in range(settings.updates):
        part = torch.arange(start, len(texts), settings.updates, device=advantage.device)
        telling = part if reference else part[advantage[part] != 0]
        if not len(telling):
            continue
        weights = token_weights(mask, part, settings)
        # Solutions of similar length side by side need little padding.
        telling = telling[samples.lengths[telling].argsort()]
        optimizer.zero_grad()
        for rows in telling.split(settings.micro_batch):
            chosen = rows.tolist()
            chosen_texts = [prompts[r] for r in chosen], [texts[r] for r in chosen]
            new = log_probabilities(model, *chosen_texts)
            old = samples.log_probs[rows, : new.shape[1]]
            gain = clipped_objective(new, old, advantage[rows, None], *clips)
            if reference:
                with torch.no_grad():
                    before = log_probabilities(reference, *chosen_texts)
                gain = gain - settings.kl * kl_penalty(new, before)
            loss = -(gain * weights[rows, : new.shape[1]]).sum()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def token_weights(mask: Tensor, part: Tensor, settings: Settings) -> Tensor:
    """(rows, T) what each token of the solutions ``part`` counts in the loss; 0 in the padding."""
    if settings.mean_over == "tokens":
        return mask / mask[part].sum()
    if settings.mean_over == "solution":
        return mask / (mask.sum(dim=1, keepdim=True) * len(part))
    return mask / (settings.max_tokens * len(part))


def train(
    model: Transformer,
    tokenizer: Tokenizer,
    draw: Callable[[Random], Any],
    settings: Settings | None = None,
    *,
    reward: Callable[[Any, str], float] = reward,
    watch: Callable[[Sequence, Sequence[str]], dict[str, float]] | None = None,
    held_out: Sequence = (),
    state_file: Path | None = None,
    log_file: Path | None = None,
) -> Iterator[dict]:
    """Train ``model`` in place, yielding one record per step, with a sample to read.

    ``draw`` gives a problem: anything with a ``question``.  ``reward(problem, text)`` values a
    solution's whole text, thought included.  ``watch(problems, texts)`` adds columns to the
    record, from the solutions drawn.  The mean reward on ``held_out`` with the likeliest tokens is
    the record's ``accuracy``, every ``evaluate_every`` steps.  Each step depends on the seed and
    its number alone, so a stopped run goes on from ``state_file`` exactly.
    """
    settings = settings or Settings()
    reference = copy.deepcopy(model) if settings.kl else None
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
    )
    first, log, seconds = 0, [], 0.0
    same_run = repr(replace(settings, steps=0))  # more steps go on from fewer
    if state_file and state_file.exists():
        state = torch.load(state_file, map_location="cpu")
        if state["settings"] == same_run:
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            first, log = state["step"], state["log"]
            seconds = log[-1]["seconds"]
    stop = tokenizer.token_to_id(END)
    for step in range(first + 1, settings.steps + 1):
        started = time.perf_counter()
        random = Random(f"{settings.seed} {step}")
        generator = torch.Generator(model.device).manual_seed(random.getrandbits(63))
        problems = [draw(random) for _ in range(settings.problems)]
        prompts = [tokenizer.encode(render(problem.question)).ids for problem in problems]
        drawing = {"max_tokens": settings.max_tokens, "temperature": settings.temperature}
        samples = sample(
            model, prompts, stop=stop, copies=settings.group, generator=generator, **drawing
        )
        texts = [decode(tokenizer, text) for text in samples.texts()]
        owners = [i for i in range(len(problems)) for _ in range(settings.group)]
        rewards = [reward(problems[i], t) for i, t in zip(owners, texts, strict=True)]
        rewards = torch.tensor(rewards, device=model.device)
        advantage = advantages(
            rewards.view(settings.problems, settings.group),
            baseline=settings.baseline,
            deviation=settings.deviation,
        ).flatten()
        update(
            model, optimizer, [prompts[i] for i in owners], samples, advantage, settings, reference
        )
        seconds += time.perf_counter() - started
        record = {
            "step": step,
            "seconds": round(seconds, 1),
            "reward": round(rewards.mean().item(), 4),
            "accuracy": "",
            "length": round(samples.lengths.float().mean().item(), 1),
            "entropy": round((samples.entropy.sum() / samples.mask().sum()).item(), 4),
        }
        if watch:
            record |= watch([problems[i] for i in owners], texts)
        if held_out and (step % settings.evaluate_every == 0 or step == settings.steps):
            share = accuracy(model, tokenizer, held_out, settings.max_tokens, reward=reward)
            record["accuracy"] = round(share, 4)
        log.append(record)
        if log_file:
            write_log(log_file, log)
        if state_file:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            save_state(state_file, step=step, log=log, settings=same_run, **state)
        yield record | {"question": problems[0].question, "solution": texts[0]}


def accuracy(
    model: Transformer,
    tokenizer: Tokenizer,
    problems: Sequence,
    max_tokens: int = 96,
    *,
    reward: Callable[[Any, str], float] = reward,
) -> float:
    """Share of problems solved with the likeliest tokens (temperature 0): their mean reward."""
    prompts = [tokenizer.encode(render(problem.question)).ids for problem in problems]
    stop = tokenizer.token_to_id(END)
    samples = sample(model, prompts, stop=stop, max_tokens=max_tokens, temperature=0)
    texts = [decode(tokenizer, text) for text in samples.texts()]
    return sum(reward(p, t) for p, t in zip(problems, texts, strict=True)) / len(problems)
