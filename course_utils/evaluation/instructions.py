"""Was the instruction followed? Requests that a program can check, in the style of IFEval.

An ``Instruction`` knows the sentence that asks for it and the test that checks it.  The kinds are
our own; the idea is that of J. Zhou et al., "Instruction-following evaluation for large language
models", https://arxiv.org/abs/2311.07911.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from course_utils.engines.protocol import Reply
from course_utils.errors import OptionError
from course_utils.evaluation.graders import final_part, read_json


@dataclass(frozen=True)
class _Kind:
    sentence: str
    followed: Callable[..., bool]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Instruction:
    """One checkable request, such as ``Instruction("words at most", {"n": 20})``.

    ``kinds()`` lists what can be asked.  Raises OptionError for a kind or parameter that is not
    there.
    """

    kind: str
    parameters: dict[str, object]

    def __post_init__(self):
        if self.kind not in _KINDS:
            raise OptionError(
                f"There is no instruction of the kind {self.kind!r}.",
                f"Use one of: {', '.join(_KINDS)}.",
            )
        expected = _KINDS[self.kind].parameters
        if set(self.parameters) != set(expected):
            raise OptionError(
                f"The instruction {self.kind!r} got the parameters {sorted(self.parameters)}.",
                f"It needs exactly: {', '.join(expected) or 'none'}.",
            )

    def __str__(self) -> str:
        """The sentence that asks for it."""
        return _KINDS[self.kind].sentence.format(**self.parameters)

    def followed(self, reply: str | Reply, *, loose: bool = False) -> bool:
        """Does the reply, without its thought, do what was asked?

        ``loose`` forgives what wraps an answer rather than what is in it: it also passes if the
        test passes without the first line, the last line, or asterisks (IFEval's loose accuracy).
        """
        answer = final_part(reply).strip()
        test = _KINDS[self.kind].followed
        return any(test(text, **self.parameters) for text in _variants(answer, loose))


def kinds() -> list[str]:
    """The kinds of instruction there are."""
    return list(_KINDS)


def _variants(answer: str, loose: bool) -> list[str]:
    if not loose:
        return [answer]
    lines = answer.splitlines()
    cuts = [answer, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return [text for cut in cuts for text in (cut, cut.replace("*", ""))]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)


def _sentences(text: str) -> list[str]:
    # A stop inside a number or before a small letter ends no sentence: "3.5", "e.g. this".
    # In a text without capitals the second sign is missing, so every stop counts there.
    follows = r"\S" if text == text.lower() else r"[^a-z\s]"
    parts = re.split(rf"(?<=[.!?…。！？])[\"'”’)]*(?:\s+(?={follows})|\s*$)", text)
    return [part for part in parts if re.search(r"\w", part)]


def _paragraphs(text: str) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", text) if part.strip()]


def _bullets(text: str) -> list[str]:
    return re.findall(r"^[ \t]*[*•-][ \t]+\S.*$", text, flags=re.MULTILINE)


def _has_word(text: str, word: object) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(str(word))}(?!\w)", text, flags=re.IGNORECASE))


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())


def _only_chinese(text: str) -> bool:
    letters = _letters(text)
    return bool(letters) and all("\u4e00" <= letter <= "\u9fff" for letter in letters)


_KINDS: dict[str, _Kind] = {
    "words at least": _Kind(
        "Use at least {n} words.", lambda text, n: len(_words(text)) >= n, ("n",)
    ),
    "words at most": _Kind(
        "Use at most {n} words.", lambda text, n: 0 < len(_words(text)) <= n, ("n",)
    ),
    "words exactly": _Kind(
        "Use exactly {n} words.", lambda text, n: len(_words(text)) == n, ("n",)
    ),
    "sentences": _Kind(
        "Write exactly {n} sentences.", lambda text, n: len(_sentences(text)) == n, ("n",)
    ),
    "paragraphs": _Kind(
        "Write exactly {n} paragraphs, with an empty line between them.",
        lambda text, n: len(_paragraphs(text)) == n,
        ("n",),
    ),
    "bullet points": _Kind(
        "Answer with exactly {n} bullet points, each on a line that starts with a hyphen or star.",
        lambda text, n: len(_bullets(text)) == n,
        ("n",),
    ),
    "include word": _Kind('Use the word "{word}".', _has_word, ("word",)),
    "avoid word": _Kind(
        'Do not use the word "{word}".',
        lambda text, word: bool(text) and not _has_word(text, word),
        ("word",),
    ),
    "word times": _Kind(
        'Use the word "{word}" exactly {n} times.',
        lambda text, word, n: sum(w.casefold() == word.casefold() for w in _words(text)) == n,
        ("word", "n"),
    ),
    "avoid letter": _Kind(
        'Do not use the letter "{letter}" anywhere.',
        lambda text, letter: bool(text) and letter.casefold() not in text.casefold(),
        ("letter",),
    ),
    "no commas": _Kind(
        "Do not use any commas.",
        lambda text: bool(text) and not set(text) & set(",，、،﹐﹑､"),
        (),
    ),
    "lower case": _Kind(
        "Use small letters only.",
        lambda text: bool(_letters(text)) and text == text.lower(),
        (),
    ),
    "capital letters": _Kind(
        "Use capital letters only.",
        lambda text: bool(_letters(text)) and text == text.upper(),
        (),
    ),
    "starts with": _Kind(
        'Start your answer with exactly: "{text}"',
        lambda reply, text: reply.startswith(text),
        ("text",),
    ),
    "ends with": _Kind(
        'End your answer with exactly: "{text}" and nothing after it.',
        lambda reply, text: reply.endswith(text),
        ("text",),
    ),
    "in quotes": _Kind(
        "Put your whole answer in double quotation marks.",
        lambda text: len(text) > 2 and text[0] in '"“' and text[-1] in '"”',
        (),
    ),
    "JSON with keys": _Kind(
        "Answer with one JSON object that has exactly these keys: {keys}.",
        lambda text, keys: _has_keys(read_json(text), keys),
        ("keys",),
    ),
    "Chinese only": _Kind("Answer in Chinese characters only.", _only_chinese, ()),
}


def _has_keys(value: object, keys: object) -> bool:
    wanted = [keys] if isinstance(keys, str) else list(keys)  # type: ignore[call-overload]
    return isinstance(value, dict) and sorted(value) == sorted(wanted)
