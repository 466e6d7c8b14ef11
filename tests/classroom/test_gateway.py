"""Does the gateway let in who may come in, keep the rest apart, and lose nobody's reply?

The model is a scripted server, so that it can stall, break and refuse when a test wants it to.
"""

import json
import socket
import threading
import time
from contextlib import closing

import httpx
import pytest

from course_utils.classroom import answering, asked, connections
from course_utils.engines import open_model
from course_utils.errors import PromptError, ServerError
from tests.classroom.running import chat, wait_for

ANN, BEN, CLEO = "learner-01", "learner-02", "learner-03"


def says(*words, finish="stop"):
    """A scripted model that streams these words, or sends them whole."""

    def answer(request):
        if request.body.get("stream"):
            request.start_stream()
            for word in words:
                request.delta(content=word)
            request.delta(finish=finish)
            request.event("[DONE]")
        else:
            message = {"role": "assistant", "content": "".join(words)}
            choice = {"index": 0, "message": message, "finish_reason": finish}
            usage = {"completion_tokens": len(words)}
            request.json({"choices": [choice], "usage": usage})

    return answer


def stalls(fake, *words):
    """Streams these words and then nothing more, until the test releases it."""

    def answer(request):
        request.start_stream()
        for word in words:
            request.delta(content=word)
        request.stall()
        request.delta(finish="stop")
        request.event("[DONE]")

    fake.on["/v1/chat/completions"] = answer


def stream(room, name, question="6 * 7?", **settings):
    """(client, response) of a streamed reply that has begun."""
    client = room.client(name)
    request = client.build_request(
        "POST", "/v1/chat/completions", json=chat(question, stream=True, **settings)
    )
    return client, client.send(request, stream=True)


def engine_of(room, name=ANN):
    """The course's own engine, as a learner opens it."""
    return open_model(f"{room.address}/v1", api_key=room.keys.key_of(name))


class Reader(threading.Thread):
    """Reads a streamed reply in the background: its lines so far, and whether it has ended."""

    def __init__(self, room, name, question="6 * 7?"):
        super().__init__(daemon=True)
        self.lines, self.ended, self.status = [], False, None
        self._client = room.client(name)
        self._question = question
        self.start()

    def run(self):
        body = chat(self._question, stream=True)
        try:
            with self._client.stream("POST", "/v1/chat/completions", json=body) as response:
                self.status = response.status_code
                for line in response.iter_lines():
                    self.lines.append(line)
        except httpx.HTTPError as error:
            self.lines.append(f"broken: {type(error).__name__}")
        self.ended = True

    @property
    def text(self):
        return "\n".join(self.lines)

    def errors(self):
        return [
            json.loads(line[6:])["error"]
            for line in self.lines
            if line.startswith("data: {") and "error" in json.loads(line[6:])
        ]


def test_a_reply_passes_through_whole_or_as_a_stream(room, fake):
    fake.on["/v1/chat/completions"] = says("4", "2")
    whole = room.ask(ANN)
    assert whole.json()["choices"][0]["message"]["content"] == "42"
    reader = Reader(room, BEN)
    wait_for(lambda: reader.ended)
    assert reader.status == 200 and "[DONE]" in reader.text and reader.text.count("content") == 2
    wait_for(lambda: room.board()["replies"] == 2 and room.board()["running"] == 0)
    assert room.board()["tokens"] >= 4


def test_a_reply_counts_though_its_reader_hangs_up_before_the_stream_ends(room, fake):
    """As OpenAI's client does: it has the whole reply at [DONE]."""

    def answer(request):
        says("42")(request)
        request.stall()

    fake.on["/v1/chat/completions"] = answer
    client, response = stream(room, ANN)
    with closing(client), closing(response):
        assert "data: [DONE]" in response.iter_lines()
    wait_for(lambda: room.board()["replies"] == 1 and room.board()["running"] == 0)


