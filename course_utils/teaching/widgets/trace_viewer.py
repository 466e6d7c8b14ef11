"""What did the agent do, step by step, and what would it have done on another result? See and edit.

Three lanes, thought, call and result, are walked through forwards and backwards.  A result can be
given another text; the run then goes on from there, so that one sees the policy change course.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import replace

import ipywidgets

from course_utils.agents.results import visible
from course_utils.agents.trace import Event, Trace
from course_utils.engines.protocol import Message
from course_utils.errors import OptionError
from course_utils.teaching.widgets.panel import ErrorLine, Panel

GoOn = Callable[[Sequence[Message]], Trace]
"""Goes on from these messages: ``lambda messages: run(engine, messages, tools)``."""

LANES = ("thought", "call", "result")

_LONGEST = 600
"""Characters of an event that a lane shows."""

_COLOURS = {"thought": "#CC79A7", "call": "#0072B2", "result": "#E69F00", "answer": "#009E73"}


def trace_viewer(trace: Trace, go_on: GoOn | None = None) -> TraceViewer:
    """A run in lanes, with a slider and buttons; with ``go_on``, results can be edited.

    In code the same is ``print(trace)``, and for another result
    ``run(engine, trace.edited(event, "another result"), tools)``.
    """
    return TraceViewer(trace, go_on)


class TraceViewer(Panel):
    """The widget behind ``trace_viewer``. ``trace`` is the run in sight; ``at`` the step, from 0.

    ``events`` are all steps in sight: after an edit those before it, the edited result, and what
    came of it.
    """

    def __init__(self, trace: Trace, go_on: GoOn | None = None):
        if not trace.events:
            raise OptionError("In this run nothing has happened yet.", "Run it first.")
        self._original, self._go_on = trace, go_on
        self.error = ErrorLine()
        self.lanes = ipywidgets.HTML()
        self.slider = ipywidgets.IntSlider(
            min=1,
            max=len(trace.events),
            description="Step",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="22em"),
        )
        self.back, self.forward = _button("◀ Back"), _button("Forward ▶")
        self.edit = ipywidgets.Textarea(
            description="What if the result were",
            rows=2,
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="95%"),
        )
        self.run_button = _button("Go on from here", "primary")
        self.restore_button = _button("What really happened")
        self.editor = ipywidgets.VBox([self.edit, self.run_button])
        self.back.on_click(self.error.guard(lambda _: self.step(-1)))
        self.forward.on_click(self.error.guard(lambda _: self.step(+1)))
        self.run_button.on_click(self.error.guard(lambda _: self.change_result(self.edit.value)))
        self.restore_button.on_click(self.error.guard(lambda _: self.restore()))
        self.slider.observe(self.error.guard(lambda _: self._show()), names="value")
        self._take(trace, trace.events, edited=None)
        walk = ipywidgets.HBox([self.back, self.slider, self.forward, self.restore_button])
        change = "\nIn code: run(engine, trace.edited(event, 'another result'), tools)"
        super().__init__(
            ipywidgets.VBox([walk, self.lanes, self.editor, self.error]),
            f"A run in lanes: {', '.join(LANES)} (a widget).\nIn code: print(trace)"
            + (change if go_on else ""),
        )

    @property
    def at(self) -> int:
        """Which step is in sight, counted from 0."""
        return self.slider.value - 1

    def step(self, by: int) -> None:
        """Walk on or back; at either end nothing happens."""
        self.slider.value = min(max(1, self.slider.value + by), self.slider.max)

    def change_result(self, text: str) -> None:
        """Give the result in sight another text, and let the run go on from there.

        Raises OptionError where the step in sight is no result or nothing can go on.
        """
        event = self.events[self.at]
        if self._go_on is None:
            raise OptionError(
                "This run cannot go on.", "Give trace_viewer a second argument that runs messages."
            )
        messages = self.trace.edited(event, text)
        self.run_button.disabled = True
        try:
            trace = self._go_on(messages)
        finally:
            self.run_button.disabled = False
        changed = replace(event, text=text, outcome=None, notes=())
        beside = [e for e in self.events[self.at + 1 :] if e.turn == event.turn]
        new = [replace(e, turn=e.turn + event.turn) for e in trace.events]
        self._take(trace, [*self.events[: self.at], changed, *beside, *new], edited=self.at)

    def restore(self) -> None:
        """Show again what really happened."""
        self._take(self._original, self._original.events, edited=None)

    def _take(self, trace: Trace, events: Sequence[Event], edited: int | None) -> None:
        self.trace, self.events, self._edited = trace, list(events), edited
        self.slider.max = len(self.events)
        self.restore_button.layout.visibility = "hidden" if edited is None else "visible"
        # After an edit one wants to see what came of it.
        self.slider.value = 1 if edited is None else len(self.events)
        self._show()

    def _show(self) -> None:
        self.back.disabled, self.forward.disabled = self.at == 0, self.at == len(self.events) - 1
        event = self.events[self.at]
        can_change = self._go_on is not None and event.message is not None
        self.editor.layout.display = "" if can_change else "none"
        if can_change:
            self.edit.value = event.text
        self.lanes.value = self._table()

    def _table(self) -> str:
        head = "".join(f'<th scope="col" style="width: 33%">{lane}</th>' for lane in LANES)
        rows = [
            _row(number, event, number == self.at, number == self._edited)
            for number, event in enumerate(self.events[: self.at + 1])
        ]
        ending = ""
        if self.at == len(self.events) - 1:
            ending = f"<p>Stopped: {html.escape(f'{self.trace.stopped}. {self.trace.why}')}</p>"
        # A screen reader speaks what appears in an element of this role.
        return (
            f'<div role="status"><table style="width: 100%; table-layout: fixed">'
            f"<tr>{head}</tr>{''.join(rows)}</table>{ending}</div>"
        )


def _button(label: str, style: str = "") -> ipywidgets.Button:
    return ipywidgets.Button(
        description=label, button_style=style, layout=ipywidgets.Layout(width="auto")
    )


def _row(number: int, event: Event, current: bool, edited: bool) -> str:
    """One step: a cell in its lane, or across all of them for an answer or a note."""
    label = event.kind if event.outcome in (None, "ran") else f"{event.kind}: {event.outcome}"
    label += " (edited by you)" if edited else ""
    text = visible(event.text)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    notes = "".join(f"<br><small>{html.escape(visible(note))}</small>" for note in event.notes)
    colour = _COLOURS.get(event.kind, "#767676")
    cell = (
        f'<div style="border-left: 5px solid {colour}; padding: 0.1em 0.5em; text-align: left; '
        f"white-space: pre-wrap; overflow-wrap: anywhere; "
        f'{"outline: 2px dashed currentColor" if current else ""}">'
        f"<strong>{number + 1}. {html.escape(label)}</strong><br>{html.escape(text)}{notes}</div>"
    )
    if event.kind not in LANES:
        return f'<tr><td colspan="{len(LANES)}">{cell}</td></tr>'
    cells = [f"<td>{cell if event.kind == lane else ''}</td>" for lane in LANES]
    return f"<tr>{''.join(cells)}</tr>"
