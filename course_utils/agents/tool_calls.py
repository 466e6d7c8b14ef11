"""Which calls does a reply make? Reads ``<tool_call>`` blocks as models write them.

Qwen's form, which QwQ-32B was trained on, is one JSON object between ``<tool_call>`` and
``</tool_call>``, with the function's ``name`` and its ``arguments``
(https://qwen.readthedocs.io/en/latest/framework/function_call.html).  Models slip: they leave out
the closing tag, wrap the JSON in a code fence, write Python's ``None``, quote the arguments twice.
Where there is one way to read such a call it is read; where there is none, the call comes back as
a ``BrokenCall`` that says why, so that the model can be told.  Nothing is ever executed.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field

OPENING, CLOSING = "<tool_call>", "</tool_call>"

EXAMPLE = OPENING + '{"name": "calculator", "arguments": {"expression": "2+2"}}' + CLOSING

LONGEST, MOST = 100_000, 32
"""Characters of one call, and calls of one reply, that are read: more is no use to anybody."""


CUT_OFF = "the reply was cut off before its end"


@dataclass(frozen=True)
class ToolCall:
    """A tool's name and its arguments by name, as the model wrote them (not validated)."""

    name: str
    arguments: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class BrokenCall:
    """A call that cannot be read: the text between its tags, and what is wrong with it."""

    text: str
    problem: str


def read_tool_calls(answer: str, *, whole: bool = True) -> tuple[str, list[ToolCall | BrokenCall]]:
    """Split an answer into (its text outside of calls, the calls in order).

    ``answer`` is what follows ``</think>``: a call inside the thought is a plan, not a call.
    Where it is not ``whole``, cut off at a limit, a call without its closing tag is broken, however
    well it reads: its last argument may lack its end.
    """
    outside: list[str] = []
    calls: list[ToolCall | BrokenCall] = []
    at = 0
    while (start := answer.find(OPENING, at)) >= 0 and len(calls) <= MOST:
        outside.append(answer[at:start])
        found, at = _read_block(answer, start + len(OPENING))
        if not whole and at == len(answer) and not answer.endswith(CLOSING):
            found = [BrokenCall(answer[start + len(OPENING) :], CUT_OFF)]
        calls += found
    outside.append(answer[at:])
    if len(calls) > MOST:
        problem = f"more than {MOST} calls in one reply; the others were not read"
        return "".join(outside[:-1]).strip(), [*calls[:MOST], BrokenCall("", problem)]
    return "".join(outside).strip(), calls


def read_json_calls(text: str) -> list[ToolCall]:
    """The calls in JSON without tags: an object, a list of them, or OpenAI's form of either.

    Empty where the text is anything else.
    """
    try:
        return _calls_in(_value(text))
    except _UnreadableError:
        return []


class _UnreadableError(Exception):
    """Says in words why a text is no call."""


def _read_block(answer: str, start: int) -> tuple[list[ToolCall | BrokenCall], int]:
    """The calls of the block whose content begins at ``start``, and where the block ends."""
    try:
        # A closing tag may stand inside an argument, so the JSON itself says where it ends.
        values, end = [], _skip(r"\s*(?:```\w*\s*)?", answer, start)
        while not values or answer.startswith("{", end):
            value, end = _DECODER.raw_decode(answer, end)
            values.append(value)
            end = _skip(r"[\s}]*", answer, end)  # a brace too many is a common slip
        end = _skip(r"(?:```)?\s*", answer, end)
        closed = answer.startswith(CLOSING, end)
        if (closed or end == len(answer) or answer.startswith(OPENING, end)) and (
            end - start <= LONGEST
        ):
            calls = [call for value in values for call in _calls_in(value)]
            return list(calls), end + len(CLOSING) * closed
    except (ValueError, RecursionError, _UnreadableError):
        pass
    ends = (answer.find(CLOSING, start), answer.find(OPENING, start), len(answer))
    end = min(found for found in ends if found >= 0)
    text = answer[start:end]
    end += len(CLOSING) * answer.startswith(CLOSING, end)
    try:
        return list(_calls_in(_value(text))), end
    except _UnreadableError as error:
        return [BrokenCall(text.strip()[:LONGEST], str(error))], end


def _skip(pattern: str, text: str, start: int) -> int:
    return re.compile(pattern).match(text, start).end()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _UnreadableError("a name stands there twice")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise _UnreadableError(f"{name} is not JSON")


# Not strict: a line end inside a string is an honest slip, and can be read in one way only.
_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_unique, parse_constant=_no_constant)


def _value(text: str) -> object:
    """The data that a text writes in JSON, or in Python's notation for it."""
    if len(text) > LONGEST:
        raise _UnreadableError(f"the call is longer than {LONGEST:,} characters")
    text = re.sub(r"\A\s*```\w*\s*|\s*```\s*\Z", "", text).strip()
    if not text:
        raise _UnreadableError("there is nothing in it")
    problem = ""
    for missing in ("", "}", "}}"):  # a brace too few is the other common slip
        try:
            return _DECODER.decode(text + missing)
        except (ValueError, RecursionError) as error:
            problem = problem or f"it is not JSON ({error})"
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise _UnreadableError(problem) from None


def _calls_in(value: object) -> list[ToolCall]:
    """The calls that this data stands for."""
    if isinstance(value, list) and value:
        return [call for item in value for call in _calls_in(item)]
    if not isinstance(value, dict):
        raise _UnreadableError("it is not an object with a name and arguments")
    if isinstance(value.get("function"), dict):  # OpenAI's form wraps the call once more
        value = value["function"]
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _UnreadableError("it does not name a tool")
    # Llama's form says "parameters"; a tool without any needs neither.
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):  # quoted twice, as in OpenAI's API
        arguments = _value(arguments) if arguments.strip() else {}
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise _UnreadableError("its arguments are not an object with names")
    try:
        # What Python's notation or a number such as 1e999 may bring in, JSON cannot send on.
        written = json.dumps([name, arguments], allow_nan=False, ensure_ascii=False)
        name, arguments = json.loads(written.encode())
    except (TypeError, ValueError, RecursionError):
        raise _UnreadableError("its arguments hold something that is not in JSON") from None
    return [ToolCall(name.strip(), arguments)]
