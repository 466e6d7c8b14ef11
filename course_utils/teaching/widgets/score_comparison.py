"""Is this lead real? Choose two scores and a number of problems; see how sure the order is."""

from __future__ import annotations

import html

import ipywidgets

from course_utils.evaluation.statistics import (
    Interval,
    probability_better,
    problems_needed,
    score_interval,
)
from course_utils.teaching.figures.benchmarks import interval_chart
from course_utils.teaching.page import image_html
from course_utils.teaching.widgets.panel import ErrorLine, Panel

SIZES = (10, 20, 30, 50, 100, 198, 279, 500, 541, 1000, 2000, 5000, 10_000, 50_000, 300_000)


def score_comparison(
    score_a: float,
    score_b: float,
    problems: int,
    *,
    names: tuple[str, str] = ("A", "B"),
) -> ScoreComparison:
    """Two scores (shares from 0 to 1) on so many problems each: intervals, and how sure it is.

    In code the same is ``score_interval(score, problems)`` for each,
    ``probability_better(score_a, problems, score_b)`` and ``problems_needed(score_a, score_b)``.
    """
    return ScoreComparison(score_a, score_b, problems, names)


class ScoreComparison(Panel):
    """The widget behind ``score_comparison``. It shows ``intervals`` and ``probability``."""

    def __init__(self, score_a: float, score_b: float, problems: int, names: tuple[str, str]):
        self.names = names
        wide = {"style": {"description_width": "12em"}, "layout": {"width": "38em"}}
        slider = {"min": 0.0, "max": 100.0, "step": 0.1, "readout_format": ".1f", **wide}
        self.score_a = ipywidgets.FloatSlider(
            value=100 * score_a, description=f"{names[0]} (%):", **slider
        )
        self.score_b = ipywidgets.FloatSlider(
            value=100 * score_b, description=f"{names[1]} (%):", **slider
        )
        self.problems = ipywidgets.SelectionSlider(
            options=[(f"{size:,}", size) for size in sorted({*SIZES, problems})],
            value=problems,
            description="Problems:",
            **wide,
        )
        self.verdict = ipywidgets.HTML()
        self.chart = ipywidgets.HTML()
        self.error = ErrorLine()
        redraw = self.error.watch(self._redraw, self.score_a, self.score_b, self.problems)
        super().__init__(
            ipywidgets.VBox(
                [self.score_a, self.score_b, self.problems, self.error, self.verdict, self.chart]
            ),
            "Score comparison (a widget): two scores and a number of problems.\n"
            "In code: score_interval(score, problems), probability_better(a, problems, b)",
        )
        redraw()

    @property
    def intervals(self) -> dict[str, Interval]:
        """The interval of each score, by name."""
        scores = (self.score_a.value / 100, self.score_b.value / 100)
        return {
            name: score_interval(score, self.problems.value)
            for name, score in zip(self.names, scores, strict=True)
        }

    @property
    def probability(self) -> float:
        """The probability that the first is truly better."""
        a, b = (interval.estimate for interval in self.intervals.values())
        return probability_better(a, self.problems.value, b)

    def _redraw(self) -> None:
        a, b = (interval.estimate for interval in self.intervals.values())
        needed = (
            "Equal scores cannot be told apart."
            if a == b
            else f"To tell these two scores apart takes about {problems_needed(a, b):,} problems."
        )
        words = (
            f"Probability that {self.names[0]} is truly better: {self.probability:.0%}. {needed}"
        )
        self.verdict.value = f"<p>{html.escape(words)}</p>"
        alt = "; ".join(f"{name}: {interval}" for name, interval in self.intervals.items())
        self.chart.value = image_html(interval_chart(self.intervals), alt)
