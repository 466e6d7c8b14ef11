"""The way to a model server: every request goes out here, and every fault comes back here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx

from course_utils import network
from course_utils.engines.checks import finite_number, shown_short
from course_utils.engines.server.address import checked_url, choose_key
from course_utils.engines.server.errors import FAULTS, NotAnApi, Refused, Reported, Server, explain
from course_utils.errors import OptionError, PromptError, ServerError
from course_utils.secret import Secret

LONGEST_TIMEOUT = 7 * 24 * 3600.0


class Connection:
    """The way to one server: its address, its key, and its name in error messages.

    ``url`` is the address as it may be shown.  Paths are relative to the OpenAI-compatible API;
    those that are said to be ``beside`` it belong to llama-server alone.
    Raises OptionError for an address, a key or a timeout that cannot be used.
    """

    def __init__(self, url: str, key: str | None, model: str | None, timeout: float):
        url = checked_url(url)
        seconds = finite_number(timeout)
        if seconds is None or not 0 < seconds <= LONGEST_TIMEOUT:
            raise OptionError(
                f"timeout={shown_short(timeout)} is not valid.",
                "Give seconds: more than 0, and a week at most.",
            )
        secret = Secret(choose_key(key, url))
        self._base = Secret(url)  # a key may stand in its path
        self.url = network.shown_address(url, secrets=[secret])
        self.closed = False
        self.server = Server(self.url, model, seconds, secret)
        # One connection per request, so that hanging up on one disturbs no other.
        self._client = network.open_client(timeout=seconds, keep_alive=False)

    def name_model(self, model: str) -> None:
        """From now on error messages name this model."""
        self.server = replace(self.server, model=model)

    def close(self) -> None:
        self.closed = True
        self._client.close()

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Whatever goes wrong inside leaves as one clear error."""
        if self.closed:
            raise self._gone()
        try:
            yield
        except (*FAULTS, RecursionError, RuntimeError) as error:
            if self.closed:  # by another cell or thread, while this one was waiting
                raise self._gone() from None
            if isinstance(error, RuntimeError) and not isinstance(error, RecursionError):
                raise
            # The original may quote the request, and with it the key; so it is not shown.
            raise explain(error, self.server) from None

    def _gone(self) -> ServerError:
        return ServerError(f"The connection to {self.url} is closed.", "Open the model again.")

    def get(self, path: str, *, beside: bool = False, **parameters: str) -> object:
        """What a page says, as JSON. Raises Refused, Reported, NotAnApi, and what httpx raises."""
        address = self._address(path, beside)
        return _content(
            self._client.get(address, params=parameters or None, headers=self._headers())
        )

    def post(self, path: str, body: dict, *, beside: bool = False) -> object:
        """Send JSON, and read the answer's. Raises PromptError beside what ``get`` raises."""
        headers = self._headers({"Content-Type": _JSON})
        address = self._address(path, beside)
        return _content(self._client.post(address, content=encoded(body), headers=headers))

    @contextmanager
    def stream(
        self, path: str, body: dict, trace: Callable[[str, dict], None]
    ) -> Iterator[httpx.Response]:
        """Send JSON, and give the answer while it comes; ``trace`` is told of each step (httpcore).

        Raises what ``post`` raises, before the answer is given.
        """
        accepted = {"Content-Type": _JSON, "Accept": "text/event-stream, application/json"}
        with self._client.stream(
            "POST",
            self._address(path),
            content=encoded(body),
            headers=self._headers(accepted),
            extensions={"trace": trace},
        ) as response:
            if response.status_code >= 300:
                response.read()
                raise Refused(response)
            yield response

    def _address(self, path: str, beside: bool = False) -> str:
        base = self._base.reveal()
        return (base.removesuffix("/v1") if beside else base) + path

    def _headers(self, others: dict[str, str] | None = None) -> dict[str, str]:
        """The headers of one request: the key goes with each, and nothing keeps it between them."""
        key = self.server.secret
        return (others or {}) | ({"Authorization": f"Bearer {key.reveal()}"} if key else {})


_JSON = "application/json"


def encoded(body: dict) -> bytes:
    """A request's body. Raises PromptError for text that UTF-8 cannot hold."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise PromptError(
            f"The text contains half of a surrogate pair ({half}), which no text can hold.",
            "It is left of an emoji that was cut in two, or of bytes that were read wrongly: take "
            "it out, or write the emoji again.",
        ) from None
    except (TypeError, ValueError) as error:
        raise PromptError(
            f"The messages cannot be sent as JSON: {network.harmless(error, most=100)}.",
            "Use texts, finite numbers, lists and dictionaries only.",
        ) from None


def _content(response: httpx.Response) -> object:
    if response.status_code >= 300:
        raise Refused(response)
    try:
        body = json.loads(response.content)  # whatever its label says
    except (ValueError, RecursionError):
        if network.is_web_page(response):
            raise Refused(response) from None
        raise NotAnApi(response.text[:200]) from None
    if isinstance(body, dict) and body.get("error"):
        raise Reported(network.message_in(body) or "an error without words")
    return body
