"""Faults between here and a model server, each turned into one clear error.

The network's faults are explained by ``course_utils.network``; here are those that the API itself
knows: refused keys, missing models, full contexts, and answers that are none.  No message contains
the API key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import httpx

from course_utils import network
from course_utils.errors import CourseError, NotSupportedError, PromptError, ServerError
from course_utils.secret import Secret


class Refused(Exception):
    """The server answered with an HTTP error, or a page for people. Its body has been read."""

    def __init__(self, response: httpx.Response):
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


class Reported(Exception):
    """An error that the server sent in the place of an answer, or in the middle of one."""


class BrokenOff(Exception):
    """The server's answer ended before it was complete."""


class NotAnApi(Exception):
    """Something answered, but not in the form of the API. ``args[0]`` is how its answer began."""


class Misshapen(Exception):
    """A field of the answer that holds what the API never puts there; the message names it."""


UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError)
"""What reading an answer raises that has not the form the API promises."""

NO_SUCH_PAGE = (404, 405, 501)
NO_SUCH_SETTING = (400, 422)
"""How servers say that they have no such page, or do not know a setting."""

FAULTS = (Refused, Reported, BrokenOff, NotAnApi, Misshapen, *network.NETWORK_ERRORS, *UNREADABLE)
"""What talking to a server may raise, and ``explain`` explains."""


@dataclass(frozen=True)
class Server:
    """What an error message may say of a server: its address, and the model and limit in use."""

    url: str
    model: str | None
    timeout: float
    secret: Secret = field(repr=False)

    def quote(self, text: object, most: int = 300) -> str:
        """The server's own words, on one line, without the key."""
        return network.harmless(text, secrets=[self.secret], most=most)


def said(refusal: Refused, server: Server) -> str:
    """The words of a refusal."""
    return network.words_of(refusal.response, secrets=[server.secret])


def refuses_tools(words: str) -> bool:
    """Do these words say that the model, or the server as it was started, knows no tools?

    As llama-server ("tools param requires --jinja flag"), vLLM ('"auto" tool choice requires
    --enable-auto-tool-choice ...') and Ollama ("... does not support tools") say it.
    """
    words = words.lower()
    return bool(re.search(r"\b(tools?|functions?)\b", words)) and any(
        hint in words for hint in ("support", "--jinja", "tool-choice", "tool-call-parser")
    )


def unsupported(server: Server, lack: str) -> NotSupportedError:
    """The error for what a server cannot do."""
    return NotSupportedError(
        f"The server at {server.url} {lack}.",
        "Open a model in this process instead: open_model() or open_model('path/to.gguf').",
    )


def explain(error: Exception, server: Server) -> CourseError:
    """The error a learner reads for a fault met while talking to this server."""
    if isinstance(error, CourseError):
        return error
    if isinstance(error, Refused):
        return _refusal(error.response, server)
    if isinstance(error, Reported):
        return _reported(server, server.quote(error))
    if isinstance(error, NotAnApi):
        return _not_an_api(server, str(error.args[0]))
    if isinstance(error, BrokenOff):
        return ServerError(
            f"{server.url} broke off in the middle of its answer.",
            "It may have stopped or run out of memory. Try again; if it fails again, ask whoever "
            "runs the server.",
        )
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return ServerError(
            f"{server.url} has sent nothing for {server.timeout:g} seconds.",
            "It may be busy or stuck: try again. For a slow server, open the model with a longer "
            f"timeout: open_model({server.url!r}, timeout={10 * server.timeout:g}).",
        )
    if isinstance(error, network.NETWORK_ERRORS):
        fault = network.explain(error, server.url, timeout=server.timeout)
        return ServerError(fault.problem, fault.remedy)
    if isinstance(error, Misshapen):
        return ServerError(
            f"The answer from {server.url} could not be read: {server.quote(error)}.",
            "The server, or a proxy before it, does not keep to OpenAI's API: try a newer version "
            "of it, or tell whoever runs it.",
        )
    lack = f"it lacks {server.quote(error)}" if isinstance(error, KeyError) else "its form is odd"
    return ServerError(
        f"The answer from {server.url} could not be read: {lack}.",
        f"Check the address. {_USUAL_ADDRESS}",
    )


