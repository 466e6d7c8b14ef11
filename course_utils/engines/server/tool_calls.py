"""How do fragments become calls? A server that reads a model's tool calls sends them in pieces.

OpenAI's API numbers them: the first piece of a call brings its id and name, the others add to its
arguments.  Some servers number every call 0, or none, or repeat id and name in each piece.
Source: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from course_utils.engines.server.stream import ToolCallPart
from course_utils.engines.tool_calls import Call, call_of


@dataclass
class _Begun:
    """A call as far as it has come."""

    index: int
    id: str
    name: str
    arguments: str

    def goes_on_with(self, part: ToolCallPart) -> bool:
        """Is this one more piece of it, not the next call under the same number?"""
        if part.index != self.index or (part.id and self.id and part.id != self.id):
            return False
        return not (part.name and not part.id and _is_complete(self.arguments))


class CallCollector:
    """Joins the pieces of one reply's calls."""

    def __init__(self):
        self._begun: list[_Begun] = []

    def add(self, part: ToolCallPart) -> str:
        """Take one more piece; gives what is new in it, to be shown."""
        for call in reversed(self._begun):
            if call.goes_on_with(part):
                new = "" if part.name == call.name else part.name
                call.id, call.name = call.id or part.id, call.name + new
                call.arguments += part.arguments
                return new + part.arguments
        self._begun.append(_Begun(*part))
        return part.name + part.arguments

    def calls(self, *, whole: bool) -> list[Call]:
        """The calls in the order of their beginning; where the reply was cut off, the last broken.

        A piece without any name belongs to nothing, and becomes a call that cannot be read.
        """
        last = len(self._begun) - 1
        return [
            call_of(call.name, call.arguments, call.id, whole=whole or number < last)
            for number, call in enumerate(self._begun)
        ]


def _is_complete(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False
