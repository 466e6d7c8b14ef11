"""A server's address and key, both checked; the key is neither shown nor overheard."""

from __future__ import annotations

import os

from course_utils.errors import OptionError
from course_utils.network import checked_address, is_loopback

LOCAL_ADDRESS = "http://localhost:8080/v1"


def checked_url(url: str) -> str:
    """The API's address in one form: without a final slash, and with /v1 where no path is given.

    Raises OptionError, which names what is wrong and shows no secret.
    """
    url = checked_address(url, example=LOCAL_ADDRESS)
    for page in ("/chat/completions", "/completions", "/models"):
        url = url.removesuffix(page).rstrip("/")
    return url if "/" in url.partition("://")[2] else f"{url}/v1"


def choose_key(given: str | None, url: str) -> str:
    """The key to send, "" for none. Whoever keeps it makes a ``Secret`` of it.

    Raises OptionError, which names its source and does not show it, for a key that no header can
    hold.
    """
    key, source = given, "api_key=..."
    if key is None:
        key, source = os.environ.get("COURSE_API_KEY"), "the environment variable COURSE_API_KEY"
    # A key for OpenAI may be lying around for other purposes: never show it to the network.
    if key is None and (url.startswith("https://") or is_loopback(url)):
        key, source = os.environ.get("OPENAI_API_KEY"), "the environment variable OPENAI_API_KEY"
    key = key or ""
    if not isinstance(key, str) or not _can_be_sent(key := key.strip()):
        raise OptionError(
            f"The API key in {source} contains characters that no key has.",
            "Copy it again, without spaces or line breaks.",
        )
    return key


def _can_be_sent(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key
