"""Whatever text, template or path meets the engine: it works, or one clear error says why not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import gguf
import numpy as np
import pytest

from course_utils.engines import GREEDY, PLAIN, open_model
from course_utils.engines.local import loading
from course_utils.engines.protocol import Piece, Reply, Stream
from course_utils.engines.transcript import load, record, replay
from course_utils.errors import CourseError, MachineError, ModelFileError, PromptError
from course_utils.model_files.gguf_check import check_gguf
from tests.model_sizes import SIZES, computed_as
from tests.tiny_models import CHAT_TEMPLATE, tiny_model

HALF = "2+3 \ud83d"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder):
    return open_model(tiny_model(folder / "model.gguf"))


def model_with(path: Path, *, pre: str = "qwen2", add_bos: bool = False, **settings) -> Path:
    """A tiny model whose file names another pre-tokenizer, or asks for a beginning-of-text token.

    The tokens stay the same, so that what changes is llama.cpp's handling alone.
    """
    write_pre, write_bos = gguf.GGUFWriter.add_tokenizer_pre, gguf.GGUFWriter.add_add_bos_token
    with (
        mock.patch.object(
            gguf.GGUFWriter, "add_tokenizer_pre", lambda writer, _: write_pre(writer, pre)
        ),
        mock.patch.object(
            gguf.GGUFWriter, "add_add_bos_token", lambda writer, _: write_bos(writer, add_bos)
        ),
    ):
        return tiny_model(path, **settings)


# ---- texts -----------------------------------------------------------------------------------

ROADS = {
    "chat": lambda m, text: m.chat(text),
    "a system message": lambda m, text: m.chat(
        [{"role": "system", "content": text}, {"role": "user", "content": "Hi"}]
    ),
    "render": lambda m, text: m.render(text),
    "complete": lambda m, text: m.complete(text),
    "sample_many": lambda m, text: m.sample_many(text, 2),
    "next_tokens": lambda m, text: m.next_tokens(text),
    "score": lambda m, text: m.score(text),
    "tokenize": lambda m, text: m.tokenize(text),
    "attention": lambda m, text: m.attention(text),
}


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
@pytest.mark.parametrize("text", [HALF, "\udc00", "A\ud83d\ud83d"], ids=ascii)
def test_half_of_a_surrogate_pair_is_refused_on_every_road(model, road, text):
    """simonw/llm#768, aider#3693: it came out of a program that cut an emoji in two."""
    with pytest.raises(PromptError, match="half of a surrogate pair"):
        road(model, text)


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ufffe\uffff", "\u202eabc", "🙂" * 50, "\r\n\t "])
def test_every_other_character_comes_through(model, text):
    assert model.detokenize(model.tokenize(text)) == text
    assert model.complete(text, GREEDY.but(max_tokens=2)).finish().prompt_tokens > 0


def test_long_runs_of_one_kind_of_character_are_split_whatever_the_pre_tokenizer(folder):
    """llama.cpp#15594, #27783: its regular expressions overflow the stack at some 26,000."""
    names = ["tekken", "gpt-4o", "deepseek-llm", "default", "qwen2"]
    paths = [str(model_with(folder / f"{pre}.gguf", pre=pre, context=32_768)) for pre in names]
    code = f"""
import threading
from course_utils.engines import open_model
def work():
    for path in {paths!r}:
        model = open_model(path, context=32_768)
        for text in ("A" * 60_000, "." * 60_000, " " * 60_000, "\\u597d" * 40_000):
            assert model.detokenize(model.tokenize(text)) == text
        assert model.chat("A" * 30_000).reply.prompt_tokens > 30_000
        print(path, flush=True)
threading.stack_size(512 * 1024)  # some systems give a thread no more
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert done.stdout.splitlines() == paths, done.stderr[-500:]


@pytest.mark.parametrize("road", [ROADS[r] for r in ("chat", "complete", "score", "sample_many")])
def test_a_text_beyond_the_context_is_refused_before_it_is_split(model, road):
    with (
        mock.patch.object(model._vocabulary, "tokenize", side_effect=AssertionError("was split")),
        pytest.raises(PromptError, match=r"5,000,000 characters, more than the context"),
    ):
        road(model, "A" * 5_000_000)


def test_a_text_too_long_to_split_at_once_is_refused(model):
    with pytest.raises(PromptError, match="in parts of at most 1,000,000"):
        model.tokenize("A" * 1_000_001)


# ---- templates and beginnings ------------------------------------------------------------------


def test_a_template_that_drops_the_message_never_gives_an_empty_prompt(folder):
    """llama-cpp-python#1855: an empty prompt ended the process."""
    template = "{% for m in messages if m.role == 'human' %}{{ m.content }}{% endfor %}"
    for name, begins in (("drops", False), ("drops_and_begins", True)):
        path = model_with(folder / f"{name}.gguf", add_bos=begins, chat_template=template)
        model = open_model(path)
        with pytest.raises(PromptError, match=r"template (drops|writes nothing)"):
            model.chat("Hi")
        assert model.next_tokens("Hi", 1)


