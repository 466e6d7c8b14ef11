"""Where in a thought did it go wrong? The place marked, in colour and by a sign as well.

Four marks: ``scripts`` (Chinese in a box), ``repeats`` (lines that stood there before), ``steps``
(lines that are no known step) and ``vain`` (checks after the right result).  The measures behind
them are those of ``nano.readability``, so that what is marked is what is counted.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import NamedTuple

from course_utils.errors import OptionError
from course_utils.nano import readability
from course_utils.teaching.page import OnPage

MAX_LINES = 14
"""A thought that goes in circles is shown so far, and the rest is counted."""

_LINE = "padding: 0 0.4em; color: #1A1A1A; background: {tint}; border-left: 4px {border}"
_QUIET = ("#F4F4F4", "solid #BBBBBB")
_LOUD = ("#FBE6BF", "double #B25A00")
_CHINESE = (
    "background: #FBE6BF; border: 1.5px solid #B25A00; border-radius: 3px; padding: 0 2px; "
    "color: #1A1A1A"
)


class _Line(NamedTuple):
    text: str
    sign: str
    """Stands before the line; empty where nothing is to be said of it."""


def highlight(thought: str, mark: str, *, answer: int | None = None, label: str = "") -> OnPage:
    """A thought with what went wrong marked, to end a cell with or to ``display``.

    mark: one of ``MARKS``.  answer: the right result; "vain" needs it.  label: printed above.
    The plain text has the same signs: ``⟦进⟧`` for Chinese, ``↻`` for a line written before,
    ``?`` for a line that is no known step, ``+`` for a check in vain.
    Raises OptionError for another mark, and for "vain" without an answer.
    """
    if mark not in MARKS:
        raise OptionError(f"There is no mark {mark!r}.", f"Use one of: {', '.join(MARKS)}.")
    if mark == "vain" and answer is None:
        raise OptionError(
            "Only the right result tells which checks are in vain.", "Give it: answer=85."
        )
    meaning, signs = MARKS[mark]
    lines = signs(thought, answer)
    shown, hidden = lines[:MAX_LINES], len(lines) - MAX_LINES
    marked = sum(bool(line.sign) for line in lines)
    count = f"{marked} of {len(lines)} lines: {meaning}"
    head = f"{label} ({count})" if label else count
    more = f"… and {hidden} more lines" if hidden > 0 else ""
    plain = [f"{line.sign or ' '} {_plain(line.text, mark)}" for line in shown]
    body = "".join(_line_html(line, mark) for line in shown) or "<em>(no thought)</em>"
    return OnPage(
        '<div class="tex2jax_ignore mathjax_ignore" style="margin: 0.3em 0">'
        f"<strong>{html.escape(head)}</strong>"
        f'<div style="font-family: monospace; line-height: 1.6">{body}</div>'
        f"<small>{more}</small></div>",
        "\n".join([head, *plain, *([more] if more else [])]),
    )


def _line_html(line: _Line, mark: str) -> str:
    tint, border = _LOUD if line.sign else _QUIET
    if mark == "scripts":
        text = "".join(
            f'<span lang="zh" style="{_CHINESE}">{run.text}</span>'
            if run.script == "chinese"
            else html.escape(run.text)
            for run in readability.script_runs(line.text)
        )
    else:
        text = html.escape(line.text)
    sign = html.escape(line.sign or "\u00a0")
    return (
        f'<div style="{_LINE.format(tint=tint, border=border)}">'
        f'<strong style="display: inline-block; width: 1.2em">{sign}</strong>{text}</div>'
    )


def _plain(line: str, mark: str) -> str:
    if mark != "scripts":
        return line
    return "".join(
        f"⟦{run.text}⟧" if run.script == "chinese" else run.text
        for run in readability.script_runs(line)
    )


def _lines(thought: str) -> list[str]:
    return [line for line in thought.splitlines() if line.strip()]


def _scripts(thought: str, _answer: int | None) -> list[_Line]:
    return [
        _Line(line, "文" if any(run.script == "chinese" for run in runs) else "")
        for line in _lines(thought)
        for runs in [readability.script_runs(line)]
    ]


def _repeats(thought: str, _answer: int | None) -> list[_Line]:
    seen: set[str] = set()
    lines = []
    for line in _lines(thought):
        lines.append(_Line(line, "↻" if line in seen else ""))
        seen.add(line)
    return lines


def _steps(thought: str, _answer: int | None) -> list[_Line]:
    return [_Line(line, "" if readability.known_step(line) else "?") for line in _lines(thought)]


def _vain(thought: str, answer: int | None) -> list[_Line]:
    found, lines = False, []
    for line in _lines(thought):
        lines.append(_Line(line, "+" if found else ""))
        found = found or line == f"So {answer}."
    return lines


MARKS: dict[str, tuple[str, Callable[[str, int | None], list[_Line]]]] = {
    "scripts": ("with Chinese in it", _scripts),
    "repeats": ("written before", _repeats),
    "steps": ("not a known step", _steps),
    "vain": ("after the right result", _vain),
}
"""What each mark means, and how it finds the lines to sign."""
