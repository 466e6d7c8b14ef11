"""Web addresses as people type them: checked, and shown without the secrets they may hold."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

import httpx

from course_utils.errors import OptionError
from course_utils.network.words import harmless
from course_utils.secret import SHORTEST_AROUND, Secret, without_keys, without_secrets

EXAMPLE = "http://localhost:8080/v1"


def checked_address(text: str, *, example: str = EXAMPLE, login: bool = False) -> str:
    """An http or https address, trimmed and without a final slash, ready to be asked.

    example: an address of the wanted kind, for the error message.
    login: whether ``user:password@`` may stand in it; where it may not, it would show in messages.

    Raises OptionError, which names what is wrong with the address and never shows a secret in it.
    """
    if not isinstance(text, str):
        raise OptionError(f"An address is a text, not {type(text).__name__}.", f"Give {example!r}.")
    text = text.strip()
    fault = _characters_fault(text) or _form_fault(text)
    parts = urlsplit(text) if fault is None else None
    if not login and "@" in (parts.netloc if parts else text):
        raise OptionError(
            "The address contains a name or password, which would show in messages.",
            "Leave it out and give the key as api_key=... or in COURSE_API_KEY.",
        )
    if parts and (parts.query or parts.fragment):
        fault = "it goes on after a '?' or '#'", f"End it before that, as in {example}."
    if fault is not None:
        what, remedy = fault
        raise OptionError(f"{masked(text)!r} is not an address that can be asked: {what}.", remedy)
    return f"{parts.scheme}://{parts.netloc.rstrip(':')}{parts.path.rstrip('/')}"


def is_loopback(address: str) -> bool:
    """Is the server at this address on this machine, so that nobody else can listen in?

    That includes 0.0.0.0, which servers print as the address they listen at.
    """
    host = (urlsplit(address).hostname or "").rstrip(".")
    try:
        # inet_aton knows the short forms as well that people type: 127.1, 0.
        number = ipaddress.ip_address(host if ":" in host else socket.inet_aton(host))
    except (ValueError, OSError):
        return host == "localhost" or host.endswith(".localhost")
    number = getattr(number, "ipv4_mapped", None) or number
    return number.is_loopback or number.is_unspecified


def free_port() -> int:
    """A port of this machine that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def masked(address: str) -> str:
    """An address, sound or not, that may be shown: without user, password, query and fragment.

    Whatever may be a key is hidden, wherever it stands.
    """
    # Other signs that look like an @, which may be why the address is not sound, count as one.
    shown = re.sub(r"(?s)^((?:[a-zA-Z]*:)?//)?.*[@\uff20\ufe6b]", r"\1…@", str(address))
    shown = re.sub(r"(?s)[?#].*", "?…", shown)
    return harmless(without_keys(shown), most=200)


def shown_address(address: str, *, secrets: Iterable[Secret] = ()) -> str:
    """An address that ``checked_address`` has passed, as messages show it.

    Its path may hold a key, or an account's number, and those are hidden.  The name of its machine
    is what a learner has to check, so it shows, however random it looks.  A short key is no more
    than a placeholder, and may be a part of the name ("local").
    """
    secrets = [secret for secret in secrets if len(secret.reveal()) >= SHORTEST_AROUND]
    scheme, _, rest = address.partition("://")
    machine, slash, path = rest.partition("/")
    machine = without_secrets(machine.rpartition("@")[2], secrets)
    return f"{scheme}://{machine}{slash}{without_keys(path, secrets)}"


_Found = tuple[str, str]  # what is wrong, and what to do


def _characters_fault(text: str) -> _Found | None:
    """What cannot stand in an address, above all what nobody sees."""
    if not text:
        return "it is empty", f"Give an address such as {EXAMPLE}."
    for character in text:
        if character.isspace():
            return "there is a space or line break in it", "Write it without."
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
            code = f"U+{ord(character):04X}"
            return f"it holds an invisible character ({code})", "Type it by hand instead."
        if character in "\\<>\"{}|^`'":
            return f"it holds {character!r}", f"Write it as in {EXAMPLE}."
    return None


def _form_fault(text: str) -> _Found | None:
    """What is wrong with the parts of an address whose characters are sound."""
    scheme, colon, rest = text.partition("://")
    if not colon:
        if re.match(r"https?[:;/]", text, re.IGNORECASE):
            return "its beginning is mistyped", f"Write it as in {EXAMPLE}: a colon, two slashes."
        return "it does not begin with http://", f"Write http://{masked(text)} instead."
    if scheme.lower() not in ("http", "https"):
        return f"{masked(scheme)}:// is not the web's", "Begin it with http:// or https://."
    place = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    if "[" in place or "]" in place:
        if not re.fullmatch(r"\[[^\[\]]*\](:.*)?", place):
            return "its square brackets do not match", "Write IPv6 as in http://[::1]:8080/v1."
    elif place.count(":") > 1 and not re.fullmatch(r"[\da-fA-F:.%]+", place):
        return "it has more than one colon after the host", f"Write it as in {EXAMPLE}."
    elif place.count(":") > 1:
        bare = place if _is_ipv6(place) and not re.search(r":\d{4,5}$", place) else ""
        host, _, port = place.rpartition(":")
        better = text.replace(place, f"[{bare}]" if bare else f"[{host}]:{port}", 1)
        return "an IPv6 address stands in square brackets", f"Write {masked(better)} instead."
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        if "[" not in place:  # a wide slash or @, say, which a machine would read as the usual one
            return "it holds a sign that looks like another", "Type it by hand instead."
        return "its host is not an IPv6 address", "Write IPv6 as in http://[::1]:8080/v1."
    return _port_fault(parts, place) or _host_fault(host, text)


def _port_fault(parts: SplitResult, place: str) -> _Found | None:
    try:
        valid = parts.port != 0
    except ValueError:
        valid = False
    if valid:
        return None
    port = place.rpartition(":")[2]
    # A port has five digits at most: whatever is much longer was meant for another place.
    what = repr(port) if len(port) <= 8 else "what stands after the colon"
    return f"{what} is not the number of a port", "Ports are numbers from 1 to 65535."


def _host_fault(host: str, text: str) -> _Found | None:
    if not host:
        return "it names no machine", f"Write it as in {EXAMPLE}."
    try:
        spelled = httpx.URL(text).host  # which also reads the xn-- of international names
        spelled.rstrip(".").encode("idna")  # as the socket does: no part empty or above 63 letters
    except (httpx.InvalidURL, UnicodeError):
        shown = harmless(without_keys(host), most=80)
        return f"no machine can be called {shown!r}", "Check its spelling."
    return None


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False
