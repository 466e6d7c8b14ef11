"""Does the gateway's way to the model hand on all that comes, soon, and say how it ended?"""

import asyncio
import statistics
import time
from itertools import pairwise

import httpx
import pytest

from course_utils.classroom import upstream
from course_utils.classroom.upstream import RelayTransport
from course_utils.network import free_port

PAGE = "/v1/chat/completions"


def parts_of(fake, *, timeout=10.0):
    """What is handed on of a streamed reply, part by part, each with its time."""

    async def read():
        parts = []
        async with client_of(fake, timeout) as client, client.stream("POST", PAGE) as response:
            try:
                async for part in response.aiter_bytes():
                    parts.append((time.monotonic(), part.decode()))
            except httpx.HTTPError as fault:
                parts.append((time.monotonic(), fault))
        return parts

    return asyncio.run(asyncio.wait_for(read(), 20))


def client_of(fake, timeout=10.0):
    url = fake.url.removesuffix("/v1")
    return httpx.AsyncClient(base_url=url, transport=RelayTransport(), timeout=timeout)


def test_words_that_come_fast_are_handed_on_together_and_none_is_lost(fake, monkeypatch):
    monkeypatch.setattr(upstream, "PACE_SECONDS", 0.1)

    def pours(request):
        request.start_stream()
        for number in range(200):
            request.event(str(number))
            time.sleep(0.001)

    fake.on[PAGE] = pours
    parts = parts_of(fake)
    assert "".join(part for _, part in parts) == "".join(f"data: {n}\n\n" for n in range(200))
    assert 3 <= len(parts) < 20
    pauses = [later[0] - earlier[0] for earlier, later in pairwise(parts[:-1])]
    assert statistics.median(pauses) > 0.05


def test_the_first_word_and_the_end_are_handed_on_at_once(fake, monkeypatch):
    monkeypatch.setattr(upstream, "PACE_SECONDS", 15.0)

    def answer(request):
        request.start_stream()
        request.event("first")
        time.sleep(0.1)
        request.event("last")

    fake.on[PAGE] = answer
    began = time.monotonic()
    first, last = parts_of(fake)
    assert (first[1], last[1]) == ("data: first\n\n", "data: last\n\n")
    assert last[0] - began < 8


def test_slow_words_are_handed_on_one_by_one(fake):
    def answer(request):
        request.start_stream()
        for word in ("one", "two", "three"):
            request.event(word)
            time.sleep(3 * upstream.PACE_SECONDS)

    fake.on[PAGE] = answer
    assert [part for _, part in parts_of(fake)] == [
        f"data: {word}\n\n" for word in ("one", "two", "three")
    ]


@pytest.mark.parametrize("chunks", [1, 3, 40])
def test_what_came_before_a_break_is_handed_on_and_then_the_fault(fake, chunks):
    def breaks(request):
        request.start_stream(length=10**6)
        for number in range(chunks):
            request.event(str(number))
        request.cut()

    fake.on[PAGE] = breaks
    *parts, (_, fault) = parts_of(fake)
    assert "".join(part for _, part in parts) == "".join(f"data: {n}\n\n" for n in range(chunks))
    assert isinstance(fault, httpx.RemoteProtocolError)


def test_a_reply_in_http_chunks_is_read_to_its_end(fake):
    def answer(request):
        handler = request._handler
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in (b"data: ", b"one\n\n", b"data: [DONE]\n\n"):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")
        request.stall()  # the connection stays open: it is the last chunk that ends the reply

    fake.on[PAGE] = answer
    assert "".join(part for _, part in parts_of(fake)) == "data: one\n\ndata: [DONE]\n\n"


def test_silence_and_what_is_no_http_are_faults_that_httpx_knows(fake):
    fake.on[PAGE] = lambda request: request.stall()

    async def ask():
        async with client_of(fake, timeout=0.3) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(PAGE)
            fake.on[PAGE] = lambda request: request._handler.wfile.write(b"Hello.\r\n\r\n")
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post(PAGE)
        async with httpx.AsyncClient(transport=RelayTransport()) as client:
            with pytest.raises(httpx.ConnectError):
                await client.post(f"http://127.0.0.1:{free_port()}/")

    asyncio.run(asyncio.wait_for(ask(), 20))


def test_a_reader_who_does_not_read_stops_the_writer(fake):
    """Or else one reply could fill the class server's memory."""
    written = []

    def pours(request):
        request.start_stream()
        for _ in range(60):
            request.event("x" * 10**6)
            written.append(1)

    fake.on[PAGE] = pours

    async def read():
        async with client_of(fake) as client, client.stream("POST", PAGE) as response:
            await asyncio.sleep(0.5)
            before = len(written)
            await asyncio.sleep(0.3)
            assert len(written) == before < 40
            total = 0
            async for part in response.aiter_bytes():
                total += len(part)
                if len(written) == 60:
                    break
            assert total > 10**6

    asyncio.run(asyncio.wait_for(read(), 60))


def test_the_request_arrives_as_it_was_sent(fake):
    fake.on[PAGE] = lambda request: request.json({"said": request.body})

    async def ask():
        async with client_of(fake) as client:
            return await client.post(PAGE, json={"a": "ä" * 10**5}, headers={"X-Y": "z"})

    response = asyncio.run(ask())
    assert response.json() == {"said": {"a": "ä" * 10**5}}
    assert fake.requests[-1].headers["X-Y"] == "z"
