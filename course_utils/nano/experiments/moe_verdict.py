"""Who wins under which budget? What the mixture experiment's logs say, with three seeds' doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from course_utils.errors import OptionError
from course_utils.intervals import mean_interval
from course_utils.nano.experiments.moe import MODELS


@dataclass(frozen=True)
class Difference:
    """First minus second model, the mean over seeds and its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Does the interval exclude zero?"""
        return self.low > 0 or self.high < 0


def last_rows(rows: Sequence[dict], model: str) -> dict[int, dict]:
    """The last row of each of a model's runs, by seed."""
    found = {int(row["seed"]): row for row in rows if row["model"] == model}
    if not found:
        raise OptionError(f"There is no run of {model!r}.", f"Choose from: {', '.join(MODELS)}.")
    return found


def difference(
    rows: Sequence[dict], first: str, second: str, column: str = "held_out_loss"
) -> Difference:
    """Compare two models' last rows seed by seed: both read the same documents with a seed.

    Raises OptionError with fewer than two seeds in common.
    """
    ours, theirs = last_rows(rows, first), last_rows(rows, second)
    seeds = sorted(ours.keys() & theirs.keys())
    if len(seeds) < 2:
        raise OptionError(f"{len(seeds)} seeds in common do not make an interval.", "Train more.")
    gaps = [ours[seed][column] - theirs[seed][column] for seed in seeds]
    return Difference(*mean_interval(gaps))


def cost_to_reach(
    rows: Sequence[dict], model: str, loss: float, column: str = "tokens"
) -> list[float | None]:
    """What each seed had spent (``column``: tokens, flops, seconds) when it first got to ``loss``.

    Straight lines between the logged points; None for a run that never got there.
    """
    spent = []
    for seed in sorted(last_rows(rows, model)):
        log = [row for row in rows if row["model"] == model and row["seed"] == seed]
        at = None
        for before, after in pairwise(log):
            if after["held_out_loss"] <= loss < before["held_out_loss"]:
                share = (before["held_out_loss"] - loss) / (
                    before["held_out_loss"] - after["held_out_loss"]
                )
                at = before[column] + share * (after[column] - before[column])
                break
        spent.append(at)
    return spent


def loss_at(rows: Sequence[dict], model: str, spent: float, column: str = "flops") -> list[float]:
    """Each seed's held-out loss when it had spent so much (``column``: tokens, flops, seconds).

    Straight lines between the logged points; a run that ended before gives its last loss.
    """
    logs = (
        [row for row in rows if row["model"] == model and row["seed"] == seed]
        for seed in sorted(last_rows(rows, model))
    )
    return [
        float(np.interp(spent, *([row[name] for row in log] for name in (column, "held_out_loss"))))
        for log in logs
    ]


def final_values(rows: Sequence[dict], model: str, column: str = "held_out_loss") -> list[float]:
    """What the last row of each of a model's runs says, by seed."""
    return [row[column] for row in last_rows(rows, model).values()]


def result_line(rows: Sequence[dict], model: str) -> str:
    """A model's mean loss at the end, and the sums that each seed has right, in a line."""
    loss = sum(final_values(rows, model)) / len(final_values(rows, model))
    right = ", ".join(f"{n:.0f}" for n in final_values(rows, model, "right"))
    asked = final_values(rows, model, "asked")[0]
    return f"{MODELS[model].label:38} loss {loss:.3f}; of {asked:.0f} sums right: {right}"


def verdict_line(rows: Sequence[dict], first: str, second: str) -> str:
    """The difference of two models' last losses, its interval over seeds, and who is better."""
    gap = difference(rows, first, second)
    better = MODELS[first if gap.mean < 0 else second].label
    verdict = f"{better} is better" if gap.clear else "no clear difference"
    return f"{gap.mean:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}) nats per token: {verdict}"


def winners(rows: Sequence[dict], models: Sequence[str]) -> list[str]:
    """The model with the lowest mean loss, and those that three seeds cannot tell from it."""

    def mean(model: str) -> float:
        return sum(final_values(rows, model)) / len(final_values(rows, model))

    best, *others = sorted(models, key=mean)
    return [best, *(other for other in others if not difference(rows, best, other).clear)]
