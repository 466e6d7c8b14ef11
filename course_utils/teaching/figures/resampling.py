"""How do results spread when they are drawn again, and which questions tell two models apart?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.errors import OptionError
from course_utils.teaching import style


def spread_chart(
    values: Sequence[float],
    low: float,
    high: float,
    *,
    step: float,
    title: str,
    x_label: str,
    zero: bool = False,
) -> Figure:
    """A bar for each value that came up, as high as it came up often; the middle marked.

    values: shares, drawn in percent.  low, high: the ends of the middle 95 %.  step: the width of
    a bar, such as one question of 30.  ``zero``: they are differences, drawn in points, with a line
    at 0.
    """
    counts = _counts(values, step)
    figure, axes = style.new_figure(7, 3.2)
    parts = {True: ([], []), False: ([], [])}
    for place, count in counts.items():
        inside = low - step / 2 <= place * step <= high + step / 2
        parts[inside][0].append(100 * place * step)
        parts[inside][1].append(100 * count / len(values))
    for index, (inside, name) in enumerate(((True, "the middle 95 of 100"), (False, "the others"))):
        look = style.series(index)
        axes.bar(
            *parts[inside],
            width=80 * step,
            color=look.colour if inside else style.BACKGROUND,
            edgecolor=look.colour,
            hatch="" if inside else look.hatch,
            label=name,
        )
    if zero:
        axes.axvline(0, color=style.INK, linewidth=1, linestyle="--")
    if not zero:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    style.frame(axes, title=title, grid="y", xlabel=x_label, ylabel="how often")
    figure.legend(loc="outside lower left", ncols=2, fontsize=9)
    return figure


def describe_spread(values: Sequence[float], low: float, high: float, *, step: float) -> str:
    """Alt text for ``spread_chart``."""
    counts = _counts(values, step)
    top = max(counts, key=counts.get)
    return (
        f"Bars from {100 * min(counts) * step:.0f} to {100 * max(counts) * step:.0f} percent; "
        f"the highest stands at {100 * top * step:.0f}. The middle 95 of 100 reach from "
        f"{100 * low:.0f} to {100 * high:.0f} percent."
    )


def pair_chart(
    first: Sequence[int],
    second: Sequence[int],
    names: tuple[str, str],
    *,
    title: str = "Which questions tell the two apart?",
) -> Figure:
    """Four fields: questions that both solved, that one alone solved, and that neither did.

    first, second: (questions,) of 1 (right) and 0, in the same order.  names: of the two models.
    """
    fields = pair_counts(first, second)
    figure, axes = style.new_figure(6, 2.9)
    for (ours, theirs), count in fields.items():
        x, y = 1 - theirs, 1 - ours
        tells = ours != theirs
        axes.add_patch(
            Rectangle(
                (x, y),
                1,
                1,
                facecolor=style.SKY if tells else style.BACKGROUND,
                edgecolor=style.INK if tells else style.PALE,
                linewidth=2 if tells else 1,
                zorder=3 if tells else 2,
            )
        )
        says = "they differ" if tells else "says nothing"
        axes.text(x + 0.5, y + 0.45, f"{count}", ha="center", va="center", fontsize=20, zorder=4)
        axes.text(x + 0.5, y + 0.8, says, ha="center", va="center", fontsize=9.5, zorder=4)
    style.frame(
        axes,
        xlim=(-0.02, 2.02),
        ylim=(2.02, -0.02),
        xticks=[0.5, 1.5],
        xticklabels=[f"{names[1]} right", f"{names[1]} wrong"],
        yticks=[0.5, 1.5],
        yticklabels=[f"{names[0]} right", f"{names[0]} wrong"],
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(style.drawable(title), pad=14)
    return figure


def describe_pairs(first: Sequence[int], second: Sequence[int], names: tuple[str, str]) -> str:
    """Alt text for ``pair_chart``."""
    fields = pair_counts(first, second)
    return (
        f"Of {len(first)} questions, both solved {fields[1, 1]}, {names[0]} alone {fields[1, 0]}, "
        f"{names[1]} alone {fields[0, 1]}, and neither {fields[0, 0]}."
    )


def pair_counts(first: Sequence[int], second: Sequence[int]) -> dict[tuple[int, int], int]:
    """How many questions each field holds, by (first right, second right).

    Raises OptionError unless both answered the same number of questions, right or wrong.
    """
    pairs = list(zip(first, second, strict=False))
    if len(first) != len(second) or not pairs or any(v not in (0, 1) for p in pairs for v in p):
        raise OptionError(
            f"These are not right (1) and wrong (0) for the same questions: {len(first)} and "
            f"{len(second)} values.",
            "Give one 1 or 0 per question for each model, in the same order.",
        )
    counts = Counter((int(ours), int(theirs)) for ours, theirs in pairs)
    return {field: counts[field] for field in ((1, 1), (1, 0), (0, 1), (0, 0))}


def _counts(values: Sequence[float], step: float) -> dict[int, int]:
    """How often each multiple of ``step`` came up."""
    style.need(
        len(values) and step > 0,
        "There is nothing to draw.",
        "Give values, and the width of a bar.",
    )
    places = np.rint(np.asarray(values, dtype=float) / step).astype(int)
    return dict(sorted(Counter(places.tolist()).items()))
