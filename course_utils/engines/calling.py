"""How do the tool calls of a reply come apart from its answer? While it streams, and at its end.

Used for every engine that was offered tools: a model in this process writes its calls into the
text, and so does one behind a server that does not read them itself.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from course_utils.engines.messages import Message, ToolSchema
from course_utils.engines.reply import Piece, Reply
from course_utils.engines.tool_calls import (
    Call,
    CallSplitter,
    read_json_calls,
    read_tool_calls,
    with_ids,
)


def mark_calls(
    pieces: Iterator[Piece],
    reply: Reply,
    messages: Sequence[Message],
    tools: Sequence[ToolSchema],
) -> Generator[Piece, None, None]:
    """The pieces of a reply to ``messages``, those of calls marked; its calls are read at its end.

    However the reply ends, ``reply.answer`` is then the text outside of its calls.  While it
    streams, and in the pieces, whatever follows the first call counts as call.
    """
    splitter = CallSplitter()
    unshown, seconds = 0, 0.0  # tokens whose text is still held back
    try:
        for piece in pieces:
            seconds = piece.seconds
            if piece.kind != "answer":
                yield piece
                continue
            unshown += piece.tokens
            for kind, text in splitter.feed(piece.text):
                yield Piece(kind, text, unshown, seconds)
                unshown = 0
        if held := splitter.close():
            yield Piece("answer", held, unshown, seconds)
    finally:
        pieces.close()
        _take_calls(reply, messages, tools)


def _take_calls(reply: Reply, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> None:
    """Read the calls in the reply's answer, and put them before those that a server has read."""
    reply.answer, written = _calls_in(reply, tools)
    # Some servers read a call and leave it in the text as well.
    written = [call for call in written if call not in reply.tool_calls]
    reply.tool_calls = with_ids([*written, *reply.tool_calls], len(messages))


def _calls_in(reply: Reply, tools: Sequence[ToolSchema]) -> tuple[str, list[Call]]:
    outside, calls = read_tool_calls(reply.answer, whole=reply.stop_reason == "end")
    if calls:
        return outside, calls
    # Llama's models write their calls as JSON and nothing around it.
    names = {tool["function"]["name"] for tool in tools}
    bare = read_json_calls(reply.answer)
    if bare and all(call.name in names for call in bare):
        return "", bare
    return reply.answer, []
