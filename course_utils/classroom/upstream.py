"""How is the model server asked? A transport for httpx that costs little for each word of a reply.

A class has thousands of words a second streamed to it, each an event of its own, and httpx's own
transport spends more time on an event than a small model on its word.  This one has each response
read by a parser in C (httptools), and hands on together what comes within ``PACE_SECONDS``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import httptools
import httpx

PACE_SECONDS = 0.04
"""The shortest time between two parts of a reply, as between two pictures of a film. What comes
slower, as a large model's words do, is handed on at once, and so are the first and the last."""

MOST_WAITING = 256 * 1024
"""Bytes of a response that are taken before its reader has asked for them."""


class RelayTransport(httpx.AsyncBaseTransport):
    """Sends each request on a connection of its own, straight to its server.

    llama-server closes connections that it has used for a while, and a request that is just being
    sent on one would be lost.

    trusted: the certificates that https:// trusts; by default httpx's own.
    """

    def __init__(self, trusted: ssl.SSLContext | None = None):
        self._trusted = trusted

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response, once its head is there. Raises httpx's errors, as httpx's own does."""
        timeouts = request.extensions.get("timeout", {})
        request.headers["Connection"] = "close"
        body = await request.aread()
        exchange = _Exchange(request)
        await self._connect(exchange, timeouts.get("connect"))
        try:
            exchange.send(body)
            await exchange.wait(timeouts.get("read"))
            if exchange.status is None:
                raise exchange.fault or httpx.RemoteProtocolError("no response", request=request)
        except BaseException:
            exchange.close()
            raise
        return httpx.Response(
            exchange.status,
            headers=exchange.headers,
            stream=_Body(exchange, timeouts.get("read")),
        )

    async def _connect(self, exchange: _Exchange, seconds: float | None) -> None:
        url = exchange.request.url
        secure = url.scheme == "https"
        if secure and self._trusted is None:
            self._trusted = httpx.create_ssl_context(trust_env=False)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: exchange,
                    url.host,
                    url.port or (443 if secure else 80),
                    ssl=self._trusted if secure else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection", request=exchange.request) from None
        except OSError as error:
            raise httpx.ConnectError(str(error), request=exchange.request) from error


class _Body(httpx.AsyncByteStream):
    """The body of a response, in parts that are ``PACE_SECONDS`` apart."""

    def __init__(self, exchange: _Exchange, seconds: float | None):
        self._exchange = exchange
        self._seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        exchange = self._exchange
        while True:
            await exchange.wait(self._seconds)
            if part := exchange.take():
                yield part
            elif exchange.ended:
                break
        if exchange.fault is not None:
            raise exchange.fault

    async def aclose(self) -> None:
        self._exchange.close()


class _Exchange(asyncio.Protocol):
    """One request and its response, on one connection. httptools calls its ``on_...`` methods.

    ``ended``: nothing more will come.  ``fault``: why the response is not whole.  What came before
    a fault is still handed on.
    """

    def __init__(self, request: httpx.Request):
        self.request = request
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = False
        self.fault: httpx.HTTPError | None = None
        self._waiting = bytearray()
        self._telling = asyncio.Event()
        self._resting: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport

    # ---- for whoever asks ----------------------------------------------------------------------

    def send(self, body: bytes) -> None:
        request = self.request
        lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        lines += [b"%s: %s" % field for field in request.headers.raw]
        self._transport.write(b"\r\n".join([*lines, b"", body]))

    async def wait(self, seconds: float | None) -> None:
        """Until the head has come, then until there is more. Raises httpx.ReadTimeout."""
        try:
            async with asyncio.timeout(seconds):
                await self._telling.wait()
        except TimeoutError:
            raise httpx.ReadTimeout("nothing came", request=self.request) from None

    def take(self) -> bytes:
        """What has come since it was last asked for."""
        part = bytes(self._waiting)
        self._waiting.clear()
        if not self.ended:
            self._telling.clear()
            if part:
                self._rest()
                self._transport.resume_reading()
        return part

    def close(self) -> None:
        """Hang up: llama-server then stops writing for this request."""
        self._end(None)
        self._transport.abort()

    # ---- for asyncio ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(httpx.RemoteProtocolError(str(error), request=self.request))
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        # Where HTTP does not say how long a response is, the connection's end is its own.
        stated = {b"content-length", b"transfer-encoding"}
        if error is None and self.status is not None and stated.isdisjoint(dict(self.headers)):
            self._end(None)
        else:
            words = str(error or "the connection ended before the response")
            self._end(httpx.RemoteProtocolError(words, request=self.request))

    # ---- for httptools -------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._telling.set()

    def on_body(self, data: bytes) -> None:
        self._waiting += data
        full = len(self._waiting) > MOST_WAITING
        if full:
            self._transport.pause_reading()
        if full or self._resting is None:
            self._telling.set()

    def on_message_complete(self) -> None:
        self._end(None)
        self._transport.close()

    # ---- its own -------------------------------------------------------------------------------

    def _rest(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
        loop = asyncio.get_running_loop()
        self._resting = loop.call_later(PACE_SECONDS, self._rested)

    def _rested(self) -> None:
        self._resting = None
        if self._waiting:
            self._telling.set()

    def _end(self, fault: httpx.HTTPError | None) -> None:
        if self.ended:
            return
        self.ended, self.fault = True, fault
        if self._resting is not None:
            self._resting.cancel()
        self._telling.set()
