"""The thread that waits for a streamed response, so that a stop button works.

The reader looks every tenth of a second whether it is to stop, whatever the server is doing; to
stop is to hang up, on which servers stop generating.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Generator
from contextlib import suppress

import httpx

from course_utils import network
from course_utils.engines.server.connection import Connection
from course_utils.engines.server.errors import (
    NO_SUCH_SETTING,
    BrokenOff,
    NotAnApi,
    Refused,
    Reported,
    said,
)
from course_utils.engines.server.requests import accepted_form
from course_utils.engines.server.stream import Chunk, read_chunks

AFTERWARDS_SECONDS = 3.0
"""How long a reply that has ended waits for counts; some servers never close the stream."""


def receive(
    connection: Connection, path: str, body: dict, stopping: threading.Event
) -> Generator[Chunk, None, None]:
    """The chunks of a streamed response to a request, until its end or ``stopping``.

    Once the server has said why the reply ended, no fault can take it back.  Raises Reported for an
    error that the response holds, BrokenOff where it ends without any text, and what
    ``Connection.stream`` raises.
    """
    arrived: queue.SimpleQueue[Chunk | Exception | None] = queue.SimpleQueue()
    call = _Call()

    def listen() -> None:
        asked = body
        try:
            while True:
                try:
                    with connection.stream(path, asked, call.trace) as response:
                        _forward(response, arrived)
                    return
                except Refused as refusal:
                    asked = _asked_otherwise(asked, refusal, connection)
        except Exception as error:  # raised again by the reader
            arrived.put(error)

    threading.Thread(target=listen, name="model server", daemon=True).start()
    finished_at = None
    try:
        while not stopping.is_set():
            try:
                chunk = arrived.get(timeout=0.1)
            except queue.Empty:
                if finished_at and time.perf_counter() - finished_at > AFTERWARDS_SECONDS:
                    return
                continue
            if isinstance(chunk, Exception):
                if finished_at:
                    return
                raise chunk
            if chunk is None:
                return
            yield chunk
            if chunk.error is not None and not finished_at:
                raise Reported(chunk.error)
            if chunk.last:
                return
            if chunk.finish and not finished_at:
                finished_at = time.perf_counter()
    finally:
        call.hang_up()


def _asked_otherwise(body: dict, refusal: Refused, connection: Connection) -> dict:
    """The request as a refusal wants it. Raises the refusal where that cannot be."""
    if refusal.response.status_code in NO_SUCH_SETTING:
        accepted = accepted_form(body, said(refusal, connection.server))
        if accepted is not None:
            return accepted
    raise refusal


def _forward(response: httpx.Response, arrived: queue.SimpleQueue) -> None:
    """Put a response's chunks into the queue, and at its end a last one, or None if that is unsure.

    Raises BrokenOff where it said nothing, NotAnApi or Refused where it is none of the API's.
    """
    said_anything = False
    try:
        for chunk in read_chunks(response.iter_bytes()):
            something = chunk.text or chunk.thought or chunk.finish or chunk.tool_calls or chunk.odd
            said_anything = said_anything or bool(something)
            arrived.put(chunk)
    except NotAnApi as error:
        if network.is_markup(str(error.args[0])):
            page = httpx.Response(
                response.status_code, text=str(error.args[0]), request=response.request
            )
            raise Refused(page) from None
        raise
    # Where HTTP itself says how long the answer is, its end is no accident.  Elsewhere nobody
    # knows, and the reply counts as interrupted.
    framed = {"transfer-encoding", "content-length"} & set(response.headers)
    if not said_anything:
        raise BrokenOff
    arrived.put(Chunk(last=True) if framed else None)


class _Call:
    """The connection of one request, which can be hung up on from another thread."""

    def __init__(self):
        self._socket: socket.socket | None = None
        self._hung_up = False
        self._lock = threading.Lock()

    def trace(self, step: str, details: dict) -> None:
        """httpcore's report of a step: remember the connection as soon as there is one."""
        if not step.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        with self._lock:
            self._socket = details["return_value"].get_extra_info("socket")
            hung_up = self._hung_up
        if hung_up:
            raise BrokenOff

    def hang_up(self) -> None:
        """End the connection, which also wakes a thread that is waiting for data on it."""
        with self._lock:
            self._hung_up = True
            connected = self._socket
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
