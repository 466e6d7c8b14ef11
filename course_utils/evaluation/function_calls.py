"""Does this function call say the same as that one? Comparison by structure, not by text.

Calls are read from the three forms in which models write them: ``<tool_call>`` with JSON (Qwen),
plain JSON, and Python syntax.  They are then compared name by name and argument by argument, as
the Berkeley Function-Calling Leaderboard does with its syntax trees:
https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html
Nothing is ever executed.

What counts as a call:

* after each ``<tool_call>``, one JSON object or several, whether ``</tool_call>`` follows or not;
  a tag inside a text of the JSON is text, and a raw line end in a text is allowed;
* without tags, JSON that is the whole reply, stands in a code fence, or follows other words;
* the same as a Python dictionary, with single quotation marks;
* arguments as an object, or as a text that holds one, as OpenAI's interface gives them;
* without any of these, a reply that is Python calls with named arguments and nothing else.

A call that begins and cannot be read to its end (cut off, or not JSON) is not guessed at, and is
not the same as no call.  Calls in tags are read, and what data means as a call is decided, by the
engines' own ``tool_calls``; without repairs, since those are a kindness to the model.  Only the
forms without tags are read here: an engine that ran whatever looks like a call would run examples.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from course_utils.engines.reply import Reply
from course_utils.engines.tool_calls import (
    DECODER,
    OPENING,
    Call,
    ToolCall,
    UnreadableError,
    calls_in,
    python_value,
    read_tool_calls,
)
from course_utils.evaluation.graders import Grade, final_part, read_json, unfenced

LONGEST_CALL = 20_000
"""Characters of Python syntax that are looked at."""

MOST_CALLS = 100
"""Calls looked for in one reply; a model that repeats itself writes thousands."""


@dataclass(frozen=True)
class AnyOf:
    """Several values that an argument may have, such as ``AnyOf("London", "London, UK")``.

    With ``omitted=True`` the argument may also be left out.
    """

    values: tuple[object, ...]
    omitted: bool = False

    def __init__(self, *values: object, omitted: bool = False):
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "omitted", omitted)


def offer_functions(
    messages: Sequence[dict[str, str]], functions: Sequence[dict]
) -> list[dict[str, str]]:
    """The conversation with these functions (name, description, parameters) on offer.

    An engine has no channel of its own for functions, so they are described in a system message,
    and called in the form that Qwen's chat template uses: JSON within ``<tool_call>``.
    """
    shown = [
        {name: _without_none(f[name]) for name in ("name", "description", "parameters")}
        for f in functions
    ]
    offer = (
        "You can call these functions:\n<tools>\n"
        + "\n".join(json.dumps(function, ensure_ascii=False) for function in shown)
        + "\n</tools>\nWrite each call as "
        '<tool_call>{"name": ..., "arguments": {...}}</tool_call>. '
        "If no function fits the request, say so and call none."
    )
    first = messages[0] if messages and messages[0]["role"] == "system" else None
    if first is None:
        return [{"role": "system", "content": offer}, *messages]
    return [{"role": "system", "content": f"{first['content']}\n\n{offer}"}, *messages[1:]]


def parse_function_calls(reply: str | Reply) -> list[ToolCall]:
    """All function calls in a reply, its thought set aside; empty if there are none to be read.

    Where the engine was offered tools (``Reply.tool_calls``), they are what it has read.
    """
    return _calls_of(reply)[0]


def grade_function_calls(reply: str | Reply, expected: Sequence[ToolCall]) -> Grade:
    """Does the reply make exactly the expected calls, in any order?

    A number may be written 3 or 3.0 but not "3"; texts are compared without regard to case,
    the number of spaces, and whether quotation marks are curly; lists keep their order.  Expecting
    no call at all is a fair test too: not every question needs a function.  In an expected call a
    value may be ``AnyOf``.
    """
    calls, unreadable = _calls_of(reply)
    shown = "; ".join(f"{c.name}({c.arguments!r})" for c in calls) or None
    if unreadable:
        return Grade(False, shown, "a call cannot be read")
    if len(calls) != len(expected):
        return Grade(False, shown, f"{len(calls)} calls in place of {len(expected)}")
    remaining = list(calls)
    for wanted in expected:
        match = next((call for call in remaining if _same_call(call, wanted)), None)
        if match is None:
            named = [call for call in remaining if call.name == wanted.name]
            why = _difference(named[0], wanted) if named else f"no call of {wanted.name}"
            return Grade(False, shown, why)
        remaining.remove(match)
    return Grade(True, shown, "equal")


def _calls_of(reply: str | Reply) -> tuple[list[ToolCall], bool]:
    """The calls of a reply, and whether there is one that cannot be read."""
    if isinstance(reply, Reply) and reply.tool_calls:
        return _readable(reply.tool_calls)
    return _read_calls(final_part(reply).strip())


def _readable(calls: Sequence[Call]) -> tuple[list[ToolCall], bool]:
    made = [call for call in calls if isinstance(call, ToolCall)]
    return made, len(made) < len(calls)


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


# Where calls may begin: a tag, or an object with one of a call's own keys first.
_START = re.compile(
    r"""<tool_call>|[\[{]\s*\{?\s*["'](?:name|function|type|id|arguments|parameters)["']\s*:"""
)


def _read_calls(answer: str) -> tuple[list[ToolCall], bool]:
    """The calls in an answer, and whether there is one that cannot be read."""
    with suppress(UnreadableError):
        return calls_in(read_json(answer)), False
    calls: list[ToolCall] = []
    start = _START.search(answer)
    if start is None:
        return _from_python(answer), False
    while start and len(calls) < MOST_CALLS:
        if start[0] == OPENING:
            tagged = read_tool_calls(answer[start.start() :], repair=False)[1]
            return _readable([*calls, *tagged])
        try:
            value, end = _read_value(answer, start.start())
            calls += calls_in(value)
        except UnreadableError:
            return calls, True
        start = _START.search(answer, end)
    return calls, start is not None


def _read_value(text: str, start: int) -> tuple[object, int]:
    """The JSON value or Python dictionary that begins at ``start``, and where it ends."""
    with suppress(ValueError, RecursionError):
        return DECODER.raw_decode(text, start)
    # A dictionary in Python's syntax ends with a brace; the last few of them are tried.
    piece = text[start : start + LONGEST_CALL]
    for end in [m.end() for m in re.finditer(r"[}\]]", piece)][-3:][::-1]:
        with suppress(UnreadableError):
            return python_value(piece[:end]), start + end
    raise UnreadableError("it does not come to an end")


def _from_python(text: str) -> list[ToolCall]:
    source = unfenced(text)
    if len(source) > LONGEST_CALL:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in the model's texts
            tree = ast.parse(source.strip())
        nodes: list[ast.expr] = []
        for statement in tree.body:
            if not isinstance(statement, ast.Expr):
                return []
            value = statement.value
            nodes.extend(value.elts if isinstance(value, ast.List | ast.Tuple) else [value])
        return [_python_call(node) for node in nodes]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return []


def _python_call(node: ast.expr) -> ToolCall:
    if not isinstance(node, ast.Call) or node.args or any(k.arg is None for k in node.keywords):
        raise ValueError("not a call with named arguments")
    arguments = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
    return ToolCall(ast.unparse(node.func), arguments)


def _same_call(call: ToolCall, wanted: ToolCall) -> bool:
    return call.name == wanted.name and not _difference(call, wanted)


def _difference(call: ToolCall, wanted: ToolCall) -> str:
    """The first thing that is different, in words; empty if nothing is."""
    for name, value in wanted.arguments.items():
        allowed = value if isinstance(value, AnyOf) else AnyOf(value)
        if name not in call.arguments:
            if not allowed.omitted:
                return f"the argument {name} is missing"
        elif not any(_same_value(call.arguments[name], v) for v in allowed.values):
            return f"the argument {name} is {call.arguments[name]!r}"
    extra = sorted(set(call.arguments) - set(wanted.arguments))
    return f"there is no argument {extra[0]}" if extra else ""


def _same_value(given: object, wanted: object) -> bool:
    if isinstance(given, bool) or isinstance(wanted, bool):
        return given is wanted
    if isinstance(given, int | float) and isinstance(wanted, int | float):
        return given == wanted
    if isinstance(given, str) and isinstance(wanted, str):
        return _plain(given) == _plain(wanted)
    if isinstance(given, list | tuple) and isinstance(wanted, list | tuple):
        return len(given) == len(wanted) and all(map(_same_value, given, wanted))
    if isinstance(given, dict) and isinstance(wanted, dict):
        return given.keys() == wanted.keys() and all(
            _same_value(given[k], wanted[k]) for k in given
        )
    return given is None and wanted is None


_STRAIGHT = str.maketrans("‘’“”", "''\"\"")


def _plain(text: str) -> str:
    return " ".join(text.translate(_STRAIGHT).split()).casefold()
