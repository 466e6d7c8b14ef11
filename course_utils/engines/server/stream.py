"""The stream of a server's answer: bytes, lines, events and chunks.

Servers mean the same and write it in many ways.  One reader takes them all: whatever is optional
may be missing, null or odd, and costs no more than itself.  Nothing is trusted: not the label of
the content, not the end of a line, not that a chunk holds what the API promises.

Source of the form: https://html.spec.whatwg.org/multipage/server-sent-events.html, and the API's
own description, https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from course_utils.engines.server.errors import NotAnApi
from course_utils.engines.server.shape import TEXTS, THOUGHTS, odd_choices, odd_text
from course_utils.network import harmless, message_in

LONGEST_LINE = 2**24
"""Bytes. A line that goes on after that is no event."""

LONGEST_REMARK = 200

_OF_THE_API = {"choices", "usage", "error", "timings", "object", "id"}

_FIELDS = ("data", "event", "id", "retry", "error")
_COMMENT = ":"


class Usage(NamedTuple):
    """A server's own counts of tokens for a whole request; None where it states none."""

    prompt: int | None = None
    cached: int | None = None
    generated: int | None = None
    thinking: int | None = None


class ToolCallPart(NamedTuple):
    """A fragment of a call that the model makes: the texts of one ``index`` are to be joined."""

    index: int
    id: str
    name: str
    arguments: str


class Chunk(NamedTuple):
    """What one chunk of a response says; every field may be missing.

    text, thought: text of the answer, and text that the server itself marks as thought.
    whole: the text is that of the whole reply, which may have come in pieces before.
    finish: why the reply ended.  last: the server says that nothing will follow.
    error: words of an error that it reports.
    usage: the counts of the whole request.  generated, prompt_tokens, cached_tokens: running
        counts, which only llama-server gives.
    tool_calls: fragments of tool calls.
    remark: what the server says to a waiting reader beside the reply, such as a place in line.
    odd: what is of another type than the API's, so that a text may be lost.
    """

    text: str = ""
    thought: str = ""
    whole: bool = False
    finish: str | None = None
    last: bool = False
    error: str | None = None
    usage: Usage | None = None
    generated: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    tool_calls: tuple[ToolCallPart, ...] = ()
    remark: str = ""
    odd: str | None = None


def read_chunks(pieces: Iterable[bytes]) -> Iterator[Chunk]:
    """The chunks of a response whose body comes in these pieces, split anywhere.

    Raises NotAnApi where nothing in it can be read as the API's.
    """
    ours: int | None = None  # one choice was asked for: that of the lowest number is it
    empty, strange = True, ""
    loose = _LooseText()
    for kind, data in events(pieces, loose):
        if kind == _COMMENT:
            yield Chunk(remark=harmless(data, most=LONGEST_REMARK))
            continue
        if data.strip() == "[DONE]":
            yield Chunk(last=True)
            return
        bodies = _json_objects(data)
        if kind == "error" and not any("error" in body for body in bodies):
            words = "; ".join(filter(None, map(message_in, bodies))) or data
            bodies = [{"error": words}]
        for body in bodies:
            ours = _lowest_choice(body, ours)
            yield chunk_of(body, ours)
            # Other APIs stream too, Anthropic's or Ollama's own; what they say is not in choices.
            if body and _OF_THE_API.isdisjoint(body):
                strange = strange or data
            else:
                empty = False
    rest = loose.text()
    for body in _json_objects(rest):  # the whole reply in one piece, though a stream was asked for
        empty = False
        yield chunk_of(body, _lowest_choice(body, ours))
    if empty and (strange or rest.strip()):
        raise NotAnApi((strange or rest)[:300])


