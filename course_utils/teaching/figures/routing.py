"""Which expert works on which token? Routing maps, loads, tables, and losses by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from course_utils.engines.protocol import Routing
from course_utils.errors import OptionError
from course_utils.teaching import style


def routing_chart(routing: Routing, *, title: str = "Which experts does each token get?") -> Figure:
    """One map for each layer: a column for each token, a row for each expert.

    routing: what ``engine.routing(text)`` gives.  The darker a cell, the larger the expert's share
    of what the token gets; a cell with no colour was not chosen.
    """
    layers, tokens, _ = routing.experts.shape
    number = routing.probabilities.shape[-1]
    if tokens > 60:
        raise OptionError(
            f"{tokens} tokens are too many for one map.", "Take a text of at most 60 tokens."
        )
    figure, panels = style.new_figure(
        min(2.2 + 0.27 * tokens, 13), 1.1 + layers * (0.5 + 0.15 * number), layers, squeeze=False
    )
    labels = [style.visible(token) for token in routing.tokens]
    for layer, axes in enumerate(panels[:, 0]):
        grid = np.zeros((number, tokens))
        columns = np.arange(tokens)[:, None]
        grid[routing.experts[layer], columns] = routing.weights[layer]
        image = axes.imshow(grid, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_yticks(range(number), range(number), fontsize=8)
        style.frame(
            axes, ylabel=f"layer {layer}\nexpert", xticks=range(tokens), xticklabels=[""] * tokens
        )
        axes.set_xticks(np.arange(tokens + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=style.PALE, lw=0.5)
        axes.grid(which="major", visible=False)
        axes.tick_params(which="both", length=0)
    axes.set_xticks(range(tokens), [style.drawable(label) for label in labels], rotation=90)
    figure.colorbar(image, ax=panels, shrink=0.7, label="weight")
    figure.suptitle(style.drawable(title))
    style.note_missing_fonts(figure, title, *labels)
    return figure


def describe_routing(routing: Routing) -> str:
    """Alt text for ``routing_chart``: how many experts are used, and who gets the last token."""
    layers, tokens, used = routing.experts.shape
    number = routing.probabilities.shape[-1]
    busy = [len(np.unique(routing.experts[layer])) for layer in range(layers)]
    last = " and ".join(str(expert) for expert in routing.experts[0, -1])
    return (
        f"Maps of {layers} layers, {number} experts by {tokens} tokens; {used} experts serve each "
        f"token. Experts used at all, by layer: {', '.join(map(str, busy))}. In layer 0 the last "
        f"token, {style.visible(routing.tokens[-1])}, goes to experts {last}."
    )


def load_chart(
    loads: Mapping[str, np.ndarray], *, title: str = "How is the work shared out?", top: float = 0.3
) -> Figure:
    """Bars: which share of all choices falls on each expert; a row for each model.

    loads: name to (layers, experts), each layer's shares summing to 1.  The dashed line is where
    every bar would end if the load were even.  The axes reach at least up to ``top``.
    """
    loads = {name: np.asarray(load, dtype=float) for name, load in loads.items()}
    style.need(loads, "There is no load to draw.", 'Give one: {"mixture": array}.')
    layers = max(load.shape[0] for load in loads.values())
    height = max(top, max(load.max() for load in loads.values()) * 1.12)
    figure, panels = style.new_figure(
        1.2 + 2.2 * layers, 0.9 + 1.45 * len(loads), len(loads), layers, squeeze=False, sharey=True
    )
    for row, (name, load) in enumerate(loads.items()):
        look = style.series(row)
        for layer, axes in enumerate(panels[row]):
            if layer >= len(load):
                axes.set_visible(False)
                continue
            number = load.shape[1]
            axes.bar(
                range(number),
                load[layer],
                **look.as_bar,
            )
            axes.axhline(1 / number, color=style.INK, linestyle="--", lw=1)
            style.frame(axes, percent="y", ylim=(0, height))
            axes.set_xticks(range(number), range(number), fontsize=8)
            if row == 0:
                axes.set_title(f"layer {layer}", loc="center", fontsize=10.5)
        panels[row, 0].set_ylabel(style.drawable(name))
    for axes in panels[-1]:
        axes.set_xlabel("expert")
    figure.suptitle(style.drawable(title))
    return figure


def describe_load(loads: Mapping[str, np.ndarray]) -> str:
    """Alt text for ``load_chart``: the busiest and the idlest expert of every layer."""
    parts = []
    for name, load in loads.items():
        layers = [
            f"layer {layer} from {100 * min(shares):.0f}% to {100 * max(shares):.0f}%"
            for layer, shares in enumerate(np.asarray(load, dtype=float))
        ]
        parts.append(f"{name}: {', '.join(layers)}")
    return f"Bars of load per expert. {'; '.join(parts)}."


def value_table(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    unit: str = "",
    x_label: str = "",
    percent: bool = False,
) -> Figure:
    """A table of numbers in which a cell is the darker, the larger its number.

    values: (rows, columns), drawn on a scale from 0; ``percent`` writes 0.12 as 12.
    unit: what the numbers are, beside the scale.  x_label: what the columns are.
    """
    values = np.asarray(values, dtype=float)
    if values.shape != (len(rows), len(columns)):
        raise OptionError(
            f"The values have the shape {values.shape}, the names {len(rows)} by {len(columns)}.",
            "Give a name for each row and each column.",
        )
    names = 0.085 * max(len(name) for name in rows)
    width = max(names + 1.8 + 0.58 * len(columns), 0.5 + 0.1 * len(title))
    figure, axes = style.new_figure(width, 1.4 + 0.36 * len(rows))
    shown = values * (100 if percent else 1)
    top = max(shown.max(), 1e-9)
    image = axes.imshow(shown, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(shown):
        colour = "white" if value > 0.55 * top else style.INK
        text = f"{value:.0f}" if percent else f"{value:.2f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8.5, color=colour)
    style.frame(
        axes,
        rows=rows,
        xticks=range(len(columns)),
        xticklabels=[style.drawable(name) for name in columns],
        xlabel=x_label,
    )
    axes.grid(visible=False)
    axes.tick_params(length=0)
    figure.suptitle(style.drawable(title))
    figure.colorbar(image, ax=axes, label=unit)
    return figure


def loss_by_size(
    points: Mapping[str, tuple[float, Sequence[float]]],
    *,
    title: str = "What does memory buy?",
    x_label: str = "parameters in memory (millions)",
    y_label: str = "held-out loss (nats per token)",
) -> Figure:
    """A mark for each model: its size, and its loss as the seeds' mean and range.

    points: name to (size, losses), one loss per seed.  Sizes within a twentieth of one another
    share a place on the axis: their marks stand side by side on a grey band.
    """
    style.need(points, "There is no model to draw.", 'Give one: {"dense": (0.7, [0.41])}.')
    figure, axes = style.new_figure(7.2, 3.8)
    groups: list[float] = []
    for size in sorted(size for size, _ in points.values()):
        if not groups or size > 1.05 * groups[-1]:
            groups.append(size)
    place_of = {
        name: max(index for index, group in enumerate(groups) if group <= size)
        for name, (size, _) in points.items()
    }
    places = list(place_of.values())
    for index, (name, (_, losses)) in enumerate(points.items()):
        look = style.series(index)
        beside = places[:index].count(places[index]) - (places.count(places[index]) - 1) / 2
        mean = float(np.mean(losses))
        axes.errorbar(
            places[index] + 0.14 * beside,
            mean,
            yerr=[[mean - min(losses)], [max(losses) - mean]],
            color=look.colour,
            marker=look.marker,
            markersize=8,
            linestyle="none",
            capsize=4,
            label=style.drawable(name),
        )
    for place in range(len(groups)):
        half = 0.14 * (places.count(place) / 2 + 0.3)
        axes.axvspan(place - half, place + half, color=style.GREY, alpha=0.15, linewidth=0)
    style.frame(
        axes,
        title=title,
        grid="y",
        xticks=range(len(groups)),
        xticklabels=[f"{group:.1f}" for group in groups],
        xlim=(-0.6, len(groups) - 0.4),
        xlabel=x_label,
        ylabel=y_label,
    )
    figure.legend(loc="outside lower left", ncols=2)
    return figure
