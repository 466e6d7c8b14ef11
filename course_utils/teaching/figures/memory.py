"""Does it fit into this machine's memory? Stacked bars against what the machine has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from course_utils.model_files.capacity import Plan
from course_utils.model_files.memory import room_for_a_model
from course_utils.teaching import style
from course_utils.units import GIB, MIB

SLIVER = 0.02
"""Of the picture's width: parts thinner than this in every bar are drawn together."""


def memory_bars(
    plans: Mapping[str, Mapping[str, float]],
    machine_bytes: float,
    *,
    available_bytes: float | None = None,
    title: str = "Does it fit into memory?",
    machine_name: str = "this machine",
) -> Figure:
    """One stacked bar for each plan, and a line where the machine's memory ends.

    plans: name to its parts in bytes: ``{"Q4_K_M, 8k": {"weights": 19.8e9, "KV cache": 2.1e9}}``.
    machine_bytes: all memory of the machine; available_bytes: what is free of it now.
    machine_name: what the line stands for, when it is not this machine.
    """
    style.need(
        plans and any(plans.values()),
        "There is no memory plan to draw.",
        'Give one: {"Q4_K_M": {"weights": 19.8e9}}.',
    )
    unit, unit_name = _unit(max(machine_bytes, *(sum(plan.values()) for plan in plans.values())))
    end = machine_bytes / unit
    longest = max(end, *(sum(plan.values()) / unit for plan in plans.values()))
    plans = _without_slivers(plans, SLIVER * longest * unit)
    parts = list(dict.fromkeys(part for plan in plans.values() for part in plan))
    figure, axes = style.new_figure(7.2, 1.7 + 0.6 * len(plans))
    for row, plan in enumerate(plans.values()):
        left = _draw_bar(axes, row, plan, parts, unit)
        words = f"{left:.1f} {unit_name}, {_verdict(plan, machine_bytes, available_bytes)}"
        words = words.replace(" other", "\nother")  # the long verdict takes two lines
        first_part = next(iter(plan.values()), 0) / unit
        place, inside = _place_of(words, left, first_part, end, longest)
        axes.text(
            place,
            row,
            words,
            va="center",
            fontsize=9.5,
            color=style.BACKGROUND if inside else style.INK,
            bbox=None if inside else {"facecolor": style.BACKGROUND, "edgecolor": "none", "pad": 1},
            zorder=4,
        )
    axes.axvline(end, color=style.INK, lw=2)
    label = f" {style.drawable(machine_name)}: {end:.1f} {unit_name}"
    axes.text(end, -0.62, label, fontsize=9.5)
    if available_bytes is not None:
        axes.axvline(available_bytes / unit, color=style.INK, lw=1.3, linestyle="--")
        axes.text(
            available_bytes / unit,
            len(plans) - 0.38,
            f"free now: {available_bytes / unit:.1f} {unit_name} ",
            ha="right",
            va="top",
            fontsize=9.5,
        )
    style.frame(axes, xlim=(0, longest * 1.5), ylim=(len(plans) - 0.1, -1))
    return _framed(figure, axes, plans, parts, f"memory ({unit_name})", title)


def describe_memory(
    plans: Mapping[str, Mapping[str, float]],
    machine_bytes: float,
    *,
    available_bytes: float | None = None,
    machine_name: str | None = None,
) -> str:
    """Alt text for ``memory_bars``, with its arguments: each plan's total, and whether it fits."""
    unit, unit_name = _unit(max(machine_bytes, *(sum(plan.values()) for plan in plans.values())))
    lines = [
        f"{name} needs {sum(plan.values()) / unit:.1f} {unit_name} and "
        f"{_verdict(plan, machine_bytes, available_bytes)}"
        for name, plan in plans.items()
    ]
    size = f"{machine_bytes / unit:.1f} {unit_name}"
    against = f"{size} ({machine_name})" if machine_name else f"a machine with {size}"
    if available_bytes is not None:
        against += f", {available_bytes / unit:.1f} {unit_name} of it free now"
    return f"Stacked memory bars against {against}: {'; '.join(lines)}."


