"""A long conversation survives a restart, and a run can be watched again without the model."""

import json
import random

import pytest

from course_utils.engines import PLAIN, open_model
from course_utils.engines.local import LocalEngine, LocalOptions, cache
from course_utils.engines.transcript import load, record, replay
from course_utils.errors import ModelFileError, OptionError
from tests.tiny_models import markov_model, tiny_model

TEXT = "So first we add the tens, then the ones. Let me check the answer step by step. "


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keeping")


@pytest.fixture(scope="module")
def model_file(folder):
    return tiny_model(folder / "model.gguf")


def test_a_saved_cache_spares_a_restarted_engine_the_prompt(folder, model_file):
    first = LocalEngine(model_file)
    before = first.complete(TEXT * 5, PLAIN.but(seed=0, max_tokens=30)).finish()
    saved = first.save_cache(folder / "cache.bin")
    first.close()

    second = LocalEngine(model_file)
    assert second.load_cache(folder / "cache.bin") == saved > before.prompt_tokens
    after = second.complete(TEXT * 5, PLAIN.but(seed=0, max_tokens=30)).finish()
    assert after.answer == before.answer
    assert after.cached_tokens == after.prompt_tokens - 1


@pytest.mark.parametrize(
    "damage", ["missing", "garbage", "truncated", "flipped", "other model", "other context"]
)
def test_a_cache_that_does_not_fit_is_refused_and_the_engine_goes_on(folder, model_file, damage):
    engine = LocalEngine(model_file)
    expected = engine.next_tokens(TEXT, 3)
    path = folder / f"{damage}.bin"
    if damage == "garbage":
        path.write_bytes(b"not a cache" * 100)
    elif damage == "truncated":
        engine.save_cache(path)
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "flipped":
        engine.save_cache(path)
        data = bytearray(path.read_bytes())
        data[20] ^= 255
        path.write_bytes(data)
    elif damage == "other context":
        other = LocalEngine(model_file, options=LocalOptions(context=256))
        other.next_tokens(TEXT, 1)
        other.save_cache(path)
    elif damage == "other model":
        other = LocalEngine(tiny_model(folder / "other.gguf", hidden=128))
        other.next_tokens(TEXT, 1)
        other.save_cache(path)
    with pytest.raises(ModelFileError, match="KV cache"):
        engine.load_cache(path)
    again = engine.next_tokens(TEXT, 3)
    assert [c.token for c in again] == [c.token for c in expected]


def test_a_recorded_run_replays_piece_by_piece(folder):
    engine = open_model(markov_model(folder / "markov.gguf").path)
    path = folder / "run.json"
    reply = record(engine, path, "6*7?", PLAIN.but(seed=3))
    stream = replay(path, speed=float("inf"))
    pieces = list(stream)
    assert "".join(p.text for p in pieces if p.kind == "answer") == reply.answer
    assert stream.reply == reply
    transcript = load(path)
    assert transcript["sampling"]["seed"] == 3
    assert len(transcript["model"]["sha256"]) == 64
    assert str(folder) not in path.read_text()
    # The same model repeats what was recorded.
    again = engine.chat(transcript["messages"], PLAIN.but(seed=3)).finish()
    assert (again.thinking, again.answer) == (reply.thinking, reply.answer)


def test_a_run_that_could_not_be_repeated_is_not_recorded(folder):
    engine = open_model(markov_model(folder / "markov.gguf").path)
    with pytest.raises(OptionError, match="seed"):
        record(engine, folder / "unseeded.json", "6*7?", PLAIN)
    assert not (folder / "unseeded.json").exists()


@pytest.mark.parametrize("content", [None, "{", "[]", json.dumps({"format": 99})])
def test_a_file_that_is_no_transcript_is_refused(folder, content):
    path = folder / "broken.json"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelFileError, match="transcript"):
        replay(path)


def test_two_texts_share_the_tokens_that_they_begin_with():
    draw = random.Random(0)
    for _ in range(300):
        shared = draw.choices(range(5), k=draw.choice([0, 1, 511, 512, 513, 1024, 1500]))
        one = shared + draw.choices(range(5), k=draw.randrange(4))
        other = shared + draw.choices(range(5), k=draw.randrange(4))
        same = cache._common_prefix(one, other)
        assert same >= len(shared)
        assert one[:same] == other[:same]
        assert one[same : same + 1] != other[same : same + 1] or same == min(len(one), len(other))
