"""A model opens with sensible options, and says what is wrong with others."""

import subprocess
import sys

import numpy as np
import pytest

from course_utils.engines import GREEDY, PLAIN, QWQ, Sampling, open_model
from course_utils.errors import (
    CourseError,
    ModelFileError,
    ModelLoadError,
    OptionError,
    PromptError,
)
from course_utils.model_files.gguf_check import check_gguf
from tests.tiny_models import markov_model, tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def markov(folder):
    """A model whose every probability is known."""
    return markov_model(folder / "markov.gguf")


@pytest.fixture(scope="module")
def random_model(folder):
    return open_model(tiny_model(folder / "random.gguf"))


def test_opening_the_same_file_twice_loads_it_once(markov):
    first, second = open_model(markov.path), open_model(str(markov.path))
    assert first._model is second._model
    assert open_model(markov.path, context=512)._model is not first._model


def test_course_model_sets_the_default(markov, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", str(markov.path))
    assert open_model().info.source == str(markov.path)
    monkeypatch.setenv("COURSE_MODEL", "  ")
    assert open_model().info.name == "nano-thinker"


def test_a_name_is_shown_as_the_catalogue_has_it_however_it_was_typed():
    assert open_model(" Nano-Thinker\n").info.name == "nano-thinker"


@pytest.mark.parametrize(
    "ask, error, words",
    [
        (lambda m: m.chat(""), PromptError, "empty"),
        (lambda m: m.chat([]), PromptError, "no message"),
        (lambda m: m.chat([{"content": "Hi"}]), PromptError, "role"),
        (lambda m: m.chat([{"role": "user", "content": None}]), PromptError, "not text"),
        (lambda m: m.complete(""), PromptError, "empty"),
        (lambda m: m.next_tokens(""), PromptError, "empty"),
        (lambda m: m.score(""), PromptError, "empty"),
        (lambda m: m.attention(""), PromptError, "empty"),
        (lambda m: m.complete(5), PromptError, "not a text"),
        (lambda m: m.tokenize(b"Hi"), PromptError, "not a text"),
        (lambda m: m.chat("Hi " * 5000), PromptError, "context"),
        (lambda m: m.score("Hi " * 5000), PromptError, "context"),
        (lambda m: m.attention("Hi " * 600), PromptError, "too many"),
        (lambda m: m.chat("Hi", {"temperature": 1}), OptionError, "sampling"),
        (lambda m: m.chat("Hi", thinking_budget=-1), OptionError, "thinking_budget"),
        (lambda m: m.chat("Hi", thinking_budget=2**70), OptionError, "thinking_budget"),
        (lambda m: m.chat("Hi", thinking_budget=True), OptionError, "thinking_budget"),
        (lambda m: m.next_tokens("Hi", 0), OptionError, "k=0"),
        (lambda m: m.detokenize(None), OptionError, "tokens="),
        (lambda m: m.next_tokens("Hi", 10**6), OptionError, "k=1000000"),
        (lambda m: m.sample_many("Hi", 0), OptionError, "n=0"),
        (lambda m: m.sample_many("Hi", 2**40), OptionError, "n=1099511627776"),
        (lambda m: m.sample_many("Hi", float("nan")), OptionError, "n=nan"),
        (lambda m: m.detokenize([10**6]), OptionError, "1000000"),
        (lambda m: m.detokenize([-1]), OptionError, "-1"),
        (lambda m: m.load_cache(5), OptionError, "not a path"),
        (lambda m: m.activations("Hi", ["kq_sofd_max-0"]), OptionError, "kq_sofd_max-0"),
    ],
)
def test_bad_input_gets_one_clear_message_and_the_engine_goes_on(random_model, ask, error, words):
    with pytest.raises(error, match=words) as caught:
        ask(random_model)
    assert "What to do:" in str(caught.value)
    assert random_model.next_tokens("Let", 1)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"contxt": 512}, "'context'"),
        ({"context": 0}, "context=0"),
        ({"context": "big"}, "context='big'"),
        ({"context": 10**5000}, "2,147,483,647"),
        ({"threads": -1}, "threads=-1"),
        ({"threads": True}, "threads=True"),
        ({"threads": 100_000}, "this machine has"),  # llama-cpp-python#110
        ({"batch": 10**9}, "batch=1000000000"),
        ({"batch": float("nan")}, "batch=nan"),
        ({"kernels": 10**9}, "kernels=1000000000"),
        ({"kernels": None}, "kernels=None"),
        ({"force": "yes"}, "force='yes'"),
        ({"kv_type": ["f16"]}, "f32, f16, q8_0"),
        ({"kv_type": "q3"}, "f32, f16, q8_0"),
        ({"kv_type": "q8_0", "flash_attention": False}, "flash attention"),
    ],
)
def test_a_misspelt_or_impossible_option_is_an_error(markov, options, words):
    with pytest.raises(OptionError, match=words):
        open_model(markov.path, **options)


