"""One reply, from the line to its last word: waits, asks the model, and passes on what comes.

Whoever hangs up frees their place or slot at once; whoever reads too slowly is ended; whatever
goes wrong on the way reaches the learner as one sentence, in the form their client understands.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import httpx
from starlette.types import Receive, Scope, Send

from course_utils.classroom.asked import Asked, Refusal
from course_utils.classroom.capacity import readable_wait
from course_utils.classroom.line import Line, LineFull, Ticket, ordinal

FIRST_NOTICE_SECONDS = 2.0
"""Who waits no longer than this hears nothing of a line, and gets errors as an HTTP status."""

NOTICE_SECONDS = 5.0
"""How often those who wait are told their place: it also keeps the connection from timing out."""

PATIENCE_SECONDS = 240.0
"""How long a request that is not streamed waits: nothing can be told to it meanwhile, and its
client gives up after some minutes."""

SILENCE_SECONDS = 900.0
"""How long the model may say nothing: it may be reading a long prompt."""

SEND_SECONDS = 30.0
"""How long a client may take to accept what it is sent before it is ended."""

EVENT, LAST_EVENT = b"\ndata: {", b"data: [DONE]"
"""A word of a streamed reply, and its end. A text in JSON holds no line breaks as such."""

PAUSED, LOADING = "paused", "loading"
"""Why a line is held: by the teacher, or until the model is there."""


CacheBy = Literal["slots", "salt", "nobody"]


@dataclass
class Upstream:
    """The model servers that are asked: their clients, the model's name, and whose the caches are.

    The line's slots are dealt out to the servers by turns; all of them serve the same model.
    A prefix that is found in a cache answers sooner, so whoever shares one can find out what
    others asked, guess by guess (CVE-2025-46570).  Our own llama-server keeps a cache for each
    slot, which is used again for the same learner only ("slots").  vLLM has one for all, in which
    it keeps apart what is salted differently ("salt").  Elsewhere nothing is used again ("nobody").
    """

    clients: list[httpx.AsyncClient]
    model: str
    cache_by: CacheBy = "slots"
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def client(self) -> httpx.AsyncClient:
        """For what any of the servers can say."""
        return self.clients[0]

    def client_for(self, ticket: Ticket) -> httpx.AsyncClient:
        """The way to the server that has this request's slot."""
        return self.clients[ticket.slot % len(self.clients)]

    def cache_settings(self, ticket: Ticket) -> dict[str, object]:
        """What a request's body says about the cache, so that it is this learner's alone."""
        if self.cache_by == "slots":
            slot = ticket.slot // len(self.clients)
            return {"id_slot": slot, "cache_prompt": ticket.warm}
        if self.cache_by == "salt":
            salt = hmac.new(self._secret, ticket.owner.encode(), hashlib.sha256)
            return {"cache_salt": salt.hexdigest()}
        return {"cache_prompt": False}


@dataclass
class Outcome:
    """How a request ended, for the board: who, how many tokens, how long, and whether well."""

    owner: str
    tokens: int = 0
    seconds: float = 0.0
    complete: bool = False


