"""Which calls does a reply make? Reads ``<tool_call>`` blocks as models write them.

Qwen's form, which QwQ-32B was trained on, is one JSON object between ``<tool_call>`` and
``</tool_call>``, with the function's ``name`` and its ``arguments``
(https://qwen.readthedocs.io/en/latest/framework/function_call.html).  Models slip: they leave out
the closing tag, wrap the JSON in a code fence, write Python's ``None``, quote the arguments twice.
Where there is one way to read such a call it is read; where there is none, the call comes back as
a ``BrokenCall`` that says why, so that the model can be told.  Nothing is ever executed.

An engine reads calls in their tags only.  A grader reads more (``evaluation.function_calls``), with
the same ``calls_in`` for what the data of a call means.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

OPENING, CLOSING = "<tool_call>", "</tool_call>"

EXAMPLE = OPENING + '{"name": "calculator", "arguments": {"expression": "2+2"}}' + CLOSING

LONGEST, MOST = 100_000, 32
"""Characters of one call, and calls of one reply, that are read: more is no use to anybody."""


CUT_OFF = "the reply was cut off before its end"


@dataclass(frozen=True)
class ToolCall:
    """A tool's name and its arguments by name, as the model wrote them (not validated).

    ``id`` ties a result to its call in a conversation; it is no part of what is called.
    """

    name: str
    arguments: dict[str, object] = field(default_factory=dict)
    id: str = field(default="", compare=False)

    def as_json(self) -> dict[str, object]:
        """The call as messages hold it, in OpenAI's form."""
        arguments = json.dumps(self.arguments, ensure_ascii=False)
        function = {"name": self.name, "arguments": arguments}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(frozen=True)
class BrokenCall:
    """A call that cannot be read: the text between its tags, and what is wrong with it."""

    text: str
    problem: str

    def as_text(self) -> str:
        """The call as the model wrote it, between its tags."""
        return f"{OPENING}{self.text}{CLOSING}"


Call = ToolCall | BrokenCall


def read_tool_calls(
    answer: str, *, whole: bool = True, repair: bool = True
) -> tuple[str, list[Call]]:
    """Split an answer into (its text outside of calls, the calls in order).

    ``answer`` is what follows ``</think>``: a call inside the thought is a plan, not a call.
    Where it is not ``whole``, cut off at a limit, a call without its closing tag is broken, however
    well it reads: its last argument may lack its end.  ``repair``: whether braces too few or too
    many are put right.
    """
    outside: list[str] = []
    calls: list[Call] = []
    at = 0
    while (start := answer.find(OPENING, at)) >= 0 and len(calls) <= MOST:
        outside.append(answer[at:start])
        found, at = _read_block(answer, start + len(OPENING), repair)
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
        return calls_in(_value(text))
    except UnreadableError:
        return []


def call_of(name: str, arguments: str, identifier: str = "", *, whole: bool = True) -> Call:
    """A call whose parts a server gives apart: ``arguments`` as JSON, {} where it says nothing.

    ``whole=False``: the reply was cut off here, and with it perhaps the arguments.
    """
    written = f'{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": {arguments}}}'
    if not whole:
        return BrokenCall(written, CUT_OFF)
    try:
        (call,) = calls_in({"name": name, "arguments": arguments})
    except UnreadableError as error:
        return BrokenCall(written[:LONGEST], str(error))
    return replace(call, id=identifier)


def with_ids(calls: Sequence[Call], asked: int) -> list[Call]:
    """The calls, each with an id: its own, or one made of its place.

    ``asked``: how many messages came before, so that no two calls of a conversation are called
    the same.  Mistral's templates insist on nine letters and digits.
    """
    return [
        replace(call, id=f"call{asked % 1000:03d}{number % 100:02d}")
        if isinstance(call, ToolCall) and not call.id
        else call
        for number, call in enumerate(calls)
    ]


class CallSplitter:
    """Tells the answer from its calls while it streams in, however the pieces cut the tag.

    From the first tag on all counts as "call".  Text that could still turn out to be the tag is
    held back until the next piece; ``close()`` releases it.
    """

    def __init__(self):
        self._called = False
        self._held = ""

    def feed(self, text: str) -> list[tuple[Literal["answer", "call"], str]]:
        """Read one more piece; give back the texts that are now certain, with their kinds."""
        if self._called:
            return [("call", text)]
        text, self._held = self._held + text, ""
        before, tag, after = text.partition(OPENING)
        if tag:
            self._called = True
            return [("answer", before)] * bool(before) + [("call", tag + after)]
        begun = next(n for n in range(len(OPENING) - 1, -1, -1) if text.endswith(OPENING[:n]))
        certain = text[: len(text) - begun]
        self._held = text[len(certain) :]
        return [("answer", certain)] if certain else []

    def close(self) -> str:
        """The reply is over: give back what was still held, which is answer."""
        held, self._held = self._held, ""
        return held


