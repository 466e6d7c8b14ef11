"""How does a loop take what no model can be made to write on demand? An engine without a model.

It says the lines it is given, so that every mistake a model can make can be shown at will.
"""

from __future__ import annotations

import json

from course_utils.engines.calling import mark_calls
from course_utils.engines.protocol import Reply, Stream
from course_utils.engines.reply import split_thinking
from course_utils.engines.tool_calls import CLOSING, OPENING


class Puppet:
    """Says its lines in turn, and the last one again and again; a line is a whole reply."""

    def __init__(self, *lines: str):
        self.lines = list(lines)

    def chat(self, messages, sampling=None, *, tools=None, **_) -> Stream:
        """The next line as a reply, whatever the messages are."""
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        reply = Reply(*split_thinking(line))
        nothing = (piece for piece in ())  # the reply is there at once
        return Stream(mark_calls(nothing, reply, messages, tools or ()), reply)


def written_call(name: str, **arguments: object) -> str:
    """A tool call as QwQ writes it."""
    written = json.dumps({"name": name, "arguments": arguments})
    return f"{OPENING}{written}{CLOSING}"
