"""Does this text give an exercise's solution away? Asked before a model's hint is shown.

A model that is told not to give the solution may do so all the same, and whoever asks it may want
it to.  So its hint is compared with the stored solution, in every disguise that is easily undone:
other names and spacing, a diff, one token a line, words for signs, look-alike letters, reversed,
ROT13, Base64 and the like.  And a hint is words: code beyond a name or a call is none.  Where it
is unclear, the hint is not shown; another one costs little.
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import html
import io
import keyword
import math
import re
import tokenize
import unicodedata
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress

from course_utils.teaching.exercises.declaration import Exercise

LONGEST_HINT = 1200
"""Letters: what is longer explains the whole solution, or hides something."""

GRAM = 4
"""Tokens in a row that are compared."""

SHARE = 0.3
"""Of a solution's runs of tokens that its folded hints do not give already."""

MOST_SIGNS = 2
"""Signs of arithmetic between operands that a hint may hold: "divide by n - 1", no formula."""

SAME_NUMBER = 0.02

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")

# Letters of other scripts that look like Latin ones.
_LOOK_ALIKES = str.maketrans(
    "аеіјорсухѕԁһӏԛԝαεικνορτυχβ‐‑‒–—−×·÷∗⁎∕",
    "aeijopcyxsdhlqwaeikvoptuxb------**/**/",
)

_WORDS_FOR_SIGNS = (
    (r"to the power of|raised to(?: the)?", "**"),
    (r"(?:integer|floor|whole[- ]number) divi(?:ded by|sion by)", "//"),
    (r"divided by|over", "/"),
    (r"multiplied by|times", "*"),
    (r"subtract(?:ed)?(?: by)?|minus|less", "-"),
    (r"added to|plus", "+"),
    (r"is assigned|becomes|equals|is set to|is equal to", "="),
    (r"(?:an )?open(?:ing)? (?:round )?(?:parenthesis|bracket|paren)|left paren(?:thesis)?", "("),
    (r"(?:a )?clos(?:e|ing) (?:round )?(?:parenthesis|bracket|paren)|right paren(?:thesis)?", ")"),
    (r"open(?:ing)? square(?: bracket)?", "["),
    (r"clos(?:e|ing) square(?: bracket)?", "]"),
    (r"dot|period", "."),
    (r"comma", ","),
    (r"colon", ":"),
    (r"underscore", "_"),
    *(
        (word, str(number))
        for number, word in enumerate(
            ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
        )
    ),
)

_OPERAND = r"[\w)\]'\"]"
_SIGN = re.compile(
    rf"{_OPERAND}\s*(?:\*\*|//|==|<=|>=|!=|[-+*/%@]=|[+*/%@=]|(?<=\s)[-<>](?=\s))\s*[-\w(\['\"]"
)
_CODE = re.compile(
    r"```|~~~|\bdef\s+\w+\s*\(|\blambda\b[^.?!]*:|\breturn\s+[\w.]*\s*[(\[*/+=-]|"
    r"\bfor\s+\w+(?:\s*,\s*\w+)*\s+in\s+\w+[([:.]|^\s*(?:import|from)\s+\w+|"
    r"\w\([^()]*\w\([^()]*\)|\[[^\]]*\bfor\b[^\]]*\]",
    re.MULTILINE,
)
_ENCODED = re.compile(r"[A-Za-z0-9+/_=-]{24,}|(?:\\x[0-9a-f]{2}){6,}|(?:%[0-9a-f]{2}){6,}", re.I)
_TOKEN = re.compile(r"[a-z_]\w*|\d+(?:\.\d+)?(?:e-?\d+)?|\*\*|//|[-+*/%@<>=!&|.,:()\[\]{}]")


