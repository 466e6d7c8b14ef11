"""Where do a model's parameters live, and which of them does one token use? A treemap to scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from course_utils.errors import OptionError
from course_utils.model_files.architectures import Architecture
from course_utils.teaching import style

Parts = Mapping[str, float]
"""Numbers of parameters by the name of the part."""

Box = tuple[float, float, float, float]
"""Left, bottom, width and height."""


def parameter_treemap(
    models: Mapping[str, tuple[Parts, Parts]],
    *,
    title: str = "Where do the parameters live, and which does a token use?",
) -> Figure:
    """One square for each model, all to one scale: area is parameters, colour is the part.

    models: name to (all parameters by part, those that one token uses by part).  What a token
    leaves alone is pale.  The largest model stands on the right, the others are stacked.
    """
    if not models or any(sum(everything.values()) <= 0 for everything, _ in models.values()):
        raise OptionError(
            "There are no parameters to draw.",
            'Give them: {"QwQ-32B": ({"attention": 6e9}, {"attention": 6e9})}.',
        )
    parts = list(dict.fromkeys(part for everything, _ in models.values() for part in everything))
    sides = {name: math.sqrt(sum(everything.values())) for name, (everything, _) in models.items()}
    largest = max(sides, key=sides.get)
    unit = sides[largest]
    figure, axes = style.new_figure(8.4, 5.4)
    bottom = 0.0
    for name in [each for each in models if each != largest]:
        _draw_model(axes, name, models[name], (0.0, bottom), unit, parts)
        bottom += sides[name] + 0.22 * unit
    _draw_model(axes, largest, models[largest], (0.75 * unit, 0.0), unit, parts)
    style.frame(
        axes,
        xlim=(-0.01 * unit, 1.77 * unit),
        ylim=(-0.01 * unit, 1.14 * max(unit, bottom - 0.22 * unit)),
        aspect="equal",
        title=title,
    )
    axes.axis("off")
    seen = [part for part in parts if any(_is_seen(part, *each) for each in models.values())]
    looks = [style.series(parts.index(part)) for part in seen]
    handles = [Patch(facecolor=look.colour, hatch=look.hatch, edgecolor="white") for look in looks]
    handles.append(Patch(facecolor=style.PALE, edgecolor=style.GREY))
    figure.legend(handles, [*seen, "not used"], loc="outside lower left", ncols=4, fontsize=9)
    return figure


def _is_seen(part: str, everything: Parts, used: Parts) -> bool:
    """Whether the colour of this part covers enough of the square to be found in it."""
    return used.get(part, 0) > 1e-3 * sum(everything.values())


def describe_parameters(models: Mapping[str, tuple[Parts, Parts]]) -> str:
    """Alt text for ``parameter_treemap``: every part's share, and how much of it a token uses."""
    sentences = []
    for name, (everything, used) in models.items():
        total = sum(everything.values())
        words = ", ".join(
            f"{part} {count / total:.1%}"
            + ("" if used.get(part, 0) == count else f" of which {used.get(part, 0) / count:.1%}")
            for part, count in everything.items()
        )
        sentences.append(f"{name}, {total / 1e9:.1f} billion: {words}.")
    return (
        "Squares to scale, with each part's share and how much of it a token uses, if not all. "
        + (" ".join(sentences))
    )


_GROUPS = {
    "embedding": ("input embedding",),
    "output": ("output",),
    "attention": tuple(
        f"attention {part}" for part in ("query", "key", "value", "output", "biases")
    ),
    "dense feed-forward": ("feed-forward",),
    "routed experts": ("routed experts",),
    "shared expert": ("shared expert",),
    "router and norms": ("router", "norms"),
}


def parts_at_work(architecture: Architecture) -> tuple[dict[str, int], dict[str, int]]:
    """For ``parameter_treemap``: all parameters by part, and those that one token uses.

    Of the input embedding a token uses one row.
    """
    everything = _grouped(architecture.parameters_by_part())
    at_work = _grouped(architecture.active_parameters_by_part())
    at_work["embedding"] = architecture.hidden
    return everything, at_work


def _grouped(counts: Parts) -> dict[str, int]:
    sums = {group: sum(counts.get(p, 0) for p in parts) for group, parts in _GROUPS.items()}
    return {group: count for group, count in sums.items() if count}


def squarify(sizes: Sequence[float], box: Box) -> list[Box]:
    """Rectangles of these areas, largest first, that fill the box and stay near to squares.

    Source: Bruls, Huizing and van Wijk, "Squarified treemaps", 2000.
    """
    left, bottom, width, height = box
    scale = width * height / sum(sizes)
    areas = [size * scale for size in sizes]
    found: list[Box] = []
    while areas:
        short = min(width, height)
        count = 1
        while count < len(areas) and _worst(areas[: count + 1], short) <= _worst(
            areas[:count], short
        ):
            count += 1
        row, areas = areas[:count], areas[count:]
        thick = sum(row) / short
        place = 0.0
        for area in row:
            long = area / thick
            found.append(
                (left, bottom + place, thick, long)
                if width >= height
                else (left + place, bottom, long, thick)
            )
            place += long
        if width >= height:
            left, width = left + thick, width - thick
        else:
            bottom, height = bottom + thick, height - thick
    return found


def _worst(row: Sequence[float], side: float) -> float:
    """How far the longest rectangle of a row is from a square."""
    total = sum(row)
    return max(max(side**2 * a / total**2, total**2 / (side**2 * a)) for a in row)


def _draw_model(axes, name: str, counts: tuple[Parts, Parts], corner, unit, parts) -> None:
    everything, used = counts
    total, active = sum(everything.values()), sum(used.values())
    side = math.sqrt(total)
    ordered = sorted(everything, key=everything.get, reverse=True)
    boxes = squarify([everything[part] for part in ordered], (*corner, side, side))
    for part, box in zip(ordered, boxes, strict=True):
        _draw_part(axes, box, used.get(part, 0) / everything[part], parts.index(part))
    axes.text(
        corner[0],
        corner[1] + side + 0.015 * unit,
        f"{style.drawable(name)}\n{total / 1e9:,.1f} B, {active / 1e9:,.1f} B active",
        fontsize=9.5,
        va="bottom",
    )


def _draw_part(axes, box: Box, share: float, index: int) -> None:
    left, bottom, width, height = box
    look = style.series(index)
    axes.add_patch(
        Rectangle((left, bottom), width, height, facecolor=style.PALE, edgecolor="white")
    )
    lit = (width * share, height) if width >= height else (width, height * share)
    if share > 0:
        axes.add_patch(
            Rectangle(
                (left, bottom),
                *lit,
                facecolor=look.colour,
                hatch=look.hatch,
                edgecolor="white",
                linewidth=0.6,
            )
        )
