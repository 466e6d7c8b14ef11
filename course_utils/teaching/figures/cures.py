"""How often does each failure show, before its cure and after it? Two marks a failure, one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from matplotlib.figure import Figure

from course_utils.evaluation.statistics import score_interval
from course_utils.intervals import Interval, clipped, over_seeds
from course_utils.nano.experiments import failures
from course_utils.teaching import style
from course_utils.teaching.figures.benchmarks import whisker
from course_utils.teaching.figures.training import training_curves

Shares = Mapping[str, Mapping[str, Mapping[int, float]]]
"""``{failure: {"before": {seed: share}, "after": {seed: share}}}``, in the order drawn."""

SHOWN, CURED = 0.30, 0.05
"""A failure counts as shown from this share on, and as cured up to that one, in every seed."""


def cure_chart(shares: Shares, *, title: str = "How often does it go wrong?") -> Figure:
    """For each failure its share before and after: means over seeds with 95 % intervals, joined.

    The intervals are Student's over the seeds, cut off at 0 and 1; a small dot stands for each
    seed.  The dashed lines stand at ``SHOWN`` and ``CURED``.  Raises OptionError without shares.
    """
    style.need(shares, "There is no failure to draw.", "Make the runs, or give some shares.")
    figure, axes = style.new_figure(7.6, 1.5 + 0.5 * len(shares))
    places = list(dict.fromkeys(place for marks in shares.values() for place in marks))
    for row, marks in enumerate(shares.values()):
        means = [mean(by_seed.values()) for by_seed in marks.values()]
        axes.plot(means, [row] * len(means), "-", color=style.PALE, linewidth=5, zorder=1)
        for place, by_seed in marks.items():
            look = style.series(places.index(place))
            middle, low, high = clipped(over_seeds(by_seed))
            axes.errorbar(
                middle,
                row,
                xerr=[[middle - low], [high - middle]],
                fmt=look.marker,
                color=look.colour,
                markersize=9,
                capsize=4,
                label=place if row == 0 else None,
                zorder=2,
            )
            dots = list(by_seed.values())
            axes.plot(dots, [row + 0.22] * len(dots), ".", color=style.GREY, markersize=5)
    for bar in (SHOWN, CURED):
        axes.axvline(bar, color=style.GREY, linestyle="--", linewidth=1, zorder=0)
    style.frame(
        axes,
        title=title,
        rows=shares,
        grid="x",
        percent="x",
        ylim=(len(shares) - 0.5, -0.5),
        xlim=(-0.02, 1.02),
        xlabel="share of replies with the failure",
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=len(places))
    return figure


def describe_cures(shares: Shares) -> str:
    """Alt text for ``cure_chart``."""
    parts = [
        f"{name}: "
        + ", ".join(
            f"{place} {mean(by_seed.values()):.0%} (seeds "
            + ", ".join(f"{share:.0%}" for share in by_seed.values())
            + ")"
            for place, by_seed in marks.items()
        )
        for name, marks in shares.items()
    ]
    return "Share of replies with the failure, mean over seeds. " + "; ".join(parts) + "."


def cure_verdict(before: Mapping[int, float], after: Mapping[int, float]) -> str:
    """Was the failure shown before and cured after, each by its bar and in every seed?"""
    shown = "shown" if min(before.values()) >= SHOWN else "not shown by every seed"
    if max(after.values()) <= CURED:
        return f"{shown}, cured"
    halved = all(after[seed] < before[seed] / 2 for seed in before)
    return f"{shown}, {'reduced' if halved else 'not cured'}"


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
            **look.as_line,
            markersize=8,
            label=label,
        )
        for place, values in zip(places, levels.values(), strict=True):
            axes.plot([place] * len(values), values, ls="", marker="_", ms=12, color=look.colour)
        axes.set_xticks(places, list(levels))
    style.frame(axes, title=title, grid="y", ylim=(0, None), ylabel="tokens for each right answer")
    axes.legend()
    return figure


CURED_BY = {"zero": "reward for right answers only", "cured": "the cure"}
"""Stages of GRPO, and what their lines are called."""


def cure_curves(
    name: str,
    column: str,
    title: str,
    *,
    y_label: str = "share of replies",
    y_range: tuple[float, float] | None = (0, 1.03),
) -> Figure:
    """A column of one failure's training logs, with the cure and without; bands are the seeds."""
    figure = training_curves(
        training_rows(name),
        x="step",
        y=column,
        by="trained with",
        y_range=y_range,
        title=title,
        y_label=y_label,
    )
    if y_label == "share of replies":
        style.frame(figure.axes[0], percent="y")
    return figure


