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
not the same as no call.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

from course_utils.engines.protocol import Reply
from course_utils.engines.tool_calls import ToolCall
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


@dataclass(frozen=True)
class FunctionCall:
    """A function's name and its arguments by name. In an expected call a value may be ``AnyOf``."""

    name: str
    arguments: dict[str, object] = field(default_factory=dict)


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


def parse_function_calls(reply: str | Reply) -> list[FunctionCall]:
    """All function calls in a reply, its thought set aside; empty if there are none to be read.

    Where the engine was offered tools (``Reply.tool_calls``), they are what it has read.
    """
    return _calls_of(reply)[0]


def grade_function_calls(reply: str | Reply, expected: Sequence[FunctionCall]) -> Grade:
    """Does the reply make exactly the expected calls, in any order?

    A number may be written 3 or 3.0 but not "3"; texts are compared without regard to case,
    the number of spaces, and whether quotation marks are curly; lists keep their order.  Expecting
    no call at all is a fair test too: not every question needs a function.
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


def _calls_of(reply: str | Reply) -> tuple[list[FunctionCall], bool]:
    """The calls of a reply, and whether there is one that cannot be read."""
    if isinstance(reply, Reply) and reply.tool_calls:
        made = [call for call in reply.tool_calls if isinstance(call, ToolCall)]
        found = [FunctionCall(call.name, call.arguments) for call in made]
        return found, len(made) < len(reply.tool_calls)
    return _read_calls(final_part(reply).strip())


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


# Where calls may begin: a tag, or an object with one of a call's own keys first.
_START = re.compile(
    r"""<tool_call>|[\[{]\s*\{?\s*["'](?:name|function|type|id|arguments|parameters)["']\s*:"""
)
_BETWEEN_CALLS = re.compile(r"(?:\s|,|;|```\w*|~~~\w*)*")


def _read_calls(answer: str) -> tuple[list[FunctionCall], bool]:
    """The calls in an answer, and whether there is one that cannot be read."""
    calls = _from_json(read_json(answer))
    if calls:
        return calls, False
    start = _START.search(answer)
    if start is None:
        return _from_python(answer), False
    while start and len(calls) < MOST_CALLS:
        tagged = start[0] == "<tool_call>"
        position = _BETWEEN_CALLS.match(answer, start.end()).end() if tagged else start.start()
        value, end = _read_value(answer, position)
        read = _from_json(value)
        if not read:
            return calls, True
        calls += read
        # One tag may hold several calls: then the next begins here, and begins like any other.
        position = _BETWEEN_CALLS.match(answer, end).end() if tagged else end
        if (
            tagged
            and answer.startswith(("{", "["), position)
            and not _START.match(answer, position)
        ):
            return calls, True
        start = _START.search(answer, position)
    return calls, start is not None


_JSON = json.JSONDecoder(strict=False)


def _read_value(text: str, start: int) -> tuple[object | None, int]:
    """The JSON value or Python dictionary that begins at ``start``, and where it ends."""
    try:
        return _JSON.raw_decode(text, start)
    except (ValueError, RecursionError):
        pass
    # A dictionary in Python's syntax ends with a brace; the last few of them are tried.
    piece = text[start : start + LONGEST_CALL].split("</tool_call>")[0]
    ends = [m.end() for m in re.finditer(r"[}\]]", piece)]
    for end in ends[-3:][::-1] if piece[:1] in ("{", "[") else []:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about backslashes in the model's texts
                return ast.literal_eval(piece[:end]), start + end
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            continue
    return None, start


def _from_json(value: object) -> list[FunctionCall]:
    if isinstance(value, list | tuple):
        calls = [_from_json(item) for item in value]
        return [call for found in calls for call in found] if all(calls) else []
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("function"), dict):  # OpenAI's form wraps the call once more.
        value = value["function"]
    name, arguments = value.get("name"), value.get("arguments", value.get("parameters"))
    if isinstance(arguments, str):
        arguments = read_json(arguments)
    if isinstance(name, str) and isinstance(arguments, dict):
        return [FunctionCall(name, arguments)]
    return []


def _from_python(text: str) -> list[FunctionCall]:
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


def _python_call(node: ast.expr) -> FunctionCall:
    if not isinstance(node, ast.Call) or node.args or any(k.arg is None for k in node.keywords):
        raise ValueError("not a call with named arguments")
    arguments = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
    return FunctionCall(ast.unparse(node.func), arguments)


def _same_call(call: FunctionCall, wanted: FunctionCall) -> bool:
    return call.name == wanted.name and not _difference(call, wanted)


def _difference(call: FunctionCall, wanted: FunctionCall) -> str:
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
