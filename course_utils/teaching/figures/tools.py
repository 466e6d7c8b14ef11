"""When does a tool beat more thinking? Accuracy and tokens by length, a line for each way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from matplotlib.figure import Figure

from course_utils.errors import OptionError
from course_utils.teaching import style

Rows = Sequence[Mapping]
"""As ``agents.experiments.calculator.read_runs`` gives them: seed, way, digits, sums and counts."""


def share_right(rows: Rows, way: str, digits: int, column: str = "right") -> dict[int, float]:
    """For each seed the share of sums of one length that came out right, one way.

    column: what is counted, ``right`` or ``copied``.  Raises OptionError where nothing was asked.
    """
    found = {
        row["seed"]: row[column] / row["sums"]
        for row in rows
        if (row["way"], row["digits"]) == (way, digits)
    }
    if not found:
        raise OptionError(f"No sums of {digits} digits were worked by {way!r}.", "Choose another.")
    return found


def ways_chart(rows: Rows, names: Mapping[str, str], learnt: int) -> Figure:
    """Share right (left) and tokens written (right) against digits; small marks are single seeds.

    names: ways and their labels; ``learnt``: the most digits that the model has read.
    """
    if not rows:
        raise OptionError("There are no runs to draw.", "Run the experiment, or fetch its CSV.")
    lengths = sorted({row["digits"] for row in rows})
    figure, (shares, tokens) = style.new_figure(8.6, 3.6, 1, 2, width_ratios=(3, 2))
    for index, (way, label) in enumerate(names.items()):
        look = style.series(index)
        line = {"color": look.colour, "linestyle": look.line, "marker": look.marker}
        each = {n: share_right(rows, way, n) for n in lengths}
        shares.plot(
            lengths,
            [mean(each[n].values()) for n in lengths],
            markersize=8,
            label=style.drawable(label),
            **line,
        )
        for n, seeds in each.items():
            shares.plot(
                [n] * len(seeds), list(seeds.values()), ls="", marker="_", ms=12, color=look.colour
            )
        written = [
            mean(row["tokens"] for row in rows if (row["way"], row["digits"]) == (way, n))
            for n in lengths
        ]
        tokens.plot(lengths, written, markersize=8, **line)
    for axes in (shares, tokens):
        axes.set_xticks(lengths)
        axes.set_xlabel("digits of each number")
        axes.grid()
        if lengths[-1] > learnt:
            axes.axvspan(learnt + 0.5, lengths[-1] + 0.5, color=style.PALE, alpha=0.6, linewidth=0)
        axes.set_xlim(lengths[0] - 0.5, lengths[-1] + 0.5)
    shares.set_ylim(-0.03, 1.05)
    shares.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    shares.set_title("sums that came out right", fontsize=10.5)
    tokens.set_ylim(bottom=0)
    tokens.set_title("tokens written", fontsize=10.5)
    figure.legend(*shares.get_legend_handles_labels(), loc="outside lower center", ncols=len(names))
    figure.suptitle("A tool, or more thinking?", x=0.02, ha="left")
    return figure


def describe_ways(rows: Rows, names: Mapping[str, str]) -> str:
    """Alt text for ``ways_chart``: the mean over seeds at every length."""
    lengths = sorted({row["digits"] for row in rows})
    parts = []
    for way, label in names.items():
        means = (f"{mean(share_right(rows, way, n).values()):.0%} of {n} digits" for n in lengths)
        parts.append(f"{label}: {', '.join(means)}")
    return "Share of sums that came out right, mean of the seeds. " + "; ".join(parts) + "."
