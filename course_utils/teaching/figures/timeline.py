"""In which order did the models come, and what did each change? One lane per maker."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from matplotlib.dates import DateFormatter, MonthLocator, date2num
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from course_utils.errors import OptionError
from course_utils.teaching import style


@dataclass(frozen=True)
class Milestone:
    """A model's release: who made it, what it changed, and where that is published."""

    day: date
    maker: str
    name: str
    changed: str
    source: str


MILESTONES = (
    Milestone(
        date(2024, 11, 28),
        "Qwen",
        "QwQ-32B-Preview",
        "thinks at length; names its own limits: language mixing, loops, safety, common sense. "
        "Its post does not describe the training.",
        "https://qwenlm.github.io/blog/qwq-32b-preview/",
    ),
    Milestone(
        date(2025, 1, 20),
        "DeepSeek",
        "R1-Zero",
        "reinforcement learning from a base model, with rewards for accuracy and form alone",
        "https://arxiv.org/abs/2501.12948v1",
    ),
    Milestone(
        date(2025, 1, 20),
        "DeepSeek",
        "R1",
        "a cold start first, a reward for one language, then training for all scenarios",
        "https://arxiv.org/abs/2501.12948v1",
    ),
    Milestone(
        date(2025, 3, 6),
        "Qwen",
        "QwQ-32B",
        "a cold start, stage 1 on maths and code with verifiers, stage 2 for general abilities",
        "https://qwenlm.github.io/blog/qwq-32b/",
    ),
)
"""From the first QwQ to the released one, by the day of release."""

_BOX_DAYS = 45
_ROW = 0.9
"""Height of a row of boxes; a lane has as many rows as its boxes need."""


def model_timeline(milestones: Sequence[Milestone] = MILESTONES) -> Figure:
    """Boxes on a time axis, a lane for each maker; a box tells what its model changed.

    A box begins at its model's day and hangs on its dot.  One that would cover another of its
    maker's moves down a row.  Raises OptionError without milestones.
    """
    if not milestones:
        raise OptionError("A timeline without events is empty.", "Give some: Milestone(...).")
    makers = list(dict.fromkeys(m.maker for m in milestones))
    lanes = [_rows([m for m in milestones if m.maker == maker]) for maker in makers]
    height = sum(map(len, lanes)) * _ROW + 0.25 * len(lanes)
    figure, axes = style.new_figure(9.6, 1.0 + 1.4 * height)
    top, tops = 0.0, []
    for lane, rows in enumerate(lanes):
        look = style.series(lane)
        tops.append(top)
        axes.axhline(top, color=style.PALE, linewidth=1.2, zorder=0)
        for place, row in enumerate(rows):
            for milestone in row:
                _draw(axes, milestone, top, top + 0.1 + place * _ROW, look)
        top += len(rows) * _ROW + 0.25
    days = [date2num(m.day) for m in milestones]
    style.frame(
        axes,
        title="What did each model change?",
        xlim=(min(days) - 4, max(days) + _BOX_DAYS + 3),
        ylim=(top - 0.1, -0.2),
        yticks=tops,
        yticklabels=makers,
    )
    axes.xaxis_date()
    axes.xaxis.set_major_locator(MonthLocator())
    axes.xaxis.set_major_formatter(DateFormatter("%b %Y"))
    return figure


def _rows(milestones: Sequence[Milestone]) -> list[list[Milestone]]:
    """Milestones by row: each in the first row where it covers no other."""
    rows: list[list[Milestone]] = []
    for milestone in sorted(milestones, key=lambda m: m.day):
        for row in rows:
            if (milestone.day - row[-1].day).days > _BOX_DAYS:
                row.append(milestone)
                break
        else:
            rows.append([milestone])
    return rows


def _draw(axes, milestone: Milestone, lane: float, y: float, look: style.Series) -> None:
    left = date2num(milestone.day)
    stem = {"color": look.colour, "linestyle": "-", "marker": "", "linewidth": 1.6}
    axes.plot([left, left], [lane, y + 0.1], **stem, zorder=1)
    axes.plot(left, lane, marker=look.marker, color=look.colour, markersize=9, zorder=3)
    axes.add_patch(
        FancyBboxPatch(
            (left, y),
            _BOX_DAYS - 0.5,
            _ROW - 0.14,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor="white",
            edgecolor=look.colour,
            linestyle=look.line,
            linewidth=1.6,
        )
    )
    words = "\n".join(textwrap.wrap(milestone.changed, 35))
    name = f"{milestone.name}, {milestone.day:%d %b %Y}".replace(", 0", ", ")
    axes.text(left + 1.8, y + 0.06, name, va="top", fontsize=8.7, weight="bold")
    axes.text(left + 1.8, y + 0.21, words, va="top", fontsize=8.5)


def describe_timeline(milestones: Sequence[Milestone] = MILESTONES) -> str:
    """Alt text for ``model_timeline``."""
    events = sorted(milestones, key=lambda m: m.day)
    return "Timeline. " + " ".join(
        f"{m.day.day} {m.day:%B %Y}, {m.name} by {m.maker}: {m.changed.rstrip('.')}."
        for m in events
    )
