"""Dense or mixture, for this machine? Quality, memory, speed and cost side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from course_utils.evaluation.choice import Choice, Place
from course_utils.teaching import style
from course_utils.units import GIB


def choice_chart(
    choices: Sequence[Choice],
    place: Place,
    scores: Mapping[str, float | None],
    *,
    benchmark: str = "published score",
) -> Figure:
    """Four panels with a bar for each model. What has no sourced score or does not fit says so.

    scores: percent by the model's title, None where no score was found.
    """
    style.need(choices, "There is no model to draw.", 'Give some: [choose("qwq-32b", place)].')
    figure, panels = style.new_figure(10, 1.6 + 0.5 * len(choices), columns=4, sharey=True)
    no, none = "does not fit", "no sourced score"
    columns = [
        (benchmark, [scores.get(c.title) for c in choices], none, "{:.1f}"),
        ("memory (GiB)", [c.memory_bytes / GIB for c in choices], "", "{:.0f}"),
        ("class (tokens/s)", [c.speed_for_class or None for c in choices], no, "{:.1f}"),
        ("cost (euros)", [c.euros if c.fits else None for c in choices], no, "{:.2f}"),
    ]
    for index, (axes, (title, values, blank, form)) in enumerate(zip(panels, columns, strict=True)):
        look = style.series(index)
        most = max((v for v in values if v is not None), default=1)
        for row, value in enumerate(values):
            if value is not None:
                axes.barh(row, value, color=look.colour, hatch=look.hatch, edgecolor="white")
            words = blank if value is None else form.format(value)
            box = {"facecolor": style.BACKGROUND, "edgecolor": "none", "pad": 1}
            axes.text((value or 0) + 0.05 * most, row, words, va="center", fontsize=9, bbox=box)
        style.frame(axes, panel=title, xlim=(0, 1.45 * most))
        axes.tick_params(labelsize=9)
    panels[1].axvline(place.memory_gib, color=style.INK, linestyle="--")
    style.frame(panels[0], rows=[c.title for c in choices])
    figure.suptitle(style.drawable(f"What does each cost on a {place.name}?"), x=0.01, ha="left")
    return figure


def describe_choice(
    choices: Sequence[Choice], place: Place, scores: Mapping[str, float | None]
) -> str:
    """Alt text for ``choice_chart``."""
    parts = []
    for c in choices:
        score = scores.get(c.title)
        quality = "no sourced score" if score is None else f"score {score:g}"
        works = (
            f"{c.speed_for_class:.1f} tokens per second for the class, {c.euros:.2f} euros"
            if c.fits
            else "does not fit"
        )
        parts.append(f"{c.title}: {quality}, {c.memory_bytes / GIB:.0f} GiB, {works}")
    return f"{place.name}, {place.memory_gib:.0f} GiB of memory. {'; '.join(parts)}."