# ---- bytes to lines to events ------------------------------------------------------------------


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines of UTF-8 that end in LF, CRLF or CR, and in nothing else (JSON may hold U+2028)."""
    begun: list[bytes] = []
    length, first = 0, True
    for piece in pieces:
        if begun and begun[-1].endswith(b"\r"):
            # Only now is it known whether the CR was the first half of a CRLF.
            length -= len(begun[-1])
            piece = begun.pop() + piece
        # A CR at the very end waits for what comes next.
        *whole, rest = re.split(rb"\r\n|\n|\r(?!\Z)", piece)
        for line in whole:
            line = b"".join((*begun, line)).decode("utf-8", errors="replace")
            yield line.removeprefix("\ufeff") if first else line
            begun, length, first = [], 0, False
        if rest:
            begun.append(rest)
            length += len(rest)
        if length > LONGEST_LINE:
            raise NotAnApi(b"".join(begun)[:200].decode("utf-8", errors="replace"))
    if begun:
        line = b"".join(begun).rstrip(b"\r").decode("utf-8", errors="replace")
        yield line.removeprefix("\ufeff") if first else line


class _LooseText:
    """Lines that belong to no event, up to some megabytes: a page, or one whole JSON reply."""

    def __init__(self):
        self._lines: list[str] = []
        self._length = 0

    def add(self, line: str) -> None:
        if self._length < LONGEST_LINE:
            self._lines.append(line)
            self._length += len(line)

    def text(self) -> str:
        return "\n".join(self._lines)


def events(pieces: Iterable[bytes], loose: _LooseText) -> Iterator[tuple[str, str]]:
    """The events of a stream as (kind, data); lines that belong to none go to ``loose``.

    An event ends at an empty line, at the end, or, for servers that forget the empty line, where
    its data is complete and the next begins.  Comments that say something are given as well, with
    a kind that no event has.
    """
    kind, data = "", []
    for line in lines(pieces):
        name, colon, value = line.partition(":")
        if not line.strip():
            if data:
                yield kind, "\n".join(data)
            kind, data = "", []
        elif colon and not name:
            if value.strip():
                yield _COMMENT, value
        elif colon and name in _FIELDS:
            value = value.removeprefix(" ")
            if name in ("data", "error"):
                if data and _is_complete("\n".join(data)):
                    yield kind, "\n".join(data)
                    kind, data = "", []
                data.append(value)
            if name == "error":  # llama-server's own form until autumn 2025
                kind = "error"
            elif name == "event":
                kind = value.strip()
        elif name and not data and _is_complete(line):  # one JSON object a line
            yield kind, line
        elif name:
            loose.add(line)
    if data:
        yield kind, "\n".join(data)


def _is_complete(data: str) -> bool:
    return data.strip() == "[DONE]" or bool(_parsed(data))


def _json_objects(data: str) -> list[dict]:
    """The JSON objects in an event's data; those that cannot be read are left out."""
    found = _parsed(data)
    if not found and "\n" in data:
        found = [body for line in data.split("\n") for body in _parsed(line)]
    return found


def _parsed(data: str) -> list[dict]:
    if "{" not in data:
        return []
    try:
        body = json.loads(data, strict=False)
    except (ValueError, RecursionError):
        return []
    bodies = body if isinstance(body, list) else [body]
    return [body for body in bodies if isinstance(body, dict)]


# ---- chunks ------------------------------------------------------------------------------------


def chunk_of(body: Mapping, ours: int | None = None) -> Chunk:
    """Read one chunk of the chat or the completion API, or a whole reply of either.

    ours: the number of the choice to read; those of other numbers are left out.
    """
    text, thought, finish, whole = "", "", None, False
    usage = _usage(body.get("usage"))
    error, odd = _error(body), odd_choices(body)
    calls: list[ToolCallPart] = []
    for choice in choices_of(body):
        if ours is not None and _index(choice) != ours:
            continue
        said, meant, complete, parts = _said(choice)
        text, thought, whole = text + said, thought + meant, whole or complete
        calls += parts
        reason = choice.get("finish_reason")
        finish = reason if isinstance(reason, str) and reason else finish
        usage = usage or _usage(choice.get("usage"))
        error, odd = error or _error(choice), odd or odd_text(choice)
    timings = body.get("timings")
    timings = timings if isinstance(timings, dict) else {}
    computed, cached = as_count(timings.get("prompt_n")), as_count(timings.get("cache_n"))
    known = computed is not None and cached is not None
    return Chunk(
        text=text,
        thought=thought,
        whole=whole,
        finish=finish,
        error=error,
        usage=usage,
        generated=as_count(timings.get("predicted_n")),
        prompt_tokens=computed + cached if known else None,
        cached_tokens=cached if known else None,
        tool_calls=tuple(calls),
        odd=odd,
    )


