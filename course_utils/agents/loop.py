"""How does a model act? Think, call a tool, read the result, and again until there is an answer.

The loop is the same for every engine and every tool.  It never ends in an exception because of
what a model wrote or a tool returned: the model is told what was wrong and may try again, within
limits, and the trace says what happened.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from course_utils.agents.run_tool import Allow, Result, run_call
from course_utils.agents.tools import Tool, as_tools
from course_utils.agents.trace import Event, Trace
from course_utils.engines.checks import MOST, finite_number, shown_short
from course_utils.engines.protocol import Engine, Message, Reply
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.engines.tool_calls import OPENING, BrokenCall, Call, ToolCall
from course_utils.errors import CourseError, OptionError


@dataclass(frozen=True)
class Limits:
    """Where a run ends at the latest.

    ``turns``: replies of the model; ``tokens``: generated in all; ``seconds``: for the whole run;
    ``repeats``: in how many turns the same call may bring the same result; ``calls``: how many of
    one reply are run; ``tool_seconds`` and ``result_characters``: for one call.
    """

    turns: int = 10
    tokens: int = 8192
    seconds: float = 600.0
    repeats: int = 3
    calls: int = 8
    tool_seconds: float = 10.0
    result_characters: int = 4000

    def __post_init__(self):
        for name, value in vars(self).items():
            most = MOST_OF.get(name)
            if most is None and not (value == math.inf or (finite_number(value) or 0) > 0):
                raise OptionError(
                    f"{name}={shown_short(value)} is not a limit.", "Give a number above 0."
                )
            good = isinstance(value, int) and not isinstance(value, bool)
            if most is not None and not (good and 0 < value <= most):
                raise OptionError(
                    f"{name}={shown_short(value)} is not a limit.",
                    f"Give a whole number above 0 and up to {most:,}.",
                )


MOST_OF = {
    "turns": 10_000,
    "tokens": MOST,
    "repeats": 10_000,
    "calls": 1_000,
    "result_characters": 1_000_000,
}
"""The largest whole numbers. Beyond them nothing is limited: a result has to fit a context."""


def run(
    engine: Engine,
    task: str | Sequence[Message],
    tools: Iterable[Tool | Callable],
    *,
    limits: Limits | None = None,
    sampling: Sampling = QWQ,
    allow: Allow | None = None,
) -> Trace:
    """Let a model work on a task with tools, until it answers or a limit ends the run."""
    trace = Trace([{"role": "user", "content": task}] if isinstance(task, str) else list(task))
    for _ in steps(engine, trace, tools, limits=limits, sampling=sampling, allow=allow):
        pass
    return trace


def steps(
    engine: Engine,
    trace: Trace,
    tools: Iterable[Tool | Callable],
    *,
    limits: Limits | None = None,
    sampling: Sampling = QWQ,
    allow: Allow | None = None,
) -> Iterator[Event]:
    """The loop itself: goes on with ``trace``, and yields each event as it happens."""
    limits, by_name, seen = limits or Limits(), as_tools(tools), Counter()
    schemas = [tool.schema() for tool in by_name.values()]
    while trace.turns < limits.turns:
        trace.turns += 1
        reply = _think(engine, trace, schemas, limits, sampling)
        if trace.stopped:
            return
        if reply.thinking:
            yield trace.add("thought", reply.thinking)
        calls = _calls_of(reply)
        if not calls:
            yield from _finish(trace, reply)
            return
        trace.messages.append(reply.message())
        brought = set()
        for number, call in enumerate(calls):
            yield trace.add("call", _written(call), call=call)
            result = _result(call, number, by_name, limits, allow)
            brought.add((_written(call), result.text))
            trace.messages.append(_returned(call, result.text))
            yield trace.add("result", **vars(result), call=call, message=len(trace.messages) - 1)
        seen.update(brought)
        if max(seen.values(), default=0) >= limits.repeats:
            return trace.stop("repeated", "The same call brought the same result again and again.")
    trace.stop("turns", f"There was no answer within {limits.turns} turns.")


def _think(
    engine: Engine, trace: Trace, schemas: list[dict], limits: Limits, sampling: Sampling
) -> Reply | None:
    """One reply of the model, or None where the run is over: out of tokens, time or context."""
    tokens = limits.tokens - trace.tokens
    if tokens <= 0:
        return trace.stop("tokens", f"{limits.tokens:,} tokens were generated without an answer.")
    seconds_left = limits.seconds - (time.perf_counter() - trace.started)
    try:
        settings = sampling.but(max_tokens=min(tokens, sampling.max_tokens or tokens))
        stream = engine.chat(trace.messages, settings, tools=schemas or None)
        timer = threading.Timer(min(seconds_left, threading.TIMEOUT_MAX), stream.stop)
        timer.start()
        try:
            stream.finish()
        finally:
            timer.cancel()
    except CourseError as error:
        return trace.stop("engine", str(error))
    trace.tokens += stream.reply.tokens
    if time.perf_counter() - trace.started > limits.seconds:
        return trace.stop("seconds", f"There was no answer within {limits.seconds:g} seconds.")
    return stream.reply


def _result(
    call: Call,
    number: int,
    tools: Mapping[str, Tool],
    limits: Limits,
    allow: Allow | None,
) -> Result:
    """What a call brings; those beyond a reply's limit bring only the news of it."""
    if number >= limits.calls and isinstance(call, ToolCall):
        return Result("not run", f"Only {limits.calls} calls of a reply are run. Make it again.")
    return run_call(call, tools, limits.tool_seconds, limits.result_characters, allow)


def _calls_of(reply: Reply) -> list[Call]:
    """The reply's calls.

    A call inside the thought is a plan, and not run; where nothing follows it, the model is told.
    """
    if not reply.answer and not reply.tool_calls and OPENING in reply.thinking:
        return [BrokenCall("", "it stands inside the thought, where it is only a plan")]
    return reply.tool_calls


def _finish(trace: Trace, reply: Reply) -> Iterator[Event]:
    """A reply without a call is the answer, unless it is empty or was cut off."""
    if OPENING in reply.thinking:
        yield trace.add("note", "A call inside the thought is a plan: it was not run.")
    yield trace.add("answer", reply.answer)
    if reply.stop_reason == "length":
        trace.stop("tokens", "The reply was cut off at its length limit.")
    elif reply.stop_reason != "end":
        trace.stop("engine", f"The reply was cut off ({reply.stop_reason}).")
    elif not reply.answer:
        trace.stop("no answer", "The last reply is empty.")
    else:
        trace.messages.append(reply.message())
        trace.stop("answered", "")


def _returned(call: Call, text: str) -> Message:
    """A result for the history. Only what was a call to the server can be answered as one."""
    if isinstance(call, BrokenCall):
        return {"role": "user", "content": text}
    return {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": text}


def _written(call: Call) -> str:
    if isinstance(call, BrokenCall):
        return call.as_text()
    return f"{call.name}({json.dumps(call.arguments, ensure_ascii=False, sort_keys=True)})"
