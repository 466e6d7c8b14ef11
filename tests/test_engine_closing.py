"""A closed model says so, ends no process, and is not taken from others who have it open."""

import os
import subprocess
import sys
import threading
import time
from unittest import mock

import psutil
import pytest

from course_utils.engines import PLAIN, open_model
from course_utils.engines.local import opening
from course_utils.errors import CourseError, ModelLoadError
from tests.model_sizes import SIZES, computed_as
from tests.tiny_models import ENDLESS, markov_model, tiny_model

LONG = PLAIN.but(seed=0, max_tokens=2000)


@pytest.fixture(params=SIZES)
def size(request):
    """What asks for this holds for models of both sizes."""
    with computed_as(request.param) as size:
        yield size


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "model.gguf")


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    return markov_model(tmp_path_factory.mktemp("models") / "endless.gguf", ENDLESS).path


def is_freed(model) -> bool:
    """Whether llama.cpp has the weights no longer."""
    return model._model.handle.freed


# ---- use after close -------------------------------------------------------------------------

CALLS = {
    "chat": lambda m: m.chat("Hi"),
    "complete": lambda m: m.complete("Hi"),
    "sample_many": lambda m: m.sample_many("Hi", 2),
    "render": lambda m: m.render("Hi"),
    "next_tokens": lambda m: m.next_tokens("Hi"),
    "score": lambda m: m.score("Hi"),
    "tokenize": lambda m: m.tokenize("Hi"),
    "tokenize nothing": lambda m: m.tokenize(""),
    "detokenize": lambda m: m.detokenize([1]),
    "detokenize nothing": lambda m: m.detokenize([]),
    "attention": lambda m: m.attention("Hi"),
    "routing": lambda m: m.routing("Hi"),
    "activations": lambda m: m.activations("Hi", ["result_norm"]),
    "activation_names": lambda m: m.activation_names(),
    "save_cache": lambda m: m.save_cache("cache.bin"),
    "load_cache": lambda m: m.load_cache("cache.bin"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_on_a_closed_model_says_that_it_is_closed(path, call):
    model = open_model(path)
    model.close()
    model.close()  # twice is once
    with pytest.raises(CourseError, match="has been closed") as caught:
        call(model)
    assert "open_model()" in caught.value.remedy


@pytest.mark.parametrize("way", ["finish", "next", "close", "stop and finish"])
def test_a_stream_that_outlives_its_model_ends_clearly(size, path, way):
    with open_model(path) as model:
        stream = model.complete("So first", LONG)
        first = next(stream)
    if way == "close":
        stream.close()
    elif way == "stop and finish":
        stream.stop()
        assert stream.finish().stop_reason == "interrupted"
    else:
        with pytest.raises(CourseError, match="closed"):
            stream.finish() if way == "finish" else next(stream)
    assert stream.reply.answer.startswith(first.text)


def test_reading_on_after_closing_does_not_end_the_process(path):
    code = f"""
from course_utils.engines import PLAIN, open_model
from course_utils.errors import CourseError
model = open_model({str(path)!r})
stream, unread = model.chat("Hi", PLAIN.but(seed=0)), model.chat("Hi")
next(stream)
model.close()
for each in (stream, unread):
    try:
        each.finish()
    except CourseError as error:
        print(error.problem)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["This model has been closed."] * 2


def test_a_model_is_freed_although_half_read_streams_and_errors_are_kept(path):
    model = open_model(path)
    stream = model.complete("So first", LONG)
    next(stream)
    with pytest.raises(CourseError) as kept:
        model.activations("Hi", ["nothing"])
    model.close()
    assert is_freed(model)
    assert kept.value and stream


def test_a_model_whose_context_cannot_be_made_is_freed_although_its_error_is_kept(path):
    opened = []

    class Watched(opening.Model):
        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            opened.append(self)

    with mock.patch.object(opening, "Model", Watched), pytest.raises(ModelLoadError) as kept:
        open_model(path, kv_type="q8_0")  # its heads are narrower than a block of Q8_0
    assert opened[0].handle.freed and kept.value


def test_opening_and_closing_again_and_again_takes_no_memory(path):
    """JamePeng/llama-cpp-python#58, abetlen/llama-cpp-python#2342."""

    def open_use_close():
        with open_model(path) as model:
            model.chat("Hi", PLAIN.but(seed=0, max_tokens=2)).finish()
            model.sample_many("Hi", 3, PLAIN.but(seed=0, max_tokens=2))
            model.attention("Hi")

    def resident_bytes() -> int:
        return psutil.Process().memory_info().rss

    open_use_close()
    before = resident_bytes()
    for _ in range(60):
        open_use_close()
    # One context alone takes a megabyte, and each round has three.
    assert resident_bytes() - before < 30e6


@pytest.mark.parametrize("work", ["streaming", "sampling many", "reading a prompt", "scoring"])
def test_closing_while_another_thread_computes_is_safe(size, endless, work):
    model = open_model(endless)
    text = "wait " * 1500
    calls = {
        "streaming": lambda: model.chat("6*7?", PLAIN.but(seed=0)).finish(),
        "sampling many": lambda: model.sample_many("6*7? wait", 8, PLAIN.but(seed=0)),
        "reading a prompt": lambda: [model.next_tokens(text + str(i), 1) for i in range(1000)],
        "scoring": lambda: [model.score(text) for _ in range(1000)],
    }
    ended = []

    def use():
        try:
            ended.append(calls[work]())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    time.sleep(0.3)
    model.close()
    thread.join(20)
    assert isinstance(ended[0], CourseError) and "closed" in ended[0].problem
    assert is_freed(model)


# ---- several who have it open ------------------------------------------------------------------


def test_leaving_a_with_block_does_not_close_another_cells_model(path):
    mine = open_model(path)
    with open_model(path) as theirs:
        assert theirs.next_tokens("Hi", 1)[0].token == mine.next_tokens("Hi", 1)[0].token
    assert theirs.closed and not mine.closed
    assert mine.chat("Hi", PLAIN.but(seed=0, max_tokens=3)).finish().tokens == 3
    mine.close()
    assert is_freed(mine)


def test_each_opener_closes_for_itself_and_the_last_one_frees_the_memory(path):
    first, second = open_model(path), open_model(path)
    first.close()
    with pytest.raises(CourseError, match="closed"):
        first.next_tokens("Hi", 1)
    assert second.next_tokens("Hi", 1)
    second.close()
    assert is_freed(second)
    assert open_model(path).next_tokens("Hi", 1)


def test_running_a_cell_twice_leaves_one_opener(path):
    model = open_model(path)
    model = open_model(path)
    model.close()
    assert is_freed(model)


def test_what_is_being_read_keeps_its_model_open(path):
    stream = open_model(path).complete("So first", PLAIN.but(seed=0, max_tokens=20))
    assert stream.finish().tokens == 20


def test_openers_share_what_has_been_read(path):
    first, second = open_model(path), open_model(path)
    prompt = "Tell me a long story. " * 10
    first.next_tokens(prompt, 1)
    reply = second.complete(prompt, PLAIN.but(max_tokens=1)).finish()
    assert reply.cached_tokens == reply.prompt_tokens - 1


# ---- stop buttons ------------------------------------------------------------------------------


def test_a_stopped_reply_leaves_nothing_behind(size, endless):
    model = open_model(endless)
    expected = model.next_tokens("wait", 1)[0].token
    for when in ("before", "while"):
        stream = model.chat("6*7?", PLAIN.but(seed=0))
        if when == "while":
            next(stream)
        stream.stop()
        assert stream.finish().stop_reason == "interrupted"
        assert model.next_tokens("wait", 1)[0].token == expected
        assert len(model.score("wait and check")) > 2
        assert model.attention("wait").weights.size
        assert model.sample_many("wait", 2, PLAIN.but(max_tokens=2))
        assert model.chat("6*7?", thinking_budget=2).finish().answer == "42"


def test_a_stop_button_ends_the_reading_of_a_long_prompt(endless):
    with computed_as("a large one"):
        model = open_model(endless, threads=1, batch=4)
    stream = model.complete("wait " * 3500)
    threading.Timer(0.05, stream.stop).start()
    reply = stream.finish()
    assert (reply.stop_reason, reply.tokens) == ("interrupted", 0)
    assert model.next_tokens("wait", 1)


def test_a_reply_that_waits_for_its_turn_can_be_stopped(endless):
    model = open_model(endless)
    busy = model.chat("6*7?", PLAIN.but(seed=0))
    reader = threading.Thread(target=busy.finish)
    reader.start()
    time.sleep(0.1)
    waiting = model.chat("6*7?", PLAIN.but(seed=0))
    threading.Timer(0.1, waiting.stop).start()
    started = time.perf_counter()
    assert waiting.finish().stop_reason == "interrupted"
    assert time.perf_counter() - started < 2
    busy.stop()
    reader.join(10)
    assert not reader.is_alive()


# ---- other processes ---------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
@pytest.mark.parametrize("threads, ends", [(1, "['token']"), (2, "forked")])
def test_a_forked_process_computes_or_says_why_not(path, threads, ends):
    """llama.cpp's threads stay behind, and the child would wait for them (VLMEvalKit#1363)."""
    code = f"""
import os
from course_utils.engines import open_model
from course_utils.errors import CourseError
model = open_model({str(path)!r}, threads={threads})
model.next_tokens("Hi", 1)
if os.fork() == 0:
    try:
        print(["token" for _ in model.next_tokens("Hello there", 1)], flush=True)
    except CourseError as error:
        print(error.problem, flush=True)
    os._exit(0)
os.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ends in done.stdout, done.stderr
