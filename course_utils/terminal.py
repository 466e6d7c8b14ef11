"""Text for terminals that cannot show every letter: the nearest letters that they can.

Older Windows terminals know a few hundred letters (cp1252, cp437), and LANG=C on Linux only those
of English; Python raises an error at the first other one, such as a check mark.
"""

from __future__ import annotations

import codecs
import sys
import unicodedata

_NEAREST = {
    **{"✓": "+", "✗": "x", "×": "x", "·": ".", "…": "...", "•": "*", "−": "-", "–": "-", "—": "-"},
    **{
        "→": "->",
        "←": "<-",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
    },
}


def show_what_can_be_shown() -> None:
    """From now on nothing that is printed fails for want of a letter."""
    codecs.register_error("nearest", _nearest)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a notebook or a test has replaced it
            stream.reconfigure(errors="nearest")


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """The error handler: what stands for the letters that could not be encoded, and where to go on.

    Accents are dropped (``ł`` and what else has no other form becomes ``?``).
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    plain = "".join(_NEAREST.get(each) or _without_accents(each) or "?" for each in letters)
    return plain, error.end


def _without_accents(letter: str) -> str:
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