class UnreadableError(Exception):
    """Says in words why a text or its data is no call."""


def _read_block(answer: str, start: int, repair: bool) -> tuple[list[Call], int]:
    """The calls of the block whose content begins at ``start``, and where the block ends."""
    # A brace too many is a common slip.
    between = r"[\s,;}]*" if repair else r"[\s,;]*"
    try:
        # A closing tag may stand inside an argument, so the JSON itself says where it ends.
        values, end = [], _skip(r"\s*(?:(?:```|~~~)\w*\s*)?", answer, start)
        while not values or answer.startswith("{", end):
            value, end = DECODER.raw_decode(answer, end)
            values.append(value)
            end = _skip(between, answer, end)
        end = _skip(r"(?:```|~~~)?\s*", answer, end)
        closed = answer.startswith(CLOSING, end)
        if (closed or end == len(answer) or answer.startswith(OPENING, end)) and (
            end - start <= LONGEST
        ):
            calls = [call for value in values for call in calls_in(value)]
            return list(calls), end + len(CLOSING) * closed
    except (ValueError, RecursionError, UnreadableError):
        pass
    ends = (answer.find(CLOSING, start), answer.find(OPENING, start), len(answer))
    end = min(found for found in ends if found >= 0)
    text = answer[start:end]
    end += len(CLOSING) * answer.startswith(CLOSING, end)
    try:
        return list(calls_in(_value(text, repair))), end
    except UnreadableError as error:
        return [BrokenCall(text.strip()[:LONGEST], str(error))], end


def _skip(pattern: str, text: str, start: int) -> int:
    return re.compile(pattern).match(text, start).end()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise UnreadableError("a name stands there twice")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise UnreadableError(f"{name} is not JSON")


# Not strict: a line end inside a string is an honest slip, and can be read in one way only.
DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_unique, parse_constant=_no_constant)


def _value(text: str, repair: bool = True) -> object:
    """The data that a text writes in JSON, or in Python's notation for it."""
    if len(text) > LONGEST:
        raise UnreadableError(f"the call is longer than {LONGEST:,} characters")
    text = re.sub(r"\A\s*```\w*\s*|\s*```\s*\Z", "", text).strip()
    if not text:
        raise UnreadableError("there is nothing in it")
    problem = ""
    for missing in ("", "}", "}}") if repair else ("",):  # too few braces are the other slip
        try:
            return DECODER.decode(text + missing)
        except (ValueError, RecursionError) as error:
            problem = problem or f"it is not JSON ({error})"
    try:
        return python_value(text)
    except UnreadableError:
        raise UnreadableError(problem) from None


def python_value(text: str) -> object:
    """The data that a text writes in Python's notation. Raises UnreadableError for any other."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in the model's texts
            return ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise UnreadableError("it is not data in Python's notation") from None


def calls_in(value: object) -> list[ToolCall]:
    """The calls that this data stands for. Raises UnreadableError where it stands for none."""
    if isinstance(value, list | tuple) and value:
        return [call for item in value for call in calls_in(item)]
    if not isinstance(value, dict):
        raise UnreadableError("it is not an object with a name and arguments")
    if isinstance(value.get("function"), dict):  # OpenAI's form wraps the call once more
        value = value["function"]
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        raise UnreadableError("it does not name a tool")
    # Llama's form says "parameters"; a tool without any needs neither.
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):  # quoted twice, as in OpenAI's API
        arguments = _value(arguments) if arguments.strip() else {}
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise UnreadableError("its arguments are not an object with names")
    try:
        # What Python's notation or a number such as 1e999 may bring in, JSON cannot send on.
        written = json.dumps([name, arguments], allow_nan=False, ensure_ascii=False)
        name, arguments = json.loads(written.encode())
    except (TypeError, ValueError, RecursionError):
        raise UnreadableError("its arguments hold something that is not in JSON") from None
    return [ToolCall(name.strip(), arguments)]
