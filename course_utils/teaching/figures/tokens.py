"""What does the model expect next, and where does it look? Next-token bars and attention maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from course_utils.engines.protocol import Attention, NextToken
from course_utils.errors import OptionError
from course_utils.teaching import style


def next_token_chart(
    candidates: Sequence[NextToken] | Sequence[tuple],
    sampled: Sequence[float] | None = None,
    *,
    title: str = "Which token comes next?",
    chosen: int | None = None,
) -> Figure:
    """Bars for the likeliest next tokens, the likeliest on top.

    candidates: what ``engine.next_tokens(text, k)`` returns, or (token, probability) pairs with
        a token as text, bytes or ``Token``.
    sampled: their probabilities after the sampling settings, 0 for those cut off.  The bars then
        show these; a black tick marks the model's own probability, and a token that was cut off
        keeps a grey hatched bar at it.
    chosen: position of the token that was drawn; its label gets an arrow.
    """
    style.need(candidates, "There is no next token to draw.", "Ask for at least one: k=10.")
    labels = [style.visible(candidate[0]) for candidate in candidates]
    model = np.array([candidate[1] for candidate in candidates], dtype=float)
    shown = model if sampled is None else np.asarray(sampled, dtype=float)
    if shown.shape != model.shape:
        raise OptionError(
            f"There are {len(model)} tokens but {len(shown)} probabilities after sampling.",
            "Give one probability for each token, 0 for those cut off.",
        )
    cut = (shown == 0) & (sampled is not None)
    figure, axes = style.new_figure(7, 0.9 + 0.31 * len(labels))
    rows = np.arange(len(labels))
    axes.barh(rows[~cut], shown[~cut], color=style.BLUE, height=0.72)
    axes.barh(rows[cut], model[cut], color="white", edgecolor=style.GREY, hatch="////", height=0.72)
    if sampled is not None:
        axes.vlines(model[~cut], rows[~cut] - 0.42, rows[~cut] + 0.42, color=style.INK, lw=1.8)
    widest = max(shown.max(), model.max())
    for row in rows:
        share = "cut off" if cut[row] else percent(shown[row])
        end = max(shown[row], model[row] if sampled is not None else 0)
        # Behind a far tick the number would read as the tick's, so it goes inside a long bar.
        inside = not cut[row] and shown[row] > 0.2 * widest and end > shown[row] + 0.02 * widest
        axes.text(
            shown[row] - widest * 0.015 if inside else end + widest * 0.015,
            row,
            share,
            va="center",
            ha="right" if inside else "left",
            fontsize=9.5,
            color="white" if inside else style.GREY if cut[row] else style.INK,
        )
    ticks = [f"→ {label}" if row == chosen else label for row, label in enumerate(labels)]
    unit = (
        "probability" if sampled is None else "probability after sampling (tick: the model's own)"
    )
    style.frame(axes, title=title, rows=ticks, grid="x", xlim=(0, widest * 1.14), xlabel=unit)
    axes.xaxis.set_major_formatter(lambda value, _: percent(value, 0 if widest > 0.05 else 1))
    style.note_missing_fonts(figure, title, *labels)
    return figure


def percent(share: float, digits: int = 1) -> str:
    """A share as text: ``12.3%``; a share that rounds to nothing reads ``< 0.1%``."""
    smallest = 10.0**-digits
    if 0 < share * 100 < smallest / 2:
        return f"< {smallest:.{digits}f}%"
    return f"{share * 100:.{digits}f}%"


def describe_next_tokens(
    candidates: Sequence[NextToken] | Sequence[tuple], sampled: Sequence[float] | None = None
) -> str:
    """Alt text for ``next_token_chart``: its five likeliest tokens in words."""
    shares = [candidate[1] for candidate in candidates] if sampled is None else list(sampled)
    words = [
        f"{style.visible(candidate[0])} {percent(share) if share else 'cut off'}"
        for candidate, share in zip(candidates, shares, strict=True)
    ]
    rest = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return f"Bar chart of next-token probabilities: {', '.join(words[:5])}{rest}."


def attention_chart(
    attention: Attention,
    layer: int = 0,
    head: int | Sequence[int] | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """Attention maps of one layer: row i shows how token i shares its attention over the past.

    head: one head, several, or None for all heads of the layer.  Numbers start at 0.
    Darker means more; the shared scale runs from 0 to 1.  A dotted line marks the future, which
    the model cannot see.
    """
    layers, heads = attention.weights.shape[:2]
    chosen = list(range(heads)) if head is None else [head] if isinstance(head, int) else list(head)
    if not 0 <= layer < layers or not chosen or not all(0 <= h < heads for h in chosen):
        raise OptionError(
            f"There is no attention map for layer {layer}, head {head}.",
            f"Layers run from 0 to {layers - 1}, heads from 0 to {heads - 1}.",
        )
    labels = [style.visible(token) for token in attention.tokens]
    ticks = [style.drawable(label) for label in labels]
    n = len(labels)
    columns = min(math.ceil(math.sqrt(len(chosen))), 1 if n > 24 else 2 if n > 12 else 3)
    rows = math.ceil(len(chosen) / columns)
    side = (2.2 if len(chosen) > 1 else 2.6) + 0.16 * n
    figure, grid = style.new_figure(
        min(side * columns, 13) + 0.7,
        min(side, 13 / columns) * rows * 0.95 + 0.5,
        rows,
        columns,
        squeeze=False,
    )
    for axes in grid.flat[len(chosen) :]:
        axes.set_visible(False)
    edge = np.repeat(np.arange(n + 1), 2) - 0.5
    for axes, number in zip(grid.flat, chosen, strict=False):
        image = axes.imshow(attention.weights[layer, number], cmap="Blues", vmin=0, vmax=1)
        axes.plot(edge[1:-1], edge[:-2], color=style.GREY, linestyle=":", lw=1)
        axes.set_xticks(range(n), ticks, rotation=90, fontsize=9)
        axes.set_yticks(range(n), ticks, fontsize=9)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_title(f"layer {layer}, head {number}", fontsize=10.5, loc="center")
    style.frame(grid[-1, 0], xlabel="looks at …", ylabel="this token …")
    figure.colorbar(image, ax=grid, shrink=0.75, label="share of attention")
    figure.suptitle(style.drawable(title or "Where does each token look?"))
    style.note_missing_fonts(figure, *labels)
    return figure


def describe_attention(attention: Attention, layer: int, head: int) -> str:
    """Alt text for one attention map: where the last token looks most."""
    row = attention.weights[layer, head, -1]
    best = int(np.argmax(row))
    last, target = style.visible(attention.tokens[-1]), style.visible(attention.tokens[best])
    return (
        f"Attention map of layer {layer}, head {head} over {len(attention.tokens)} tokens. "
        f"The last token, {last}, gives {percent(float(row[best]), 0)} of its attention to "
        f"{target} at position {best}."
    )
