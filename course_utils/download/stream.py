"""How do the bytes of a file arrive in order when the line drops, stalls or lies?

By asking for the missing rest with a Range request, as often as needed, and by believing no
answer that does not fit: a wrong range, another length, another version of the file.
"""

from __future__ import annotations

import re
from collections.abc import Generator

import httpx

from .hub import RemoteFile, check_status, hub_etag
from .patience import Interrupted, Patience, interruptions

MIB = 1024 * 1024
# How often a reader may ask for a new description before the hub counts as contradictory.
MOST_RESTARTS = 3


class RemoteChanged(Exception):
    """The server now has another file, or another length, than it described."""


def read_remote(
    client: httpx.Client, remote: RemoteFile, start: int, stop: int, patience: Patience
) -> Generator[bytes, None, None]:
    """Yield the bytes ``start`` to ``stop`` (exclusive) of a remote file, in order.

    Reconnects by itself.  Raises RemoteChanged if the file is no longer the one described, and
    DownloadError when ``patience`` ends or the hub refuses.
    """
    # A connection that brings less than this is no progress: a server that yields one byte per
    # connection would otherwise hold a 20 GB download for ever.
    worthwhile = max(1, min(MIB, (stop - start) // 1000))
    position = start
    while position < stop:
        asked_at = position
        try:
            for chunk in _read_once(client, remote, position, stop):
                position += len(chunk)
                yield chunk
            if position < stop:
                raise Interrupted("the server sent less than it announced")
        except Interrupted as interruption:
            if position - asked_at >= worthwhile:
                patience.renew()
            patience.after(interruption)


def _read_once(
    client: httpx.Client, remote: RemoteFile, position: int, stop: int
) -> Generator[bytes, None, None]:
    """One request: yield what it brings of the bytes ``position`` to ``stop``, and no more."""
    headers = {"Range": f"bytes={position}-{stop - 1}"}
    with (
        interruptions(),
        client.stream("GET", remote.url, headers=headers, follow_redirects=True) as response,
    ):
        to_skip = position - _first_byte(response, remote, position)
        missing = stop - position
        for received in response.iter_raw():
            chunk = received[to_skip : to_skip + missing]
            to_skip = max(0, to_skip - len(received))
            missing -= len(chunk)
            if chunk:
                yield chunk
            if missing == 0:
                # A server that announced too much would be silent from here until the timeout.
                return


def _first_byte(response: httpx.Response, remote: RemoteFile, position: int) -> int:
    """The offset in the file at which the body begins; raises if the answer does not fit."""
    hops = [*response.history, response]
    etag = hub_etag(hops)
    if etag is not None and etag != remote.etag and response.status_code < 400:
        raise RemoteChanged
    if response.status_code == 416:
        total = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
        if total and int(total[1]) != remote.size:
            raise RemoteChanged
        raise Interrupted("the server refuses to go on from the middle (HTTP 416)")
    check_status(response, remote.repository, remote.filename, remote.revision)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Interrupted("the answer came compressed, so its bytes cannot be counted")
    if response.status_code == 206:
        given = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
        )
        if given is None or int(given[1]) != position:
            raise Interrupted("the server sent another part of the file than was asked for")
        if given[2] != "*" and int(given[2]) != remote.size:
            raise RemoteChanged
        return position
    if response.status_code == 200:
        # The whole file instead of the rest: what is here already is passed over.
        length = response.headers.get("Content-Length")
        if length is not None and length != str(remote.size):
            raise Interrupted("the answer has another length than the file; a login page, perhaps")
        return 0
    raise Interrupted(f"the server gave an unexpected answer (HTTP {response.status_code})")
