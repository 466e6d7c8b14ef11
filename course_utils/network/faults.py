"""What went wrong on the way to another computer, and what to do about it.

``explain`` alone knows what httpx, ssl and the socket may raise.  It names the part that is to
blame: the address, a variable of the environment, the proxy, the network, or the machine itself.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from course_utils.errors import CourseError
from course_utils.network.addresses import masked
from course_utils.network.clients import (
    Proxy,
    SettingFault,
    certificate_setting,
    has_begun,
    proxy_of,
)
from course_utils.network.words import harmless, is_markup, words_of

NETWORK_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, SettingFault, OSError)
"""What building a client, sending a request and reading its answer may raise."""


@dataclass(frozen=True)
class Fault:
    """One fault in plain words.

    ``why`` is the reason alone, in lower case and without a full stop, for a sentence of another's;
    ``problem`` and ``remedy`` are those of a CourseError.  ``transient``: whether the same request
    may well succeed later.
    """

    why: str
    problem: str
    remedy: str
    transient: bool = False


@contextmanager
def explaining(name: str, kind: type[CourseError], *, timeout: float = 0.0) -> Iterator[None]:
    """Turn whatever goes wrong on the network inside into one error of the course.

    name: what messages call the other side; see ``explain``.
    """
    try:
        yield
    except NETWORK_ERRORS as error:
        fault = explain(error, name, timeout=timeout)
        # The original may quote the request, and with it a key; so it is not shown.
        raise kind(fault.problem, fault.remedy) from None


def explain(error: BaseException, name: str, *, timeout: float = 0.0) -> Fault:
    """Why a request failed.

    error: one of NETWORK_ERRORS.
    name: what the message calls the other side, at the start of a sentence: its address, or "The
        hub huggingface.co".  It must hold no secret.
    timeout: the seconds of silence that were allowed, for the message.
    """
    causes = list(_causes(error))
    proxy = proxy_of(_request_of(error))
    for cause in causes:
        if isinstance(cause, SettingFault):
            return _unreachable(name, cause.problem, cause.remedy)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(name, cause, proxy)
        if isinstance(cause, ssl.SSLError):
            return _not_tls(name, cause, proxy)
    if isinstance(error, httpx.ProxyError):
        return _proxy_refuses(name, error, proxy)
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return _no_connection(name, error, causes, proxy)
    if isinstance(error, httpx.TimeoutException):
        silence = f"has sent nothing for {timeout:g} seconds" if timeout else "has fallen silent"
        return Fault(
            "the server has fallen silent",
            f"{name} {silence}.",
            "It may be busy or stuck: try again, and with a longer timeout where it is slow.",
            transient=True,
        )
    if isinstance(error, httpx.TooManyRedirects):
        return _unreachable(
            name,
            "it sends the request round in circles",
            "Check the address; a page to log in to the network can do this as well.",
        )
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return _unreachable(
            name,
            "the address, or one that it sends the request on to, is not one of the web",
            "Check the address.",
        )
    if isinstance(error, httpx.RemoteProtocolError) and (found := _no_http(name, str(error))):
        return found
    if isinstance(error, httpx.LocalProtocolError):
        return _unreachable(
            name, "a part of the request cannot be sent", "Check the key and the address."
        )
    if isinstance(error, httpx.DecodingError):
        return Fault(
            "the answer is packed in a way that cannot be unpacked",
            f"{name} sends an answer that cannot be unpacked.",
            "Try again; if it keeps happening, tell whoever runs the server or the proxy.",
        )
    if isinstance(error, (httpx.RemoteProtocolError, httpx.NetworkError, httpx.StreamError)):
        if not has_begun(_request_of(error)):
            return _no_answer(name, proxy)
        through = f", through {proxy}" if proxy else ""
        return Fault(
            "the connection was cut",
            f"{name} broke off in the middle of its answer{through}.",
            "It may have stopped or run out of memory. Try again; if it fails again, ask whoever "
            "runs the server.",
            transient=True,
        )
    return _unreachable(name, _in_words(causes[-1]), _CHECK, transient=True)


# ---- answers that are not the service's own ---------------------------------------------------


def is_web_page(response: httpx.Response) -> bool:
    """Is this answer, whose body has been read, a page for people rather than for programs?"""
    kind = response.headers.get("content-type", "")
    return "html" in kind.lower() or is_markup(response.content[:200].decode(errors="replace"))


def page_instead(response: httpx.Response, name: str, *, secrets: Iterable[str] = ()) -> Fault:
    """A web page has come instead of an answer: from a proxy, a login page, or a wrong address."""
    words = words_of(response, secrets=secrets, most=200)
    status, proxy = response.status_code, proxy_of(response.request)
    said = f": {words}" if words else "."
    if proxy:
        whose = f"The page may come from {proxy}; ask whoever runs it."
    else:
        whose = "Or the network itself put the page there: log in to it with a browser first."
    return Fault(
        "a web page came instead of an answer",
        f"{name} sends a web page ({status}) rather than an answer{said}",
        f"Check the address; that of an OpenAI-compatible API usually ends in /v1. {whose}",
        transient=status in (429, 502, 503, 504),
    )


def redirect_fault(response: httpx.Response, name: str) -> Fault:
    """The service sends the request elsewhere, which is not followed: a key travels with it."""
    asked = str(response.request.url)
    target = urljoin(asked, response.headers.get("location", ""))
    shown = masked(target)
    here, there = urlsplit(asked), urlsplit(target)
    if target == asked:
        where, remedy = "elsewhere without saying where", "Check the address."
    elif here.hostname == there.hostname and here.scheme == "http" and there.scheme == "https":
        where, remedy = f"on to {shown}", "Begin the address with https://."
    else:
        where = f"on to {shown}, perhaps to a login page"
        remedy = "Open the address in a browser, or ask for the address of the API itself."
    return Fault(
        "the request is sent elsewhere",
        f"{name} sends you elsewhere ({response.status_code}): {where}.",
        remedy,
    )


# ---- the kinds of fault -----------------------------------------------------------------------

_CHECK = "Check the address, that the server is running, and your network connection."


def _unreachable(name: str, why: str, remedy: str, *, transient: bool = False) -> Fault:
    return Fault(why, f"{name} cannot be reached: {why}.", remedy, transient)


def _no_connection(name: str, error: Exception, causes: list, proxy: Proxy | None) -> Fault:
    """Nobody was there to talk to: neither the server nor, where there is one, the proxy."""
    if proxy is None:
        why = "nothing answers at this address"
        if not isinstance(error, httpx.ConnectTimeout):
            why = next(filter(None, map(_socket_fault, causes)), None) or _in_words(causes[-1])
        return _unreachable(name, why, _CHECK, transient=True)
    why = "does not answer"
    if not isinstance(error, httpx.ConnectTimeout):
        found = next(filter(None, map(_socket_fault, causes)), None)
        why = f"cannot be reached ({found or _in_words(causes[-1])})"
    return _unreachable(
        name,
        f"{proxy} {why}",
        f"Correct or unset {proxy.variable}, or add the server to NO_PROXY.",
        transient=True,
    )


def _socket_fault(cause: BaseException) -> str | None:
    """What the system said about a connection, in plain words."""
    if isinstance(cause, socket.gaierror):
        if cause.errno == socket.EAI_AGAIN:
            return "its name cannot be looked up at the moment; there may be no network"
        return "there is no machine of this name"
    if isinstance(cause, UnicodeError):
        return "no machine can have this name"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing is listening at this address"
    if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "there is no way to it from this network"
    if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
        return "this process has too many files and connections open"
    return None


def _proxy_refuses(name: str, error: httpx.ProxyError, proxy: Proxy | None) -> Fault:
    words = harmless(error, most=120)
    if "407" in words:
        why, remedy = (
            "asks for a name and a password",
            "Give them as http://name:password@host:port",
        )
        remedy += f" in {proxy.variable if proxy else 'the proxy variable'}."
    else:
        why, remedy = f"refuses the connection ({words})", "Ask whoever runs the proxy"
        remedy += ", or add the server to NO_PROXY if it needs none."
    return _unreachable(name, f"{proxy or 'the proxy'} {why}", remedy, transient="50" in words[:2])


def _untrusted(name: str, error: ssl.SSLCertVerificationError, proxy: Proxy | None) -> Fault:
    setting = certificate_setting()
    if "expired" in error.verify_message or "not yet valid" in error.verify_message:
        remedy = "Check this machine's date; if it is right, the server needs a new certificate."
    elif "mismatch" in error.verify_message or "doesn't match" in error.verify_message:
        remedy = "Use the name that the certificate was made for as the address."
    elif setting:
        remedy = f"{setting} replaces the usual certificates: add this server's, or unset it."
    else:
        remedy = "If it is your own or your network's certificate, name its file in SSL_CERT_FILE."
    if proxy:
        remedy += f" The certificate may also be that of {proxy}."
    return _unreachable(
        name, f"its certificate is not valid ({harmless(error.verify_message)})", remedy
    )


def _not_tls(name: str, error: ssl.SSLError, proxy: Proxy | None) -> Fault:
    reason = (error.reason or "").replace("_", " ").lower()
    if isinstance(error, ssl.SSLEOFError) or not reason or "eof" in reason:
        return _unreachable(
            name, "it hung up while the encryption was agreed on", _CHECK, transient=True
        )
    if any(sign in reason for sign in ("wrong version", "http request", "record layer", "unknown")):
        whose = f"it, or {proxy}," if proxy else "it"
        return _unreachable(
            name,
            f"{whose} does not speak https; perhaps the address should start with http://",
            "Check whether the address begins with http:// or https://.",
        )
    return _unreachable(
        name, f"no encryption could be agreed on ({reason})", "Ask whoever runs the server."
    )


def _no_http(name: str, words: str) -> Fault | None:
    """Something was there, and what it sent is not HTTP; None where that is not the fault."""
    if "location header" in words:
        return _unreachable(
            name, "it sends the request on to an address that is none", "Check the address."
        )
    if "illegal" in words:
        return _unreachable(
            name,
            "what answers there does not speak http; perhaps it speaks https",
            "Begin the address with https:// instead of http://, or check its port.",
        )
    return None


def _no_answer(name: str, proxy: Proxy | None) -> Fault:
    whose = f" {proxy} stands between: try without it." if proxy else ""
    return Fault(
        "the server hung up without an answer",
        f"{name} hung up without an answer.",
        "It may have stopped, or serve something else at this port; where it speaks https, begin "
        f"the address with https://.{whose}",
        transient=True,
    )


def _in_words(error: BaseException) -> str:
    words = harmless(getattr(error, "strerror", None) or error, most=200)
    return words.rstrip(".") or type(error).__name__


def _request_of(error: BaseException) -> httpx.Request | None:
    try:
        return getattr(error, "request", None)
    except RuntimeError:  # httpx: an error that has met no request yet
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, what caused that, and so on."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
