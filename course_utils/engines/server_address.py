"""Which address and which key? Checks the first, and keeps the second from leaking."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from course_utils.errors import OptionError


def checked_url(url: str) -> str:
    """The API's address in one form: without a final slash, and with /v1 where no path is given."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise OptionError(
            f"{url!r} is not the address of an API.",
            "Give one such as http://localhost:8080/v1.",
        )
    if parts.username or parts.password:
        raise OptionError(
            "The address contains a name or password, which would show in messages.",
            "Leave it out and give the key as api_key=... or in COURSE_API_KEY.",
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_loopback(url: str) -> bool:
    """Is this server on this machine, so that nobody else can listen in?"""
    host = urlsplit(url).hostname
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def choose_key(given: str | None, url: str) -> str:
    """The key to send, "" for none."""
    key = given if given is not None else os.environ.get("COURSE_API_KEY")
    # A key for OpenAI may be lying around for other purposes: never show it to the network.
    if key is None and (url.startswith("https://") or is_loopback(url)):
        key = os.environ.get("OPENAI_API_KEY")
    key = (key or "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise OptionError(
            "The API key contains characters that no key has.",
            "Copy it again, without spaces or line breaks.",
        )
    return key
