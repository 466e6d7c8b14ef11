"""How good is a policy in the guessing world? Its successes and turns, and the bounds for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer

from course_utils.agents import players
from course_utils.agents.guessing import GUESSES, RIGHT, Guessing
from course_utils.agents.rollout import Rollout, play
from course_utils.nano.model import Transformer


@dataclass(frozen=True)
class Score:
    """``success``: share of episodes; ``turns``: their mean number, failures among them.

    An episode that fails has taken all its turns: seven guesses, or fewer where the policy wrote
    what is no number.
    """

    success: float
    turns: float
    episodes: int


def score(rollouts: Sequence[Rollout]) -> Score:
    """The score of played episodes."""
    return Score(
        sum(rollout.success for rollout in rollouts) / len(rollouts),
        sum(len(rollout.turns) for rollout in rollouts) / len(rollouts),
        len(rollouts),
    )


def score_policy(
    model: Transformer,
    tokenizer: Tokenizer,
    episodes: Sequence[Guessing],
    *,
    temperature: float = 0.0,
    seed: int = 0,
) -> Score:
    """The score of a model on these episodes, which are played by it."""
    generator = torch.Generator().manual_seed(seed)
    return score(play(model, tokenizer, episodes, temperature=temperature, generator=generator))


def score_player(
    player: Callable, intervals: Sequence[tuple[int, int]], random: Random | None = None
) -> Score:
    """The exact mean score of a player without chance, over every number of these intervals."""
    turns, right = [], 0
    for low, high in intervals:
        for secret in range(low, high + 1):
            played = players.play(Guessing(low, high, secret), player, random or Random(0))
            # Each interval counts once, however many numbers it holds.
            weight = 1 / (high - low + 1)
            turns.append(weight * len(played))
            right += weight * (played[-1][1] == RIGHT)
    return Score(right / len(intervals), sum(turns) / len(intervals), len(turns))


def best_blind_score(intervals: Sequence[tuple[int, int]]) -> Score:
    """The exact score of the best policy that ignores what it is told: seven different guesses.

    Any one guess is right with a chance of 1 in n, whichever it is, so nothing is better than not
    to guess a number twice.
    """
    success = turns = 0.0
    for low, high in intervals:
        n = high - low + 1
        success += GUESSES / n
        turns += (sum(range(1, GUESSES)) + GUESSES * (n - GUESSES + 1)) / n
    return Score(success / len(intervals), turns / len(intervals), len(intervals))


def any_possible_score(intervals: Sequence[tuple[int, int]]) -> Score:
    """The exact score of a player who picks any number that is still possible.

    With n of them left, a guess is right with a chance of 1 in n, and leaves m below it or m above
    it, m from 1 to n - 1, each with a chance of m in n squared.
    """
    widest = max(high - low + 1 for low, high in intervals)
    success, turns = [0.0] * (widest + 1), [0.0] * (widest + 1)  # with no guess left
    for _ in range(GUESSES):
        success = [0.0, *(1 / n + _left(success, n) for n in range(1, widest + 1))]
        turns = [0.0, *(1 + _left(turns, n) for n in range(1, widest + 1))]
    sizes = [high - low + 1 for low, high in intervals]
    return Score(
        sum(success[n] for n in sizes) / len(sizes),
        sum(turns[n] for n in sizes) / len(sizes),
        len(sizes),
    )


def _left(value: Sequence[float], n: int) -> float:
    """What a game with n numbers is worth after a wrong guess; ``value``: that of each size."""
    return 2 * sum(m * value[m] for m in range(1, n)) / n**2