@pytest.mark.parametrize("add_bos", [True, False])
@pytest.mark.parametrize("written", [0, 1, 2], ids="template writes it {} times".format)
def test_every_road_reads_the_same_tokens_and_never_two_beginnings(folder, add_bos, written):
    """DeepSeek-R1#151: the template wrote a beginning-of-text token, and another was added."""
    beginning = "<|endoftext|>"  # what these files call by that name
    path = model_with(
        folder / f"begins-{add_bos}-{written}.gguf",
        add_bos=add_bos,
        chat_template=written * beginning + CHAT_TEMPLATE,
    )
    model, one = open_model(path), PLAIN.but(max_tokens=1)
    prompt = model.render("Hi")
    scored = [each.token.text for each in model.score(prompt)]
    counts = [
        model.chat("Hi").reply.prompt_tokens,
        model.complete(prompt).reply.prompt_tokens,
        *(reply.prompt_tokens for reply in model.sample_many(prompt, 2, one)),
        len(scored),
        len(model.attention(prompt).tokens),
    ]
    assert len(set(counts)) == 1
    assert scored.count(beginning) == (1 if add_bos else written)
    # The chat has left all but the last token in the cache that the others need.
    model.chat("Hi", one).finish()
    assert model.complete(prompt, one).finish().cached_tokens == counts[0] - 1


@pytest.mark.parametrize("blank", ["\n", "  ", "\ufeff", "\r\n\t\n", "{{ '\\n' }} "], ids=ascii)
@pytest.mark.parametrize("times", [1, 2])
def test_a_blank_before_the_templates_own_beginning_makes_no_second_one(tmp_path, blank, times):
    """Editors put a line's end, or the invisible mark of a Unicode file, before a template."""
    beginning = "<|endoftext|>"
    path = model_with(
        tmp_path / "blank.gguf",
        add_bos=True,
        chat_template=times * (blank + beginning) + CHAT_TEMPLATE,
    )
    model = open_model(path)
    prompt = model.render("Hi")
    scored = [each.token.text for each in model.score(prompt)]
    assert scored[0] == beginning and scored.count(beginning) == 1
    assert model.chat("Hi").reply.prompt_tokens == len(scored)
    assert len(model.attention(prompt).tokens) == len(scored)


@pytest.mark.parametrize("number", [None, 2**32 - 1], ids=["missing", "none"])
def test_a_file_without_a_beginning_gets_none_whatever_it_asks_for(tmp_path, number):
    """llama.cpp guesses number 11, which is a comma here, and would begin each prompt with it."""
    write = gguf.GGUFWriter.add_bos_token_id

    def write_number(writer, _):
        if number is not None:
            write(writer, number)

    with mock.patch.object(gguf.GGUFWriter, "add_bos_token_id", write_number):
        template = "{{ bos_token }}" + CHAT_TEMPLATE
        path = model_with(tmp_path / "no.gguf", add_bos=True, chat_template=template)
    model = open_model(path)
    assert model.render("Hi").startswith("<|im_start|>user")
    scored = [each.token for each in model.score(model.render("Hi"))]
    assert scored[0].text == "<|im_start|>" and all(token.id >= 0 for token in scored)
    assert model.complete("Hi", GREEDY.but(max_tokens=1)).reply.prompt_tokens == 2


def test_a_file_without_an_end_does_not_end_at_a_comma(tmp_path):
    with mock.patch.object(gguf.GGUFWriter, "add_eos_token_id", lambda writer, _: None):
        model = open_model(model_with(tmp_path / "no-end.gguf"))
    ends = {model.detokenize([token]) for token in model._vocabulary.end_tokens}
    assert ends and all(end.startswith("<|") for end in ends)


