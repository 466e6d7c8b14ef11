"""Does this function call say the same as that one? Comparison by structure, not by text.

Calls are read from the three forms in which models write them: ``<tool_call>`` with JSON (Qwen),
plain JSON, and Python syntax.  They are then compared name by name and argument by argument, as
the Berkeley Function-Calling Leaderboard does with its syntax trees:
https://gorilla.cs.berkeley.edu/blogs/8_berkeley_function_calling_leaderboard.html
Nothing is ever executed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from course_utils.evaluation.graders import Grade, final_part, read_json


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


def parse_function_calls(reply: str) -> list[FunctionCall]:
    """All function calls in a reply, its thought set aside; empty if there are none to be read."""
    answer = final_part(reply).strip()
    tagged = re.findall(r"<tool_call>\s*(.*?)\s*</tool_call>", answer, flags=re.DOTALL)
    if tagged:
        return [call for text in tagged for call in _from_json(read_json(text))]
    calls = _from_json(read_json(answer))
    return calls or _from_python(answer)


def grade_function_calls(reply: str, expected: Sequence[FunctionCall]) -> Grade:
    """Does the reply make exactly the expected calls, in any order?

    A number may be written 3 or 3.0 but not "3"; texts are compared without regard to case,
    outer spaces and the choice of quotation marks; lists keep their order.  Expecting no call at
    all is a fair test too: not every question needs a function.
    """
    calls = parse_function_calls(reply)
    shown = "; ".join(f"{c.name}({json.dumps(c.arguments, default=str)})" for c in calls) or None
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


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


def _from_json(value: object) -> list[FunctionCall]:
    if isinstance(value, list):
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
    fenced = re.fullmatch(r"```(?:python)?\s*(.*?)\s*```", text, flags=re.DOTALL)
    source = fenced.group(1) if fenced else text
    try:
        tree = ast.parse(source.strip())
        nodes: list[ast.expr] = []
        for statement in tree.body:
            if not isinstance(statement, ast.Expr):
                return []
            value = statement.value
            nodes.extend(value.elts if isinstance(value, ast.List | ast.Tuple) else [value])
        return [_python_call(node) for node in nodes]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
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


def _plain(text: str) -> str:
    return re.sub(r"[‘’“”\"]", "'", " ".join(text.split())).casefold()
