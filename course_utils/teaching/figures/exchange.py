"""Who says what to whom? A run of an agent as a sequence diagram, from question to answer."""

from __future__ import annotations

from matplotlib.figure import Figure

from course_utils.agents.results import visible
from course_utils.agents.trace import Trace
from course_utils.errors import OptionError
from course_utils.teaching import style

WHO = ("you", "the model", "the loop", "the tool")
_YOU, _MODEL, _LOOP, _TOOL = range(len(WHO))

_LONGEST = 30
"""Characters of a text that stand above an arrow."""


def exchange_chart(trace: Trace, *, title: str = "Who says what to whom?") -> Figure:
    """A lane for each of ``WHO``, and an arrow for each text that goes from one to another.

    Dashed: what comes back from the tool.  A thought goes nowhere: it stands beside the model's
    lane.  A call that was not run never reaches the tool.
    """
    said = _said(trace)
    figure, axes = style.new_figure(8.6, 1.1 + 0.46 * len(said), title=title)
    axes.set_axis_off()
    style.frame(axes, xlim=(-0.5, len(WHO) - 0.5), ylim=(len(said) + 0.4, -1.0))
    for place, who in enumerate(WHO):
        axes.plot([place, place], [-0.35, len(said)], color=style.GREY, lw=1, ls=":")
        axes.text(place, -0.6, who, ha="center", va="center", weight="bold")
    for row, (start, end, text) in enumerate(said):
        words = style.drawable(text)
        if start == end:
            axes.text(start + 0.05, row + 0.3, words, fontsize=9, style="italic", color=style.GREY)
            continue
        comes_back = end < start and start != _MODEL
        axes.annotate(
            "",
            (end, row + 0.5),
            (start, row + 0.5),
            arrowprops={
                "arrowstyle": "-|>",
                "color": style.VERMILION if comes_back else style.BLUE,
                "linestyle": "--" if comes_back else "-",
                "linewidth": 1.6,
                "shrinkA": 2,
                "shrinkB": 2,
            },
        )
        axes.text((start + end) / 2, row + 0.42, words, ha="center", va="bottom", fontsize=9)
    return figure


def describe_exchange(trace: Trace) -> str:
    """Alt text for ``exchange_chart``: every arrow in order."""
    parts = [
        f"{WHO[start]} thinks: {text}" if start == end else f"{WHO[start]} to {WHO[end]}: {text}"
        for start, end, text in _said(trace)
    ]
    told = "Arrows in order. " + "; ".join(parts)
    return told if told.endswith((".", "!", "?")) else f"{told}."


def _said(trace: Trace) -> list[tuple[int, int, str]]:
    """(from, to, text) of everything that was said; from and to are one for a thought."""
    if not trace.events:
        raise OptionError("In this run nothing has happened yet.", "Run it first.")
    said = [(_YOU, _MODEL, _short(trace.messages[0]["content"]))]
    for event in trace.events:
        text = _short(event.text)
        if event.kind == "thought":
            said.append((_MODEL, _MODEL, text))
        elif event.kind == "call":
            said.append((_MODEL, _LOOP, text))
        elif event.kind == "result":
            if event.outcome in ("ran", "failed", "timed out"):
                said += [(_LOOP, _TOOL, "runs it"), (_TOOL, _LOOP, text)]
            said.append((_LOOP, _MODEL, text))
        elif event.kind == "answer":
            said.append((_MODEL, _YOU, text))
    return said


def _short(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
