"""Thirty learners and one nano thinker, over real HTTP, with the client that everybody uses."""

import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from course_utils.classroom import model_server, serving
from course_utils.classroom.__main__ import model_settings
from course_utils.classroom.capacity import plan_class
from course_utils.classroom.keys import KeyRing
from course_utils.engines import GREEDY, QWQ, open_model
from course_utils.errors import CourseError, PromptError, ServerError
from course_utils.network import free_port
from course_utils.paths import nano_folder, repository_root
from tests.classroom.running import chat, running, wait_for

pytest.importorskip("xllamacpp", reason="llama.cpp's server is not installed")
pytestmark = pytest.mark.skipif(
    not (nano_folder() / "thinker.gguf").exists(), reason="models/nano/thinker.gguf is absent"
)

LEARNERS, REQUESTS = 30, 10
ANN, BEN, CLEO = "learner-01", "learner-02", "learner-03"


def serve_thinker(slots=None, rehearsing=False, learners=LEARNERS):
    plan = plan_class("nano-thinker", learners, slots=slots)

    async def serve(keys, place, ready):
        await serving.serve_planned(
            plan, model_settings(plan), keys, place, rehearsing=rehearsing, on_ready=ready
        )

    return serve


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A class of thirty at the nano thinker."""
    folder = tmp_path_factory.mktemp("class")
    with running(serve_thinker(), folder, LEARNERS) as opened:
        yield opened


def client_of(room, name):
    return openai.OpenAI(
        base_url=f"{room.address}/v1", api_key=room.keys.key_of(name), max_retries=0, timeout=120
    )


def engine_of(room, name=ANN):
    return open_model(f"{room.address}/v1", api_key=room.keys.key_of(name))


def test_thirty_learners_with_ten_requests_each_lose_nothing(room):
    """Half of them stream. Every reply ends by itself, its thought apart from its answer."""

    def learner(number):
        client, replies = client_of(room, f"learner-{number + 1:02}"), []
        for turn in range(REQUESTS):
            a, b = 100 + 7 * number + turn, 900 - 11 * number - turn
            streamed = (number + turn) % 2 == 0
            answer = client.chat.completions.create(
                model="nano-thinker",
                messages=[{"role": "user", "content": f"What is {a} + {b}?"}],
                temperature=0,
                stream=streamed,
            )
            if streamed:
                thought = text = ""
                finish = None
                for chunk in answer:
                    choice = chunk.choices[0]
                    thought += getattr(choice.delta, "reasoning_content", None) or ""
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
            else:
                message = answer.choices[0].message
                thought, text = message.reasoning_content or "", message.content
                finish = answer.choices[0].finish_reason
            replies.append((a + b, thought, text, finish))
        return replies

    with ThreadPoolExecutor(LEARNERS) as pool:
        replies = [reply for done in pool.map(learner, range(LEARNERS)) for reply in done]
    assert len(replies) == LEARNERS * REQUESTS
    assert all(finish == "stop" for *_, finish in replies)
    assert all(thought and "<think>" not in thought for _, thought, *_ in replies)
    assert not any("think>" in text for _, _, text, _ in replies)
    right = sum(re.findall(r"\d+", text)[-1:] == [str(total)] for total, _, text, _ in replies)
    assert right > 0.9 * len(replies), "it is right in 97 of 100 such sums"
    wait_for(lambda: room.board()["running"] == room.board()["waiting"] == 0)
    wait_for(lambda: all(one["replies"] >= REQUESTS for one in room.board()["learners"]))


def test_a_wrong_key_is_an_authentication_error_for_the_usual_client(room):
    stranger = openai.OpenAI(base_url=f"{room.address}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError, match="paste the line"):
        stranger.models.list()
    assert client_of(room, ANN).models.list().data[0].id == "nano-thinker"


def test_an_overlong_prompt_is_a_bad_request(room):
    question = "What is 12 + 34? " * 400
    with pytest.raises(openai.BadRequestError, match="context"):
        client_of(room, ANN).chat.completions.create(
            model="nano-thinker", messages=[{"role": "user", "content": question}]
        )
    with engine_of(room) as engine, pytest.raises(PromptError, match="too long"):
        engine.chat(question).finish()


def test_the_courses_engine_does_at_the_class_server_what_it_does_alone(room):
    with engine_of(room) as served, open_model("nano-thinker") as local:
        assert served.info.name == "nano-thinker" and served.info.context == 1024
        assert served.info.reasoning and served.default_sampling == QWQ
        question = "What is 347 + 285?"
        reply = served.chat(question, GREEDY).finish()
        alone = local.chat(question, GREEDY).finish()
        assert (reply.thinking, reply.answer) == (alone.thinking, alone.answer)
        assert (reply.thinking_tokens, reply.answer_tokens) == (
            alone.thinking_tokens,
            alone.answer_tokens,
        )
        assert served.render(question) == local.render(question)
        assert served.tokenize(question) == local.tokenize(question)
        cut = served.chat(question, GREEDY, thinking_budget=4).finish()
        assert cut.thinking_cut and cut.thinking_tokens == 4
        ours, theirs = served.next_tokens("What is 3", 3), local.next_tokens("What is 3", 3)
        assert [one.token for one in ours] == [one.token for one in theirs]
        drawn = served.sample_many(served.render(question), 5, QWQ.but(seed=1))
        assert len(drawn) == 5 and all(one.answer for one in drawn)


def test_a_learner_cannot_feel_out_what_another_has_asked(room):
    """The words of a prompt that are in the cache cost nothing, and the server says how many."""
    secret = "What is 12 + 34? And my secret is 8, 1, 5, 9, 3, 3, 7, 2."

    def cached(name):
        timings = room.ask(name, secret, max_tokens=1).json()["timings"]
        return timings["cache_n"], timings["prompt_n"]

    for _ in range(2):
        mine = cached(ANN)
    assert mine[0] > 10, "a learner's own words are found again"
    for number in range(room.gateway.line.slots + 1):  # those who come new, through every slot
        guesser = room.tell("add", name=f"guesser {number}")["name"]
        assert cached(guesser) == (0, sum(mine))
        room.tell("revoke", name=guesser)


def test_a_learner_who_is_killed_costs_the_others_nothing(room):
    """A process that dies in mid-stream frees its slot; the others get their answers.

    llama.cpp#24496: it went on writing for nobody; llama.cpp#27604: it hung for everybody.
    """
    script = (
        "import sys, httpx\n"
        "with httpx.stream('POST', sys.argv[1] + '/v1/chat/completions', timeout=60,\n"
        "        headers={'Authorization': 'Bearer ' + sys.argv[2]}, json={'stream': True,\n"
        "        'ignore_eos': True, 'messages': [{'role': 'user', 'content': 'hi'}]}) as r:\n"
        "    for line in r.iter_lines(): print(line, flush=True)\n"
    )
    command = [sys.executable, "-c", script, room.address, room.keys.key_of(ANN)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        victim.stdout.readline()
        victim.kill()
    wait_for(lambda: room.board()["running"] == 0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: room.ask(f"learner-{n:02}"), range(2, 10)))
    assert all(answer.json()["choices"][0]["finish_reason"] == "stop" for answer in answers)


def test_a_model_server_that_dies_is_found_again_by_engines_that_are_open(tmp_path, monkeypatch):
    monkeypatch.setattr(model_server, "PAUSES", (0.1,))
    outcomes = []

    def learner(room, name, seed):
        with engine_of(room, name) as engine:
            asked_when_it_died = False
            while not asked_when_it_died:  # a fast machine finishes a reply before the server dies
                stream = engine.chat("Tell me a story.", QWQ.but(seed=seed, max_tokens=400))
                try:
                    outcome = stream.finish()
                except CourseError as error:
                    outcome = error
                asked_when_it_died = killed.is_set()
            outcomes.append(outcome)
            deadline = time.monotonic() + 30
            while True:  # the same engine, without opening it again
                try:
                    outcomes.append(engine.chat("What is 2 + 3?", GREEDY).finish())
                    return
                except ServerError:
                    assert time.monotonic() < deadline
                    time.sleep(0.2)

    serve = serve_thinker(slots=2, learners=3)
    killed = threading.Event()
    spawned = []
    original = model_server.ModelServer._launch

    async def remember(self):
        await original(self)
        spawned.append(self._process)

    monkeypatch.setattr(model_server.ModelServer, "_launch", remember)
    with running(serve, tmp_path) as room:
        threads = [
            threading.Thread(target=learner, args=(room, name, seed))
            for seed, name in enumerate((ANN, BEN, CLEO))
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: room.board()["running"] == 2)
        started = len(spawned)  # one for each core, at most one for each slot
        room.loop.call_soon_threadsafe(lambda: (spawned[0].kill(), killed.set()))
        for thread in threads:
            thread.join(60)
        assert killed.is_set() and len(spawned) > started
    assert len(outcomes) == 6
    for outcome in outcomes:
        if isinstance(outcome, CourseError):
            # In mid-reply, or just when it was asked: one clear message either way.
            assert re.search("stopped.*ask once more|no answer; ask again", str(outcome), re.DOTALL)
        else:
            assert outcome.stop_reason in ("end", "length")
    answers = [one for one in outcomes if not isinstance(one, CourseError) and "5" in one.answer]
    assert len(answers) >= 3


def test_a_class_that_is_opened_again_is_found_by_engines_that_are_open(tmp_path):
    serve, port = serve_thinker(slots=2, learners=3), free_port()
    with running(serve, tmp_path, port=port) as room:
        engine = engine_of(room)
        first = engine.chat("What is 2 + 3?", GREEDY).finish()
    with pytest.raises(ServerError) as gone:
        engine.chat("What is 2 + 3?", GREEDY).finish()
    assert "Traceback" not in str(gone.value)
    with running(serve, tmp_path, port=port):
        assert engine.chat("What is 2 + 3?", GREEDY).finish().answer == first.answer
    engine.close()


def test_the_command_opens_a_class_says_what_each_gets_and_ends(tmp_path):
    keys, port = tmp_path / "keys.json", free_port()
    command = [sys.executable, "-m", "course_utils.classroom", "serve", "nano-thinker"]
    command += ["--learners", "3", "--slots", "2", "--port", str(port), "--keys", str(keys)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=repository_root()
    ) as server:
        try:
            said = ""
            while "Ctrl-C" not in said:
                line = server.stdout.readline()
                assert line, server.stderr.read()
                said += line
            assert "Measured in a rehearsal" in said and "the last one is there after about" in said
            for name in KeyRing(keys).names:
                key = KeyRing(keys).key_of(name)
                assert f"COURSE_MODEL=http://127.0.0.1:{port}/v1 COURSE_API_KEY={key}" in said
            headers = {"Authorization": f"Bearer {KeyRing(keys).key_of(ANN)}"}
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            assert httpx.post(url, json=chat(), headers=headers, timeout=30).status_code == 200
        finally:
            server.terminate()
        assert server.wait(20) is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=2)
