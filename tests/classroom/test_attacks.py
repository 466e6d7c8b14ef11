"""Can a learner starve the class, or reach past the gateway, with requests that no client sends?

The model is a scripted server.  What was tried against a real one is in docs/class_server.md.
"""

import json
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from course_utils.classroom import asked, connections, shares
from tests.classroom.running import chat, wait_for

ANN, BEN = "learner-01", "learner-02"
CHAT = "/v1/chat/completions"


def answers(request):
    message = {"role": "assistant", "content": "42"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    request.json({"choices": [choice], "usage": {"completion_tokens": 1}})


def connect(room):
    host, port = room.address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.settimeout(10)
    return connection


def head(room, *lines, name=ANN, page=CHAT, host="x"):
    """The bytes of a request's head, with a learner's key."""
    key = f"Authorization: Bearer {room.keys.key_of(name)}"
    return "\r\n".join([f"POST {page} HTTP/1.1", f"Host: {host}", key, *lines, "", ""]).encode()


def everything(connection):
    """What comes until the other side ends the connection."""
    with connection:
        received = b""
        while part := connection.recv(2**16):
            received += part
        return received


@pytest.mark.parametrize("host", ["x/slots?", "x/lora-adapters#", "user:word@x/props?", "[::1"])
@pytest.mark.parametrize("page", [CHAT, "/completion", "/tokenize"])
def test_a_hosts_name_cannot_choose_the_models_page(room, fake, host, page):
    """The address of a request is put together from that name by many a framework."""
    fake.on[page] = answers
    body = json.dumps({**chat(), "prompt": "6 * 7?", "content": "6 * 7?"}).encode()
    connection = connect(room)
    stated = f"Content-Length: {len(body)}"
    connection.sendall(head(room, stated, "Connection: close", host=host, page=page) + body)
    said = everything(connection)
    assert b" 200 " in said or b" 400 " in said
    assert {request.path for request in fake.requests} <= {"/v1/models", page}


def test_only_settings_that_touch_the_reply_alone_are_passed_on(room, fake):
    fake.on[CHAT] = answers
    meant = {"temperature": 0.6, "top_k": 40, "max_tokens": 50, "seed": 1, "stop": ["x"]}
    others = {
        "id_slot": 0, "cache_prompt": True, "n_cmpl": 8, "lora": [{"id": 0, "scale": 9}],
        "priority": 9, "request_id": "Ben's", "chat_template": "{{ 7 * 7 }}",
        "chat_template_kwargs": {"chat_template": "x"}, "kv_transfer_params": {}, "model": "other",
    }  # fmt: skip
    assert room.ask(ANN, **meant, **others).status_code == 200
    body = fake.requests[-1].body
    assert {name: body[name] for name in meant} == meant and body["model"] == "qwq-32b"
    assert not (body.keys() - {"cache_salt", "model"}) & others.keys()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"grammar": 'root ::= "a"'}, "grammar"),
        ({"json_schema": {"type": "object"}}, "json_schema"),
        ({"structured_outputs": {"regex": "(a*)*"}}, "structured_outputs"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
        ({"tools": [{"function": {"parameters": {"properties": {
            "a": {"type": "string", "pattern": "(" * 9 + "a" + ")" * 9}}}}}]}, "pattern"),
        ({"tools": [{"x": "y" * asked.LONGEST_TOOLS}]}, "tools"),
    ],
)  # fmt: skip
def test_what_the_model_server_might_never_get_through_is_refused(room, fake, settings, words):
    """One nested grammar ends llama-server for everybody (llama.cpp#26600)."""
    before = len(fake.requests)
    answer = room.ask(ANN, **settings)
    assert answer.status_code == 400 and words in answer.json()["error"]["message"]
    assert len(fake.requests) == before


def test_a_word_called_pattern_is_no_pattern(room, fake):
    fake.on[CHAT] = answers
    properties = {"pattern": {"type": "string", "description": "what to look for"}}
    tool = {"name": "search", "parameters": {"type": "object", "properties": properties}}
    assert room.ask(ANN, tools=[{"type": "function", "function": tool}]).status_code == 200
    assert fake.requests[-1].body["tools"][0]["function"] == tool


def test_a_body_of_brackets_is_not_read(room, fake):
    brackets = '{"messages": [' + "{}," * asked.MOST_BRACKETS + "{}]}"
    with room.client(ANN) as client:
        answer = client.post(CHAT, content=brackets)
    assert answer.status_code == 413 and "brackets" in answer.json()["error"]["message"]


