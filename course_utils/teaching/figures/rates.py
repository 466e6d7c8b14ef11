"""Was an arm's learning rate the wrong one? Sound answers at three rates, a panel for each base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from course_utils.teaching import style

if TYPE_CHECKING:  # it brings PyTorch, which a figure does without
    from course_utils.nano.experiments.chains_rates import Tried

Chosen = Mapping[tuple[str, str], str]
"""The rate that validation chains choose, by size and arm."""


def bases_of(runs: Sequence[Tried]) -> list[tuple[str, int]]:
    """Size and seed of each base that the runs began at, in order."""
    return sorted({(run.size, run.seed) for run in runs})


def rates_chart(
    runs: Sequence[Tried],
    rates: Mapping[str, str],
    names: Mapping[str, str],
    chosen: Chosen,
    marks: Mapping[str, str] | None = None,
) -> Figure:
    """Sound answers of each arm against its learning rate; a ring around the chosen rate.

    rates: names of rates and their labels, from the left; names: arms and their labels; marks: what
    follows a size, where another base has the same size and seed.
    """
    bases, marks = bases_of(runs), marks or {}
    figure, grid = style.new_figure(
        9.0,
        4.8,
        2,
        -(-len(bases) // 2),
        sharey=True,
        sharex=True,
        squeeze=False,
        title="Was it the learning rate? Chains of four turns",
    )
    places = {rate: place for place, rate in enumerate(rates)}
    for axes, (size, seed) in zip(grid.flat, bases, strict=False):
        for index, (arm, label) in enumerate(names.items()):
            look = style.series(index)
            mine = [run for run in runs if (run.size, run.seed, run.arm) == (size, seed, arm)]
            mine.sort(key=lambda run: places[run.rate])
            # Side by side, so that equal marks do not hide one another.
            at = {run.rate: places[run.rate] + 0.12 * (index - 0.5) for run in mine}
            axes.plot(
                list(at.values()),
                [run.sound for run in mine],
                **look.as_line,
                markersize=7,
                label=label,
            )
            ring = [run for run in mine if chosen.get((size, arm)) == run.rate]
            axes.plot(
                [at[run.rate] for run in ring],
                [run.sound for run in ring],
                ls="",
                marker="o",
                markersize=14,
                markerfacecolor="none",
                markeredgecolor=look.colour,
            )
        style.frame(
            axes,
            panel=f"{size}{marks.get(size, '')}, seed {seed}",
            grid="y",
            percent="y",
            xticks=list(places.values()),
            xticklabels=rates.values(),
            xlim=(-0.4, len(places) - 0.6),
            ylim=(-0.12, 1.12),
            yticks=[0, 0.5, 1],
        )
    for axes in grid.flat[len(bases) :]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel("sound answers")
    lines, labels = grid.flat[0].get_legend_handles_labels()
    ring = grid.flat[0].plot(
        [], [], ls="", marker="o", ms=14, markerfacecolor="none", markeredgecolor=style.INK
    )
    figure.legend(
        [*lines, *ring],
        [*labels, "rate that validation chooses"],
        loc="outside lower center",
        ncols=len(labels) + 1,
    )
    return figure


def describe_rates(
    runs: Sequence[Tried],
    rates: Mapping[str, str],
    names: Mapping[str, str],
    chosen: Chosen,
    marks: Mapping[str, str] | None = None,
) -> str:
    """Alt text for ``rates_chart``: every mark, and which of them is chosen."""
    parts, marks = [], marks or {}
    for size, seed in bases_of(runs):
        for arm, label in names.items():
            shares = [
                f"{rates[run.rate]} {run.sound:.0%}"
                + (" (chosen)" if chosen.get((size, arm)) == run.rate else "")
                for rate in rates
                for run in runs
                if (run.size, run.seed, run.arm, run.rate) == (size, seed, arm, rate)
            ]
            base = f"{size}{marks.get(size, '')} seed {seed}"
            parts.append(f"{base}, {label}: {', '.join(shares)}")
    return "Sound answers to chains of four turns, by learning rate. " + "; ".join(parts) + "."
