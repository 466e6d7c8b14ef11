"""One command leads from a plan to a conversation, and never to a file that does not fit."""

import dataclasses
import hashlib
from types import SimpleNamespace

import pytest

from course_utils.chat import __main__ as command
from course_utils.chat import choosing
from course_utils.chat.choosing import choose
from course_utils.engines import decoding_rates
from course_utils.errors import MachineError
from course_utils.machine import Machine
from course_utils.model_files import alternatives, catalogue, found
from course_utils.model_files.found import LocalCopy
from course_utils.paths import nano_folder
from tests.loopback_hub import COMMIT, LoopbackHub

GIB = 2**30
NANO = (nano_folder() / "thinker.gguf").read_bytes()


def machine(gib: float, disk_gb: float = 200) -> Machine:
    return Machine(
        cores=8,
        total_memory_bytes=int(gib * GIB),
        available_memory_bytes=int((gib - 3) * GIB),
        memory_bandwidth_bytes_per_second=40e9,
        free_disk_bytes=int(disk_gb * 1e9),
    )


@pytest.fixture(autouse=True)
def no_copies(monkeypatch):
    monkeypatch.setattr(found, "places", lambda: [])
    monkeypatch.setattr(command, "measured_machine", lambda mixture: machine(64))


def test_what_is_chosen_fits_on_every_machine():
    for gib in (4, 6, 8, 12, 16, 20, 24, 32, 48, 64, 128):
        for name in ("qwq-32b", "qwq-32b:Q8_0", "qwen3-30b-a3b", "r1-distill-qwen-32b"):
            choice = choose(name, machine=machine(gib))
            assert choice is None or (choice.plan.fits and choice.file is not None)
            assert (choice is None) == (gib <= 4)
            if choice is not None and choice.refused is not None:
                assert choice.name != f"{choice.refused.model}:{choice.refused.quantisation}" or (
                    choice.options != {"context": 8192, "kv_type": "f16"}
                )


def keep(monkeypatch, *copies):
    monkeypatch.setattr(
        choosing,
        "find_copies",
        lambda name: [c for c in copies if name in (c.model, f"{c.model}:{c.quantisation}")],
    )


def test_a_file_that_is_here_and_fits_is_taken_before_any_download(monkeypatch, tmp_path):
    small = LocalCopy("qwq-32b", "Q2_K", tmp_path / "a.gguf", 12, "Ollama")
    large = LocalCopy("qwq-32b", "Q8_0", tmp_path / "b.gguf", 35, "LM Studio")
    keep(monkeypatch, small, large)
    assert choose("qwq-32b", machine=machine(64)).copy == large
    on_32 = choose("qwq-32b", machine=machine(32))
    assert on_32.copy == small and on_32.larger.quantisation == "Q4_K_M" and on_32.refused is None
    on_8 = choose("qwq-32b", machine=machine(8))
    assert on_8.copy is None and on_8.plan.model == "r1-distill-qwen-1.5b"
    keep(monkeypatch, dataclasses.replace(large, quantisation="Q4_K_M"))
    choice = choose("qwq-32b", machine=machine(24))
    assert choice.copy.quantisation == "Q4_K_M" and choice.options["kv_type"] == "q8_0"
    assert choice.refused.quantisation == "Q4_K_M" and choice.plan.fits


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """A hub that has one small model under QwQ's name, and a machine that can run it."""
    known = catalogue.models()
    model = known["qwq-32b"]
    config = dict(model.config) | {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 1024,
    }
    file = dataclasses.replace(
        model.file(),
        quantisation="F16",
        revision=COMMIT,
        size_bytes=len(NANO),
        exact=True,
        sha256=hashlib.sha256(NANO).hexdigest(),
    )
    entry = dataclasses.replace(model, config=config, files={"F16": file}, default_file="F16")
    changed = known | {"qwq-32b": entry}
    for module in (catalogue, found):
        monkeypatch.setattr(module, "models", lambda: changed)
    monkeypatch.setattr(catalogue, "downloads_folder", lambda: tmp_path / "downloads")
    monkeypatch.setattr(command, "measured_machine", lambda mixture: machine(8))
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    with LoopbackHub({file.name: NANO}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


QUESTION = ("--question", "What is 347 + 285?")


def test_from_plan_to_answer_in_one_step_and_the_second_time_without_a_download(offered, capsys):
    assert command.main(["qwq-32b", "--yes", *QUESTION]) == 0
    shown = capsys.readouterr().out
    assert "QwQ-32B F16" in shown and "fits" in shown
    assert "Thought:\nones: 7+5=12" in shown and "Answer:\n632" in shown
    assert "54 tokens of thought, 4 of answer" in shown
    downloads = offered.count("GET")
    assert downloads > 0
    assert command.main(["qwq-32b", *QUESTION]) == 0
    assert offered.count("GET") == downloads
    assert "Already on this machine" in capsys.readouterr().out


def test_nothing_is_downloaded_unless_somebody_agrees(offered, capsys):
    assert command.main(["qwq-32b", *QUESTION]) == command.NEEDS_YES
    shown = capsys.readouterr().out
    assert "To download: qwq-32b-q4_k_m.gguf" in shown and "--yes" in shown
    assert offered.count("GET") == 0


def test_a_full_disk_is_met_before_the_download(offered, capsys, monkeypatch):
    monkeypatch.setattr(command, "measured_machine", lambda mixture: machine(8, disk_gb=0.5))
    assert command.main(["qwq-32b", "--yes", *QUESTION]) == command.FAILED
    assert "GB are free" in capsys.readouterr().err and offered.count("GET") == 0


def test_where_nothing_fits_the_shipped_thinker_answers(offered, capsys, monkeypatch):
    monkeypatch.setattr(command, "measured_machine", lambda mixture: machine(3.2))
    monkeypatch.setattr(alternatives, "FALLBACK_MODELS", ())
    assert command.main(["qwq-32b:F16", *QUESTION]) == 0
    assert "632" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nano-thinker", str(nano_folder() / "thinker.gguf")])
def test_shipped_models_and_paths_need_no_plan(name, capsys):
    assert command.main([name, *QUESTION, "--budget", "15"]) == 0
    assert "the budget ended the thought" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["qwq-3b"], "Did you mean qwq-32b"),
        (["no/such/file.gguf"], "There is no file"),
        (["nano-thinker", "--budget", "many"], "not a thinking budget"),
        (["qwq-32b", "--kv-type", "q3"], "not a type for the KV cache"),
        (["qwq-32b", "--context", "0"], "context=0"),
        (["http://127.0.0.1:9/v1", "--question", "x"], "127.0.0.1"),
        (["qwq-32b", "--draft", "no/such/draft.gguf"], "There is no file"),
        (["nano-thinker", "--draft", "http://127.0.0.1:9/v1"], "run in this process"),
    ],
)
def test_what_is_wrong_is_said_in_two_sentences(arguments, words, capsys):
    assert command.main(arguments) == command.FAILED
    shown = capsys.readouterr().err
    assert words in shown and "What to do:" in shown and "Traceback" not in shown


