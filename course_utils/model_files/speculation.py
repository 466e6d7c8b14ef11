"""When does speculative decoding pay? Tokens per step against the price of a step.

A draft proposes some tokens and the model checks them in one step (``engines.local.speculation``).
How many come out depends on how often a proposed token is accepted; what the step costs depends on
the machine, and a stand-in measures it before any download.
"""

from __future__ import annotations

from collections.abc import Callable

from course_utils.errors import OptionError

StepSeconds = Callable[[int], float]
"""Seconds of a step of the model, by the tokens that it computes."""


def expected_tokens(acceptance: float, drafted: int) -> float:
    """Tokens that come out of one step, on average: 1 + a + a^2 + ... + a^drafted.

    A proposed token counts only if all before it were accepted, each with the probability
    ``acceptance``; and one token is always drawn from the model's own logits.
    Source: Leviathan et al. 2023 (arXiv 2211.17192), equation 1.

    Raises OptionError unless 0 <= acceptance <= 1 and drafted >= 0.
    """
    if not 0 <= acceptance <= 1 or drafted < 0:
        raise OptionError(
            f"acceptance={acceptance} and drafted={drafted} do not go together.",
            "An acceptance rate lies between 0 and 1, and tokens are counted from 0.",
        )
    return sum(acceptance**place for place in range(drafted + 1))


def speculative_speed(
    acceptance: float, drafted: int, step_seconds: StepSeconds, draft_seconds: float = 0.0
) -> float:
    """Tokens per second with a draft that proposes so many tokens for each step.

    ``draft_seconds``: what the draft takes for one token; nothing for looking words up.
    """
    seconds = step_seconds(drafted + 1) + drafted * draft_seconds
    return expected_tokens(acceptance, drafted) / seconds


def pays_from(drafted: int, step_seconds: StepSeconds, draft_seconds: float = 0.0) -> float | None:
    """The acceptance rate from which drafting so many tokens is faster than writing alone.

    None where it is not, even if every proposed token is accepted.
    """
    alone = 1 / step_seconds(1)
    if speculative_speed(1.0, drafted, step_seconds, draft_seconds) <= alone:
        return None
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        if speculative_speed(middle, drafted, step_seconds, draft_seconds) > alone:
            high = middle
        else:
            low = middle
    return high
