"""Who may hold a connection, and for how long? uvicorn's HTTP, without its patience.

uvicorn waits for ever for a request that is never finished, takes bodies in as many pieces as a
client likes, and turns everybody away once there are too many connections, whoever holds them.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""How long a connection may be open without a request that is being answered."""

SPARE = 64
"""Connections that are kept free: whoever comes when only these are left takes the place of the one
that has been silent longest."""


class ImpatientProtocol(H11Protocol):
    """A connection that is ended when its client owes a request for too long.

    That is before the first, after a reply, and while a body is sent that nobody reads any more.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.conn = _StatedLengths(h11.SERVER, self.config.h11_max_incomplete_event_size)
        self._giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.limit_concurrency - SPARE:
            owing = [one for one in self.connections if one._giving_up is not None]
            min(owing, key=lambda one: one._giving_up.when())._give_up()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """For what is no HTTP, or does not say how long it is."""
        super().send_400_response(
            "This is no HTTP request that states its length (Content-Length)."
        )

    def _watch(self) -> None:
        """Count the time while there is nothing to answer; what trickles in does not stop it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._giving_up is None and not self.transport.is_closing():
            self._giving_up = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def _give_up(self) -> None:
        self._stop_watching()
        self.transport.abort()


class _StatedLengths(h11.Connection):
    """Takes no body in chunks: of one byte each, a megabyte keeps everybody waiting for seconds."""

    def next_event(self):
        event = super().next_event()
        if isinstance(event, h11.Request) and b"transfer-encoding" in dict(event.headers):
            raise h11.RemoteProtocolError("a body without a stated length", error_status_hint=411)
        return event
