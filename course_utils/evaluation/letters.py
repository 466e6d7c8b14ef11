"""Which option does a reply choose? Reads a letter in the ways that models write one.

A letter may stand in brackets, bold, upright, with a full stop, small, behind "option", or before
the option's text: ``(B)``, ``**B**``, ``\\textbf{(B)}``, ``B.``, ``b``, ``B. 42``.  Anything that
leaves a doubt is no choice: two letters, a letter denied, a word that begins with it.
"""

from __future__ import annotations

import re

LONGEST_STATEMENT = 400
"""Characters that are looked at in one statement; an option's text is shorter."""

_FIELD = re.compile(
    r"""(?<![\w-])(?:answer|答案|正解|정답|antwort|réponse|respuesta)["'*_`]*[ \t]*[:：][ \t*_]*
    (?:"((?:[^"\\]|\\.){0,400})"|'((?:[^'\\]|\\.){0,400})'|([^\n]{0,400}))""",
    re.IGNORECASE | re.VERBOSE,
)
_WRAPPERS = re.compile(
    r"\\(?:text|textbf|textrm|textit|textsf|mathrm|mathbf|mathsf|mathit|boldsymbol|boxed|fbox)"
    r"(?![A-Za-z])\s*\{?"
)
_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}


def stated_letters(answer: str, options: str) -> list[tuple[int, str]]:
    """What a text states: in its answer fields, by a last line of one letter, or as a whole.

    A whole text states an option if it is one line that begins with it, such as ``B. 4``.
    Returns (position, words) of each statement.
    """
    found = []
    for field in _FIELD.finditer(answer):
        quoted = field[1] if field[1] is not None else field[2]
        said = (quoted or field[3] or "").strip().rstrip("}").strip()
        # Without quotation marks it may be prose: "let me check the answer: yes".
        if quoted is not None or _LETTER.match(_unwrapped(said)):
            found.append((field.start(), said))
    if re.fullmatch(r"[(\[*]*[A-Z][)\].:*].*", answer.strip()):
        found.append((0, answer.strip()))
    last_line = answer.rstrip().rpartition("\n")[2]
    if len(last_line) < 40 and _bare(last_line, options) == "":
        found.append((len(answer.rstrip()) - len(last_line), last_line.strip()))
    return found


def read_letter(said: str, options: str) -> str | None:
    """The one option that a statement chooses, written as in ``options``; None if in doubt."""
    text = _unwrapped(said[:LONGEST_STATEMENT])
    rest = _bare(text, options)
    if rest is None:
        return None
    if any(re.search(_ANOTHER.format(re.escape(option)), rest) for option in options):
        return None
    letter = _LETTER.match(text)[1]  # type: ignore[index]  # _bare has matched it
    return letter if letter in options else letter.upper()


# A further option in what follows, "(A) or B", "B. C."; but "B. Vitamin C" names none.
_ANOTHER = (
    r"(?:\b(?:and|or|nor|not|than|but)\s+|[,/&;+和或]\s*)[(\[]?{0}(?![\w'])(?!\s+[a-z])"
    r"|[(\[]{0}[)\]]|^{0}\s*(?:$|[.:,)])"
)
_LETTER = re.compile(
    r"[\s(\[{]*(?:(?:option|choice|answer)\s+|选项?\s*)?[(\[{]*\s*([A-Za-z0-9])(?![\w'])",
    re.IGNORECASE,
)


def _bare(text: str, options: str) -> str | None:
    """What follows a leading letter of the options ("" for nothing); None if none leads."""
    text = _unwrapped(text)
    found = _LETTER.match(text)
    if not found or (found[1] not in options and found[1].upper() not in options):
        return None
    rest = text[found.end() :]
    closed = re.match(r"\s*[)\]}]+\s*[.:,;!。：]?|\s*[.:)。：!](?=\s|$)", rest)
    if closed:
        return rest[closed.end() :].strip(" \t\n)]}.")
    return None if rest.strip() else ""


def _unwrapped(text: str) -> str:
    """The text without what only sets it in another face. No letter or digit is taken away."""
    text = _WRAPPERS.sub(" ", text.translate(_FULL_WIDTH))
    return re.sub(r"\*\*|__|[*`$\"“”]|\\[()\[\],;:! ]", " ", text).strip()