def test_a_blank_text_that_begins_nothing_stays_as_it_is(folder):
    model = open_model(model_with(folder / "no-blank.gguf", add_bos=True))
    scored = [each.token.text for each in model.score("\n\nHi")]
    assert scored.count("<|endoftext|>") == 1 and "".join(scored[1:]) == "\n\nHi"


# ---- what the model computes -------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_a_model_that_computes_no_numbers_says_so(tmp_path, size):
    """llama.cpp#26651: the sampler finds no token; with assertions on, that ends the process."""
    path = tiny_model(tmp_path / "overflow.gguf")
    norm = check_gguf(path).tensor("output_norm.weight")
    data = bytearray(path.read_bytes())
    # The weights are numbers, only too large ones for the product.
    huge = np.full(norm.shape, 3e38, np.float32).tobytes()
    data[norm.offset : norm.offset + len(huge)] = huge
    path.write_bytes(data)
    with computed_as(size):
        model = open_model(path)
    for ask in (
        lambda: model.chat("Hi", PLAIN).finish(),
        lambda: model.chat("Hi", GREEDY).finish(),
        lambda: model.next_tokens("Hi", 1),
        lambda: model.score("Hi there"),
        lambda: model.sample_many("Hi", 2, PLAIN),
    ):
        with pytest.raises(CourseError, match="not a number"):
            ask()


@pytest.mark.parametrize("place", [0, 300, -1])
def test_one_logit_that_is_no_number_is_enough_and_one_that_is_ruled_out_is_none(model, place):
    model.next_tokens("So first", 1)
    context = model._cache.context
    with context.handle as pointer:
        logits = context.as_array(context.checked_logits(pointer, -1))
        for value in (np.nan, np.inf):
            logits[place] = value
            with pytest.raises(CourseError, match="not a number"):
                context.checked_logits(pointer, -1)
        logits[place] = -np.inf  # Chameleon's pictures, for example
        assert context.logits()[place] == -np.inf


def test_more_completions_than_tokens_in_a_step_are_drawn_all_the_same(folder):
    """A step holds a token of each; llama.cpp asserts that it is not larger than the batch."""
    model = open_model(folder / "model.gguf", batch=8)
    replies = model.sample_many("So first", 40, PLAIN.but(seed=1, max_tokens=3))
    assert [reply.tokens for reply in replies] == [3] * 40


def test_penalties_count_the_prompt_in_sample_many_as_in_a_stream(model):
    prompt = "So first we add the tens, then the ones. " * 3
    sampling = PLAIN.but(seed=3, max_tokens=15, repetition_penalty=10.0, presence_penalty=5.0)
    alone = model.complete(prompt, sampling).finish()
    together = model.sample_many(prompt, 2, sampling)
    assert together[0].answer == alone.answer


def test_completions_end_with_the_context_like_a_stream(folder):
    model = open_model(folder / "model.gguf", context=256)
    alone = model.complete("So first", PLAIN.but(seed=0)).finish()
    together = model.sample_many("So first", 1, PLAIN.but(seed=0))[0]
    assert (together.tokens, together.stop_reason) == (alone.tokens, alone.stop_reason)


# ---- memory ------------------------------------------------------------------------------------


def test_memory_for_many_completions_is_counted_where_it_is_taken(model, monkeypatch):
    sampling = PLAIN.but(seed=0, max_tokens=5)
    expected = [reply.answer for reply in model.sample_many("So first", 6, sampling)]
    monkeypatch.setattr(loading, "LITTLE_BYTES", 0)
    settings = {"kv_type": "f32", "batch": 512, "flash_attention": False}
    need = loading.context_bytes(model._architecture, context=3 * 5 + 10, **settings)
    monkeypatch.setattr(loading, "available_memory_bytes", lambda: need + loading.RESERVE_BYTES)
    # Fewer at once, and the same completions.
    assert [reply.answer for reply in model.sample_many("So first", 6, sampling)] == expected
    monkeypatch.setattr(loading, "available_memory_bytes", lambda: loading.RESERVE_BYTES)
    with pytest.raises(MachineError, match="One completion of up to 5 tokens takes") as caught:
        model.sample_many("So first", 6, sampling)
    assert "max_tokens" in caught.value.remedy
    with pytest.raises(MachineError, match="Looking into"):
        model.attention("So first")
    assert model.complete("So first", sampling).finish().tokens == 5


