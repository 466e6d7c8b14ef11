"""What happens inside a model? A picture that grows, tokens as places, look-ups, shared heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from course_utils.errors import OptionError
from course_utils.teaching import style

# Each part's box: (left, bottom, width, height), and its words. The stream runs along y = 0.
_PARTS = {
    "embedding": ((0.9, -0.3, 1.15, 0.6), "embedding"),
    "norm": ((2.45, 0.55, 1.15, 0.5), "RMSNorm"),
    "attention": ((2.45, 1.25, 1.15, 0.6), "attention"),
    "feed-forward": ((5.0, 1.25, 1.15, 0.6), "feed-\nforward"),
    "output": ((8.05, -0.3, 1.05, 0.6), "output\nmatrix"),
    "softmax": ((9.35, -0.3, 1.05, 0.6), "softmax"),
}
PARTS = tuple(_PARTS)
"""The parts of a model, in the order in which the picture grows."""


def model_picture(lit: str | None = None, layers: Mapping[str, int] | None = None) -> Figure:
    """A whole model around its residual stream, grown up to the part that is lit.

    Earlier tokens have streams of their own, drawn below; attention alone reads from them, and from
    the token's own.

    lit: one of ``PARTS``; those before it are drawn, those after it are dashed and empty. None
        draws all of them.
    layers: how often the block repeats, by model: ``{"nano": 4, "QwQ-32B": 64}``.
    Raises OptionError for an unknown part.
    """
    if lit is not None and lit not in PARTS:
        raise OptionError(f"There is no part {lit!r}.", f"The parts are: {', '.join(PARTS)}.")
    reached = len(PARTS) if lit is None else PARTS.index(lit) + 1
    figure, axes = style.new_figure(8.6, 3.0)
    axes.set_axis_off()
    axes.set(xlim=(-0.35, 11.4), ylim=(-1.55, 2.5), aspect="equal")
    axes.add_patch(
        Rectangle((2.2, -1.4), 4.5, 3.55, fill=False, linestyle=":", edgecolor=style.GREY)
    )
    repeats = ", ".join(f"{name} {count} times" for name, count in (layers or {}).items())
    axes.text(2.2, 2.22, f"one layer{': ' + repeats if repeats else ''}", fontsize=9)
    _arrow(axes, (0.35, 0), (10.7, 0), width=4.5, colour=style.SKY)
    axes.text(4.3, -0.4, "residual stream", fontsize=9, color=style.BLUE, ha="center")
    axes.text(0.28, 0, "token", ha="right", va="center", fontsize=9.5)
    axes.text(10.75, 0, "next\ntoken?", va="center", fontsize=9.5)
    for below in (-0.85, -1.15):
        axes.plot([0.35, 7.6], [below, below], color=style.SKY, lw=2.2, ls="-", alpha=0.55)
    axes.text(0.28, -1.0, "earlier\ntokens", ha="right", va="center", fontsize=9)
    attending = style.INK if PARTS.index("attention") < reached else style.PALE
    axes.plot([2.32, 2.32], [-1.15, 1.55], color=attending, lw=1.3, ls="-", zorder=2)
    _arrow(axes, (2.3, 1.55), (2.46, 1.55), width=1.3, colour=attending)
    for stream in (0, -0.85, -1.15):
        axes.plot([2.32], [stream], color=attending, marker="o", markersize=4, zorder=4)
    axes.text(2.1, 1.55, "keys and\nvalues", ha="right", va="center", fontsize=9, color=attending)
    for left, part in ((2.45, "attention"), (5.0, "feed-forward")):
        drawn = PARTS.index(part) < reached
        look = {"colour": style.INK if drawn else style.PALE, "width": 1.3}
        middle = left + 0.575
        _arrow(axes, (middle, 0.06), (middle, 0.55), **look)
        _arrow(axes, (middle, 1.05), (middle, 1.25), **look)
        axes.plot([left + 1.15, left + 1.45], [1.55, 1.55], color=look["colour"], lw=1.3, ls="-")
        _arrow(axes, (left + 1.45, 1.55), (left + 1.45, 0.14), **look)
        axes.text(left + 1.45, -0.01, "+", ha="center", va="center", weight="bold", fontsize=12)
    for part, (box, words) in _PARTS.items():
        state = PARTS.index(part) - reached + 1
        _box(axes, box, words, now=lit == part, drawn=state <= 0)
    left, bottom, width, height = _PARTS["norm"][0]
    drawn = PARTS.index("feed-forward") < reached
    _box(axes, (5.0, bottom, width, height), "RMSNorm", now=False, drawn=drawn)
    last = PARTS.index("output") < reached
    _box(axes, (6.87, -height / 2, 0.95, height), "RMSNorm", now=False, drawn=last)
    return figure


def describe_model(lit: str | None = None) -> str:
    """Alt text for ``model_picture``."""
    reached = PARTS if lit is None else PARTS[: PARTS.index(lit) + 1]
    return (
        "A token enters at the left and runs along a thick arrow, the residual stream. Drawn so "
        f"far: {', '.join(reached)}. Attention and feed-forward each take a copy from the stream, "
        "through RMSNorm, and add their result to it; both are inside a frame that repeats. "
        "Attention reads keys and values from this stream and those of earlier tokens. A final "
        "RMSNorm comes before the output matrix." + (f" The part {lit} is lit." if lit else "")
    )


def _box(axes, box, words: str, *, now: bool, drawn: bool) -> None:
    left, bottom, width, height = box
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=style.YELLOW if now else "#E4EFF6" if drawn else style.BACKGROUND,
            edgecolor=style.INK if now else style.GREY,
            linewidth=2.6 if now else 1.0,
            linestyle="-" if drawn else "--",
            zorder=3,
        )
    )
    axes.text(
        left + width / 2,
        bottom + height / 2,
        words if drawn else "",
        ha="center",
        va="center",
        fontsize=9,
        linespacing=0.95,
        weight="bold" if now else "normal",
        zorder=4,
    )


def _arrow(axes, start, end, *, width: float, colour: str) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=10 + 1.5 * width,
            shrinkA=0,
            shrinkB=0,
            linewidth=width,
            color=colour,
        )
    )


def embedding_map(vectors: np.ndarray, labels: Sequence[str], groups: Sequence[str]) -> Figure:
    """Where do tokens lie? Their vectors, seen from the side on which they spread most (PCA).

    vectors: (tokens, numbers).  labels: each token in words.  groups: what kind each one is.
    """
    centred = np.asarray(vectors) - np.mean(vectors, axis=0)
    # The two directions of the largest spread; a fixed sign, so that the picture stays as it is.
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    directions *= np.sign(directions[np.arange(2), np.abs(directions).argmax(axis=1)])[:, None]
    places = centred @ directions.T
    figure, axes = style.new_figure(7.2, 4.2)
    sides = _label_sides(places / np.ptp(places, axis=0))
    for index, group in enumerate(dict.fromkeys(groups)):
        look = style.series(index)
        mine = [n for n, one in enumerate(groups) if one == group]
        axes.scatter(
            *places[mine].T,
            color=look.colour,
            marker=look.marker,
            s=44,
            edgecolor=style.BACKGROUND,
            linewidth=0.8,
            label=group,
        )
        for n in mine:
            axes.annotate(
                style.drawable(labels[n]),
                places[n],
                xytext=sides[n],
                ha="left" if sides[n][0] > 0 else "right",
                textcoords="offset points",
                fontsize=8.5,
            )
    style.frame(
        axes,
        title="Which tokens lie close together?",
        xticks=[],
        yticks=[],
        xlabel="first direction",
        ylabel="second direction",
    )
    axes.margins(0.12)
    figure.legend(loc="outside right upper")
    return figure


def _label_sides(places: np.ndarray, close: float = 0.06) -> list[tuple[int, int]]:
    """For each place, where its label stands, in points from it: away from its neighbours.

    places: (tokens, 2), as shares of the picture.  close: what counts as neighbours.
    """
    sides = ((5, 3), (-5, 3), (5, -11), (-5, -11))
    chosen: list[tuple[int, int]] = []
    for n, place in enumerate(places):
        near = np.abs(places - place).max(axis=1) < close
        away = np.round(place - places[near].mean(axis=0), 6)  # no side for those in one spot
        # Of equally good sides the first one, so a token on its own has its label to the upper
        # right.
        wanted = sorted(sides, key=lambda side: -(np.sign(away) * np.sign(side)).sum())
        taken = [chosen[m] for m in range(n) if near[m]]
        chosen.append(next((side for side in wanted if side not in taken), wanted[0]))
    return chosen


def lookup_picture(labels: Sequence[str], shares: Sequence[float], asks: str) -> Figure:
    """Attention as a weighted look-up: how much of each token's value goes into the mixture.

    labels: the tokens that are looked at.  shares: what each gets, 1 in sum.  asks: the token
    that looks, in words.
    """
    count = len(labels)
    figure, axes = style.new_figure(7.6, 0.9 + 0.36 * count)
    axes.set_axis_off()
    axes.set(xlim=(-0.2, 8.2), ylim=(count + 0.1, -1.3))
    middle = (count - 1) / 2
    for x, words in ((2.2, "key fits the query?"), (4.35, "share"), (7.3, "mixture of values")):
        axes.text(x, -0.95, words, ha="center", fontsize=9.5, weight="bold")
    axes.text(0.5, middle, f"{asks}\nasks", ha="center", va="center", fontsize=10)
    for row, (label, share) in enumerate(zip(labels, shares, strict=True)):
        axes.plot([1.0, 1.55], [middle, row], color=style.GREY, linewidth=0.8, linestyle="-")
        axes.text(1.62, row, style.drawable(label), va="center", fontsize=9.5)
        axes.barh(row, 1.3 * share, left=3.5, height=0.6, color=style.BLUE)
        axes.text(3.56 + 1.3 * share, row, f"{share:.0%}", va="center", fontsize=9)
        axes.plot(
            [5.5, 6.75],
            [row, middle],
            color=style.BLUE,
            linewidth=0.3 + 7 * share,
            linestyle="-",
            solid_capstyle="butt",
        )
    axes.text(
        7.35,
        middle,
        "sum of\nshare × value",
        ha="center",
        va="center",
        fontsize=9.5,
        bbox={"facecolor": "#E4EFF6", "edgecolor": style.GREY, "boxstyle": "round,pad=0.4"},
    )
    return figure


def sharing_picture(models: Mapping[str, tuple[int, int]]) -> Figure:
    """Which query heads share a key/value head? ``{"nano": (4, 2), "QwQ-32B": (40, 8)}``."""
    figure, panels = style.new_figure(7.6, 1.45 * len(models), len(models), 1, squeeze=False)
    for axes, (name, (heads, kv_heads)) in zip(panels[:, 0], models.items(), strict=True):
        axes.set_axis_off()
        group = heads // kv_heads
        says = f"{name}: {group} query heads share one key and one value"
        style.frame(axes, panel=says, xlim=(-0.23, 1.01), ylim=(-0.35, 1.35))
        for row, count, words in ((1, heads, "query heads"), (0, kv_heads, "key/value heads")):
            axes.text(-0.01, row, f"{count} {words}", ha="right", va="center", fontsize=9)
            for n in range(count):
                shared = n // group if row else n
                look = style.series(shared % 2)
                axes.add_patch(
                    Rectangle(
                        ((n + 0.12) / count, row - 0.16),
                        0.76 / count,
                        0.32,
                        facecolor=look.colour,
                        hatch=look.hatch,
                        edgecolor=style.BACKGROUND,
                        zorder=3,
                    )
                )
        for n in range(heads):
            axes.plot(
                [(n + 0.5) / heads, (n // group + 0.5) / kv_heads],
                [0.84, 0.16],
                color=style.GREY,
                linewidth=0.9,
                linestyle="-",
            )
    return figure


def rotation_chart(arrows: Mapping[str, np.ndarray]) -> Figure:
    """How far does RoPE turn a pair? ``{"pair 0": (positions, 2)}``: its arrow at each position."""
    figure, panels = style.new_figure(7.4, 3.0, columns=len(arrows), squeeze=False)
    for axes, (name, tips) in zip(panels[0], arrows.items(), strict=True):
        for position, tip in enumerate(tips):
            axes.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "->", "color": style.BLUE})
            axes.text(*(1.2 * np.asarray(tip)), str(position), ha="center", va="center", size=8)
        reach = 1.5 * np.linalg.norm(tips[0])
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
        axes.set_title(name, fontsize=10)
    figure.suptitle("How far does RoPE turn a pair at positions 0 to 5?")
    return figure


def lens_chart(places: Sequence[str], chances: Sequence[float], said: Sequence[str]) -> Figure:
    """The logit lens: a token's probability after each place, and what would be said there."""
    figure, axes = style.new_figure(7.2, 3.4)
    axes.plot(chances, color=style.BLUE, marker="o", linestyle="-")
    for place, (chance, words) in enumerate(zip(chances, said, strict=True)):
        axes.text(place, chance + 0.06, f"“{style.drawable(words)}”", ha="center", fontsize=9)
    axes.set_xticks(range(len(places)), places, rotation=35, ha="right")
    style.frame(
        axes,
        ylim=(-0.05, 1.18),
        ylabel="probability",
        yticks=[0, 0.5, 1],
        percent="y",
    )
    return figure


