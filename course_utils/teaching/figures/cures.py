"""How often does each failure show, before its cure and after it? Two marks a failure, one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from matplotlib.figure import Figure

from course_utils.errors import OptionError
from course_utils.intervals import wilson_interval
from course_utils.teaching import style

Counts = Mapping[str, Mapping[str, tuple[int, int]]]
"""``{failure: {"before": (failed, asked), "after": (failed, asked)}}``, in the order drawn."""

SHOWN, CURED = 0.30, 0.05
"""A failure counts as shown from this share on, and as cured up to that one."""


def cure_chart(counts: Counts, *, title: str = "How often does it go wrong?") -> Figure:
    """For each failure its share before and after, with 95 % intervals (Wilson's), joined.

    The dashed lines stand at ``SHOWN`` and ``CURED``.  Raises OptionError without counts.
    """
    if not counts:
        raise OptionError("There is no failure to draw.", "Make the runs, or give some counts.")
    figure, axes = style.new_figure(7.6, 1.5 + 0.5 * len(counts))
    places = list(dict.fromkeys(place for marks in counts.values() for place in marks))
    for row, marks in enumerate(counts.values()):
        shares = [failed / asked for failed, asked in marks.values()]
        axes.plot(shares, [row] * len(shares), "-", color=style.PALE, linewidth=5, zorder=1)
        for place, (failed, asked) in marks.items():
            look = style.series(places.index(place))
            low, high = wilson_interval(failed, asked)
            axes.errorbar(
                failed / asked,
                row,
                xerr=[[failed / asked - low], [high - failed / asked]],
                fmt=look.marker,
                color=look.colour,
                markersize=9,
                capsize=4,
                label=place if row == 0 else None,
                zorder=2,
            )
    for bar in (SHOWN, CURED):
        axes.axvline(bar, color=style.GREY, linestyle="--", linewidth=1, zorder=0)
    axes.set_yticks(range(len(counts)), [style.drawable(name) for name in counts])
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.grid(axis="x")
    axes.set_xlabel("share of replies with the failure")
    axes.set_title(style.drawable(title))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=len(places))
    return figure


def describe_cures(counts: Counts) -> str:
    """Alt text for ``cure_chart``."""
    parts = [
        f"{name}: "
        + ", ".join(f"{place} {failed / asked:.0%}" for place, (failed, asked) in marks.items())
        for name, marks in counts.items()
    ]
    return "Share of replies with the failure. " + "; ".join(parts) + "."


def effort_chart(
    efforts: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    title: str = "What does a right answer cost?",
) -> Figure:
    """Tokens for each right answer, by difficulty: a mark for each seed, a line through the means.

    efforts: ``{"before": {"easy": [45.0, 51.0], "hard": [80.0, 78.0]}}``, difficulties in order.
    """
    figure, axes = style.new_figure(7, 3.6)
    for index, (label, levels) in enumerate(efforts.items()):
        look = style.series(index)
        places = range(len(levels))
        axes.plot(
            places,
            [mean(values) for values in levels.values()],
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            markersize=8,
            label=label,
        )
        for place, values in zip(places, levels.values(), strict=True):
            axes.plot([place] * len(values), values, ls="", marker="_", ms=12, color=look.colour)
        axes.set_xticks(places, list(levels))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    axes.set_ylabel("tokens for each right answer")
    axes.set_title(style.drawable(title))
    axes.legend()
    return figure