def choices_of(body: Mapping) -> list[dict]:
    """The choices in a response, those that are none left out."""
    choices = body.get("choices")
    choices = choices if isinstance(choices, list) else [choices]
    return [choice for choice in choices if isinstance(choice, dict)]


def as_count(value: object) -> int | None:
    """A number of tokens, or None for whatever is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**53 else None


def _said(choice: Mapping) -> tuple[str, str, bool, list[ToolCallPart]]:
    """A choice's text and thought, whether they are the whole reply's, and its tool calls."""
    for place, complete in (("delta", False), ("message", True)):
        said = choice.get(place)
        if isinstance(said, str):
            said = {"content": said}
        if not isinstance(said, dict):
            continue
        text, thought = _parts(said.get("content"))
        thought = next(filter(None, (flat(said.get(name)) for name in THOUGHTS)), thought)
        text = text or flat(said.get("refusal"))
        calls = _tool_calls(said.get("tool_calls"))
        if text or thought or calls:
            return text, thought, complete, calls
    return flat(choice.get("text")), "", False, []


def _parts(content: object) -> tuple[str, str]:
    """Content as (text, thought), be it a text or a list of parts of several types."""
    if not isinstance(content, list):
        return flat(content), ""
    text, thought = "", ""
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind.startswith(("thinking", "reasoning")):
            thought += flat(part)
        else:
            text += flat(part)
    return text, thought


def flat(value: object, depth: int = 8) -> str:
    """The text in a value: itself, in one of a part's usual fields, or in a list of such."""
    if isinstance(value, str):
        return value
    if depth and isinstance(value, list):
        return "".join(flat(part, depth - 1) for part in value)
    if depth and isinstance(value, dict):
        return next(filter(None, (flat(value.get(name), depth - 1) for name in TEXTS)), "")
    return ""


def _tool_calls(calls: object) -> list[ToolCallPart]:
    """Fragments of tool calls; what is none is left out."""
    parts = []
    for place, call in enumerate(calls if isinstance(calls, list) else []):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        index = as_count(call.get("index"))
        arguments = function.get("arguments")
        if isinstance(arguments, dict):  # Ollama sends them parsed
            arguments = json.dumps(arguments, ensure_ascii=False)
        parts.append(
            ToolCallPart(
                place if index is None else index,
                flat(call.get("id")),
                flat(function.get("name")),
                flat(arguments),
            )
        )
    return parts


def _usage(usage: object) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = (
        details if isinstance(details := usage.get(f"{name}_tokens_details"), dict) else {}
        for name in ("prompt", "completion")
    )
    return Usage(
        as_count(usage.get("prompt_tokens")),
        as_count(prompt.get("cached_tokens")),
        as_count(usage.get("completion_tokens")),
        as_count(completion.get("reasoning_tokens")),
    )


def _error(said: Mapping) -> str | None:
    """The words of an error in a chunk or a choice, if it is one."""
    error = said.get("error")
    if not error and "error" in (said.get("object"), said.get("type")):
        error = said.get("message") or "no words"
    if not error:
        return None
    return message_in(error) or str(error)


def _lowest_choice(body: Mapping, so_far: int | None) -> int | None:
    """The lowest number among a chunk's choices and those before it; None before the first."""
    numbers = [*map(_index, choices_of(body)), *([] if so_far is None else [so_far])]
    return min(numbers, default=None)


def _index(choice: Mapping) -> int:
    return as_count(choice.get("index")) or 0