def reveals(text: str, exercise: Exercise) -> str | None:
    """Why a hint must not be shown, in a few words; None where it gives nothing away."""
    if len(text) > LONGEST_HINT:
        return "it is too long for a hint"
    plain = _plain(text)
    if _CODE.search(plain) or len(_SIGN.findall(_without_words(plain))) > MOST_SIGNS:
        return "it holds code"
    if any(_is_one_word(found[0]) for found in _ENCODED.finditer(plain)):
        return "it holds something encoded"
    solution = _Solution(exercise)
    return next(filter(None, map(solution.found_in, _views(text))), None)


class _Solution:
    """The stored solution as tokens, with the names it chooses itself made alike."""

    def __init__(self, exercise: Exercise):
        code = exercise.solution.strip()
        self._value = _value_of(exercise)
        self._own, self._modules = _own_names(code), _modules(code)
        self._tokens = _code_tokens(code)
        self._size = min(GRAM, max(2, len(self._tokens) // 2))
        self._kept = {
            token for token in self._tokens if token not in self._own and not token[0].isdigit()
        }
        known = _TOKEN.findall(_plain(" ".join(exercise.hints)).casefold())
        # A solution of one sign is told by its names, which the exercise has given.
        self._short = False
        self._short = not any(self._grams(self._tokens, look) for look in _LOOKS)
        self._secret = []
        for look in _LOOKS:
            everything = self._grams(self._tokens, look)
            self._secret.append(everything - self._grams(known, look) or everything)

    def found_in(self, text: str) -> str | None:
        """Whether a text holds the solution, or the value that it comes to."""
        if self._value is not None and _holds_value(text, self._value):
            return "it holds the answer"
        tokens = _TOKEN.findall(text)
        # Words in between are left out in a second look at each.
        dense = [token for token in tokens if token in self._kept or not token[0].isalpha()]
        for look, secret in zip(_LOOKS, self._secret, strict=True):
            for found in (tokens, dense):
                shared = secret & self._grams(found, look)
                if secret and len(shared) >= max(1, math.ceil(SHARE * len(secret))):
                    return "it follows the solution"
        return None

    def _grams(self, tokens: list[str], left_out: frozenset[str]) -> set[tuple[str, ...]]:
        """Runs of tokens of which two at least say something: signs, and names it did not choose.

        left_out: tokens that do not count.
        """
        alike = []
        for place, token in enumerate(tokens):
            word = token[0].isalpha() or token[0] == "_"
            of_module = token in self._modules and tokens[place + 1 : place + 2] == ["."]
            if token in left_out or of_module:
                continue
            known = not word or token in self._kept or self._short
            alike.append(token if known else "name")
        size = 3 if self._short else self._size
        runs = zip(*(alike[start:] for start in range(size)), strict=False)
        return {run for run in runs if sum(token not in _SAYS_LITTLE for token in run) >= 2}


_SAYS_LITTLE = frozenset(("name", "(", ")", "[", "]", ",", ".", ":", "return"))

_LOOKS = (frozenset("."), frozenset("()[],.:"))
"""What is left out when token runs are compared: with the brackets, and as it is read aloud."""


def _views(text: str) -> Iterator[str]:
    """The text, and what it is once each disguise is taken off; in small letters."""
    plain = _plain(text)
    seen = set()
    for view in (
        plain,
        _plain(html.unescape(text)),
        _plain(urllib.parse.unquote(text)),
        _unescaped(plain),
        _signs_for_words(plain),
        re.sub(r"(?m)^\s*(?:[-+>*#|]|\d+[.):])\s?", "", plain),  # a diff, a quotation, a list
        _joined(plain),
        plain[::-1],
        "\n".join(line[::-1] for line in plain.splitlines()),
        codecs.encode(plain, "rot13"),
        *_decoded(plain),
    ):
        lower = view.casefold()
        if lower not in seen:
            seen.add(lower)
            yield lower


def _joined(text: str) -> str:
    """The text without what stands between letters one by one: "s p e l l e d", "s-p-e-l-l-e-d"."""
    between = set(text[1::2])
    if len(text) > 8 and len(between) == 1:
        return text[::2]
    return re.sub(r"\b\w(?:(\W)\w)(?:\1\w)+\b", lambda found: found[0].replace(found[1], ""), text)


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return text.translate(_LOOK_ALIKES)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4}))", _of_escape, text, flags=re.IGNORECASE)


