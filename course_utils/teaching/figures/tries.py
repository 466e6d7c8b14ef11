"""Did reward discover a way to play, or select it? pass@k of a base, and of what reward made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from statistics import mean, median

from matplotlib.figure import Figure

from course_utils.errors import OptionError
from course_utils.teaching import style
from course_utils.teaching.figures.chains import pass_at_k

Rows = Sequence[Mapping]
"""As in ``runs/guessing-tries.csv``: for each policy and episode how many of its tries did what."""

Estimate = Callable[[int, int, int], float]
"""``(n, c, k)`` to the chance that one of k of n tries did it, c of which did."""

PANELS = {"found_by_7": "found, luck included", "narrowed": "found, and every guess narrows"}
"""What is counted, and its title."""


def tried_at_k(
    rows: Rows, policy: str, column: str, k: int, estimate: Estimate = pass_at_k
) -> float:
    """The mean over episodes of pass@k: one of k tries of this policy did what the column counts.

    Raises OptionError for a policy that is not in the rows.
    """
    mine = [row for row in rows if row["policy"] == policy]
    if not mine:
        raise OptionError(
            f"No tries of {policy!r} are recorded.",
            f"There are: {', '.join(dict.fromkeys(row['policy'] for row in rows)) or 'none'}.",
        )
    return mean(estimate(row["tries"], row[column], k) for row in mine)


def tries_chart(
    rows: Rows, ks: Sequence[int], names: Mapping[str, str], *, estimate: Estimate = pass_at_k
) -> Figure:
    """pass@k against k, counting any success (left) and narrowing ones alone (right).

    names: policies and their labels.
    """
    figure, panels = style.new_figure(
        8.6, 4.2, 1, len(PANELS), sharey=True, title="Learned from reward, or there before?"
    )
    for axes, (column, title) in zip(panels, PANELS.items(), strict=True):
        for index, (policy, label) in enumerate(names.items()):
            look = style.series(index)
            axes.plot(
                ks,
                [tried_at_k(rows, policy, column, k, estimate) for k in ks],
                **look.as_line,
                markersize=7,
                label=style.drawable(label),
            )
        axes.set_xscale("log", base=2)
        style.frame(
            axes,
            panel=title,
            grid="both",
            percent="y",
            xticks=ks,
            xticklabels=ks,
            ylim=(-0.03, 1.05),
            xlabel="k, tries at an episode",
        )
    panels[0].set_ylabel("pass@k")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def describe_tries(rows: Rows, ks: Sequence[int], names: Mapping[str, str]) -> str:
    """Alt text for ``tries_chart``: each line at its ends."""
    parts = []
    for column, title in PANELS.items():
        ends = (
            f"{label} {tried_at_k(rows, policy, column, ks[0]):.0%} to "
            f"{tried_at_k(rows, policy, column, ks[-1]):.0%}"
            for policy, label in names.items()
        )
        parts.append(f"{title}: {', '.join(ends)}")
    return f"pass@k for k from {ks[0]} to {ks[-1]}. " + "; ".join(parts) + "."


def foretold_by(
    rows: Rows, tries: Rows, *, open_at_least: int = 4
) -> dict[str, tuple[list[float], float]]:
    """How likely was what the reinforced policy did, under it, its base, and two plain players?

    rows: as in ``runs/guessing-foretold.csv``; tries: rows that say how wide each episode's
    interval is.  For the blind player, who names any number of the interval, the listener, who
    names any number still possible, the base and the reinforced policy: the probability of each
    guess with so many numbers open, and the median probability of a whole game.
    """
    widths = {row["episode"]: row["high"] - row["low"] + 1 for row in tries}
    each = {
        "blind": [1 / widths[row["episode"]] for row in rows],
        "listener": [1 / row["open"] for row in rows],
        "base": [row["base"] for row in rows],
        "reinforced": [row["reinforced"] for row in rows],
    }
    found = {}
    for name, shares in each.items():
        games: dict[int, list[float]] = {}
        for row, share in zip(rows, shares, strict=True):
            games.setdefault(row["episode"], []).append(share)
        wide = [s for row, s in zip(rows, shares, strict=True) if row["open"] >= open_at_least]
        found[name] = wide, median(prod(game) for game in games.values())
    return found
