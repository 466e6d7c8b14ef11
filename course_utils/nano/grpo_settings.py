"""Which GRPO is it? The switches in which the published variants differ, checked when made.

Four papers, one algorithm: for each problem a group of completions, a reward for each, and a
policy loss weighted by how much better a completion is than its group.  They differ in what the
loss is a mean over, in the clips, in the penalty for leaving the reference model, in the division
by the group's deviation, and in what is done with groups that earn equal rewards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from course_utils.errors import OptionError
from course_utils.nano import checks

MOST_COMPLETIONS = 2**16
"""What one step may draw. DAPO drew 8,192 (arXiv 2503.14476, section 4.1)."""

MOST_TOKENS = 2**17
"""What one completion may have: the longest context of QwQ-32B."""

MOST_DRAWS = 100


@dataclass(frozen=True)
class Settings:
    """What a run depends on: each step draws ``group`` completions of each of ``problems``.

    ``mean_over`` says what the policy loss is a mean over: all "tokens" of a batch (DAPO, arXiv
    2503.14476, equation 8), the tokens of each "completion" and then the completions (GRPO as
    first published, DeepSeekMath, arXiv 2402.03300, equation 3), or a "constant" number of tokens,
    ``max_tokens`` for each completion (Dr. GRPO, arXiv 2503.20783).  ``kl`` weighs a penalty, for
    each token, for leaving the reference model, the one that training began with.  ``baseline``
    subtracts the group's mean reward, ``deviation`` divides by its standard deviation (Dr. GRPO
    does not), ``clip`` bounds the ratio.  ``dynamic_sampling`` is how many times at most a step
    draws other problems for those whose group earned equal rewards (DAPO, section 3.2).

    As they stand the settings are DAPO's, without its dynamic sampling and its price on length;
    ``OBJECTIVES`` has each paper's.  Raises OptionError for a setting no run can be made with.
    """

    steps: int = 40
    problems: int = 32
    group: int = 16
    updates: int = 2  # optimiser steps per batch of completions; with one, no token is clipped
    learning_rate: float = 1e-4
    clip_low: float = 0.2
    clip_high: float = 0.28
    temperature: float = 1.0
    max_tokens: int = 96
    micro_batch: int = 128  # completions per backward pass; sets the memory, not the result
    evaluate_every: int = 10
    seed: int = 1
    baseline: bool = True
    deviation: bool = True
    clip: bool = True
    mean_over: Literal["tokens", "completion", "constant"] = "tokens"
    kl: float = 0.0
    dynamic_sampling: int = 0

    def __post_init__(self):
        checks.whole("steps", self.steps, 0)
        drawn = {"limit": "the completions that one step may draw"}
        # One completion has no group to be compared with: its deviation is not a number.
        checks.whole("group", self.group, 2, MOST_COMPLETIONS, **drawn)
        checks.whole("problems", self.problems, 1, MOST_COMPLETIONS // self.group, **drawn)
        checks.whole("max_tokens", self.max_tokens, 1, MOST_TOKENS)
        for name in ("micro_batch", "evaluate_every"):
            checks.whole(name, getattr(self, name), 1)
        checks.whole("updates", self.updates, 1, self.problems * self.group)
        checks.whole("dynamic_sampling", self.dynamic_sampling, 0, MOST_DRAWS)
        checks.whole("seed", self.seed, 0)
        checks.number("learning_rate", self.learning_rate, 0, 1)
        checks.number("clip_low", self.clip_low, 0, 1)
        checks.number("clip_high", self.clip_high, 0)
        checks.number("kl", self.kl, 0)
        checks.number(
            "temperature",
            self.temperature,
            0.01,
            100,
            remedy="GRPO learns from completions that differ, and greedy ones are all the same: "
            "train at temperature 1, and ask greedily afterwards.",
        )
        for name in ("baseline", "deviation", "clip"):
            checks.choice(name, getattr(self, name), (True, False))
        checks.choice("mean_over", self.mean_over, ("tokens", "completion", "constant"))
        if self.deviation and not self.baseline:
            raise OptionError(
                "Without a baseline the rewards of a group may all be equal and not 0, and a "
                "deviation of 0 would make them immense.",
                "Switch both off: baseline=False, deviation=False.",
            )


OBJECTIVES: dict[str, dict] = {
    "GRPO": {"mean_over": "completion", "clip_high": 0.2, "kl": 0.04},
    "DAPO": {"mean_over": "tokens", "clip_high": 0.28, "dynamic_sampling": 3},
    "Dr. GRPO": {"mean_over": "constant", "clip_high": 0.2, "deviation": False},
}
"""Each paper's objective, as changes to ``Settings``: ``Settings(**OBJECTIVES["GRPO"])``.

The weight 0.04 of the penalty is DeepSeekMath's (section 4.2), the clips 0.2 and 0.28 are DAPO's
(section 4.1); DeepSeekMath does not state its clip, and 0.2 is PPO's (arXiv 1707.06347).  DAPO
redraws without a bound; here there is one, so that a model that knows everything comes to an end.
"""
