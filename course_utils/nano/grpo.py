"""How does reward alone make a fluent model a correct one? GRPO, on answers a program checks.

For each problem the policy, which is the model under training, writes a group of completions.  A
verifier gives each a reward; a completion better than its group's mean is made likelier, a worse
one less likely.  Group relative policy optimisation is from DeepSeekMath, arXiv 2402.03300.  What
is built here by default is the policy loss of DAPO, arXiv 2503.14476: a mean over tokens, an upper
clip wider than the lower, and no KL penalty.  ``Settings`` switches each of these, so that a
learner can take one away and see; ``OBJECTIVES`` has GRPO as first published, and Dr. GRPO.

A step is ``rollout`` here, then ``advantages`` and ``improve`` of ``policy_loss``.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from course_utils.errors import OptionError
from course_utils.logs import write_log
from course_utils.nano.grpo_settings import OBJECTIVES, Settings
from course_utils.nano.model import Transformer
from course_utils.nano.policy_loss import (
    Batch,
    advantages,
    clipped_objective,
    improve,
    kl_penalty,
    log_probabilities,
    update,
    without_spread,
)
from course_utils.nano.pretrain import save_state
from course_utils.nano.sample import Samples, join, sample
from course_utils.nano.tasks import Problem, verify
from course_utils.nano.tokenizer import END, decode, render, split_reply

__all__ = [
    "OBJECTIVES",
    "Settings",
    "accuracy",
    "advantages",
    "clipped_objective",
    "kl_penalty",
    "log_probabilities",
    "reward",
    "rollout",
    "step",
    "train",
    "update",
]

Reward = Callable[[Any, str], float]
"""``(problem, text)`` to a finite number; ``text`` is the whole completion, thought included."""

LARGEST_REWARD = 1e15
"""Beyond this the square of a reward leaves the range of 32-bit numbers."""


def reward(problem: Problem, text: str) -> float:
    """1 for a completion that ends properly with the right answer, else 0."""
    _, answer = split_reply(text)
    return float(text.endswith(END) and verify(problem, answer))


@dataclass(frozen=True)
class Rollout:
    """Completions of problems, a group of each, and what they earned.

    ``problems``, ``prompts`` and ``completions`` (token numbers), ``texts``, ``samples`` and
    ``mask`` (``Samples.mask``) have a row for each completion, those of one problem side by side;
    ``rewards``: (problems, group).
    """

    problems: list
    prompts: list[list[int]]
    completions: list[list[int]]
    texts: list[str]
    samples: Samples
    mask: Tensor
    rewards: Tensor

    def groups(self, chosen: Sequence[int]) -> Rollout:
        """The groups of these numbers, in this order."""
        size = self.rewards.shape[1]
        rows = [group * size + copy for group in chosen for copy in range(size)]
        return Rollout(
            [self.problems[row] for row in rows],
            [self.prompts[row] for row in rows],
            [self.completions[row] for row in rows],
            [self.texts[row] for row in rows],
            self.samples.select(rows),
            self.mask[rows],
            self.rewards[list(chosen)],
        )


def rollout(
    model: Transformer,
    tokenizer: Tokenizer,
    problems: Sequence,
    settings: Settings,
    *,
    reward: Reward = reward,
    generator: torch.Generator | None = None,
) -> Rollout:
    """Let the policy write ``settings.group`` completions of each problem, and reward each."""
    prompts = encode(tokenizer, problems)
    samples = sample(
        model,
        prompts,
        stop=tokenizer.token_to_id(END),
        copies=settings.group,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        generator=generator,
    )
    completions, mask = samples.texts(), samples.mask()
    texts = [decode(tokenizer, completion) for completion in completions]
    each = [number for number in range(len(problems)) for _ in range(settings.group)]
    earned = [valued(reward, problems[n], text) for n, text in zip(each, texts, strict=True)]
    return Rollout(
        [problems[n] for n in each],
        [prompts[n] for n in each],
        completions,
        texts,
        samples,
        mask,
        torch.tensor(earned, device=mask.device).view(len(problems), settings.group),
    )


def encode(tokenizer: Tokenizer, problems: Sequence) -> list[list[int]]:
    """The prompt of each problem as token numbers; OptionError for one without a question."""
    for problem in problems:
        if not isinstance(getattr(problem, "question", None), str):
            raise OptionError(
                f"A problem to train on is {problem!r:.80}, which has no question.",
                "Draw problems whose .question is a text, such as tasks.make_problem(random).",
            )
    return [tokenizer.encode(render(problem.question)).ids for problem in problems]


def valued(reward: Reward, problem: Any, text: str) -> float:
    """The reward of one completion; OptionError unless it is one finite number."""
    value = reward(problem, text)
    # True and False, and NumPy's, are the numbers 1 and 0.
    if isinstance(value, Real | np.bool_) and abs(value) < LARGEST_REWARD:
        return float(value)
    name = getattr(reward, "__name__", type(reward).__name__)
    raise OptionError(
        f"The reward function {name} gave {value!r:.80} for the completion {text!r:.80}.",
        "Let it return one finite number for each completion: for example 1.0 where it is right "
        "and 0.0 where it is not. From a tensor of one number, return value.item().",
    )


def step(
    model: Transformer,
    tokenizer: Tokenizer,
    optimizer: torch.optim.Optimizer,
    draw: Callable[[Random], Any],
    settings: Settings,
    number: int,
    *,
    reward: Reward = reward,
    reference: Transformer | None = None,
) -> tuple[Rollout, dict[str, float]]:
    """One step of training: draw problems and completions, reward them, update the policy.

    ``number`` is the step's own: with the seed it fixes everything that is drawn.  ``reference``
    is the model that training began with.  Gives all completions drawn, and what is watched.
    """
    random = Random(f"{settings.seed} {number}")
    generator = torch.Generator(next(model.parameters()).device).manual_seed(random.getrandbits(63))
    drawn, missing = [], settings.problems
    for _ in range(1 + settings.dynamic_sampling):
        problems = [draw(random) for _ in range(missing)]
        drawn.append(
            rollout(model, tokenizer, problems, settings, reward=reward, generator=generator)
        )
        missing = int(without_spread(drawn[-1].rewards).sum())
        if not missing:
            break
    everything = together(drawn)
    # Groups with spread first: with dynamic sampling there may be enough of them.
    flat = without_spread(everything.rewards)
    chosen = everything
    if len(drawn) > 1:
        order = flat.float().argsort(stable=True)
        chosen = everything.groups(order[: settings.problems].tolist())
    advantage = advantages(
        chosen.rewards, baseline=settings.baseline, deviation=settings.deviation
    ).flatten()
    batch = Batch(
        chosen.prompts, chosen.completions, chosen.samples.log_probs, chosen.mask, advantage
    )
    watched = {"zero_std_groups": flat.float().mean().item()}
    watched |= improve(model, optimizer, batch, settings, reference)
    return everything, watched


def together(rollouts: Sequence[Rollout]) -> Rollout:
    """Several rollouts of equal groups as one."""
    if len(rollouts) == 1:
        return rollouts[0]
    samples = join([each.samples for each in rollouts])
    return Rollout(
        [problem for each in rollouts for problem in each.problems],
        [prompt for each in rollouts for prompt in each.prompts],
        [completion for each in rollouts for completion in each.completions],
        [text for each in rollouts for text in each.texts],
        samples,
        samples.mask(),
        torch.cat([each.rewards for each in rollouts]),
    )


def measured(drawn: Rollout, watched: dict[str, float]) -> dict[str, float | str]:
    """The columns of a step's record, rounded; "" where there is nothing to measure.

    ``length_right`` and ``length_wrong`` are the mean tokens of completions that earned more than
    1/2, and of the others; ``truncated`` is the share cut off by ``max_tokens`` before their end,
    which no reward for a finished answer can reach.
    """
    samples, rewards = drawn.samples, drawn.rewards
    lengths, right = samples.lengths.float(), rewards.flatten() > 0.5
    columns = {
        "reward": round(rewards.mean().item(), 4),
        "accuracy": "",
        "length": round(lengths.mean().item(), 1),
        "entropy": round((samples.entropy.sum() / drawn.mask.sum()).item(), 4),
    }
    for name, which in (("length_right", right), ("length_wrong", ~right)):
        columns[name] = round(lengths[which].mean().item(), 1) if which.any() else ""
    columns["truncated"] = round(1 - samples.ended.float().mean().item(), 4)
    return columns | {name: float(f"{value:.4g}") for name, value in watched.items()}


def train(
    model: Transformer,
    tokenizer: Tokenizer,
    draw: Callable[[Random], Any],
    settings: Settings | None = None,
    *,
    reward: Reward = reward,
    watch: Callable[[Sequence, Sequence[str]], dict[str, float]] | None = None,
    held_out: Sequence = (),
    state_file: Path | None = None,
    log_file: Path | None = None,
) -> Iterator[dict]:
    """Train ``model`` in place, yielding one record per step, with a completion to read.

    ``draw`` gives a problem: anything with a ``question``.  ``reward(problem, text)`` values a
    whole completion, thought included.  ``watch(problems, texts)`` adds columns to the record,
    from the completions drawn.  The mean reward on ``held_out`` with the likeliest tokens is the
    record's ``accuracy``, every ``evaluate_every`` steps.  Each step depends on the seed and its
    number alone, so a stopped run goes on from ``state_file`` exactly.

    A record has ``step``, ``seconds``, what ``measured`` and ``improve`` give, among it how far
    the policy has moved from where training began, and ``zero_std_groups``, the share of the
    groups drawn that earned equal rewards.
    """
    settings = settings or Settings()
    reference = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
    )
    first, log, seconds = 0, [], 0.0
    same_run = repr(replace(settings, steps=0))  # more steps go on from fewer
    if state_file and state_file.exists():
        state = torch.load(state_file, map_location="cpu")
        if state["settings"] == same_run and "reference" in state:
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            # The model at hand may have been trained already: in a notebook it is the same one.
            reference.load_state_dict(state["reference"])
            first, log = state["step"], state["log"]
            seconds = log[-1]["seconds"]
    for number in range(first + 1, settings.steps + 1):
        started = time.perf_counter()
        drawn, watched = step(
            model,
            tokenizer,
            optimizer,
            draw,
            settings,
            number,
            reward=reward,
            reference=reference,
        )
        seconds += time.perf_counter() - started
        record = {"step": number, "seconds": round(seconds, 1)} | measured(drawn, watched)
        if watch:
            record |= watch(drawn.problems, drawn.texts)
        if held_out and (number % settings.evaluate_every == 0 or number == settings.steps):
            share = accuracy(model, tokenizer, held_out, settings.max_tokens, reward=reward)
            record["accuracy"] = round(share, 4)
        log.append(record)
        if log_file:
            write_log(log_file, log)
        if state_file:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            state["reference"] = reference.state_dict()
            save_state(state_file, step=number, log=log, settings=same_run, **state)
        yield record | {"question": drawn.problems[0].question, "completion": drawn.texts[0]}


def accuracy(
    model: Transformer,
    tokenizer: Tokenizer,
    problems: Sequence,
    max_tokens: int = 96,
    *,
    reward: Reward = reward,
) -> float:
    """Share of problems solved with the likeliest tokens (temperature 0): their mean reward."""
    samples = sample(
        model,
        encode(tokenizer, problems),
        stop=tokenizer.token_to_id(END),
        max_tokens=max_tokens,
        temperature=0,
    )
    texts = [decode(tokenizer, text) for text in samples.texts()]
    return sum(valued(reward, p, t) for p, t in zip(problems, texts, strict=True)) / len(problems)
