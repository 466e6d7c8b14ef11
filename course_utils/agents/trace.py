"""What happened in an agent's run? Every thought, call and result in order, and why it stopped."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Literal

from course_utils.agents.results import visible
from course_utils.engines.protocol import Message
from course_utils.engines.tool_calls import Call
from course_utils.errors import OptionError

Kind = Literal["thought", "call", "result", "answer", "note"]

Outcome = Literal[
    "ran",
    "broken call",
    "unknown tool",
    "wrong arguments",
    "not allowed",
    "failed",
    "timed out",
    "not run",
]
"""What became of one call."""

Stop = Literal["answered", "no answer", "turns", "tokens", "seconds", "repeated", "engine"]
"""Why a run ended: with an answer; with an empty one; at a limit; in a loop of equal calls; or
because the engine could not go on."""


@dataclass(frozen=True)
class Event:
    """One thing that happened. ``turn`` counts the model's replies from 1.

    ``text``: what was thought, called, returned or said.  ``call`` belongs to calls and results,
    the others to results alone: ``outcome``, ``message`` (where in the run's messages it stands),
    ``notes`` (what was changed in the text before the model saw it) and ``seconds``.
    """

    turn: int
    kind: Kind
    text: str
    call: Call | None = None
    outcome: Outcome | None = None
    message: int | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass
class Trace:
    """A run: ``messages`` as the model was given them, and ``events`` for whoever looks on.

    ``tokens`` counts the generated ones.  ``stopped`` is None while the run goes on, and ``why``
    says it in words.
    """

    messages: list[Message]
    events: list[Event] = field(default_factory=list)
    turns: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stopped: Stop | None = None
    why: str = ""
    started: float = field(default_factory=time.perf_counter, repr=False)

    def add(self, kind: Kind, text: str, **details) -> Event:
        """Write down what has just happened."""
        event = Event(self.turns, kind, text, **details)
        self.events.append(event)
        self.seconds = time.perf_counter() - self.started
        return event

    def stop(self, stopped: Stop, why: str) -> None:
        """Write down that the run is over."""
        self.stopped, self.why = stopped, why
        self.seconds = time.perf_counter() - self.started

    @property
    def answer(self) -> str:
        """The final answer, or an empty text."""
        return self.events[-1].text if self.stopped == "answered" else ""

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of each call, in order."""
        return [event.outcome for event in self.events if event.kind == "result"]

    def edited(self, event: Event, text: str) -> list[Message]:
        """The messages up to a result, with another text in its place: what if it had said this?

        Results of the same reply's other calls stay.  Run the messages anew to see.
        Raises OptionError for an event that is no result.
        """
        if event.message is None:
            raise OptionError(
                f"A {event.kind} cannot be edited.", 'Give an event of the kind "result".'
            )
        before, after = self.messages[: event.message], self.messages[event.message + 1 :]
        beside = itertools.takewhile(lambda message: message["role"] != "assistant", after)
        return [*before, self.messages[event.message] | {"content": text}, *beside]

    def __str__(self) -> str:
        lines = []
        for event in self.events:
            label = (
                event.kind if event.outcome in (None, "ran") else f"{event.kind}: {event.outcome}"
            )
            lines.append(f"{event.turn:>3} {label:<24} {_one_line(event.text)}")
            lines += [f"{'':<29}({note})" for note in event.notes]
        ending = f"stopped: {self.stopped}. {self.why}" if self.stopped else "goes on"
        return "\n".join([*lines, ending.strip()])


def _one_line(text: str, longest: int = 100) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"