def test_the_plan_before_a_download_is_made_with_rates_measured_here(offered, capsys, monkeypatch):
    measured = []

    def slow(here, *, mixture, seconds, on_step):
        measured.append(mixture)
        return decoding_rates.DecodingRates(1e8, 2.0, None)

    monkeypatch.setattr(decoding_rates, "measure_decoding_rates", slow)
    monkeypatch.setattr(decoding_rates, "standins_take_no_space", lambda: True)
    monkeypatch.setattr(
        decoding_rates, "OtherLoad", lambda: SimpleNamespace(disturbs=lambda: False)
    )
    monkeypatch.setattr(decoding_rates, "this_machine", lambda: machine(64))
    monkeypatch.setattr(command, "measured_machine", decoding_rates.measured_machine)
    decoding_rates._rates_of_this_process.cache_clear()
    try:
        # A tenth of a GB per second: the 1.9 GB of a token take 19 seconds.
        assert command.main(["qwen3-30b-a3b", *QUESTION]) == command.NEEDS_YES
        assert "about 0.05 tokens per second" in capsys.readouterr().out
        assert command.main(["qwen3-30b-a3b", *QUESTION]) == command.NEEDS_YES
        assert measured == [True]
    finally:
        decoding_rates._rates_of_this_process.cache_clear()


def test_where_nothing_can_be_measured_the_plan_assumes_the_rest(monkeypatch):
    def refuse(*_, **__):
        raise MachineError("No room for a stand-in.", "Make some.")

    def measured():
        decoding_rates._rates_of_this_process.cache_clear()
        return decoding_rates.measured_machine()

    rates = decoding_rates.DecodingRates(1e8, 2.0, None)
    quiet, disturbed = (SimpleNamespace(disturbs=lambda d=d: d) for d in (False, True))
    here = machine(64)
    busy = dataclasses.replace(here, busy=True)
    monkeypatch.setattr(decoding_rates, "this_machine", lambda: here)
    monkeypatch.setattr(decoding_rates, "standins_take_no_space", lambda: True)
    monkeypatch.setattr(decoding_rates, "OtherLoad", lambda: quiet)
    monkeypatch.setattr(decoding_rates, "measure_decoding_rates", lambda *_, **__: rates)
    assert measured() == rates.of(here)
    for name, instead, expected in (
        ("this_machine", lambda: busy, busy),
        ("OtherLoad", lambda: disturbed, here),
        ("measure_decoding_rates", refuse, here),
        ("standins_take_no_space", lambda: False, here),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(decoding_rates, name, instead)
            assert measured() == expected
    decoding_rates._rates_of_this_process.cache_clear()


@pytest.mark.parametrize("draft", ["nano-draft", str(nano_folder() / "draft.gguf"), "lookup"])
def test_a_draft_is_a_model_a_file_or_the_text_and_the_reply_says_what_it_gave(draft, capsys):
    assert command.main(["nano-thinker", *QUESTION, "--draft", draft]) == 0
    shown = capsys.readouterr().out
    assert "Answer:\n632" in shown and "tokens per step with the draft" in shown


def test_a_draft_that_has_to_be_downloaded_is_offered_before_the_model(offered, capsys):
    assert command.main(["qwq-32b", *QUESTION, "--draft", "qwen2.5-0.5b"]) == command.NEEDS_YES
    shown = capsys.readouterr().out
    assert "Qwen2.5-0.5B" in shown and "--yes" in shown and offered.count("GET") == 0
