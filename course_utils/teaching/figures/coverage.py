"""What does a 95 % interval promise, and who keeps it? Simulated trainings whose truth is known.

``python -m course_utils.teaching.figures.coverage`` draws the picture of ``docs/statistics.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from course_utils import command_line
from course_utils.intervals import Interval, over_seeds, wilson_interval
from course_utils.paths import repository_root
from course_utils.teaching import style

SEEDS, QUESTIONS = 3, 300
MEAN, SPREAD = 0.6, 0.08
"""A training whose models score 60 % on average, with 8 points of spread between seeds."""


def simulated(trials: int, seed: int = 1) -> np.ndarray:
    """Right answers of each seed's model to its questions: (trials, seeds)."""
    random = np.random.default_rng(seed)
    skills = random.normal(MEAN, SPREAD, (trials, SEEDS)).clip(0, 1)
    return random.binomial(QUESTIONS, skills)


def answers_pooled(right: Sequence[int]) -> Interval:
    """The wrong way: as if all answers came from one model."""
    total, asked = int(sum(right)), QUESTIONS * len(right)
    return Interval(total / asked, *wilson_interval(total, asked))


def seeds_as_units(right: Sequence[int]) -> Interval:
    """The right way for a claim about the training: one value for each seed."""
    return over_seeds({seed: n / QUESTIONS for seed, n in enumerate(right)})


WAYS: dict[str, Callable[[Sequence[int]], Interval]] = {
    "all answers in one pot": answers_pooled,
    "one value for each seed": seeds_as_units,
}


def coverage(way: Callable[[Sequence[int]], Interval], trials: int = 2000) -> float:
    """The share of simulated experiments whose interval holds the truth."""
    found = [way(right) for right in simulated(trials)]
    return float(np.mean([low <= MEAN <= high for _, low, high in found]))


def coverage_chart(shown: int = 40) -> Figure:
    """Forty experiments, both ways: an interval that misses the truth is crossed and dashed."""
    figure, panels = style.new_figure(8.6, 4.6, columns=2, sharey=True)
    for axes, (name, way) in zip(panels, WAYS.items(), strict=True):
        for row, right in enumerate(simulated(shown)):
            middle, low, high = way(right)
            hit = low <= MEAN <= high
            colour, line = (style.BLUE, "-") if hit else (style.VERMILION, "--")
            axes.plot([low, high], [row, row], line, color=colour, linewidth=1.6)
            axes.plot(middle, row, "." if hit else "x", color=colour, markersize=5)
        axes.axvline(MEAN, color=style.INK, linewidth=1)
        style.frame(
            axes, panel=f"{name}: {coverage(way):.0%} hit", percent="x", xlim=(0.2, 1.0), yticks=[]
        )
    panels[0].set_ylabel("experiments, each with 3 seeds")
    figure.suptitle("Which 95% interval holds the truth in 95 of 100?", x=0.01, ha="left")
    return figure


def main() -> None:
    command_line.refuse_arguments(__doc__)
    figure = coverage_chart()
    figure.savefig(repository_root() / "docs" / "statistics.svg", metadata={"Date": None})


if __name__ == "__main__":
    command_line.start(main)
