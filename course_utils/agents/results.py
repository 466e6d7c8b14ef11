"""How does what a tool returned become text that can do no harm?

What comes from outside may hold anything: marks of the chat format that would end the message,
characters that nobody sees, or a hundred megabytes.  Here it becomes plain text of bounded length,
with a note for everything that was changed, so that the trace says so.

One danger cannot be filtered: plain words such as "ignore your instructions".  Against those only
limits help: what the tools can do, and what a person has to allow
(https://arxiv.org/abs/2302.12173 on indirect prompt injection).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from pydantic_core import to_json

MARKS = re.compile(
    r"[<＜][|｜][^<>|｜]{1,40}[|｜][>＞]"  # control tokens; DeepSeek's have wide bars
    r"|</?\s*(?:think|tools?|tool_calls?|tool_response|system|s|start_of_turn|end_of_turn)\s*>"
    r"|<</?SYS>>|\[/?(?:INST|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|SYSTEM_PROMPT)\]",
    re.IGNORECASE,
)
"""Marks that some chat format gives a meaning to."""

_DEFUSED = str.maketrans("<＜[", "‹‹⟦")

_JOINERS = "\u200c\u200d"  # Persian and emoji are written with them
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0\u034f\u2800"

ITEMS = 1000
"""How many items of an endless result are taken."""


def as_text(value: object) -> str:
    """A returned value as text: a text as it is, anything else as JSON where that can be.

    May raise whatever a hostile value's own methods raise.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "(the tool returned nothing)"
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, Iterator):
        value = list(islice(value, ITEMS))
    return to_json(value, fallback=repr, inf_nan_mode="constants").decode()


def harmless(text: str, longest: int) -> tuple[str, list[str]]:
    """``text`` with marks defused, unseen characters written out and its middle cut, if need be.

    ``longest``: characters to keep.  Also gives a note, in words, for each thing changed.
    """
    notes = []
    if len(text) > longest:
        notes.append(f"cut from {len(text):,} characters")
        tail = longest // 4
        left_out = f"\n[{len(text) - longest:,} characters left out]\n"
        text = text[: longest - tail] + left_out + text[len(text) - tail :]
    text = text.replace("\r\n", "\n")
    shown = visible(text)
    if shown != text:
        notes.append("unseen characters written out")
    text, marks = MARKS.subn(lambda mark: mark.group().translate(_DEFUSED), shown)
    if marks:
        notes.append(f"{marks} mark{'s' * (marks > 1)} of a chat format defused")
    return text, notes


def visible(text: str) -> str:
    """``text`` with the code of each character that would not be seen, or acts on a terminal."""
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    """The character, or its code where it would not be seen or means something to a program."""
    if character in "\n\t" or character in _JOINERS:
        return character
    kind, number = unicodedata.category(character), ord(character)
    # Control, format, surrogate and private characters; selectors that can smuggle a text in.
    unseen = kind in ("Cc", "Cf", "Cs", "Co") or 0xE0100 <= number <= 0xE01EF
    if unseen or character in _BLANK_LETTERS:
        return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
    return character