def head_table(values: np.ndarray, title: str) -> Figure:
    """A share for each layer and head, as a table in colour. values: (layers, heads)."""
    layers, heads = values.shape
    figure, axes = style.new_figure(6.8, 3.4)
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > 0.5 else style.INK
        axes.text(column, row, f"{value:.0%}", ha="center", va="center", color=colour)
    style.frame(
        axes,
        title=title,
        xticks=range(heads),
        xticklabels=[f"head {n}" for n in range(heads)],
        yticks=range(layers),
        yticklabels=[f"layer {n}" for n in range(layers)],
    )
    return figure


def ablation_bars(values: Mapping[str, float], complete: float, title: str) -> Figure:
    """What is left without each part: one bar each, the lowest hatched, a line for the whole."""
    figure, axes = style.new_figure(7.4, 3.2)
    bars = axes.bar(list(values), list(values.values()), color=style.BLUE)
    lowest = min(range(len(bars)), key=lambda n: list(values.values())[n])
    bars[lowest].set(facecolor=style.ORANGE, edgecolor=style.INK, hatch="///")
    axes.axhline(complete, color=style.INK, linestyle="--", linewidth=1)
    axes.text(len(bars) - 0.4, complete + 0.02, "nothing switched off", ha="right", fontsize=9)
    style.frame(
        axes,
        title=title,
        ylim=(0, 1.1),
        yticks=[0, 0.25, 0.5, 0.75, 1],
        percent="y",
    )
    return figure


def parts_chart(models: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Shares of a whole as stacked bars: ``{"QwQ-32B": {"attention": 4.0e9, ...}}``."""
    figure, axes = style.new_figure(7.4, 1.0 + 0.75 * len(models))
    for row, parts in enumerate(models.values()):
        left, total = 0.0, sum(parts.values())
        for index, (part, count) in enumerate(parts.items()):
            look, size = style.series(index), count / total
            axes.barh(
                row,
                size,
                left=left,
                **look.as_bar,
                label=part if row == 0 else None,
            )
            if size > 0.03:
                axes.text(
                    left + size / 2,
                    row,
                    f"{size:.0%}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    bbox={"facecolor": style.BACKGROUND, "edgecolor": "none", "pad": 0.8},
                )
            left += size
    style.frame(axes, title=title, rows=models, xticks=[0, 0.5, 1], percent="x")
    figure.legend(loc="outside lower left", ncols=4)
    return figure