class Answer:
    """An ASGI response: the model's reply to one request."""

    def __init__(
        self,
        asked: Asked,
        owner: str,
        line: Line,
        upstream: Upstream,
        *,
        on_token: Callable[[int], None],
        on_end: Callable[[Outcome], None],
        typical_seconds: Callable[[], float | None],
    ):
        self.owner = owner
        self._asked = asked
        self._line = line
        self._upstream = upstream
        self._on_token = on_token
        self._on_end = on_end
        self._typical_seconds = typical_seconds
        self._outcome = Outcome(owner)
        self._send: Send
        self._started = False
        self._revoked = asyncio.Event()

    def revoke(self) -> None:
        """The learner's key is gone: end this reply, wherever it is."""
        self._revoked.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        work = asyncio.create_task(self._work())
        watchers = {
            asyncio.create_task(_hangs_up(receive)),
            asyncio.create_task(self._revoked.wait()),
        }
        try:
            await asyncio.wait({work, *watchers}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
                if self._revoked.is_set():
                    await self._refuse(Refusal(401, "This key has been revoked by the teacher."))
        finally:
            for task in (work, *watchers):
                task.cancel()
            await asyncio.gather(work, *watchers, return_exceptions=True)
            self._on_end(self._outcome)

    async def _work(self) -> None:
        try:
            with self._line.place(self.owner) as ticket:
                await self._wait(ticket)
                began = time.monotonic()
                try:
                    await self._ask(ticket)
                finally:
                    self._outcome.seconds = time.monotonic() - began
        except LineFull as full:
            await self._refuse(_no_room(full))
        except Refusal as refusal:
            await self._refuse(refusal)
        except (httpx.HTTPError, httpx.StreamError) as fault:
            await self._refuse(_broken(fault, self._started))
        except TimeoutError:  # of a send: nobody reads, so there is nobody to tell
            return

    async def _wait(self, ticket: Ticket) -> None:
        """Wait for this request's turn, and say the place in line meanwhile."""
        pause, waited = FIRST_NOTICE_SECONDS, 0.0
        while not ticket.called.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ticket.called.wait(), pause)
                return
            waited, pause = waited + pause, NOTICE_SECONDS
            notice = place_in_words(self._line, ticket, self._typical_seconds())
            if self._asked.streamed:
                await self._start(200, b"text/event-stream")
                # A comment, which readers of event streams pass over and people can see.
                await self._pass_on(f": {notice}\n\n".encode())
            elif waited > PATIENCE_SECONDS:
                raise Refusal(503, f"{notice} Ask again in a while.", retry_after=30)

    async def _ask(self, ticket: Ticket) -> None:
        upstream, asked = self._upstream, self._asked
        body = asked.for_model(upstream.model, upstream.cache_settings(ticket))
        async with upstream.client_for(ticket).stream(
            "POST",
            asked.page,
            content=body,
            headers={"Content-Type": "application/json"},
        ) as response:
            if response.status_code != 200:
                await self._pass_on_error(response)
                return
            kind = response.headers.get("content-type", "application/json").encode()
            if b"event-stream" in kind:
                await self._start(200, kind)
                await self._relay(response)
            else:
                whole = await response.aread()
                self._count(_tokens_in(whole))
                await self._start(200, kind, [_length(whole)])
                await self._pass_on(whole)
        self._outcome.complete = True
        await self._finish()

    async def _relay(self, response: httpx.Response) -> None:
        """Pass on the bytes of a stream as they come: its events are counted, and not read."""
        before = b"\n"
        async for part in response.aiter_bytes():
            seen = before + part
            self._count(seen.count(EVENT) - before.count(EVENT))
            # Readers hang up here, before the stream ends: they have the whole reply.
            self._outcome.complete |= seen.rstrip().endswith(LAST_EVENT)
            await self._pass_on(part)
            before = seen[-len(LAST_EVENT) - len(EVENT) :]  # either may come in two parts

    def _count(self, tokens: int) -> None:
        self._outcome.tokens += tokens
        self._on_token(tokens)

    async def _pass_on_error(self, response: httpx.Response) -> None:
        """The model refuses: in its own words, as an HTTP status or as an event of the stream."""
        body = await response.aread()
        if not self._started:
            await self._start(response.status_code, b"application/json")
            await self._pass_on(body)
        else:
            await self._pass_on(b"data: " + b" ".join(body.split()) + b"\n\n")
        await self._finish()

    async def _refuse(self, refusal: Refusal) -> None:
        with suppress(TimeoutError, OSError):
            if self._started:
                event = json.dumps(refusal.as_json())
                await self._pass_on(f"data: {event}\n\n".encode())
            else:
                extra = []
                if refusal.retry_after is not None:
                    extra = [(b"retry-after", str(round(refusal.retry_after)).encode())]
                await self._start(refusal.status, b"application/json", extra)
                await self._pass_on(json.dumps(refusal.as_json()).encode())
            await self._finish()

    async def _start(self, status: int, kind: bytes, more: list | None = None) -> None:
        if self._started:
            return
        self._started = True
        headers = [(b"content-type", kind), (b"cache-control", b"no-store"), *(more or [])]
        # nginx and its kin would otherwise keep the words until the reply is whole.
        headers.append((b"x-accel-buffering", b"no"))
        await self._sent({"type": "http.response.start", "status": status, "headers": headers})

    async def _pass_on(self, data: bytes) -> None:
        await self._sent({"type": "http.response.body", "body": data, "more_body": True})

    async def _finish(self) -> None:
        await self._sent({"type": "http.response.body", "body": b"", "more_body": False})

    async def _sent(self, message: dict) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._send(message)


def place_in_words(line: Line, ticket: Ticket, typical_seconds: float | None) -> str:
    """Where a waiting request stands, for its learner to read."""
    if line.is_held(LOADING):
        return "The model is being started; you keep your place in line."
    place = line.place_of(ticket)
    if line.is_held(PAUSED):
        return f"The teacher has paused the class; you are {ordinal(max(place, 1))} in line."
    words = f"You are {ordinal(max(place, 1))} in line"
    if typical_seconds:
        wait = max(place, 1) * typical_seconds / line.slots
        words += f", for about {readable_wait(wait)}"
    return words + "."


async def _hangs_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _no_room(full: LineFull) -> Refusal:
    if full.own:
        words = (
            f"{full.waiting} of your requests are waiting already, which is the most for one "
            "learner: wait for one of them."
        )
    else:
        words = f"The line is full: {full.waiting} requests are waiting. Try again in a minute."
    return Refusal(429, words, retry_after=30)


def _broken(fault: Exception, started: bool) -> Refusal:
    if isinstance(fault, httpx.TimeoutException):
        return Refusal(504, "The model has said nothing for a long time. Ask once more.")
    where = "in the middle of this answer" if started else "before it could answer"
    return Refusal(
        503,
        f"The model's server stopped {where}. It is being started again: ask once more.",
        retry_after=5,
    )


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()


def _tokens_in(body: bytes) -> int:
    """How many tokens a whole reply says it has."""
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        said = json.loads(body)
        usage = said.get("usage") or {}
        count = usage.get("completion_tokens", said.get("tokens_predicted"))
        return count if isinstance(count, int) else 0
    return 0
