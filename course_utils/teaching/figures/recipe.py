"""What did each stage of a recipe change, and where? Scores by area, with few seeds' doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from course_utils.errors import OptionError
from course_utils.intervals import Interval, clipped, over_seeds
from course_utils.teaching import style

Rows = Sequence[Mapping[str, object]]


def scores_by_seed(rows: Rows, stage: str, area: str) -> dict[int, float]:
    """Share of right answers of one stage and area, for each seed.

    rows: as ``course_utils.nano.experiments.recipe.read_stages`` gives them, with ``stage``,
    ``area``, ``seed``, ``right`` and ``asked``.  Raises OptionError where there are none.
    """
    mine = [row for row in rows if (row["stage"], row["area"]) == (stage, area)]
    if not mine:
        raise OptionError(f"There is no row of {area} after {stage}.", "Check the names.")
    return {
        seed: sum(row["right"] for row in mine if row["seed"] == seed)
        / sum(row["asked"] for row in mine if row["seed"] == seed)
        for seed in sorted({row["seed"] for row in mine})
    }


def change(rows: Rows, before: str, after: str, area: str) -> Interval:
    """How much higher an area scores after a later stage: paired by seed, since each seed's model
    went through both, with Student's interval over the seeds."""
    return over_seeds(scores_by_seed(rows, after, area), scores_by_seed(rows, before, area))


def recipe_scores(
    rows: Rows,
    stages: Mapping[str, str],
    areas: Sequence[str] = ("maths", "code", "general"),
    *,
    title: str = "What does each stage change?",
) -> Figure:
    """One group per stage: each area's mean over seeds with its 95 % interval, and a dot per seed.

    stages: the names in ``rows`` to what is written under the axis.  The interval is Student's over
    the seeds, cut off at 0 and 1.
    """
    figure, axes = style.new_figure(7.6, 3.9)
    for index, area in enumerate(areas):
        look = style.series(index)
        for place, stage in enumerate(stages):
            x = place + 0.24 * (index - (len(areas) - 1) / 2)
            shares = scores_by_seed(rows, stage, area)
            mean, low, high = clipped(over_seeds(shares))
            axes.errorbar(
                x,
                mean,
                yerr=[[mean - low], [high - mean]],
                fmt=look.marker,
                color=look.colour,
                markersize=8,
                capsize=4,
                label=area if place == 0 else None,
            )
            dots = list(shares.values())
            axes.plot([x + 0.07] * len(dots), dots, ".", color=style.GREY, markersize=4)
    style.frame(
        axes,
        title=title,
        grid="y",
        xticks=range(len(stages)),
        xticklabels=list(stages.values()),
        ylim=(0, 1.03),
        yticks=[0, 0.25, 0.5, 0.75, 1],
        percent="y",
        ylabel="held-out questions right",
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def describe_recipe(
    rows: Rows, stages: Mapping[str, str], areas: Sequence[str] = ("maths", "code", "general")
) -> str:
    """The figure in words."""
    parts = []
    for stage, label in stages.items():
        shares = []
        for area in areas:
            mean, low, high = clipped(over_seeds(scores_by_seed(rows, stage, area)))
            shares.append(f"{area} {mean:.0%} ({low:.0%} to {high:.0%})")
        parts.append(f"{' '.join(label.split())}: {', '.join(shares)}")
    return "Shares right, mean over seeds with its interval. " + "; ".join(parts) + "."