@pytest.mark.parametrize("depth", [500, 2000, 9000])
def test_a_body_that_is_nested_deeply_is_one_clear_message(room, fake, depth):
    fake.on[CHAT] = answers
    nested = "[" * depth + "]" * depth
    with room.client(ANN) as client:
        for content in (
            f'{{"messages": {nested}}}',
            json.dumps(chat())[:-1] + f', "tools": {nested}}}',
        ):
            answer = client.post(CHAT, content=content)
            assert answer.status_code in (200, 400), answer.text
            assert answer.status_code == 200 or answer.json()["error"]["message"]


def test_a_body_in_pieces_of_a_byte_is_not_read(room, fake):
    fake.on[CHAT] = answers
    for lines in (
        ["Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 9"],
    ):
        connection = connect(room)
        connection.sendall(head(room, *lines) + b"1\r\n \r\n" * 1000)
        said = everything(connection)
        assert b" 400 " in said and b"Content-Length" in said
    assert room.ask(BEN).status_code == 200


def test_a_head_without_an_end_is_not_read(room, fake):
    fake.on[CHAT] = answers
    connection = connect(room)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    said = b""
    with suppress(OSError):
        for _ in range(1000):
            connection.sendall(b"X-More: " + b"x" * 4000 + b"\r\n")
            if select.select([connection], [], [], 0.005)[0]:
                said = connection.recv(2**12)
                break
    assert b" 400 " in said and b"too long" in said
    assert room.ask(BEN).status_code == 200


def test_a_second_request_before_the_first_is_answered_ends_both(room, fake):
    """Else whoever hung up after it would leave the first one running."""
    fake.on[CHAT] = lambda request: request.stall()
    body = json.dumps(chat(stream=True)).encode()
    request = head(room, f"Content-Length: {len(body)}") + body
    connection = connect(room)
    connection.sendall(request)
    wait_for(lambda: room.board()["running"] == 1)
    connection.sendall(request)
    assert b" 200 " not in everything(connection)
    wait_for(lambda: room.board()["running"] == 0)


def test_one_learner_cannot_have_too_many_requests_read_at_a_time(room, fake, monkeypatch):
    fake.on[CHAT] = answers
    opened = [connect(room) for _ in range(shares.MOST_IN_HAND + 1)]
    for connection in opened:
        connection.sendall(head(room, "Content-Length: 1000") + b"{")
    answered, _, _ = select.select(opened, [], [], 10)
    assert len(answered) == 1
    refused = b""
    while b"being read" not in refused and (more := answered[0].recv(2**12)):
        refused += more
    assert b" 429 " in refused and b"being read" in refused
    assert room.ask(BEN).status_code == 200
    for connection in opened:
        connection.close()
    wait_for(lambda: room.ask(ANN).status_code == 200)


def test_one_learners_small_requests_wait_for_one_another_and_for_nobody_else(room, fake):
    def tokenize(request):
        if request.body["content"] == "long":
            request.stall()
        request.json({"tokens": [1]})

    fake.on["/tokenize"] = tokenize

    def ask(name, text):
        with room.client(name) as client:
            return client.post("/tokenize", json={"content": text}).status_code

    with ThreadPoolExecutor(6) as pool:
        long = [pool.submit(ask, ANN, "long") for _ in range(5)]
        wait_for(lambda: [r.path for r in fake.requests].count("/tokenize") == 1)
        assert ask(BEN, "short") == 200
        assert [r.path for r in fake.requests].count("/tokenize") == 2
        fake.released.set()
        assert {one.result() for one in long} == {200}


def test_connections_that_say_nothing_keep_nobody_out(room, fake):
    """They need no key. The oldest of them make room for whoever comes."""
    fake.on[CHAT] = answers
    silent = [connect(room) for _ in range(300)]
    began = time.monotonic()
    assert room.ask(BEN).status_code == 200
    assert time.monotonic() - began < connections.HEAD_SECONDS / 4
    assert silent[0].recv(10) == b"", "the first of them has been ended"
    for connection in silent:
        connection.close()


def test_a_body_that_nobody_reads_any_more_holds_no_connection(room, monkeypatch):
    """Whoever has no key is answered at once, and may not go on sending for ever."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    connection = connect(room)
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
    )
    assert b" 401 " in connection.recv(2**12)
    ended = threading.Event()

    def trickle():
        try:
            while not ended.wait(0.1):
                connection.sendall(b"x")
        except OSError:
            ended.set()

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    assert ended.wait(5)
    connection.close()


def test_a_websocket_is_not_opened(room):
    connection = connect(room)
    wants = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    request = head(room, *wants, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Content-Length: 0")
    connection.sendall(request)
    assert b" 101 " not in connection.recv(2**12)
    connection.close()
