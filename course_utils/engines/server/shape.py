"""Is what a chunk says of the form that the API promises? Asked only where a text could be lost.

Whatever is optional may be missing, null or odd, and costs no more than itself.  But a text of
another type than text cannot be read, and the reply without it must not pass for the whole one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""The names of a thought: llama-server's, SGLang's and older vLLM's; newer vLLM's and Ollama's;
others'."""

TEXTS = ("text", "thinking", "reasoning", "content", "summary", "value")
"""Where a part of a content keeps its text."""

_OF_A_CHOICE = {"delta", "message", "text", "finish_reason", "index"}


def odd_choices(body: Mapping) -> str | None:
    """What is wrong with a chunk's list of choices, in words; None where nothing is."""
    choices = body.get("choices")
    one = isinstance(choices, dict) and not _OF_A_CHOICE.isdisjoint(choices)
    if one or not choices:
        return None
    if not isinstance(choices, list):
        return describe("choices", choices, "a list")
    odd = (choice for choice in choices if choice and not isinstance(choice, dict))
    return next((describe("a choice", choice) for choice in odd), None)


def odd_text(choice: Mapping) -> str | None:
    """What in a choice is of another type than the API's, in words; None where nothing is."""
    for place in ("delta", "message"):
        said = choice.get(place)
        if not said or isinstance(said, str):
            continue
        if not isinstance(said, dict):
            return describe(place, said)
        found = _in_content(f"{place}.content", said.get("content"))
        for name in THOUGHTS:
            # Some servers use one of these names as a switch.
            if said.get(name) is not True:
                found = found or _in_text(f"{place}.{name}", said.get(name))
        calls = said.get("tool_calls")
        if calls and not isinstance(calls, list):
            found = found or describe(f"{place}.tool_calls", calls, "a list")
        if found:
            return found
    return _in_text("text", choice.get("text"))


def _in_content(name: str, content: object) -> str | None:
    if isinstance(content, dict) and content and content.keys().isdisjoint(TEXTS):
        return describe(name, content, "text")
    return _in_text(name, content)


def _in_text(name: str, value: object, depth: int = 8) -> str | None:
    """What is wrong with a text; it may be a list of parts, of which some are no texts at all."""
    if not value or isinstance(value, str) or not depth:
        return None
    if isinstance(value, list):
        parts = value
    elif isinstance(value, dict):
        parts = [value.get(key) for key in ("text", "thinking", "content")]
    else:
        return describe(name, value, "text")
    return next(filter(None, (_in_text(name, part, depth - 1) for part in parts)), None)


def describe(name: str, value: object, wanted: str = "an object") -> str:
    """What is wrong with a field: "delta.content is a number (42) where text should be"."""
    if value is None:
        return f"{name} is missing"
    kinds = {bool: "a truth value", str: "text", list: "a list", dict: "an object"}
    written = json.dumps(value, ensure_ascii=False)
    written = written if len(written) <= 60 else f"{written[:60]} ..."
    return f"{name} is {kinds.get(type(value), 'a number')} ({written}) where {wanted} should be"