def test_many_completions_of_qwq_are_not_given_memory_that_is_not_there(monkeypatch):
    from course_utils.model_files.catalogue import find_model

    qwq = find_model("qwq-32b").architecture
    four = loading.context_bytes(qwq, context=4 * 8192, kv_type="f16")
    assert four > 8 * 2**30
    monkeypatch.setattr(loading, "available_memory_bytes", lambda: 4 * 2**30)
    assert not loading.room_for(four)
    assert loading.room_for(loading.context_bytes(qwq, context=8192, kv_type="f16"))


# ---- paths -------------------------------------------------------------------------------------

NAMES = [b"mit Leerzeichen.gguf", "模型.gguf".encode(), b"latin-\xe9.gguf", b"quote'\".gguf"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take names of text only")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_every_name_that_a_file_can_have_works(model, tmp_path, name):
    """llama.cpp#18571, aider#5223."""
    path = tmp_path / os.fsdecode(name)
    shutil.copy(model.info.source, path)
    opened = open_model(path)
    json.dumps(opened.info.name).encode()
    repr(opened).encode()
    tokens = len(opened.tokenize("So first"))
    opened.next_tokens("So first", 1)
    assert opened.save_cache(f"{path}.cache") == tokens
    assert opened.load_cache(f"{path}.cache") == tokens
    reply = record(opened, f"{path}.json", "Hi", PLAIN.but(seed=0, max_tokens=3))
    assert replay(f"{path}.json", speed=float("inf")).finish() == reply


@pytest.mark.parametrize(
    "name", ["x" * 300 + ".gguf", "no/such/folder/m.gguf", "a\0b.gguf", "m.gguf/m.gguf", "~no/m"]
)
def test_a_path_that_cannot_be_is_a_clear_error(tmp_path, monkeypatch, name):
    (tmp_path / "m.gguf").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError) as caught:
        open_model(name)
    assert len(caught.value.problem) < 250
    caught.value.problem.encode()


@pytest.mark.parametrize("wrong", ["missing folder", "a folder", "long", "nul", "not allowed"])
def test_the_place_is_tried_before_the_model_is_asked(model, tmp_path, wrong):
    """litgpt#942: the reply was written, and then lost."""
    if wrong == "not allowed" and os.name == "nt":
        pytest.skip("Windows has no /proc")
    path = {
        "missing folder": tmp_path / "missing" / "run.json",
        "a folder": tmp_path,
        "long": tmp_path / ("x" * 300),
        "nul": tmp_path / "a\0b",
        "not allowed": Path("/proc/run.json"),
    }[wrong]
    with (
        mock.patch.object(type(model), "chat", side_effect=AssertionError("the model was asked")),
        pytest.raises(MachineError, match="cannot be written"),
    ):
        record(model, path, "Hi")
    with pytest.raises(MachineError, match="cannot be written"):
        model.save_cache(path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_cannot_be_written_after_all_lies_somewhere_else(model, tmp_path):
    path = tmp_path / "run.json"
    full = OSError(28, "No space left on device")
    with (
        mock.patch.object(Path, "write_bytes", side_effect=full),
        pytest.raises(MachineError, match="No space left") as caught,
    ):
        record(model, path, "Hi", PLAIN.but(seed=0, max_tokens=3))
    kept = Path(caught.value.problem.split("lies in ")[1].split(" instead")[0])
    assert load(kept)["reply"]["answer_tokens"] + load(kept)["reply"]["thinking_tokens"] == 3
    kept.unlink()


def test_an_engine_without_settings_of_its_own_is_recorded_too(tmp_path):
    """A server whose name does not suggest reasoning leaves the settings to itself."""
    from tests.bigram_engine import BigramEngine

    engine = BigramEngine()
    assert engine.default_sampling is None
    reply = record(engine, tmp_path / "run.json", "a cat ")
    assert load(tmp_path / "run.json")["sampling"]["seed"] == 0
    assert replay(tmp_path / "run.json", speed=float("inf")).finish() == reply


def test_a_reply_with_half_a_character_can_be_kept(model, tmp_path):
    """A server may send half of a surrogate pair."""
    reply = Reply(answer=HALF, answer_tokens=3)
    stream = Stream((piece for piece in [Piece("answer", HALF, 3, 0.1)]), reply)
    with mock.patch.object(type(model), "chat", return_value=stream):
        record(model, tmp_path / "run.json", "Hi")
    assert replay(tmp_path / "run.json", speed=float("inf")).finish() == reply
