"""How does a policy learn from how an episode ended? GRPO's objective over whole episodes.

Each rollout is rewarded once, at its end.  With ``credit="episode"`` it is compared with its group,
rollouts that start from the same hidden state, as in GRPO.  With ``credit="turn"`` and ``group=1``,
as in notebook 08, every rollout of a step is of an episode of its own and there is no group: each
turn is compared with the same turn of the whole batch, as in REINFORCE++ (arXiv 2501.03262).
Three things differ from GRPO with one answer (``nano.grpo``, whose formulas are used here).  The
text holds tokens that the environment wrote, which are not trained (as in Search-R1, arXiv
2503.09516, and RAGEN, arXiv 2504.20073).  An episode can be good and long, so that turns may have a
price.  And a turn may be judged by what followed from it, instead of by the whole episode
(``turn_advantages``): whoever is still playing in the last turn has mostly played badly before, and
must not be blamed for that again.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from course_utils.agents.environment import Draw
from course_utils.agents.rollout import Rollout, play
from course_utils.engines.checks import shown_short
from course_utils.errors import OptionError
from course_utils.nano import checks
from course_utils.nano.grpo import advantages, clipped_objective
from course_utils.nano.grpo_settings import MOST_COMPLETIONS, MOST_TOKENS
from course_utils.nano.model import Transformer
from course_utils.nano.pretrain import save_state


@dataclass(frozen=True)
class Settings:
    """What a run depends on: each step plays ``group`` rollouts of each of ``episodes``.

    Actions are drawn at temperature 1.  ``discount``: what a success is worth one turn later (1: as
    much).  ``turn_penalty`` is taken off for every turn, successful or not; a policy that fails
    anyway then does better to give up at once.
    Raises OptionError for a setting that no run can be made with, or under which nothing can be
    learnt.
    """

    steps: int = 40
    episodes: int = 32
    group: int = 8
    updates: int = 2  # optimiser steps per batch of rollouts
    learning_rate: float = 5e-4
    last_rate: float = 1.0  # share of it in the last step; it falls in a line over the last 60 %
    clip_low: float = 0.2
    clip_high: float = 0.28
    max_action_tokens: int = 8
    discount: float = 1.0
    turn_penalty: float = 0.0
    credit: Literal["episode", "turn"] = "episode"  # what an action is judged by
    micro_batch: int = 64  # rollouts per backward pass; sets the memory, not the result
    hole: bool = False  # pay for actions that were cut off, to see what comes of it
    seed: int = 1

    def __post_init__(self):
        checks.whole("steps", self.steps, 0)
        played = {"limit": "the rollouts that one step may play"}
        checks.whole("group", self.group, 1, MOST_COMPLETIONS, **played)
        checks.whole("episodes", self.episodes, 1, MOST_COMPLETIONS // self.group, **played)
        checks.whole("updates", self.updates, 1, self.episodes * self.group)
        checks.whole("max_action_tokens", self.max_action_tokens, 1, MOST_TOKENS)
        checks.whole("micro_batch", self.micro_batch, 1)
        checks.whole("seed", self.seed, 0)
        checks.choice("hole", self.hole, (True, False))
        for name in ("learning_rate", "last_rate", "clip_low", "discount"):
            checks.number(name, getattr(self, name), 0, 1)
        for name in ("clip_high", "turn_penalty"):
            checks.number(name, getattr(self, name), 0)
        if self.credit not in CREDIT or (self.credit == "episode" and self.group < 2):
            raise OptionError(
                f"With credit={shown_short(self.credit)} and group={self.group} no rollout has "
                "others to be compared with.",
                "Take groups of two or more, or judge by credit='turn', which compares all "
                "rollouts.",
            )


def reward(rollout: Rollout, settings: Settings) -> float:
    """What an episode was worth: 1 for success, discounted, less the price of its turns."""
    turns = len(rollout.turns)
    return rollout.success * settings.discount ** (turns - 1) - settings.turn_penalty * turns


def returns(rollout: Rollout, settings: Settings) -> list[float]:
    """What followed from each turn on; the first is the reward of the episode.

    With an action that the context cut short, there is one more turn than the environment saw.
    """
    turns = max(rollout.turn_numbers(), default=-1) + 1
    return [
        rollout.success * settings.discount ** (turns - 1 - turn)
        - settings.turn_penalty * (turns - turn)
        for turn in range(turns)
    ]


def episode_advantages(rollouts: Sequence[Rollout], settings: Settings) -> Tensor:
    """(rows, 1): how much better each episode went than its group, as in GRPO, for all its turns.

    ``rollouts``: those of a group side by side.
    """
    rewards = torch.tensor([reward(rollout, settings) for rollout in rollouts])
    return advantages(rewards.view(-1, settings.group)).flatten()[:, None]


def turn_advantages(rollouts: Sequence[Rollout], settings: Settings) -> Tensor:
    """(rows, turns): how much better it went on from each turn than from the others' same turn.

    What is subtracted from the return of a turn is the mean of all rollouts that were still
    playing, a baseline that depends on nothing the turn decides; what remains is divided by its
    root mean square over all turns.  0 for the turns that a rollout did not play.
    The group is all rollouts of the step, as in REINFORCE++ (arXiv 2501.03262), so that each may be
    of an episode of its own.
    (Policy gradients with the return to go and a baseline of time: Sutton and Barto,
    "Reinforcement Learning", 2nd edition, sections 13.3 and 13.4.)
    """
    each = [torch.tensor(returns(rollout, settings)) for rollout in rollouts]
    value = pad_sequence(each, True)
    played = pad_sequence([torch.ones(len(turns), dtype=torch.bool) for turns in each], True)
    better = (value - value.sum(0) / played.sum(0)).masked_fill(~played, 0.0)
    deviation = (better.square().sum() / played.sum()).sqrt()
    return better / (deviation + 1e-4)


CREDIT = {"episode": episode_advantages, "turn": turn_advantages}


def objective(
    model: Transformer, rollouts: Sequence[Rollout], advantage: Tensor, settings: Settings
) -> Tensor:
    """What each token contributes, to be raised: (rows, T - 1), from the second token on.

    ``advantage``: (rows, turns), or (rows, 1) where all turns of a rollout share one.  Exactly 0,
    with a gradient of exactly 0, for every token that the environment wrote.
    """
    turns = [torch.tensor(rollout.turn_numbers()[1:]) for rollout in rollouts]
    turn = pad_sequence(turns, True, padding_value=-1).to(model.device)
    old = pad_sequence([torch.tensor(r.log_probs[1:]) for r in rollouts], True).to(model.device)
    own = turn >= 0
    new = own_log_probabilities(model, rollouts, own)
    shared = turn.clamp(0, advantage.shape[1] - 1)  # where a rollout has one advantage for all
    of_token = advantage.to(model.device).gather(1, shared)[own]
    surrogate = clipped_objective(new, old[own], of_token, settings.clip_low, settings.clip_high)
    return torch.zeros_like(old).masked_scatter(own, surrogate)


def own_log_probabilities(model: Transformer, rollouts: Sequence[Rollout], own: Tensor) -> Tensor:
    """(n,) natural log of the probability of each of the n tokens where ``own`` is true.

    ``own``: (rows, T - 1), from the second token on.  What the environment wrote is read, but
    nobody asks how likely it was, so that no gradient can come of it, and no work either.
    """
    tokens = model.batch([rollout.tokens for rollout in rollouts])
    logits = model.output(model.hidden(tokens[:, :-1])[own])
    every = F.log_softmax(logits.float(), dim=-1)
    return every.gather(1, tokens[:, 1:][own][:, None])[:, 0]


Loss = Callable[[Tensor, Tensor], Tensor]
"""(surrogate, own), both (rollouts, tokens), to one number with a gradient."""


def policy_loss(surrogate: Tensor, own: Tensor) -> Tensor:
    """Minus the mean of ``surrogate`` over the policy's ``own`` tokens."""
    return -surrogate.masked_fill(~own, 0.0).sum() / own.sum()