def plan_bars(plans: Mapping[str, Plan], *, title: str = "Does it fit?") -> Figure:
    """One stacked bar for each plan, and beside it a line where its own machine's room ends.

    plans: name to plan.  The room is what is free on the plan's machine, less the reserve; so the
    picture says the same as ``Plan.fits``.
    """
    style.need(plans, "There is no plan to draw.", 'Give one: {"16 GiB": plan("qwq-32b")}.')
    rooms = {name: _room(plan) / GIB for name, plan in plans.items()}
    longest = max(*rooms.values(), *(plan.needed_bytes / GIB for plan in plans.values()))
    drawn = _without_slivers(
        {name: _parts(plan) for name, plan in plans.items()}, SLIVER * longest * GIB
    )
    parts = list(dict.fromkeys(part for plan in drawn.values() for part in plan))
    figure, axes = style.new_figure(7.4, 1.7 + 0.6 * len(plans))
    for row, (name, plan) in enumerate(plans.items()):
        end = _draw_bar(axes, row, drawn[name], parts, GIB)
        axes.plot([rooms[name]] * 2, [row - 0.42, row + 0.42], "-", color=style.INK, lw=2.5)
        axes.text(
            max(end, rooms[name]) + 0.012 * longest,
            row,
            f"{end:.1f} of {rooms[name]:.1f} GiB, {_fits(plan)}",
            va="center",
            fontsize=9.5,
        )
    style.frame(axes, xlim=(0, longest * 1.45), ylim=(len(plans) - 0.4, -0.6))
    words = "memory (GiB); black lines: room on the row's own machine"
    return _framed(figure, axes, plans, parts, words, title)


def describe_plans(plans: Mapping[str, Plan]) -> str:
    """Alt text for ``plan_bars``: what each plan needs, of how much, and whether it fits."""
    rows = (
        f"{' '.join(name.split())} needs {plan.needed_bytes / GIB:.1f} of "
        f"{_room(plan) / GIB:.1f} GiB and {_fits(plan)}"
        for name, plan in plans.items()
    )
    return f"Stacked memory bars, each against its own machine: {'; '.join(rows)}."


def _room(plan: Plan) -> float:
    return room_for_a_model(plan.machine.available_memory_bytes)


def _parts(plan: Plan) -> dict[str, int]:
    """Bytes of the machine's own memory; a card that shares it has its part in them."""
    card = plan.machine.card
    return plan.parts() if card is not None and card.shares_memory else plan.memory.parts()


def _fits(plan: Plan) -> str:
    return "fits" if plan.fits else "does not fit"


def _draw_bar(
    axes: Axes, row: int, plan: Mapping[str, float], parts: Sequence[str], unit: int
) -> float:
    """Draw one plan's parts one after the other; gives where the bar ends."""
    left = 0.0
    for index, part in enumerate(parts):
        width = plan.get(part, 0) / unit
        look = style.series(index)
        axes.barh(
            row,
            width,
            left=left,
            **look.as_bar,
            height=0.55,
        )
        left += width
    return left


def _framed(
    figure: Figure, axes: Axes, rows: Iterable[str], parts: Sequence[str], x_label: str, title: str
) -> Figure:
    """The names of the rows and of the parts, and the words around the bars."""
    names = [style.drawable(name) for name in rows]
    style.frame(axes, title=title, rows=names, grid="x", xlabel=x_label)
    handles = [
        Patch(
            facecolor=style.series(i).colour,
            hatch=style.series(i).hatch,
            edgecolor=style.BACKGROUND,
            label=style.drawable(part),
        )
        for i, part in enumerate(parts)
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=4)
    return figure


def _without_slivers(
    plans: Mapping[str, Mapping[str, float]], thinnest: float
) -> dict[str, dict[str, float]]:
    """The plans, with all parts below ``thinnest`` bytes in every plan as one part."""
    parts = dict.fromkeys(part for plan in plans.values() for part in plan)
    thin = {part for part in parts if max(p.get(part, 0) for p in plans.values()) < thinnest}
    drawn = {}
    for name, plan in plans.items():
        drawn[name] = {part: count for part, count in plan.items() if part not in thin}
        rest = sum(count for part, count in plan.items() if part in thin)
        if rest:
            drawn[name]["everything else"] = rest
    return drawn


def _place_of(
    words: str, bar_end: float, first_part: float, line: float, longest: float
) -> tuple[float, bool]:
    """Where a bar's words begin, and whether that is inside the bar.

    Right of the bar, unless they would cross the machine's line; then inside the bar, or where
    that is too short, right of the line.
    """
    gap = 0.012 * longest
    # A letter of this size takes about a fortieth of the longest bar.
    length = gap + max(map(len, words.splitlines())) * longest / 40
    if not bar_end < line < bar_end + length:
        return bar_end + gap, False
    return (gap, True) if length < first_part else (line + gap, False)


def _verdict(plan: Mapping[str, float], machine_bytes: float, available_bytes: float | None) -> str:
    total = sum(plan.values())
    if total > machine_bytes:
        return "does not fit"
    if available_bytes is not None and total > room_for_a_model(available_bytes):
        return "fits once other programs make room"
    return "fits"


def _unit(largest_bytes: float) -> tuple[int, str]:
    return (GIB, "GiB") if largest_bytes >= GIB else (MIB, "MiB")