@pytest.mark.parametrize("key", ["", "sk-class-wrong", "Bearer", "sk-teacher-" + "x" * 24])
def test_a_wrong_key_gets_401_and_reaches_no_model(room, fake, key):
    before = len(fake.requests)
    for method, page in (
        ("POST", "/v1/chat/completions"),
        ("POST", "/completion"),
        ("POST", "/tokenize"),
        ("GET", "/v1/models"),
        ("GET", "/props"),
        ("GET", "/class/api/me"),
        ("GET", "/class/api/board"),
        ("POST", "/class/api/share"),
        ("POST", "/class/api/pause"),
    ):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = httpx.request(method, room.address + page, headers=headers, json={})
        assert answer.status_code == 401, page
        assert "paste the line" in answer.json()["error"]["message"]
        assert not key or key not in answer.text or len(key) < 8
    assert len(fake.requests) == before


def test_the_course_reports_a_wrong_key_in_its_own_words(room):
    with pytest.raises(ServerError, match="refuses the API key"):
        open_model(f"{room.address}/v1", api_key="sk-class-wrong")


@pytest.mark.parametrize(
    "page",
    ["/slots", "/slots/0", "/metrics", "/v1/slots", "/lora-adapters", "/infill", "/embedding",
     "/v1/chat/completions/control", "/models/load", "/%73lots", "//slots", "/v1/../slots"],
)  # fmt: skip
def test_pages_that_show_what_others_ask_are_closed_to_everybody(room, fake, page):
    fake.on["/slots"] = lambda request: request.json([{"prompt": "Ann's secret"}])
    for name in (ANN, None):
        with room.client(name) as client:
            for method in ("GET", "POST"):
                body = {} if method == "POST" else None
                answer = client.request(method, room.address + page, json=body)
                assert answer.status_code in (404, 405) and "secret" not in answer.text
    assert all("slots" not in request.path for request in fake.requests)


def test_a_learner_cannot_use_the_teachers_pages(room):
    with room.client(ANN) as client:
        assert client.get("/class/api/board").status_code == 403
        for page in ("pause", "results", "add", "revoke", "restart"):
            body = {"on": True, "name": BEN}
            assert client.post(f"/class/api/{page}", json=body).status_code == 403
    assert BEN in room.keys.names and not room.board()["paused"]


def test_a_learner_sees_their_own_place_and_nothing_of_the_others(room, fake):
    stalls(fake, "Hm")
    readers = [Reader(room, name, f"secret of {name}") for name in (ANN, BEN, CLEO)]
    wait_for(lambda: room.board()["waiting"] == 1)
    last = room.board()["line"][0]
    for name in (ANN, BEN, CLEO):
        with room.client(name) as client:
            said = client.get("/class/api/me")
        others = {ANN, BEN, CLEO} - {name}
        assert not any(other in said.text for other in others) and "secret" not in said.text
        assert not any(room.keys.key_of(other) in said.text for other in (ANN, BEN, CLEO))
        assert bool(said.json()["waiting"]) == (name == last)
    assert "secret" not in json.dumps(room.board())
    fake.released.set()
    wait_for(lambda: all(reader.ended for reader in readers))


def test_each_learners_cache_is_kept_apart(room, fake):
    """Whoever shares a cache can find out what others asked, by how soon an answer comes.

    CVE-2025-46570, vllm#17045.
    """
    fake.on["/v1/chat/completions"] = says("42")
    for name in (ANN, ANN, BEN):
        room.ask(name, cache_salt="Ann's", id_slot=0, cache_prompt=True)
    salts = [r.body["cache_salt"] for r in fake.requests if r.path == "/v1/chat/completions"]
    assert salts[0] == salts[1] != salts[2] and "Ann's" not in salts
    assert all("id_slot" not in request.body for request in fake.requests if request.body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**chat(), "n": 3}, "n is 1"),
        ({"messages": "6 * 7?"}, "messages is a list"),
        ({"messages": [["user", "hi"]]}, "messages is a list"),
        ({}, "messages is a list"),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]},
            "text only",
        ),
        ([1], "no object"),
        ({**chat(), "stop": ["word"] * 9000}, "list of stop words"),
        ({**chat(), "logit_bias": [[n, 1] for n in range(9000)]}, "settings of this request"),
        ({**chat(), "top_logprobs": 152_064, "logprobs": True}, "at most 1000"),
    ],
)  # fmt: skip
def test_what_a_class_cannot_have_is_refused_before_the_model(room, fake, body, words):
    before = len(fake.requests)
    with room.client(ANN) as client:
        answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400 and words in answer.json()["error"]["message"]
    assert len(fake.requests) == before


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 9000, b"", b"NaN x"])
def test_a_body_that_is_no_json_is_a_clear_400(room, content):
    with room.client(ANN) as client:
        answer = client.post("/v1/chat/completions", content=content)
    assert answer.status_code == 400 and "JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize("prompt", [["one", "two"], [[1, 2], [3]], [], 7, None, {"text": "x"}])