@pytest.mark.parametrize(
    "setting",
    [
        *({"temperature": value} for value in (-1, "hot", True, float("nan"), 10**400, None)),
        *({"top_p": value} for value in (0, 1.5, float("nan"))),
        *({"top_k": value} for value in (1.5, -1, 2**32 + 1, True)),
        *({"min_p": value} for value in (1, -0.1)),
        *({"repetition_penalty": value} for value in (0, 1e300)),
        *({"presence_penalty": value} for value in (-11, float("inf"))),
        *({"max_tokens": value} for value in (0, 2**40, True)),
        *({"seed": value} for value in (-1, 2**32, 1.0)),
    ],
    ids=str,
)
def test_impossible_sampling_settings_are_an_error(setting):
    with pytest.raises(OptionError, match=next(iter(setting))):
        Sampling(**setting)


def test_a_context_goes_only_so_far_beyond_what_the_model_was_trained_on(markov):
    assert open_model(markov.path, context=8 * 4096).info.context == 8 * 4096
    with pytest.raises(OptionError, match="8 times the texts that the model was trained on"):
        open_model(markov.path, context=8 * 4096 + 1)


def test_numbers_of_numpy_are_numbers(random_model):
    sampling = PLAIN.but(max_tokens=np.int64(3), seed=np.int32(1), temperature=np.float64(0.5))
    assert random_model.complete("Hi", sampling).finish().tokens == 3
    assert len(random_model.next_tokens("Hi", np.int64(2))) == 2
    assert type(sampling.seed) is int


@pytest.mark.parametrize("temperature", [1e-300, 1e-40, 1e-7])
def test_the_coldest_temperatures_are_greedy(random_model, temperature):
    greedy = random_model.complete("Hi", GREEDY.but(max_tokens=5)).finish()
    cold = random_model.complete("Hi", PLAIN.but(temperature=temperature, max_tokens=5)).finish()
    assert cold.answer == greedy.answer


def test_the_models_name_given_as_an_option_is_explained():
    with pytest.raises(OptionError, match="open_model\\('qwq-32b'\\)"):
        open_model(model="qwq-32b")


def test_weights_that_are_not_numbers_are_refused(folder):
    path = tiny_model(folder / "sound.gguf")
    tensor = check_gguf(path).tensor("blk.0.ffn_up.weight")
    data = bytearray(path.read_bytes())
    data[tensor.offset : tensor.offset + 4] = b"\xff\xff\xff\xff"  # a NaN
    broken = folder / "not_numbers.gguf"
    broken.write_bytes(data)
    with pytest.raises(ModelLoadError, match="not_numbers"):
        open_model(broken)


def test_a_misspelt_sampling_setting_is_an_error():
    with pytest.raises(OptionError, match="temprature"):
        QWQ.but(temprature=1)


def test_a_missing_file_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(ModelFileError, match="no file"):
        open_model(tmp_path / "missing.gguf")


def test_an_unknown_name_is_an_error_that_names_the_nearest():
    with pytest.raises(CourseError, match="qwq-32b"):
        open_model("qwq-32")


@pytest.mark.parametrize("kv_type", ["f32", "f16", "q8_0"])
def test_every_kind_of_kv_cache_computes_nearly_the_same(folder, random_model, kv_type):
    path = tiny_model(folder / "wide.gguf", hidden=128)
    exact = open_model(path).next_tokens("Let me check", 3)
    other = open_model(path, kv_type=kv_type).next_tokens("Let me check", 3)
    for one, two in zip(exact, other, strict=True):
        assert two.logit == pytest.approx(one.logit, abs=0.1)


def test_nothing_is_printed_while_a_model_is_opened_and_used(markov):
    code = f"""
from course_utils.engines import open_model
model = open_model({str(markov.path)!r})
model.chat("6*7?").finish()
model.attention("Let me")
model.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_course_is_quick_and_pulls_in_nothing_heavy():
    code = """
import sys, time
started = time.process_time()
import course_utils, course_utils.engines, course_utils.teaching
print(time.process_time() - started, [m for m in ("torch", "matplotlib") if m in sys.modules])
"""

    def seconds() -> float:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        spent, heavy = done.stdout.split(" ", 1)
        assert heavy.strip() == "[]"
        return float(spent)

    # The best of three, and twice what an idle machine takes: a busy one must not fail this.
    assert min(seconds() for _ in range(3)) < 1