def training_rows(name: str) -> list[dict]:
    """The training logs of one failure, each row with what its line is called."""
    return [
        row | {"trained with": CURED_BY[row["stage"]]}
        for stage in CURED_BY
        for row in failures.read_log(name, stage)
    ]


def describe_cure_curves(name: str, column: str, title: str) -> str:
    """Alt text for ``cure_curves``: where each line ends, over the seeds."""
    rows, parts = training_rows(name), []
    last = max(row["step"] for row in rows)
    for line in CURED_BY.values():
        ends = [r[column] for r in rows if (r["trained with"], r["step"]) == (line, last)]
        shown = "{:.3g}" if max(ends) > 1 else "{:.0%}"
        parts.append(f"{line} ends at {shown.format(min(ends))} to {shown.format(max(ends))}")
    return f"{title} {'; '.join(parts)}."


def counted(settings: Sequence[Mapping], what: str) -> dict[str, Interval]:
    """A share of the looper's replies with its interval, by sampling settings (``loop_sampling``).

    what: ``failed`` (the thought never closes) or ``right``.  The rows that only change the order
    of the samplers are left out.
    """
    return {
        row["settings"].replace("QwQ's card", "card"): score_interval(
            row[what] / row["asked"], row["asked"]
        )
        for row in settings
        if "penalties" not in row["settings"]
    }


_COUNTED = {"failed": "thoughts that never end", "right": "right answers"}


def settings_chart(settings: Sequence[Mapping]) -> Figure:
    """How many thoughts never end, and how many answers are right, with each of the settings?"""
    figure, panels = style.new_figure(8.6, 3.4, columns=2, sharey=True)
    for index, (axes, (what, words)) in enumerate(zip(panels, _COUNTED.items(), strict=True)):
        look, found = style.series(index), counted(settings, what)
        for row, (share, low, high) in enumerate(found.values()):
            whisker(axes, row, share, low, high, look.colour, look.marker)
        style.frame(
            axes,
            panel=words,
            rows=found,
            grid="x",
            percent="x",
            ylim=(len(found) - 0.5, -0.5),
            xlim=(-0.03, 1.03),
        )
    figure.suptitle("What do the sampling settings change?")
    return figure


def describe_settings(settings: Sequence[Mapping]) -> str:
    """Alt text for ``settings_chart``."""
    never, right = (counted(settings, what) for what in _COUNTED)
    parts = [f"{name}: {never[name].estimate:.0%}, {right[name].estimate:.0%}" for name in never]
    return "Share of thoughts that never end, and of right answers. " + "; ".join(parts) + "."


def efforts(labels: Mapping[str, str]) -> dict[str, dict[str, list[float]]]:
    """Tokens written for each right answer by the over-thinkers, by level, for ``effort_chart``.

    labels: stages and what their lines are called.  All tokens count, those of wrong answers too.
    """
    rows = [row for row in failures.read_results("overthinking") if row["sampling"] == "drawn"]
    return {
        label: {
            level: [
                row["tokens"] / row["right"]
                for row in rows
                if (row["stage"], row["part"]) == (stage, level)
            ]
            for level in failures.FAILURES["overthinking"].parts
        }
        for stage, label in labels.items()
    }


def describe_efforts(found: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Alt text for ``effort_chart``."""
    return "; ".join(
        f"{label}, {level}: {min(values):.0f} to {max(values):.0f} tokens"
        for label, levels in found.items()
        for level, values in levels.items()
    )
