"""What becomes of one call? Find the tool, validate, run it under a time limit, and say so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from course_utils.agents.results import as_text, harmless
from course_utils.agents.tools import ArgumentsError, Tool
from course_utils.agents.trace import Outcome
from course_utils.engines.tool_calls import EXAMPLE, BrokenCall, Call, ToolCall

Allow = Callable[[ToolCall], bool]
"""Asks a person, or a rule, whether a call of a tool that needs consent may run."""


HELP = f"Write it after the thought, like this example: {EXAMPLE}"


@dataclass(frozen=True)
class Result:
    """What the model is told about its call, and what became of it."""

    outcome: Outcome
    text: str
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def run_call(
    call: Call,
    tools: Mapping[str, Tool],
    seconds: float = 10.0,
    characters: int = 4000,
    allow: Allow | None = None,
) -> Result:
    """Run one call; whatever happens, there is a result, harmless and of bounded length."""
    if isinstance(call, BrokenCall):
        return Result("broken call", f"Your tool call cannot be read: {call.problem}. {HELP}")
    started = time.perf_counter()
    outcome, text = _outcome(call, tools, seconds, allow)
    text, notes = harmless(text, characters)
    return Result(outcome, text, tuple(notes), time.perf_counter() - started)


def _outcome(
    call: ToolCall, tools: Mapping[str, Tool], seconds: float, allow: Allow | None
) -> tuple[Outcome, str]:
    tool = tools.get(call.name)
    if tool is None:
        known = ", ".join(tools) or "none"
        return "unknown tool", f"There is no tool {call.name[:60]!r}. The tools are: {known}."
    try:
        arguments = tool.validated(call.arguments)
    except ArgumentsError as error:
        return "wrong arguments", f"The arguments of {tool.name} are wrong:\n{error}"
    if tool.consent and not (allow and allow(call)):
        return "not allowed", f"A call of {tool.name} needs a person's consent, and has none."
    return _run(tool, arguments, seconds)


def _run(tool: Tool, arguments: dict[str, object], seconds: float) -> tuple[Outcome, str]:
    """Run the tool in a thread of its own, which is left behind when it takes too long.

    Python cannot end a thread.  A tool that may hang for good should watch a clock itself; code
    that a model wrote belongs into the sandbox, which can be ended.
    """
    outcome: list[tuple[Outcome, str]] = []

    def work() -> None:
        try:
            outcome.append(("ran", as_text(tool.function(**arguments))))
        except BaseException as error:  # SystemExit among them: a tool may not end the run
            outcome.append(("failed", f"{tool.name} failed: {_in_words(error)}"))

    thread = threading.Thread(target=work, name=f"tool {tool.name}", daemon=True)
    thread.start()
    thread.join(min(seconds, threading.TIMEOUT_MAX))
    if outcome:
        return outcome[0]
    return "timed out", f"{tool.name} gave no result within {seconds:g} seconds."


def _in_words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # an error may fail at saying what it is
        return type(error).__name__
