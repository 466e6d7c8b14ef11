"""What does GRPO see, and what does a practitioner watch? One group, one step, six curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from matplotlib.figure import Figure

from course_utils.teaching import style

WATCHED = {
    "reward": "mean reward",
    "entropy": "entropy, nats per token",
    "clip_fraction": "clipped fraction",
    "grad_norm": "gradient norm",
    "zero_std_groups": "groups without spread",
    "length": "tokens per completion",
}
"""Columns of a training log (``grpo.train``), and what they show."""


def group_chart(
    rewards: Sequence[float], advantages: Sequence[float], labels: Sequence[str], title: str
) -> Figure:
    """One group of completions: the reward of each with the group's mean, and its advantage.

    ``labels``: a word or two for each completion.
    """
    figure, (left, right) = style.new_figure(
        8.0, 1.6 + 0.32 * len(rewards), 1, 2, sharey=True, title=title
    )
    rows = range(len(rewards))
    looks = [style.series(0 if advantage > 0 else 3) for advantage in advantages]
    for axes, values, name in ((left, rewards, "reward"), (right, advantages, "advantage")):
        axes.barh(
            rows,
            values,
            color=[look.colour for look in looks],
            hatch=[look.hatch for look in looks],
            edgecolor=style.BACKGROUND,
            height=0.65,
        )
        style.frame(axes, grid="x", xlabel=name)
    middle = mean(rewards)
    left.axvline(middle, color=style.INK, linestyle="--")
    left.text(middle, -0.75, f" mean {middle:.2f}", va="bottom", fontsize=9.5)
    right.axvline(0, color=style.INK, linestyle="-", linewidth=1.2)
    style.frame(left, rows=labels, ylim=(len(rewards) - 0.4, -0.9))
    reach = 1.5 * max(1e-9, *map(abs, advantages))
    right.set_xlim(-reach, reach)
    for row, advantage in zip(rows, advantages, strict=True):
        right.text(
            advantage + 0.02 * reach * (1 if advantage >= 0 else -1),
            row,
            f"{advantage:+.2f}",
            ha="left" if advantage >= 0 else "right",
            va="center",
            fontsize=9.5,
        )
    return figure


def describe_group(rewards: Sequence[float], advantages: Sequence[float]) -> str:
    """Alt text for ``group_chart``."""
    parts = ", ".join(f"{r:g} ({a:+.2f})" for r, a in zip(rewards, advantages, strict=True))
    return f"A group of {len(rewards)}: rewards (advantages) {parts}; mean {mean(rewards):.2f}."


def step_chart(
    tokens: Sequence[str], before: Sequence[float], after: Mapping[str, Sequence[float]]
) -> Figure:
    """What one step does to the probabilities of some tokens: a panel for each way of stepping.

    after: titles, such as "advantage +1", and the probabilities after that step.
    """
    figure, panels = style.new_figure(
        8.0,
        1.9 + 0.5 * len(tokens),
        1,
        len(after),
        sharex=True,
        sharey=True,
        squeeze=False,
        title="What does one step do to the next token?",
    )
    for axes, (title, values) in zip(panels[0], after.items(), strict=True):
        look = style.series(0)
        for row, (first, last) in enumerate(zip(before, values, strict=True)):
            axes.barh(row - 0.2, first, 0.34, color=style.PALE, label=None if row else "before")
            axes.barh(
                row + 0.2,
                last,
                0.34,
                **look.as_bar,
                label=None if row else "after one step",
            )
            change = f"{100 * (last - first):+.0f} points"
            axes.text(max(first, last) + 0.02, row, change, va="center", fontsize=9.5)
        style.frame(
            axes,
            panel=title,
            grid="x",
            xlim=(0, 1.3),
            xticks=[0, 0.5, 1],
            percent="x",
            xlabel="probability",
        )
    style.frame(panels[0][0], rows=tokens)
    handles = panels[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, fontsize=9.5)
    return figure


def describe_step(
    tokens: Sequence[str], before: Sequence[float], after: Mapping[str, Sequence[float]]
) -> str:
    """Alt text for ``step_chart``."""
    parts = [
        f"{title}: "
        + ", ".join(
            f"{token} {first:.0%} to {last:.0%}"
            for token, first, last in zip(tokens, before, values, strict=True)
        )
        for title, values in after.items()
    ]
    return "Probabilities of the next token before and after one step. " + "; ".join(parts) + "."


def clip_chart(low: float = 0.2, high: float = 0.2, advantage: float = 2.0) -> Figure:
    """What a token adds to the objective, by its ratio: a line with a flat end, for a token of a
    good completion and for one of a bad completion.

    ``low``, ``high``: the clips; ``advantage``: how good, and how bad.
    """
    figure, panels = style.new_figure(8.0, 2.9, 1, 2, sharex=True)
    ratios = [0.5 + 0.01 * n for n in range(111)]
    for axes, own in zip(panels, (advantage, -advantage), strict=True):
        look = style.series(0 if own > 0 else 3)
        counted = [min(r * own, min(max(r, 1 - low), 1 + high) * own) for r in ratios]
        axes.plot(ratios, [r * own for r in ratios], color=style.GREY, ls=":", lw=1.5)
        axes.plot(ratios, counted, color=look.colour, lw=2.5)
        axes.axvline(1 + high if own > 0 else 1 - low, color=style.INK, ls="--", lw=1)
        axes.plot([1], [own], marker="o", color=style.INK, ms=6)
        style.frame(
            axes,
            title=f"{'good' if own > 0 else 'bad'} completion, advantage {own:+g}",
            grid="both",
            xlabel="ratio: how much likelier than when drawn",
        )
    panels[0].set_ylabel("what the token contributes")
    return figure


def describe_clip(low: float = 0.2, high: float = 0.2, advantage: float = 2.0) -> str:
    """Alt text for ``clip_chart``."""
    return (
        f"Two lines of what a token contributes against its ratio. Advantage {advantage:+g}: "
        f"rising up to a ratio of {1 + high:g}, flat beyond it. Advantage {-advantage:+g}: flat "
        f"below a ratio of {1 - low:g}, falling above it."
    )


def watched_chart(
    runs: Mapping[str, Sequence[Mapping]],
    title: str,
    panels: Mapping[str, str] = WATCHED,
) -> Figure:
    """Small charts of what a practitioner watches: a line for each name in ``runs``.

    runs: rows of a training log, of all seeds; lines are means over them, bands their range.
    panels: columns and what they show.  For ``length`` a single run is split into right and wrong
    completions.
    """
    columns = 3 if len(panels) > 4 else 2
    rows = -(-len(panels) // columns)
    figure, axes = style.new_figure(8.6, 2.35 * rows + 0.5, rows, columns, sharex=True, title=title)
    for axis, (column, label) in zip(axes.flat, panels.items(), strict=True):
        lines = {name: (log, column) for name, log in runs.items()}
        if column == "length" and len(runs) == 1:
            log = next(iter(runs.values()))
            lines = {"right": (log, "length_right"), "wrong": (log, "length_wrong")}
        for index, (name, (log, own)) in enumerate(lines.items()):
            _line(axis, log, own, index, name)
        whole = column in ("reward", "zero_std_groups", "works", "accuracy")
        style.frame(axis, panel=label, grid="both", ylim=(0, 1.03 if whole else None))
        if whole or column == "clip_fraction":
            axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
        if column == "length" and len(runs) == 1:
            axis.legend(fontsize=9)
    for axis in axes.flat[-columns:]:
        axis.set_xlabel("step")
    if len(runs) > 1:
        axes.flat[0].legend(fontsize=9)
    return figure


def _line(axis, log: Sequence[Mapping], column: str, index: int, name: str) -> None:
    look = style.series(index)
    at: dict[float, list[float]] = {}
    for row in log:
        if row[column] != "":
            at.setdefault(row["step"], []).append(row[column])
    steps = sorted(at)
    axis.plot(
        steps, [mean(at[s]) for s in steps], color=look.colour, linestyle=look.line, label=name
    )
    low, high = [min(at[s]) for s in steps], [max(at[s]) for s in steps]
    axis.fill_between(steps, low, high, color=look.colour, alpha=0.2, linewidth=0)


def averaged(log: Sequence[Mapping], column: str, steps: Sequence[int]) -> float:
    """The mean of a column over some steps and all seeds, empty cells left out."""
    return mean(row[column] for row in log if row["step"] in steps and row[column] != "")


def describe_watched(
    runs: Mapping[str, Sequence[Mapping]], panels: Mapping[str, str] = WATCHED
) -> str:
    """Alt text for ``watched_chart``: each line over its first and its last three steps."""
    parts = []
    for name, log in runs.items():
        steps = sorted({row["step"] for row in log if row["step"]})
        ends = "; ".join(
            f"{label} {averaged(log, column, steps[:3]):.3g} to "
            f"{averaged(log, column, steps[-3:]):.3g}"
            for column, label in panels.items()
        )
        parts.append(f"{name}: {ends}")
    return f"{len(panels)} charts. " + ". ".join(parts) + "."
