"""An engine that replies what a test tells it to, so that the loop can be tried with anything."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from course_utils.engines.calling import mark_calls
from course_utils.engines.reply import Piece, Reply, Stream, split_thinking


@dataclass
class ScriptedEngine:
    """Gives the replies in turn, and the last one again and again.

    A reply is text (thought and all, as a model writes it), an exception to raise, or a finished
    ``Reply``.  ``asked``: the messages, settings and tools of each request.  ``delay``: seconds
    before each of a reply's pieces.
    """

    replies: list
    delay: float = 0.0
    asked: list[dict] = field(default_factory=list)

    def chat(self, messages, sampling=None, *, thinking_budget=None, tools=None) -> Stream:
        script = self.replies[min(len(self.asked), len(self.replies) - 1)]
        self.asked.append(
            {"messages": [dict(m) for m in messages], "sampling": sampling, "tools": tools}
        )
        if isinstance(script, Exception):
            raise script
        whole = script if isinstance(script, Reply) else _reply(script, sampling)
        reply = Reply(stop_reason="interrupted")
        pieces = self._pieces(reply, whole)
        return Stream(mark_calls(pieces, reply, messages, tools) if tools else pieces, reply)

    def _pieces(self, reply: Reply, whole: Reply):
        for kind, text in (("thinking", whole.thinking), ("answer", whole.answer)):
            if text:
                time.sleep(self.delay)
                yield Piece(kind, text, 1, 0.0)
        vars(reply).update(vars(whole))


def _reply(text: str, sampling) -> Reply:
    """A word counts as a token; a reply longer than the settings allow is cut."""
    words = text.split(" ")
    limit = sampling.max_tokens if sampling and sampling.max_tokens else len(words)
    thinking, answer = split_thinking(" ".join(words[:limit]))
    reason = "length" if len(words) > limit else "end"
    return Reply(thinking, answer, answer_tokens=min(limit, len(words)), stop_reason=reason)
