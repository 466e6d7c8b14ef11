"""Other people's words, made fit for a message: short, on one line, harmless, without secrets."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable

import httpx

from course_utils.secret import HIDDEN, Secret, without_secrets

# A user and a password inside an address.
_LOGIN = re.compile(r"(?<=://)[^\s/@]*@")
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_NOT_TEXT = re.compile(r"(?is)<(script|style|svg)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^<>]*>")


def harmless(text: object, *, secrets: Iterable[Secret | str] = (), most: int = 300) -> str:
    """Words from outside on one line of at most ``most`` characters.

    Terminal escapes, control characters, and characters that are invisible or turn the direction
    of writing are left out; ``secrets`` and whatever looks like a key show as "…".
    """
    words = without_secrets(str(text), secrets)
    words = _ESCAPES.sub("", words[: 50 * most])
    words = "".join(
        " " if letter.isspace() else letter
        for letter in words
        if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    # Once more: taking out what is invisible may have put a key together.
    words = _LOGIN.sub(f"{HIDDEN}@", without_secrets(" ".join(words.split()), secrets))
    return words if len(words) <= most else words[: most - 1] + "…"


def words_of(
    response: httpx.Response, *, secrets: Iterable[Secret | str] = (), most: int = 300
) -> str:
    """What an answer says, be it JSON in any of the usual forms or a web page; "" for nothing.

    The answer's body must have been read.
    """
    try:
        said = message_in(json.loads(response.content))
    except (ValueError, RecursionError):
        said = None
    if said is None:
        said = response.text[:20_000]
        if is_markup(said):
            said = html.unescape(_NOT_TEXT.sub(" ", said))
    return harmless(said, secrets=secrets, most=most)


def message_in(body: object) -> str | None:
    """The words inside an error as the APIs write them; None where it is no such object.

    OpenAI: {"error": {"message": ...}}; Ollama: {"error": ...}; FastAPI: {"detail": ... or a list
    of {"msg": ...}}; others: {"message": ...}.
    """
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, map(message_in, body[:5]))) or None
    if not isinstance(body, dict):
        return None
    for name in ("error", "message", "detail", "msg", "errors", "title", "error_description"):
        if body.get(name) and (said := message_in(body[name])):
            # FastAPI says beside each message which field it is about.
            place = body.get("loc")
            return f"{'.'.join(map(str, place))}: {said}" if isinstance(place, list) else said
    return json.dumps(body, ensure_ascii=False) if body else None


def is_markup(text: str) -> bool:
    """Does this text begin like a web page?"""
    return (
        re.match(r"\s*(?:<!doctype|<html|<\?xml|<head|<!--|<body)", text, re.IGNORECASE) is not None
    )