def test_a_completion_is_one_prompt(room, prompt):
    with room.client(ANN) as client:
        answer = client.post("/v1/completions", json={"prompt": prompt})
    assert answer.status_code == 400 and "one text" in answer.json()["error"]["message"]


def test_a_body_that_is_too_long_is_refused(room, fake):
    with room.client(ANN) as client:
        long = client.post("/v1/chat/completions", content=b" " * (asked.LONGEST_BODY + 1))
        assert long.status_code == 413
    fake.on["/v1/chat/completions"] = says("42")
    assert room.ask(BEN).status_code == 200


def test_clients_that_never_finish_their_request_are_ended(room, fake, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(asked, "BODY_SECONDS", 0.5)
    host, port = room.address.removeprefix("http://").split(":")
    key = room.keys.key_of(ANN)
    openings = [
        b"",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow",
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Content-Length: 50\r\n\r\n{".encode(),
    ]
    sockets = [socket.create_connection((host, int(port))) for _ in openings]
    for connection, opening in zip(sockets, openings, strict=True):
        connection.settimeout(10)
        connection.sendall(opening)
    assert sockets[0].recv(100) == b"" and sockets[1].recv(100) == b""
    assert b"408" in sockets[2].recv(100)
    fake.on["/v1/chat/completions"] = says("42")
    assert room.ask(BEN).status_code == 200


def test_a_client_that_does_not_read_loses_its_slot(room, fake, monkeypatch):
    monkeypatch.setattr(answering, "SEND_SECONDS", 0.5)

    def pours(request):
        request.start_stream()
        for _ in range(400):
            request.delta(content="x" * 100_000)

    fake.on["/v1/chat/completions"] = pours
    host, port = room.address.removeprefix("http://").split(":")
    body = json.dumps(chat(stream=True)).encode()
    with socket.create_connection((host, int(port))) as connection:
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            f"{room.keys.key_of(ANN)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        wait_for(lambda: room.board()["running"] == 1)
        wait_for(lambda: room.board()["running"] == 0)
    fake.on["/v1/chat/completions"] = says("42")
    assert room.ask(BEN).status_code == 200


def test_a_learner_who_hangs_up_frees_the_slot_and_the_place(room, fake):
    """Also before the first token and while still in line (litellm#31499, llama.cpp#13262)."""
    stalls(fake, "Hm")
    begun = [stream(room, name) for name in (ANN, BEN)]
    waiting = Reader(room, CLEO)
    wait_for(lambda: room.board()["waiting"] == 1)
    client, response = begun[0]
    response.close(), client.close()
    wait_for(lambda: room.board()["waiting"] == 0)
    assert room.board()["running"] == 2
    waiting._client.close()
    fake.released.set()
    begun[1][1].read()


def test_a_reply_that_is_not_streamed_is_given_up_when_its_client_hangs_up(room, fake):
    """Nobody listens for it unless one does so oneself (starlette#297)."""
    fake.on["/v1/chat/completions"] = lambda request: request.stall()
    with pytest.raises(httpx.ReadTimeout), room.client(ANN, timeout=0.5) as client:
        client.post("/v1/chat/completions", json=chat())
    wait_for(lambda: room.board()["running"] == 0)


def test_those_who_wait_are_told_their_place(room, fake, monkeypatch):
    monkeypatch.setattr(answering, "FIRST_NOTICE_SECONDS", 0.1)
    monkeypatch.setattr(answering, "NOTICE_SECONDS", 0.1)
    stalls(fake, "Hm")
    readers = [Reader(room, name) for name in (ANN, BEN, CLEO)]
    wait_for(lambda: any(": You are 1st in line." in reader.text for reader in readers))
    fake.released.set()
    wait_for(lambda: all(reader.ended for reader in readers))
    assert all(reader.text.count('"Hm"') == 1 and "[DONE]" in reader.text for reader in readers)


def test_the_course_reads_a_reply_that_had_to_wait(room, fake, monkeypatch):
    monkeypatch.setattr(answering, "FIRST_NOTICE_SECONDS", 0.05)
    monkeypatch.setattr(answering, "NOTICE_SECONDS", 0.05)
    room.tell("pause", on=True)
    threading.Timer(0.5, lambda: room.tell("pause", on=False)).start()
    fake.on["/v1/chat/completions"] = says("4", "2")
    with engine_of(room) as engine:
        assert engine.chat("6 * 7?").finish().answer == "42"


def test_a_pause_holds_the_line_and_lets_replies_finish(room, fake):
    stalls(fake, "Hm")
    running = Reader(room, ANN)
    wait_for(lambda: room.board()["running"] == 1)
    room.tell("pause", on=True)
    waiting = Reader(room, BEN)
    wait_for(lambda: room.board()["waiting"] == 1)
    fake.released.set()
    wait_for(lambda: running.ended)
    assert "[DONE]" in running.text
    time.sleep(0.2)
    wait_for(lambda: room.board()["running"] == 0)
    assert room.board()["waiting"] == 1
    with room.client(BEN) as client:
        assert "paused" in client.get("/class/api/me").json()["waiting"][0]
    room.tell("pause", on=False)
    wait_for(lambda: waiting.ended)
    assert "[DONE]" in waiting.text


def test_a_request_that_cannot_be_told_its_place_is_sent_away_in_time(room, fake, monkeypatch):
    monkeypatch.setattr(answering, "FIRST_NOTICE_SECONDS", 0.05)
    monkeypatch.setattr(answering, "NOTICE_SECONDS", 0.05)
    monkeypatch.setattr(answering, "PATIENCE_SECONDS", 0.2)
    room.tell("pause", on=True)
    answer = room.ask(ANN)
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert "paused the class; you are 1st in line" in answer.json()["error"]["message"]
    assert room.board()["waiting"] == 0


def test_too_many_requests_of_one_learner_are_refused_in_words(room, fake):
    room.tell("pause", on=True)
    most = min(room.gateway.line.longest, room.gateway.line.longest_per_learner)
    readers = [Reader(room, ANN) for _ in range(most)]
    wait_for(lambda: room.board()["waiting"] == most)
    answer = room.ask(ANN)
    assert answer.status_code == 429 and "waiting" in answer.json()["error"]["message"]
    fake.on["/v1/chat/completions"] = says("42")
    room.tell("pause", on=False)
    wait_for(lambda: all(reader.ended for reader in readers))


@pytest.mark.parametrize("by", ["button", "file"])
def test_a_revoked_key_stops_working_also_in_mid_stream(room, fake, by):
    stalls(fake, "Hm")
    reader, other = Reader(room, ANN), Reader(room, BEN)
    wait_for(lambda: '"Hm"' in reader.text and '"Hm"' in other.text)
    key = room.keys.key_of(ANN)
    if by == "button":
        room.tell("revoke", name=ANN)
    else:
        type(room.keys)(room.keys.path).revoke(ANN)
    wait_for(lambda: reader.ended, 3)
    assert reader.errors()[0]["code"] == 401 and "revoked" in reader.errors()[0]["message"]
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(f"{room.address}/v1/chat/completions", json=chat(), headers=headers)
    assert answer.status_code == 401
    assert not other.ended
    fake.released.set()
    wait_for(lambda: other.ended)
    assert "[DONE]" in other.text


def test_a_key_that_is_revoked_in_line_is_told_too(room, fake):
    room.tell("pause", on=True)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(room.ask(ANN)))
    thread.start()
    wait_for(lambda: room.board()["waiting"] == 1)
    room.tell("revoke", name=ANN)
    thread.join(5)
    assert answers[0].status_code == 401 and room.board()["waiting"] == 0


OVERFLOW = {
    "error": {
        "code": 400,
        "message": "the request exceeds the available context size, try increasing it",
        "type": "exceed_context_size_error",
    }
}


def test_an_overlong_prompt_is_a_clear_400(room, fake):
    fake.on["/v1/chat/completions"] = lambda request: request.json(OVERFLOW, 400)
    answer = room.ask(ANN)
    assert answer.status_code == 400 and answer.json() == OVERFLOW
    with engine_of(room) as engine, pytest.raises(PromptError, match="too long"):
        engine.chat("6 * 7?").finish()


def test_an_overlong_prompt_is_as_clear_after_a_wait(room, fake, monkeypatch):
    monkeypatch.setattr(answering, "FIRST_NOTICE_SECONDS", 0.05)
    room.tell("pause", on=True)
    threading.Timer(0.4, lambda: room.tell("pause", on=False)).start()
    fake.on["/v1/chat/completions"] = lambda request: request.json(OVERFLOW, 400)
    with engine_of(room) as engine, pytest.raises(PromptError, match="too long"):
        engine.chat("6 * 7?").finish()


def test_a_model_that_dies_in_mid_stream_is_one_clear_message(room, fake):
    def dies(request):
        request._handler.send_response(200)
        request._handler.send_header("Content-Type", "text/event-stream")
        request._handler.send_header("Content-Length", "100000")
        request._handler.end_headers()
        request.delta(content="Hm")
        request.cut()

    fake.on["/v1/chat/completions"] = dies
    reader = Reader(room, ANN)
    wait_for(lambda: reader.ended)
    assert '"Hm"' in reader.text
    assert "stopped in the middle" in reader.errors()[0]["message"]
    with engine_of(room) as engine, pytest.raises(ServerError, match="in the middle") as error:
        engine.chat("6 * 7?").finish()
    assert error.value.reply.answer == "Hm" or error.value.reply.thinking == "Hm"


def test_a_model_that_is_not_there_is_one_clear_message(room, fake):
    fake.close()
    answer = room.ask(ANN)
    assert answer.status_code == 503
    assert "stopped before it could answer" in answer.json()["error"]["message"]
    with room.client(ANN) as client:
        assert client.get("/v1/models").status_code == 503
    assert room.board()["running"] == 0


def test_what_a_model_calls_its_settings_shows_no_path_of_the_machine(room, fake):
    fake.on["/props"] = lambda request: request.json(
        {"model_path": "/home/teacher/secret.gguf", "chat_template": "x", "total_slots": 8,
         "default_generation_settings": {"n_ctx": 512, "prompt": "Ann's secret"}}
    )  # fmt: skip
    with room.client(BEN) as client:
        answer = client.get("/props")
    assert "secret" not in answer.text
    assert answer.json()["default_generation_settings"] == {"n_ctx": 512}


def test_a_learner_can_be_added_while_the_class_runs(room, fake):
    made = room.tell("add", name="Zoë")
    fake.on["/v1/chat/completions"] = says("42")
    headers = {"Authorization": f"Bearer {made['key']}"}
    answer = httpx.post(f"{room.address}/v1/chat/completions", json=chat(), headers=headers)
    assert answer.status_code == 200
    with room.client() as client:
        again = client.post("/class/api/add", json={"name": "Zoë"})
    assert again.status_code == 400 and "already" in again.json()["error"]["message"]


def test_nothing_is_logged_of_keys_and_questions(room, fake, capfd, caplog):
    fake.on["/v1/chat/completions"] = lambda request: request.cut()
    room.ask(ANN, "a private question")
    fake.on["/v1/chat/completions"] = says("42")
    room.ask(ANN, "a private question")
    said = "".join(capfd.readouterr()) + caplog.text
    assert "private" not in said and room.keys.key_of(ANN) not in said
