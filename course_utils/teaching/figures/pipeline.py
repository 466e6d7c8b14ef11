"""Where are we? The drawing that returns before each step, with the next box lit."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from course_utils.errors import OptionError
from course_utils.teaching import style

_LINE = {"color": style.GREY, "linewidth": 1.2, "linestyle": "-"}


def where_are_we(
    stages: Sequence[str], lit: str | int, *, title: str | None = None, again: str = ""
) -> Figure:
    """Boxes joined by arrows; the lit one stands out, those before it are ticked off.

    stages: the steps in order, each a few words.
    lit: the step that comes now, by name or by position from 0.
    again: words on an arrow that leads from the last box back to the first, for steps that repeat.
    The lit box is told by a thick frame and bold letters, not by colour alone.
    """
    stages = list(stages)
    if isinstance(lit, str) and lit in stages:
        lit = stages.index(lit)
    if not isinstance(lit, int) or not 0 <= lit < len(stages):
        raise OptionError(
            f"There is no step {lit!r} to light up.", f"The steps are: {', '.join(stages)}."
        )
    rows = math.ceil(len(stages) / 6)
    columns = math.ceil(len(stages) / rows)
    below = 0.4 if again else 0.0
    height = 1.0 * rows + below + (0.5 if title else 0.15)
    figure, axes = style.new_figure(1.75 * columns + 0.2, height)
    axes.set_axis_off()
    style.frame(axes, xlim=(-0.52, columns - 0.48), ylim=(rows - 0.5 + below, -0.5))
    for index, stage in enumerate(stages):
        row, column = divmod(index, columns)
        now, done = index == lit, index < lit
        axes.add_patch(
            FancyBboxPatch(
                (column - 0.38, row - 0.27),
                0.76,
                0.54,
                boxstyle="round,pad=0,rounding_size=0.07",
                facecolor=style.YELLOW if now else "#E4EFF6" if done else "white",
                edgecolor=style.INK if now else style.GREY,
                linewidth=2.8 if now else 1.0,
                linestyle="-" if now or done else "--",
            )
        )
        words = "\n".join(textwrap.wrap(style.drawable(stage), 13))
        axes.text(
            column,
            row,
            f"✓ {words}" if done else words,
            ha="center",
            va="center",
            fontsize=9.5,
            weight="bold" if now else "normal",
        )
        if index + 1 < len(stages):
            if column + 1 < columns:
                start = (column + 0.38, row)
                end = (column + 0.62, row)
            else:
                # On to the next row: down, along the gap, and into its first box from above.
                axes.plot([column, column, 0], [row + 0.27, row + 0.5, row + 0.5], **_LINE)
                start = (0, row + 0.49)
                end = (0, row + 0.73)
            _draw_arrow(axes, start, end)
    if again:
        row, column = divmod(len(stages) - 1, columns)
        turn = rows - 0.32
        if rows == 1:  # up into the first box
            axes.plot([column, column, 0], [0.27, turn, turn], **_LINE)
            _draw_arrow(axes, (0, turn), (0, 0.27))
        else:  # along the left edge, past the other rows
            left = -0.47
            axes.plot([column, column, left, left], [row + 0.27, turn, turn, 0], **_LINE)
            _draw_arrow(axes, (left, 0), (-0.38, 0))
        axes.text(
            column / 2, turn + 0.05, style.drawable(again), ha="center", va="top", fontsize=9.5
        )
    if title:
        axes.set_title(style.drawable(title))
    return figure


def describe_pipeline(stages: Sequence[str], lit: str | int, *, again: str = "") -> str:
    """Alt text for ``where_are_we``."""
    position = stages.index(lit) if isinstance(lit, str) else lit
    back = f" An arrow leads from the last step back to the first: {again}." if again else ""
    return (
        f"Steps in order: {', '.join(stages)}. Step {position + 1} of {len(stages)}, "
        f"{stages[position]}, is lit.{back}"
    )


def _draw_arrow(axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=11,
            shrinkA=0,
            shrinkB=0,
            color=_LINE["color"],
            linewidth=_LINE["linewidth"],
        )
    )
