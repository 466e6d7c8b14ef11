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
        "thinks at length; names its own limits: language mixing, recursive loops. "
        "Its training is not published.",
        "https://qwenlm.github.io/blog/qwq-32b-preview/",
    ),
    Milestone(
        date(2025, 1, 20),
        "DeepSeek",
        "R1-Zero",
        "reinforcement learning from a base model, with rewards for accuracy and form alone",
        "https://arxiv.org/abs/2501.12948",
    ),
    Milestone(
        date(2025, 1, 20),
        "DeepSeek",
        "R1",
        "a cold start first, a reward for one language, then training for all scenarios",
        "https://arxiv.org/abs/2501.12948",
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
_STEP_DAYS = 47


def model_timeline(milestones: Sequence[Milestone] = MILESTONES) -> Figure:
    """Boxes on a time axis, a lane for each maker; a box tells what its model changed.

    Models of one maker and day stand side by side, the later ones moved right; each has its dot
    on the true day.  Raises OptionError without milestones.
    """
    if not milestones:
        raise OptionError("A timeline without events is empty.", "Give some: Milestone(...).")
    makers = list(dict.fromkeys(m.maker for m in milestones))
    figure, axes = style.new_figure(9.6, 1.0 + 1.55 * len(makers))
    ends = []
    for lane, maker in enumerate(makers):
        look, free = style.series(lane), float("-inf")
        axes.axhline(lane, color=style.PALE, linewidth=1.2, zorder=0)
        for milestone in sorted((m for m in milestones if m.maker == maker), key=lambda m: m.day):
            day = date2num(milestone.day)
            left = max(day, free)
            free = left + _STEP_DAYS
            ends += [day, left + _BOX_DAYS]
            axes.plot(day, lane, marker=look.marker, color=look.colour, markersize=9, zorder=3)
            axes.add_patch(
                FancyBboxPatch(
                    (left + 1, lane + 0.1),
                    _BOX_DAYS - 2,
                    0.72,
                    boxstyle="round,pad=0,rounding_size=0.05",
                    facecolor="white",
                    edgecolor=look.colour,
                    linestyle=look.line,
                    linewidth=1.6,
                )
            )
            words = "\n".join(textwrap.wrap(milestone.changed, 35))
            name = f"{milestone.name}, {milestone.day:%d %b %Y}".replace(", 0", ", ")
            axes.text(left + 2.2, lane + 0.16, name, va="top", fontsize=8.7, weight="bold")
            axes.text(left + 2.2, lane + 0.31, words, va="top", fontsize=8.5)
    axes.set_xlim(min(ends) - 4, max(ends) + 3)
    axes.set_ylim(len(makers) - 0.08, -0.2)
    axes.set_yticks(range(len(makers)), makers)
    axes.xaxis_date()
    axes.xaxis.set_major_locator(MonthLocator())
    axes.xaxis.set_major_formatter(DateFormatter("%b %Y"))
    axes.set_title("What did each model change?")
    return figure


def describe_timeline(milestones: Sequence[Milestone] = MILESTONES) -> str:
    """Alt text for ``model_timeline``."""
    events = sorted(milestones, key=lambda m: m.day)
    return "Timeline. " + " ".join(
        f"{m.day.day} {m.day:%B %Y}, {m.name} by {m.maker}: {m.changed.rstrip('.')}."
        for m in events
    )