def _refusal(response: httpx.Response, server: Server) -> CourseError:
    """The server answered with an HTTP error."""
    status = response.status_code
    words = network.words_of(response, secrets=[server.secret]) or response.reason_phrase
    if 300 <= status < 400:
        fault = network.redirect_fault(response, server.url, secrets=[server.secret])
        return ServerError(fault.problem, fault.remedy)
    if status == 401:
        return ServerError(f"{server.url} refuses the API key (401): {words}", _GIVE_A_KEY)
    if status == 407:
        return ServerError(
            f"A proxy on the way to {server.url} asks for a name and a password (407).",
            "Give them in the proxy variable, as http://name:password@host:port.",
        )
    if status == 511:
        return ServerError(
            f"The network wants you to log in before it lets you reach {server.url} (511).",
            "Open any page in a browser, log in there, and try again.",
        )
    if network.is_web_page(response) and (status < 300 or status in (403, 404, 405, 451)):
        fault = network.page_instead(response, server.url, secrets=[server.secret])
        return ServerError(fault.problem, f"{fault.remedy} {_USUAL_ADDRESS}")
    if status == 403 and any(hint in words.lower() for hint in ("key", "token", "credential")):
        return ServerError(f"{server.url} refuses the API key (403): {words}", _GIVE_A_KEY)
    if status in (403, 451):
        return ServerError(
            f"{server.url} does not allow this ({status}): {words}",
            "Its own words say why: the key may lack a right, or the provider refuses the "
            f"account, the country or the model. {_GIVE_A_KEY}",
        )
    if status == 402:
        return ServerError(
            f"{server.url} wants to be paid first (402): {words}",
            "Look at the account that the key belongs to.",
        )
    if _is_overflow(words):
        return _overflow(server, words)
    if status in (400, 404, 422) and _names_no_model(words):
        return ServerError(
            f"{server.url} has no model called {server.quote(server.model)!r}: {words}",
            "Leave out model=... to use the server's own, or choose one that it lists.",
        )
    if status in (404, 405, 501):
        return ServerError(
            f"{server.url} has no such page ({status}): {words}",
            f"Check the address. {_USUAL_ADDRESS}",
        )
    if status == 429:
        return ServerError(
            f"{server.url} accepts no more requests at the moment (429): {words}",
            "Wait a little and try again; you or your class may have reached a limit.",
        )
    if status == 413:
        return _overflow(server, words)
    if status in (502, 503, 504, 529):
        return ServerError(
            f"{server.url} is not ready ({status}): {words}",
            "It may still be loading its model or be overloaded: wait a little and try again.",
        )
    if status >= 500:
        return ServerError(
            f"{server.url} failed while answering ({status}): {words}",
            "Try again. If it keeps happening, tell whoever runs the server what it says.",
        )
    if status < 300:
        return _not_an_api(server, words)
    return ServerError(
        f"{server.url} does not accept this request ({status}): {words}",
        "Change what its message names; servers differ in the settings they know.",
    )


_USUAL_ADDRESS = "That of an OpenAI-compatible API usually ends in /v1."

_GIVE_A_KEY = (
    "Ask whoever runs the server for a key, and set it before starting Jupyter "
    "(export COURSE_API_KEY=...), or give it as open_model(..., api_key=...)."
)


def _reported(server: Server, words: str) -> CourseError:
    if _is_overflow(words):
        return _overflow(server, words)
    return ServerError(
        f"{server.url} stopped with an error: {words}",
        "Try again. If it keeps happening, tell whoever runs the server what it says.",
    )


def _names_no_model(words: str) -> bool:
    words = words.lower()
    return "model" in words and any(
        hint in words for hint in ("not found", "not exist", "unknown", "no model", "not available")
    )


def _is_overflow(words: str) -> bool:
    words = words.lower()
    return "context" in words and any(
        hint in words for hint in ("exceed", "maximum", "too long", "length", "too large")
    )


def _overflow(server: Server, words: str) -> PromptError:
    return PromptError(
        f"The conversation is too long for the server's context: {words}",
        "Shorten the prompt or start a new conversation, or ask for a server with more context.",
    )


def _not_an_api(server: Server, began: str) -> ServerError:
    words = server.quote(began, most=120)
    return ServerError(
        f"{server.url} answers, but not as an OpenAI-compatible API does: {words or 'nothing'}",
        f"Check the address. {_USUAL_ADDRESS}",
    )
