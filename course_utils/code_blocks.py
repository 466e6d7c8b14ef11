"""The fenced code blocks of a Markdown text, as CommonMark reads them.

Models write fences in many ways: three backticks or more, tildes, ``Python`` or ``python3`` behind
them, Windows line ends, in a list or a quotation, and the last left open when tokens run out.
Source: https://spec.commonmark.org/0.31.2/#fenced-code-blocks
"""

from __future__ import annotations

import re
from typing import NamedTuple

_OPENING = re.compile(
    r"(?P<quote>(?:[ \t]*>)*)(?P<indent>[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?)"
    r"(?P<fence>`{3,}|~{3,})(?P<info>.*)"
)
_PYTHON = re.compile(r"(?:i?python|py)(?:\d(?:\.\d+)?)?", re.IGNORECASE)


class CodeBlock(NamedTuple):
    """One fenced block: the language named at its fence ("" for none), and what stands inside."""

    language: str
    code: str

    @property
    def is_python(self) -> bool:
        return bool(_PYTHON.fullmatch(self.language))


def code_blocks(text: str) -> list[CodeBlock]:
    """The fenced blocks of a text, in order. A fence that never closes reaches to the end.

    Line ends become ``\\n``; lines lose the indentation of their fence.  The language is the first
    word behind the fence, without braces, a dot or a file's name (``{.python}``, ``python:a.py``).
    """
    blocks: list[CodeBlock] = []
    opened: re.Match | None = None
    lines: list[str] = []
    # Only these end a line in Markdown: str.splitlines would also cut at rarer marks inside code.
    for line in re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")):
        if opened is None:
            opened = _OPENING.fullmatch(line)
            # A backtick behind backticks is code within a line, such as ```x```.
            if opened and opened["fence"][0] == "`" and "`" in opened["info"]:
                opened = None
            lines = []
            continue
        if opened["quote"]:
            deep = opened["quote"].count(">")
            line = re.sub(rf"\A(?:[ \t]*>){{1,{deep}}}", "", line)
        if _closes(line, opened["fence"]):
            blocks.append(_block(opened, lines))
            opened = None
        else:
            lines.append(line)
    if opened is not None:
        if lines and not lines[-1]:
            lines.pop()  # The end of the text's last line.
        blocks.append(_block(opened, lines))
    return blocks


def python_blocks(text: str) -> list[str]:
    """The blocks that hold Python: those that say so, or else those that name no language.

    Beside a block marked as Python, an unmarked one is mostly the program's output.
    """
    blocks = code_blocks(text)
    marked = [block.code for block in blocks if block.is_python]
    return marked or [block.code for block in blocks if not block.language]


def _closes(line: str, fence: str) -> bool:
    mark = line.strip(" \t")
    return len(mark) >= len(fence) and not mark.strip(fence[0])


def _block(opened: re.Match, lines: list[str]) -> CodeBlock:
    words = re.split(r"[\s:,]", opened["info"].strip().strip("{}"), maxsplit=1)
    width = len(opened["indent"])
    code = "".join(_outdent(line, width) + "\n" for line in lines)
    return CodeBlock(words[0].lstrip(".").lower(), code)


def _outdent(line: str, width: int) -> str:
    own = len(line) - len(line.lstrip(" \t"))
    return line[min(width, own) :]
