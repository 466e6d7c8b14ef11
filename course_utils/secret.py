"""How does a key stay out of sight? A type that shows nothing, and words with their keys hidden."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import quote

from course_utils.errors import NotSupportedError

HIDDEN = "…"

SHORTEST, SHORTEST_AROUND = 3, 8
"""Shorter keys are placeholders ("x", "ollama"), and hiding them would hide parts of words.

The second is for keys that are merely in the environment, and may be of no use here.
"""

# Keys as the large providers and hubs write them.
_PROVIDERS = re.compile(
    r"(?<=bearer\s)\S{6,}"
    r"|\b(?:sk|hf|gsk|xai|pk|rk|ghp|nvapi|pplx|glpat)[-_][A-Za-z0-9_\-*.…]{6,}"
    r"|\bAIza[A-Za-z0-9_-]{20,}",
    re.IGNORECASE,
)
# Random letters and digits. No word has as many letters, and no model's name as many digits.
_RANDOM = re.compile(
    r"\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b"
    r"|(?<![A-Za-z0-9])(?=(?:[A-Za-z]*\d){4})[A-Za-z0-9]{16,}"
    r"|[A-Za-z0-9]{24,}",
    re.IGNORECASE,
)
_HOLDS_A_KEY = re.compile(r"(?:API_KEY|TOKEN)\Z")


class Secret:
    """A key or a password, which shows in nothing that prints, lists or copies what holds it.

    ``reveal()`` gives it, to whoever has to send it.  False where there is none.
    Raises NotSupportedError where it would be pickled, which writes it out.
    """

    __slots__ = ("reveal",)

    def __init__(self, text: str):
        # A function shows nothing of what it gives, whatever walks through an object's fields.
        self.reveal = lambda: text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN if self else ''})"

    def __format__(self, _form: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reveal() == other.reveal()

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: dict) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: int):
        raise NotSupportedError(
            "What holds a key cannot be pickled: the key would be written out.",
            "Keep the address, and take the key from COURSE_API_KEY when it is needed again.",
        )


def without_secrets(text: str, secrets: Iterable[Secret | str] = ()) -> str:
    """A text with "…" in the place of these secrets, and of whatever is known to be a key.

    Known are the keys in the environment (COURSE_API_KEY, HF_TOKEN and the like), and those that
    begin as the large providers' keys do.
    """
    known = [value.reveal() if isinstance(value, Secret) else value for value in secrets]
    known = [value for value in known if len(value) >= SHORTEST]
    around = [value.strip() for name, value in os.environ.items() if _HOLDS_A_KEY.search(name)]
    known += [value for value in around if len(value) >= SHORTEST_AROUND]
    for value in sorted(known, key=len, reverse=True):
        text = text.replace(value, HIDDEN).replace(quote(value, safe=""), HIDDEN)
    return _PROVIDERS.sub(HIDDEN, text)


def without_keys(text: str, secrets: Iterable[Secret | str] = ()) -> str:
    """The same for a text that somebody may have confused with a key: all that is random is hidden.

    For values in messages, which were given in a place that is not a key's.
    """
    return _RANDOM.sub(HIDDEN, without_secrets(text, secrets))


def may_be_key(text: str, secrets: Iterable[Secret | str] = ()) -> bool:
    """Does this text hold what may be a key?"""
    return without_keys(text, secrets) != text
