"""Charts of notebook 09: whose score it is, how far runs move, what a model takes, who leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from course_utils.errors import OptionError
from course_utils.evaluation.beside import Beside
from course_utils.evaluation.published import PublishedResult, interval
from course_utils.teaching import style


def score_rows(
    rows: Mapping[str, Sequence[PublishedResult]],
    *,
    title: str = "Which benchmark has which scores?",
) -> Figure:
    """A group of dots for each benchmark, one for each result, named and with its interval.

    Where no interval follows from the benchmark's size there is a dot alone.
    """
    style.need(
        rows and all(rows.values()),
        "There is no score to draw.",
        'Give some: {"LiveBench": [result]}.',
    )
    figure, axes = style.new_figure(7, 1.2 + 0.5 * sum(map(len, rows.values())))
    centres, y, ends = [], 0.0, []
    for results in rows.values():
        start = y
        for index, result in enumerate(results):
            look, whole = style.series(index), interval(result)
            end = result.score if whole is None else 100 * whole.high
            if whole:
                axes.plot([100 * whole.low, end], [y, y], color=look.colour, linestyle="-")
            axes.plot(result.score, y, look.marker, color=look.colour, markersize=8)
            words = style.drawable(f"{result.model}  {result.score:g}")
            axes.text(end + 0.8, y, words, va="center", fontsize=9.5)
            ends += [end, result.score if whole is None else 100 * whole.low]
            y += 0.35
        centres.append((start + y - 0.35) / 2)
        y += 0.4
    style.frame(
        axes,
        title=title,
        yticks=centres,
        yticklabels=list(rows),
        xlim=(min(ends) - 4, max(ends) + 17),
        ylim=(y - 0.4, -0.35),
        xlabel="score in percent",
    )
    return figure


def run_chart(
    solved: Sequence[int],
    problems: int,
    marks: Mapping[str, float],
    *,
    title: str = "How far does one model's score move from run to run?",
) -> Figure:
    """A dot for each run at its score in percent, and a line for each score to compare with."""
    style.need(solved, "There is no run to draw.", "Give the problems solved in each.")
    figure, axes = style.new_figure(7, 2.8)
    for right, count in Counter(solved).items():
        share = [100 * right / problems] * count
        axes.plot(share, range(1, count + 1), "o", color=style.BLUE, markersize=9, zorder=3)
    top = max(Counter(solved).values())
    middle = sum(marks.values()) / max(len(marks), 1)
    for index, (name, score) in enumerate(marks.items(), start=1):
        look = style.series(index)
        axes.axvline(score, color=look.colour, linestyle=look.line, zorder=1)
        left = score < middle or (score == middle and index == 1)
        axes.text(
            score + (-0.3 if left else 0.3),
            top + 0.4,
            f"{name} {score:g}",
            ha="right" if left else "left",
            fontsize=9.5,
        )
    style.frame(
        axes,
        title=title,
        ylim=(0.4, top + 1),
        yticks=range(1, top + 1),
        xlabel="score in percent",
        ylabel="number of runs",
    )
    axes.margins(x=0.22)
    return figure


def ratio_chart(ratios: Mapping[str, float], *, title: str) -> Figure:
    """For each name how many times as much: right of the line more, left of it less."""
    if not ratios or min(ratios.values()) <= 0:
        raise OptionError("A ratio is above 0.", 'Give some: {"memory": 20.5, "cache": 0.27}.')
    figure, axes = style.new_figure(7.4, 1.2 + 0.42 * len(ratios))
    for y, ratio in enumerate(ratios.values()):
        look = style.series(0 if ratio > 1 else 1)
        axes.plot([1, ratio], [y, y], color=look.colour, linestyle=look.line, linewidth=3)
        axes.plot(ratio, y, look.marker, color=look.colour, markersize=9)
        place, side = (1.15 * ratio, "left") if ratio > 1 else (0.87 * ratio, "right")
        axes.text(place, y, f"{ratio:.2f} times", va="center", ha=side, fontsize=9.5)
    axes.axvline(1, color=style.INK, linewidth=1)
    style.frame(
        axes,
        title=title,
        rows=ratios,
        xscale="log",
        xlim=(0.07, 4 * max(ratios.values())),
        ylim=(len(ratios) - 0.4, -0.6),
        xticks=[0.25, 1, 4, 16],
        xticklabels=["a quarter", "equal", "4 times", "16 times"],
    )
    axes.tick_params(axis="x", which="minor", bottom=False)
    return figure


def describe_ratios(ratios: Mapping[str, float]) -> str:
    """Alt text for ``ratio_chart``."""
    return "; ".join(f"{name}: {ratio:.2f} times" for name, ratio in ratios.items()) + "."


def difference_chart(
    rows: Sequence[Beside],
    names: tuple[str, str],
    *,
    title: str = "Who is ahead when one party measures both?",
) -> Figure:
    """Each difference with its interval, where it has one; a marker for each party.

    rows: those of ``measured_beside`` that have a gap.  names: first minus second.
    """
    if not rows or any(row.gap is None for row in rows):
        raise OptionError("Every row needs a difference.", "Take the first list it returns.")
    figure, axes = style.new_figure(9, 1.4 + 0.4 * len(rows))
    parties = list(dict.fromkeys(row.measured_by for row in rows))
    axes.axvline(0, color=style.INK, linewidth=1, zorder=0)
    ends = [end for row in rows for end in row.gap if end is not None]
    for y, row in enumerate(rows):
        look, gap = style.series(parties.index(row.measured_by)), row.gap
        if gap.low is not None:
            axes.plot([gap.low, gap.high], [y, y], "-", color=look.colour, linewidth=2)
        axes.plot(gap.points, y, look.marker, color=look.colour, markersize=7)
        note = "" if gap.low is not None else "  no interval"
        axes.text(
            1.02,  # Right of the frame, so that it is not taken for a point on the scale.
            y,
            f"{gap.points:+.1f}{note}",
            va="center",
            fontsize=9,
            transform=axes.get_yaxis_transform(),
        )
    labels = [f"{row.benchmark} {row.version} · {row.measured_by}" for row in rows]
    axes.set_yticks(range(len(rows)), [style.drawable(label) for label in labels], fontsize=9)
    style.frame(
        axes,
        title=title,
        xlim=(min(ends) - 3, max(ends) + 3),
        ylim=(len(rows) - 0.4, -0.6),
        xlabel=f"← {names[1]} ahead    points    {names[0]} ahead →",
    )
    return figure


def describe_differences(rows: Sequence[Beside]) -> str:
    """Alt text for ``difference_chart``."""
    parts = []
    for row in rows:
        gap = row.gap
        ends = "no interval" if gap.low is None else f"{gap.low:+.0f} to {gap.high:+.0f}"
        version = f" {row.version}" if row.version else ""
        parts.append(f"{row.benchmark}{version}, {row.measured_by}: {gap.points:+.1f} ({ends})")
    return f"Differences in points. {'; '.join(parts)}."
