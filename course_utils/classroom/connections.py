"""Who may hold a connection, and for how long? uvicorn's HTTP, without its patience.

uvicorn waits for ever for a request that is never finished, takes heads of any length and bodies in
as many pieces as a client likes, and turns everybody away once there are too many connections,
whoever holds them.
"""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
"""How long a connection may be open without a request that is being answered."""

LONGEST_HEAD = 32 * 1024
"""Bytes of a request's head, beyond the first piece of it that arrives."""

SPARE = 64
"""Connections that are kept free: whoever comes when only these are left takes the place of the one
that has been silent longest."""


class ImpatientProtocol(HttpToolsProtocol):
    """A connection that is ended when its client owes a request for too long.

    That is before the first, after a reply, and while a body is sent that nobody reads any more.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._giving_up: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.limit_concurrency - SPARE:
            owing = [one for one in self.connections if one._giving_up is not None]
            min(owing, key=lambda one: one._giving_up.when())._give_up()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        going_on = self._in_head
        super().data_received(data)
        if going_on and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LONGEST_HEAD:
                self.send_400_response("The head of this request is too long.")
        self._watch()

    def on_message_begin(self) -> None:
        if self._answering():
            # One request at a time: whoever hangs up could else leave replies running.
            raise httptools.HttpParserError("a request before the last one is answered")
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        # In chunks of one byte each, a megabyte keeps everybody waiting for seconds.
        if any(name == b"transfer-encoding" for name, _ in self.headers):
            raise httptools.HttpParserError("a body without a stated length")
        self._in_head = False
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """For what is no HTTP, or does not say how long it is."""
        if self._answering():  # a reply is under way, which words would spoil
            self.transport.close()
            return
        if msg.startswith("Invalid"):
            msg = "This is no HTTP request that states its length (Content-Length)."
        super().send_400_response(msg)

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self) -> None:
        """Count the time while there is nothing to answer; what trickles in does not stop it."""
        if self._answering():
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
