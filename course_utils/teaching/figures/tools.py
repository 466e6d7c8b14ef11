"""When does a tool beat more thinking? Accuracy and tokens by length, a line for each way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from matplotlib.figure import Figure

from course_utils.errors import OptionError
from course_utils.teaching import style

Rows = Sequence[Mapping]
"""As ``agents.experiments.calculator.read_runs`` gives them: seed, step, way, digits, counts."""


def share_right(
    rows: Rows, way: str, digits: int, step: int, column: str = "right"
) -> dict[int, float]:
    """For each seed the share of sums of one length that came out right, one way, at one step.

    column: what is counted, ``right`` or ``copied``.  Raises OptionError where nothing was asked.
    """
    found = {
        row["seed"]: row[column] / row["sums"]
        for row in rows
        if (row["way"], row["digits"], row["step"]) == (way, digits, step)
    }
    if not found:
        raise OptionError(
            f"No sums of {digits} digits were worked by {way!r} at step {step}.",
            "Choose among those that the rows have.",
        )
    return found


def ways_chart(rows: Rows, names: Mapping[str, str], learnt: int, steps: Sequence[int]) -> Figure:
    """Share right against digits, a panel for each of ``steps``, and at last tokens written.

    names: ways and their labels; ``learnt``: the most digits that the model has read.  Dashes in
    a line's colour are its single seeds.
    """
    style.need(rows, "There are no runs to draw.", "Run the experiment, or fetch its CSV.")
    lengths = sorted({row["digits"] for row in rows})
    figure, panels = style.new_figure(
        9.2, 3.6, 1, len(steps) + 1, title="A tool, or more thinking?"
    )
    *shares, tokens = panels
    for index, (way, label) in enumerate(names.items()):
        look = style.series(index)
        middle = (len(names) - 1) / 2
        places = [n + 0.24 * (index - middle) for n in lengths]  # equal values stand side by side
        line = {"color": look.colour, "linestyle": look.line, "marker": look.marker}
        for axes, step in zip(shares, steps, strict=True):
            each = [share_right(rows, way, n, step).values() for n in lengths]
            axes.plot(places, list(map(mean, each)), ms=8, label=style.drawable(label), **line)
            for place, seeds in zip(places, each, strict=True):
                dashes = {"marker": "_", "ms": 11, "mew": 1.8, "color": look.colour}
                axes.plot([place] * len(seeds), list(seeds), ls="", **dashes)
        last = [row for row in rows if (row["way"], row["step"]) == (way, steps[-1])]
        written = [mean(row["tokens"] for row in last if row["digits"] == n) for n in lengths]
        tokens.plot(places, written, ms=8, **line)
    for axes in panels:
        style.frame(
            axes,
            grid="both",
            xticks=lengths,
            xlim=(lengths[0] - 0.5, lengths[-1] + 0.5),
            xlabel="digits of each number",
        )
        if lengths[-1] > learnt:
            axes.axvspan(learnt + 0.5, lengths[-1] + 0.5, color=style.PALE, alpha=0.6, linewidth=0)
    for axes, step in zip(shares, steps, strict=True):
        style.frame(axes, panel=f"right, after {step} steps", percent="y", ylim=(-0.03, 1.05))
    style.frame(tokens, panel=f"tokens per sum ({steps[-1]} steps)", ylim=(0, None))
    handles = shares[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(names))
    return figure


def describe_ways(rows: Rows, names: Mapping[str, str], steps: Sequence[int]) -> str:
    """Alt text for ``ways_chart``: the mean over seeds at every length."""
    lengths = sorted({row["digits"] for row in rows})
    parts = []
    for step in steps:
        for way, label in names.items():
            means = (
                f"{mean(share_right(rows, way, n, step).values()):.0%} of {n} digits"
                for n in lengths
            )
            parts.append(f"after {step} steps {label}: {', '.join(means)}")
    return "Share of sums answered correctly, mean of the seeds. " + "; ".join(parts) + "."