def _of_escape(found: re.Match) -> str:
    return chr(int(found[1] or found[2], 16))


def _signs_for_words(text: str) -> str:
    text = text.casefold()
    for words, sign in _WORDS_FOR_SIGNS:
        text = re.sub(rf"\b(?:{words})\b", f" {sign} ", text)
    return re.sub(r"\b(?:the|a|an|of|and|then|by|its)\b", " ", text)


def _decoded(text: str) -> Iterator[str]:
    """What encoded words say; pieces of one code are joined first."""
    joined = re.sub(r"\s+", "", text)
    for piece in {*re.findall(r"[A-Za-z0-9+/_=-]{12,}", text), joined}:
        padded = piece + "=" * (-len(piece) % 4)
        for decode in (base64.b64decode, base64.urlsafe_b64decode, bytes.fromhex):
            with suppress(ValueError, binascii.Error, UnicodeDecodeError):
                source = piece if decode is bytes.fromhex else padded
                said = decode(source).decode("utf-8")
                if said.isprintable() or "\n" in said:
                    yield said
    numbers = re.findall(r"\b\d{2,3}\b", text)
    if len(numbers) >= 8:
        yield "".join(chr(int(number)) for number in numbers)


def _is_one_word(found: str) -> bool:
    """A long run of letters that is no name and no compound of words."""
    parts = re.split(r"[_=/-]", found)
    return not all(part.isalpha() and part.islower() and len(part) < 20 for part in parts if part)


def _without_words(text: str) -> str:
    """The text without hyphens and dashes inside words, which are no signs."""
    return re.sub(r"(?<=[A-Za-z]{2})[-/](?=[A-Za-z]{2})", " ", text)


def _code_tokens(code: str) -> list[str]:
    """A program's tokens in small letters; without comments and layout."""
    with suppress(tokenize.TokenError, SyntaxError, IndentationError):
        kinds = (tokenize.NAME, tokenize.NUMBER, tokenize.OP, tokenize.STRING)
        found = tokenize.generate_tokens(io.StringIO(code).readline)
        text = " ".join(token.string for token in found if token.type in kinds)
        return _TOKEN.findall(text.casefold())
    return _TOKEN.findall(code.casefold())


def _own_names(code: str) -> set[str]:
    """The names that a program chooses: what it assigns, defines, and its parameters."""
    names = set()
    with suppress(SyntaxError):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id.casefold())
            elif isinstance(node, ast.FunctionDef | ast.arg):
                names.add((node.name if isinstance(node, ast.FunctionDef) else node.arg).casefold())
    return {name for name in names if not keyword.iskeyword(name)}


def _modules(code: str) -> set[str]:
    """Names of modules before a dot, which another way to import leaves out."""
    names = {"math", "np", "numpy", "torch"}
    with suppress(SyntaxError):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                names |= {alias.asname or alias.name for alias in node.names}
    return names


def _value_of(exercise: Exercise) -> object:
    """What the solution comes to, where that is a number or words; None for a function."""
    if "def " in exercise.solution:
        return None
    with suppress(Exception):
        value, _ = exercise.answer_of(exercise.solution)
        if not callable(value):
            return value
    return None


def _holds_value(text: str, value: object) -> bool:
    if isinstance(value, str):
        words = " ".join(re.findall(r"\w+", _plain(value).casefold()))
        said = " ".join(re.findall(r"\w+", text))
        # Of a long text a part is enough.
        return bool(words) and (words in said if len(words) < 60 else words[:60] in said)
    if isinstance(value, list | tuple):
        return bool(value) and all(_holds_value(text, part) for part in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        numbers = (float(found) for found in re.findall(r"\d+(?:\.\d+)?", text))
        return any(math.isclose(number, value, rel_tol=SAME_NUMBER) for number in numbers)
    return False
