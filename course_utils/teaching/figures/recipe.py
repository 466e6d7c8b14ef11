"""What did each stage of a recipe change, and where? Scores by area, with the range of the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from course_utils.errors import OptionError
from course_utils.teaching import style

Rows = Sequence[Mapping[str, object]]


def pooled(rows: Rows, stage: str, area: str) -> tuple[int, int]:
    """Right answers and questions of one stage and area, all seeds together.

    rows: as ``course_utils.nano.experiments.recipe.read_stages`` gives them, with ``stage``,
    ``area``, ``seed``, ``right`` and ``asked``.  Raises OptionError where there are none.
    """
    mine = [row for row in rows if (row["stage"], row["area"]) == (stage, area)]
    if not mine:
        raise OptionError(f"There is no row of {area} after {stage}.", "Check the names.")
    return sum(row["right"] for row in mine), sum(row["asked"] for row in mine)


def recipe_scores(
    rows: Rows,
    stages: Mapping[str, str],
    areas: Sequence[str] = ("maths", "code", "general"),
    *,
    title: str = "What does each stage change?",
) -> Figure:
    """One group per stage: each area's share, with a bar over the range of the seeds, and dots.

    stages: the names in ``rows`` to what is written under the axis.  The share is that of all
    seeds' answers together; how sure it is depends on the seeds, so their range is what is drawn.
    """
    figure, axes = style.new_figure(7.6, 3.9)
    for index, area in enumerate(areas):
        look = style.series(index)
        for place, stage in enumerate(stages):
            x = place + 0.24 * (index - (len(areas) - 1) / 2)
            right, asked = pooled(rows, stage, area)
            seeds = sorted({row["seed"] for row in rows})
            shares = [_share(rows, stage, area, seed) for seed in seeds]
            axes.errorbar(
                x,
                right / asked,
                yerr=[[right / asked - min(shares)], [max(shares) - right / asked]],
                fmt=look.marker,
                color=look.colour,
                markersize=8,
                capsize=4,
                label=area if place == 0 else None,
            )
            axes.plot([x + 0.07] * len(seeds), shares, ".", color=style.GREY, markersize=4)
    axes.set_xticks(range(len(stages)), list(stages.values()))
    axes.set_ylim(0, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.grid(axis="y")
    axes.set_ylabel("held-out questions right")
    axes.set_title(style.drawable(title))
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
            right, asked = pooled(rows, stage, area)
            shares.append(f"{area} {right / asked:.0%}")
        parts.append(f"{' '.join(label.split())}: {', '.join(shares)}")
    return "Shares right, all seeds together. " + "; ".join(parts) + "."


def _share(rows: Rows, stage: str, area: str, seed: int) -> float:
    mine = [row for row in rows if row["seed"] == seed]
    right, asked = pooled(mine, stage, area)
    return right / asked