def update(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    rollouts: Sequence[Rollout],
    advantage: Tensor,
    settings: Settings,
    loss: Loss = policy_loss,
) -> None:
    """Make the better actions likelier; ``loss`` is a mean over own tokens.

    ``advantage``: as for ``objective``.
    """
    for start in range(settings.updates):
        part = list(range(start, len(rollouts), settings.updates))
        own_tokens = sum(sum(rollouts[row].own) for row in part)
        trained = [row for row in part if advantage[row].any()]
        trained.sort(key=lambda row: len(rollouts[row].tokens))  # little padding
        optimizer.zero_grad()
        for first in range(0, len(trained), settings.micro_batch):
            rows = trained[first : first + settings.micro_batch]
            chosen = [rollouts[row] for row in rows]
            surrogate = objective(model, chosen, advantage[rows], settings)
            own = pad_sequence([torch.tensor(r.own[1:]) for r in chosen], True).to(model.device)
            # A micro-batch counts by its share of all own tokens, the untrained rows' included.
            (loss(surrogate, own) * (own.sum() / own_tokens)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def learning_rate(step: int, settings: Settings) -> float:
    """The rate of a step, from 1: constant at first, so as to learn, and then falling, to settle.

    An update moves the policy by what its batch happened to hold, too; a smaller rate lets more
    batches speak before anything has moved far.
    """
    falling = 0.6 * settings.steps
    left = min(1.0, (settings.steps - step) / falling)
    return settings.learning_rate * (settings.last_rate + (1 - settings.last_rate) * left)


def train(
    model: Transformer,
    tokenizer: Tokenizer,
    draw: Draw,
    settings: Settings | None = None,
    *,
    loss: Loss = policy_loss,
    state_file: Path | None = None,
) -> Iterator[dict]:
    """Train ``model`` in place; yields a record per step, with one rollout's turns to read.

    ``loss``: a mean over the policy's own tokens, yours if you like.  Each step depends on the
    seed and its number alone, so a stopped run goes on from ``state_file`` exactly.
    """
    settings = settings or Settings()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
    )
    first, seconds = 1, 0.0
    if state_file and state_file.exists():
        state = torch.load(state_file)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, seconds = state["step"] + 1, state["seconds"]
    for step in range(first, settings.steps + 1):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, settings)
        random = Random(f"{settings.seed} {step}")
        generator = torch.Generator().manual_seed(random.getrandbits(63))
        drawn = [draw(random) for _ in range(settings.episodes)]
        rollouts = play(
            model,
            tokenizer,
            [copy.deepcopy(episode) for episode in drawn for _ in range(settings.group)],
            max_action_tokens=settings.max_action_tokens,
            generator=generator,
            hole=settings.hole,
        )
        judged = CREDIT[settings.credit](rollouts, settings)
        update(model, optimizer, rollouts, judged, settings, loss)
        seconds += time.perf_counter() - started
        if state_file:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            save_state(state_file, step=step, seconds=seconds, **state)
        yield {
            "step": step,
            "seconds": round(seconds, 1),
            "reward": round(fmean(reward(r, settings) for r in rollouts), 4),
            "success": round(fmean(r.success for r in rollouts), 4),
            "turns": round(fmean(len(r.turns) for r in rollouts), 3),
            "example": rollouts[0].turns,
        }
