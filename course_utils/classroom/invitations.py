"""What does a learner paste? One line, its QR code, and a page to print with a card for each.

Nobody has to type a key: the line is copied from a message, a printed card or the code on it.
"""

from __future__ import annotations

import html
import io
from pathlib import Path

from course_utils.classroom.keys import KeyRing, write_privately
from course_utils.errors import MachineError

_STYLE = """body { font: 11pt system-ui, sans-serif; margin: 1cm; }
section { border: 1px solid #767676; padding: 0.4cm; margin-bottom: 0.5cm; break-inside: avoid;
display: flex; gap: 0.6cm; align-items: center; }
svg { flex: none; } h2 { margin: 0; } code { overflow-wrap: anywhere; }"""


def line_to_paste(address: str, key: str) -> str:
    """What a learner writes before the command that starts Jupyter, in a terminal."""
    return f"COURSE_MODEL={address}/v1 COURSE_API_KEY={key}"


def cell_to_paste(address: str, key: str) -> str:
    """The same for a notebook's first cell, where Jupyter is running already."""
    return f"%env COURSE_MODEL={address}/v1\n%env COURSE_API_KEY={key}"


def qr_for_terminal(text: str) -> str:
    """A QR code in half-block letters, dark on light. Raises MachineError without segno."""
    drawn = io.StringIO()
    _code(text).terminal(drawn, compact=True)
    return drawn.getvalue()


def write_cards(path: Path, address: str, keys: KeyRing, names: list[str]) -> Path:
    """Write a page with a card for each of these learners, for nobody else to read.

    Raises MachineError without segno, OptionError for a name that nobody has.
    """
    cards = []
    for name in names:
        key = keys.key_of(name)
        line, cell = line_to_paste(address, key), cell_to_paste(address, key)
        picture = _code(line).svg_inline(scale=2.5, border=2)
        cards.append(
            f"<section>{picture}<div><h2>{html.escape(name)}</h2>"
            f"<p>Before you start Jupyter, in its terminal:<br><code>{html.escape(line)} make lab"
            "</code></p><p>Or in a notebook that is open, in a cell of its own:<br><code>"
            f"{html.escape(cell).replace(chr(10), '<br>')}</code></p></div></section>"
        )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Keys of the class'
        f"</title><style>{_STYLE}</style></head><body>{''.join(cards)}</body></html>\n"
    )
    write_privately(path, page)
    return path


def _code(text: str):
    try:
        import segno
    except ImportError:
        raise MachineError(
            "QR codes need the package segno, which is not installed.",
            "Run `python -m pip install segno`; the lines to paste work without it.",
        ) from None
    return segno.make(text, error="m", micro=False)
