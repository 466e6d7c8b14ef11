"""What went wrong between here and the model server? Turns each fault into one clear error.

Faults reach us from four libraries (openai, httpx, ssl, socket).  ``explain`` alone knows their
types; what leaves it names the fault and its remedy, and never contains the API key.
"""

from __future__ import annotations

import importlib
import re
import socket
import ssl
from dataclasses import dataclass

import openai

from course_utils.errors import CourseError, PromptError, ServerError

# The HTTP library that openai stands on: httpx, and its successor httpx2 from openai 3 on.
http = importlib.import_module(openai.DefaultHttpxClient.__base__.__module__.partition(".")[0])


class BrokenOff(Exception):
    """The server's answer ended before it was complete."""


class NotAnApi(Exception):
    """Something answered, but not in the form of the API. ``args[0]`` is how its answer began."""


@dataclass(frozen=True)
class Server:
    """What an error message may say of a server: its address, and the model and limit in use."""

    url: str
    model: str | None
    timeout: float
    secret: str

    def quote(self, text: object, most: int = 300) -> str:
        """The server's own words, on one line, without the key."""
        words = " ".join(str(text).split())
        if self.secret:
            words = words.replace(self.secret, "…")
        return words if len(words) <= most else words[: most - 1] + "…"


def explain(error: Exception, server: Server) -> CourseError:
    """The error a learner reads for a fault met while talking to this server."""
    if isinstance(error, CourseError):
        return error
    if isinstance(error, openai.APIStatusError):
        return _refusal(error, server)
    if isinstance(error, (openai.APITimeoutError, http.TimeoutException)):
        if _caused_by(error, http.ConnectTimeout):
            return _unreachable(server, "nothing answers at this address")
        return ServerError(
            f"{server.url} has sent nothing for {server.timeout:g} seconds.",
            "It may be busy or stuck: try again. For a slow server, open the model with a longer "
            f"timeout: open_model({server.url!r}, timeout={10 * server.timeout:g}).",
        )
    if isinstance(error, (BrokenOff, http.RemoteProtocolError, http.ReadError)):
        return _broken_off(server)
    if isinstance(error, openai.APIConnectionError):
        if _caused_by(error, (http.RemoteProtocolError, http.ReadError)):
            return _broken_off(server)
        return _unreachable(server, _connection_fault(error))
    if isinstance(error, NotAnApi):
        return _not_an_api(server, error.args[0])
    if isinstance(error, openai.APIResponseValidationError):
        return _not_an_api(server, error.response.text)
    if isinstance(error, openai.APIError):  # an error sent in the middle of a stream
        if _is_overflow(str(error)):
            return _overflow(server, str(error))
        return ServerError(
            f"{server.url} stopped with an error: {server.quote(error)}",
            "Try again. If it keeps happening, tell whoever runs the server what it says.",
        )
    return ServerError(
        f"The answer from {server.url} could not be read: {server.quote(error)}",
        "Check that the address is that of an OpenAI-compatible API; it usually ends in /v1.",
    )


def _refusal(error: openai.APIStatusError, server: Server) -> CourseError:
    """The server answered with an HTTP error."""
    status, words = error.status_code, server.quote(_message(error))
    if status in (401, 403):
        return ServerError(
            f"{server.url} refuses the API key ({status}).",
            "Ask whoever runs the server for a key, and set it before starting Jupyter "
            "(export COURSE_API_KEY=...), or give it as open_model(..., api_key=...).",
        )
    if status == 404:
        if "model" in words.lower():
            return ServerError(
                f"{server.url} has no model called {server.model!r}: {words}",
                "Leave out model=... to use the server's own, or choose one that it lists.",
            )
        return ServerError(
            f"{server.url} has no such page (404): {words}",
            "Check the address; that of an OpenAI-compatible API usually ends in /v1.",
        )
    if status == 429:
        return ServerError(
            f"{server.url} accepts no more requests at the moment (429): {words}",
            "Wait a little and try again; you or your class may have reached a limit.",
        )
    if _is_overflow(words):
        return _overflow(server, words)
    if status in (502, 503, 504, 529):
        return ServerError(
            f"{server.url} is not ready ({status}): {words}",
            "It may still be loading its model or be overloaded: wait a little and try again.",
        )
    if 300 <= status < 400:
        return ServerError(
            f"{server.url} sends you elsewhere ({status}), perhaps to a login page.",
            "Open the address in a browser, or ask for the address of the API itself.",
        )
    if status >= 500:
        return ServerError(
            f"{server.url} failed while answering ({status}): {words}",
            "Try again. If it keeps happening, tell whoever runs the server what it says.",
        )
    return ServerError(
        f"{server.url} does not accept this request ({status}): {words}",
        "Change what its message names; servers differ in the settings they know.",
    )


def _message(error: openai.APIStatusError) -> str:
    """What the server said, be it in JSON or in a web page."""
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message") or body.get("error") or body.get("detail") or body)
    if isinstance(body, str) and body:
        return re.sub(r"<[^>]*>", " ", body)
    return error.message


def _is_overflow(words: str) -> bool:
    words = words.lower()
    return "context" in words and any(
        hint in words for hint in ("exceed", "maximum", "too long", "length")
    )


def _overflow(server: Server, words: str) -> PromptError:
    return PromptError(
        f"The conversation is too long for the server's context: {server.quote(words)}",
        "Shorten the prompt or start a new conversation, or ask for a server with more context.",
    )


def _broken_off(server: Server) -> ServerError:
    return ServerError(
        f"{server.url} broke off in the middle of its answer.",
        "Try again; the server may have been stopped, or have run out of memory.",
    )


def _unreachable(server: Server, why: str) -> ServerError:
    return ServerError(
        f"{server.url} cannot be reached: {why}.",
        "Check the address, that the server is running, and your network. Without it, "
        "open_model() opens the model that comes with the course.",
    )


def _not_an_api(server: Server, start: str) -> ServerError:
    page = "a web page" if start.lstrip().startswith("<") else repr(server.quote(start, 80))
    return ServerError(
        f"{server.url} answers with {page}, not as an OpenAI-compatible API does.",
        "Check the address; it usually ends in /v1. A page can also mean that you must log in to "
        "the network first.",
    )


def _connection_fault(error: BaseException) -> str:
    """Why no connection came about, in plain words."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return "it does not speak https; perhaps the address should start with http://"
        if isinstance(cause, socket.gaierror):
            return "there is no machine of this name"
        if isinstance(cause, ConnectionRefusedError):
            return "nothing is listening at this address"
    return str(causes[-1]) or type(causes[-1]).__name__


def _caused_by(error: BaseException, kinds) -> bool:
    return any(isinstance(cause, kinds) for cause in _causes(error))


def _causes(error: BaseException):
    """The error, what caused it, what caused that, and so on."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
