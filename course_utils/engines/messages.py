"""What a model is given to read: a raw text, or messages and tools as in OpenAI's API; checked.

Every engine checks what it is asked here, once, at its door; whatever comes behind takes it as it
is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from course_utils.engines.checks import shown
from course_utils.errors import PromptError

Message = dict[str, Any]
"""A chat message, as in OpenAI's API: {"role": ..., "content": text}, by "system", "user",
"assistant" or "tool"; one of the assistant may hold ``tool_calls``."""

ToolSchema = Mapping[str, object]
"""A function the model may call, as in OpenAI's API: {"type": "function", "function": {...}}."""

Tools = Sequence[ToolSchema] | None
"""What a model is told it may call; None is nothing."""

ROLES = ("system", "user", "assistant", "tool")

_MESSAGE = 'Give a question as text, or messages such as {"role": "user", "content": "Hello"}.'
_TOOL = (
    'Describe each as in OpenAI\'s API: {"type": "function", "function": {"name": "add", '
    '"description": "...", "parameters": {a JSON schema}}}.'
)


def as_messages(messages: str | Sequence[Message]) -> list[Message]:
    """Check a conversation; a plain string becomes one message from the user.

    An assistant's message may hold ``tool_calls`` beside or instead of its content, and what a tool
    returned has the role "tool", as in OpenAI's API.  Content that is left out becomes "".
    Raises PromptError where a role or text is missing, or there is nothing to answer.
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not isinstance(messages, Sequence) or not messages:
        raise PromptError("There is no message to answer.", _MESSAGE)
    checked = []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise PromptError(
                f"This is not a chat message with a role: {shown(message)}.",
                f"Use one of the roles {', '.join(ROLES)}. {_MESSAGE}",
            )
        if message.get("tool_calls"):
            _check_tool_calls(message)
            message = {**message, "content": message.get("content") or ""}
        if not isinstance(message.get("content"), str):
            raise PromptError(
                f"The content of this message is not text: {shown(message)}.", _MESSAGE
            )
        checked.append(message)
    last = checked[-1]
    # A tool may well have returned nothing, and that is worth knowing.
    if not (last["content"].strip() or last["role"] == "tool" or last.get("tool_calls")):
        raise PromptError("The last message is empty.", "Write a question into it.")
    return checked


def as_tools(tools: Tools) -> list[dict] | None:
    """Check a list of tools in OpenAI's form; None or an empty list means none.

    Raises PromptError for anything else.
    """
    if tools is None:
        return None
    if isinstance(tools, str | Mapping) or not isinstance(tools, Sequence):
        raise PromptError(f"The tools are not a list: {shown(tools)}.", _TOOL)
    for tool in tools:
        function = tool.get("function") if isinstance(tool, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(name, str) or not name:
            raise PromptError(f"This is not a tool with a name: {shown(tool)}.", _TOOL)
    return [dict(tool) for tool in tools] or None


def _check_tool_calls(message: Message) -> None:
    calls = message["tool_calls"]
    functions = [
        call.get("function", call) if isinstance(call, Mapping) else None
        for call in (calls if isinstance(calls, list | tuple) else [None])
    ]
    for function in functions:
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise PromptError(
                f"These are not tool calls: {shown(calls)}.",
                'Give a list such as [{"type": "function", "function": {"name": "add", '
                '"arguments": {"a": 1}}}].',
            )


# ---- texts -----------------------------------------------------------------------------------


def prompt_text(value: object) -> str:
    """A raw text for a model. Raises PromptError unless it is one, and not empty."""
    if not isinstance(value, str):
        raise PromptError(
            f"This is not a text: {shown(value)}.", "Give a string; render() makes one of messages."
        )
    if not value:
        raise PromptError("The text is empty.", "Give the model at least one character.")
    encoded(value)
    return value


def encoded(text: str) -> bytes:
    """A text in UTF-8. Raises PromptError for half of a surrogate pair, which is no character."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PromptError(
            f"Character {error.start + 1} of the text is half of a surrogate pair "
            f"(\\u{ord(text[error.start]):04x}), which no text can hold.",
            "It is left of an emoji that was cut in two, or of bytes that were read wrongly: take "
            "it out, or write the emoji again.",
        ) from None


def texts_in(data: object) -> Iterator[str]:
    """All texts in nested plain data, keys included."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        yield from itertools.chain.from_iterable(map(texts_in, itertools.chain(*data.items())))
    elif isinstance(data, list | tuple):
        yield from itertools.chain.from_iterable(map(texts_in, data))
