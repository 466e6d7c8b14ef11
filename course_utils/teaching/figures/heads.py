"""What does attention keep of each token? Query heads above, and below them what they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils.model_files.architectures import Architecture
from course_utils.model_files.layer_parts import LatentAttention
from course_utils.teaching import style


@dataclass(frozen=True)
class Sharing:
    """How the heads of one layer share what is cached of a token.

    queries: query heads.  groups: how many of keys and values are kept.  numbers: cached for each
    token in this layer.  latent: does every head read one short vector, instead of a key and value?
    """

    name: str
    queries: int
    groups: int
    numbers: int
    latent: bool = False


def sharing_of(name: str, architecture: Architecture) -> Sharing:
    """What an ``Architecture`` does: grouped-query attention, or one latent for all heads."""
    attention = architecture.attention
    numbers = attention.cached_keys + attention.cached_values
    if isinstance(attention, LatentAttention):
        return Sharing(name, attention.heads, 1, numbers, latent=True)
    return Sharing(name, attention.heads, attention.key_value_heads, numbers)


def head_chart(
    kinds: Sequence[Sharing], *, title: str = "What does attention keep of each token?"
) -> Figure:
    """A panel for each kind: query heads in a row, what is cached below, to scale in numbers.

    Blue squares are heads, orange boxes what stays in the cache.  A dashed green row between them
    could be made from the latent, and is never written out.
    """
    style.need(kinds, "There is no attention to draw.", "Give one: [Sharing(...)].")
    figure, panels = style.new_figure(8.6, 1.0 + 1.5 * len(kinds), len(kinds), squeeze=False)
    widest = max(kind.numbers for kind in kinds)
    for kind, axes in zip(kinds, panels[:, 0], strict=True):
        _draw(axes, kind, widest)
    figure.suptitle(style.drawable(title), x=0.01, ha="left")
    return figure


def describe_heads(kinds: Sequence[Sharing]) -> str:
    """Alt text for ``head_chart``."""
    return " ".join(
        f"{kind.name}: {kind.queries} query heads over "
        + (
            "one latent vector, which every head reads instead of keys and values"
            if kind.latent
            else f"{kind.groups} key and value heads"
        )
        + f"; {kind.numbers:,} numbers cached for each token and layer."
        for kind in kinds
    )


def _draw(axes, kind: Sharing, widest: int) -> None:
    step = 100 / kind.queries
    for head in range(kind.queries):
        box = (head * step + 0.1 * step, 2.1)
        axes.add_patch(Rectangle(box, 0.8 * step, 0.5, facecolor=style.BLUE, edgecolor="none"))
    total = 100 * kind.numbers / widest
    width = total / kind.groups
    for group in range(kind.groups):
        middle = 100 * (group + 0.5) / kind.groups
        axes.add_patch(
            Rectangle(
                (middle - 0.46 * width, 0),
                0.92 * width,
                0.6,
                facecolor=style.ORANGE,
                edgecolor=style.INK,
                linewidth=0.4,
            )
        )
    if kind.latent:
        axes.add_patch(
            Rectangle((0, 1.1), 100, 0.45, fill=False, edgecolor=style.GREEN, linestyle="--")
        )
        words = "each head reads the latent itself: keys and values are never written out"
        axes.text(50, 1.32, words, ha="center", va="center", fontsize=9)
    per_group = kind.queries / kind.groups
    for head in range(kind.queries):
        group = int(head / per_group)
        top, bottom = ((head + 0.5) * step, 2.08), (100 * (group + 0.5) / kind.groups, 0.62)
        line = {"color": style.GREY, "linewidth": 0.4, "linestyle": "-"}
        if kind.latent:
            axes.plot([top[0], top[0]], [top[1], 1.55], **line)
        else:
            axes.plot([top[0], bottom[0]], [top[1], bottom[1]], **line)
    if kind.latent:
        axes.plot([50, 50], [1.1, 0.62], color=style.GREY, linewidth=1.2, linestyle="-")
    axes.text(101.5, 2.35, f"{kind.queries} query heads", va="center", fontsize=9)
    axes.text(101.5, 0.3, f"{kind.numbers:,} numbers cached", va="center", fontsize=9)
    style.frame(axes, panel=kind.name, xlim=(-0.5, 131), ylim=(-0.15, 2.75))
    axes.axis("off")
