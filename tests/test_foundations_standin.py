"""A stand-in has the true shape and length, runs like the model it stands for, and goes away."""

import contextlib
import dataclasses
import signal
import subprocess
import sys
import time

import pytest

from course_utils.engines import PLAIN, decoding_rates, open_model, rehearsal, rehearsal_process
from course_utils.engines.decoding_rates import measure_decoding_rates
from course_utils.engines.rehearsal import rehearse
from course_utils.errors import MachineError, ModelLoadError, OptionError
from course_utils.machine import Machine, bandwidth, measure_memory_bandwidth
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.catalogue import find_model, predicted_file_bytes
from course_utils.model_files.memory import memory_need
from course_utils.model_files.quantisation import weight_bytes
from course_utils.model_files.speed import (
    LEAST_OVERLAP,
    MOST_OVERLAP,
    decoding_bytes_per_second,
)
from course_utils.model_files.standin import (
    LIVE_ROWS,
    nonsense,
    remove_leftovers,
    sparse_files_work,
    standin,
    standins_folder,
    write_standin,
)
from course_utils.paths import repository_root

GIB = 2**30


def machine(gib: float) -> Machine:
    return Machine(2, int(gib * GIB), int(gib * GIB), 30e9, 100 * GIB)


needs_sparse_files = pytest.mark.skipif(
    not sparse_files_work(repository_root()), reason="this file system has no sparse files"
)


@needs_sparse_files
@pytest.mark.parametrize(("name", "most_on_disk"), [("qwq-32b", 10e6), ("qwen3-30b-a3b", 80e6)])
def test_a_full_size_stand_in_is_as_long_as_planned_and_small_on_disk(name, most_on_disk, tmp_path):
    model = find_model(name)
    with standin(name, folder=tmp_path) as file:
        assert file.complete
        header = file.file_bytes - weight_bytes(model.architecture, file.quantisation)
        assert 1e6 < header < 8e6
        planned = predicted_file_bytes(model.architecture, file.quantisation)
        assert file.file_bytes == pytest.approx(planned, rel=2e-4)
        assert file.disk_bytes < most_on_disk
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["qwq-32b", "qwen3-30b-a3b", "deepseek-r1"])
def test_a_stand_ins_header_describes_the_models_very_shape(name, tmp_path):
    from course_utils.model_files.gguf_check import check_gguf

    if not sparse_files_work(tmp_path):
        pytest.skip("this file system has no sparse files")
    with standin(name, layers=2, folder=tmp_path) as file:
        header = check_gguf(file.path)
        shapes = {tensor.name: tensor.shape for tensor in header.tensors}
        assert shapes == {t.name: t.shape for t in file.architecture.tensors()}
        assert Architecture.from_metadata(header.metadata, shapes) == file.architecture
        assert file.architecture == find_model(name).architecture.with_layers(2)


def test_it_is_removed_when_the_work_in_it_fails(tmp_path):
    with pytest.raises(KeyboardInterrupt), standin("qwq-32b", layers=1, folder=tmp_path):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_behind_is_removed_by_the_next(tmp_path):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from course_utils.model_files.standin import standin\n"
        "with standin('r1-distill-qwen-1.5b', layers=1, folder=Path(sys.argv[1])):\n"
        "    print('written', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=repository_root(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    assert remove_leftovers(tmp_path) == []  # it is in use
    process.kill()
    process.wait()
    (left,) = tmp_path.iterdir()
    assert remove_leftovers(tmp_path) == [left]
    assert not list(tmp_path.iterdir())


def test_tokens_of_a_mixtures_stand_in_go_to_different_experts(tiny_mixture):
    from course_utils.engines import open_model

    with open_model(tiny_mixture.path) as model:
        experts = model.routing("abcdefgh").experts
    assert len({tuple(sorted(chosen)) for chosen in experts[0].tolist()}) > 3


def test_a_stand_in_continues_among_the_tokens_that_have_embeddings(tiny_mixture):
    from course_utils.engines import PLAIN, open_model

    with open_model(tiny_mixture.path) as model:
        reply = model.complete("abc", PLAIN.but(top_k=40, max_tokens=20, seed=1)).finish()
        likeliest = model.next_tokens("abc", 40)
    assert reply.tokens == 20
    assert all(candidate.token.id < 1024 for candidate in likeliest)


@pytest.fixture
def tiny_mixture(tmp_path):
    full = find_model("qwen3-30b-a3b").architecture
    experts = dataclasses.replace(full.experts, experts=32, used=4, width=256)
    shape = dataclasses.replace(
        full, layers=2, hidden=256, vocabulary=2048, experts=experts, context=512
    )
    return write_standin(tmp_path / "tiny.gguf", shape, "Q4_K_M")


def test_without_sparse_files_a_full_disk_is_noticed_before_writing(tmp_path, monkeypatch):
    from course_utils.model_files import standin as module

    monkeypatch.setattr(module, "sparse_files_work", lambda folder: False)
    monkeypatch.setattr(module, "free_disk_bytes", lambda folder: 10 * GIB)
    with pytest.raises(MachineError, match=r"19\.8 GB"), standin("qwq-32b", folder=tmp_path):
        pass
    assert not list(tmp_path.iterdir())


# ---- rehearsing --------------------------------------------------------------------------------


def test_a_rehearsal_measures_and_cleans_up(small_model):
    found = rehearse(small_model, context=512, machine=machine(8))
    assert not found.extrapolated
    assert found.resident_bytes > found.plan.memory.weights
    assert found.decode_tokens_per_second > 0 and found.prefill_tokens_per_second > 0
    assert "decoding" in str(found) and "planned" in str(found)
    assert not list(standins_folder().glob("small-model*"))


def test_with_little_memory_a_few_layers_are_run_and_it_says_so(small_model):
    need = memory_need(
        file_bytes=predicted_file_bytes(find_model(small_model).architecture, "Q4_K_M"),
        architecture=find_model(small_model).architecture,
        context=512,
    )
    tight = machine((need.total + GIB // 2 - 2**20) / GIB)
    found = rehearse(small_model, context=512, machine=tight)
    assert found.extrapolated and found.layers < found.all_layers
    assert "memory" in found.why_partial and "extrapolated" in str(found)
    # A figure for the whole model: more memory and less speed than what was run.
    assert found.resident_bytes > found.measured.resident_bytes
    assert found.decode_tokens_per_second < found.measured.decode_tokens_per_second


def drive(generator):
    """Runs a generator to its end; what it returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Lets ``_decode`` take tokens of given (seconds, faults), by a clock that only they move.

    ``bandwidths``: what looks at the memory give, as (rate, faults).
    """
    clock, faults, looks, looked = [0.0], [0], [], []
    monkeypatch.setattr(rehearsal_process.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(rehearsal_process, "_disk_faults", lambda: faults[0])

    @contextlib.contextmanager
    def reader(path):
        yield look if looks else None

    def look() -> float:
        rate, waited = looks[len(looked) % len(looks)]
        looked.append(clock[0])
        faults[0] += waited
        return rate

    monkeypatch.setattr(bandwidth, "file_reader", reader)

    def decode(*tokens, bandwidths=()):
        looks[:], looked[:] = bandwidths, []
        taken = []

        def stream():
            for seconds, brought in tokens:
                clock[0] += seconds
                faults[0] += brought
                taken.append(seconds)
                yield "token"

        gap, rate = drive(rehearsal_process._decode(stream(), tmp_path / "model.gguf"))
        return (gap, rate, looked) if bandwidths else (gap, len(taken))

    return decode


def test_tokens_that_wait_for_the_disk_do_not_count_while_weights_find_their_place(written):
    settling, steady = [(5.0, 40_000)] * 4, [(1.5, 3)] * 20
    assert written(*settling, *steady) == (1.5, 9), "five of the steady ones are enough"
    # A fast model is measured for its seconds, or for all of its tokens.
    assert written(*[(1.0, 0)] * 48) == (1.0, 11)
    assert written(*[(0.125, 0)] * 48) == (0.125, 48)


def test_where_memory_stays_too_full_the_tokens_are_as_slow_as_they_are(written):
    assert written(*[(6.0, 40_000)] * 48) == (6.0, 7)
    assert written((6.0, 40_000)) == (6.0, 1)


def test_the_memory_is_looked_at_twice_a_second_and_not_while_it_waits_for_the_disk(written):
    tokens = [(0.125, 0)] * 16  # two seconds
    rates = [(9e9, 0), (1e8, 50_000), (5e9, 0), (7e9, 3), (6e9, 0), (8e9, 0)]
    gap, rate, looked = written(*tokens, bandwidths=rates)
    assert gap == 0.125 and looked == [0.125, 0.75, 1.375, 2.0]
    assert rate == 7e9, "the median of 9, 5 and 7; the disk's does not count"
    assert written(*tokens, bandwidths=[(1e8, 50_000)])[1] is None, "nothing but the disk"


def test_a_model_that_ends_at_once_has_no_speed(written):
    with pytest.raises(ModelLoadError, match="ends its text at once"):
        written()


def test_the_plan_is_made_with_the_bandwidth_that_was_seen_between_the_tokens(
    small_model, monkeypatch
):
    monkeypatch.setattr(rehearsal, "measure_memory_bandwidth", lambda: 8e9)
    seen = [None]
    measure = rehearsal.measure_in_own_process
    monkeypatch.setattr(
        rehearsal,
        "measure_in_own_process",
        lambda *a: dataclasses.replace(measure(*a), bandwidth_bytes_per_second=seen[0]),
    )

    def planned_with() -> float:
        return rehearse(small_model, context=512).plan.machine.memory_bandwidth_bytes_per_second

    assert planned_with() == 8e9, "a small model tells nothing of memory"
    seen[0] = 5e9
    assert planned_with() == 5e9


def test_an_interrupt_ends_a_rehearsal_and_leaves_nothing():
    program = (
        "from course_utils.engines.rehearsal import rehearse\n"
        "from course_utils.machine import Machine\n"
        "print('started', flush=True)\n"
        "machine = Machine(1, 8 << 30, 8 << 30, 3e10, 1 << 40)\n"
        "try: rehearse('r1-distill-qwen-1.5b', machine=machine)\n"
        "except KeyboardInterrupt: print('interrupted', flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=repository_root(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "started\n"
    deadline = time.monotonic() + 30
    while not list(standins_folder().glob(f"*-{process.pid}.gguf")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    assert process.wait(timeout=10) == 0
    assert not list(standins_folder().glob(f"*-{process.pid}.gguf"))


def test_a_rehearsal_ends_when_the_kernel_that_asked_for_it_is_killed():
    psutil = pytest.importorskip("psutil")
    program = (
        "from course_utils.engines.rehearsal import rehearse\n"
        "from course_utils.machine import Machine\n"
        "rehearse('r1-distill-qwen-1.5b', machine=Machine(1, 8 << 30, 8 << 30, 3e10, 1 << 40))"
    )
    kernel = subprocess.Popen([sys.executable, "-c", program], cwd=repository_root())
    children = []
    deadline = time.monotonic() + 30
    while not children:
        assert time.monotonic() < deadline
        children = psutil.Process(kernel.pid).children()
        time.sleep(0.02)
    kernel.kill()
    kernel.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert remove_leftovers(standins_folder()) != []


def test_a_rehearsal_refuses_what_it_does_not_know():
    with pytest.raises(OptionError, match="qwq-32b"):
        rehearse("qwq32b", machine=machine(8))
    with pytest.raises(OptionError, match="layers"):
        rehearse("qwq-32b", layers=0, machine=machine(8))


def test_a_machine_too_small_for_one_layer_is_told_what_to_rehearse_instead():
    with pytest.raises(MachineError, match="one layer") as refused:
        rehearse("deepseek-r1", machine=machine(4))
    assert "r1-distill-qwen-1.5b" in refused.value.remedy


@needs_sparse_files
def test_the_rates_of_this_machine_foresee_what_was_decoded_to_measure_them(monkeypatch):
    monkeypatch.setattr(decoding_rates, "available_memory_bytes", lambda: GIB)  # a small stand-in
    decoded = {}
    outside = decoding_rates.decoding_outside_the_cache
    monkeypatch.setattr(
        decoding_rates,
        "decoding_outside_the_cache",
        lambda seconds: decoded.setdefault("rate", outside(seconds)),
    )
    here = dataclasses.replace(
        machine(8), memory_bandwidth_bytes_per_second=measure_memory_bandwidth(0.5)
    )
    rates = measure_decoding_rates(here, mixture=True)
    # However busy this machine is, unpacking alone is not slower than unpacking and fetching.
    assert rates.unpacking_bytes_per_second >= decoded["rate"] > 1e8
    assert 0 <= rates.seconds_per_expert_layer < 0.1
    known = rates.of(here)
    expected = decoding_bytes_per_second(
        here.memory_bandwidth_bytes_per_second,
        here.cores,
        unpacking=known.unpacking_bytes_per_second,
        overlap=known.overlap,
    )
    if LEAST_OVERLAP * 1.01 < rates.overlap < MOST_OVERLAP * 0.99:
        assert expected == pytest.approx(decoded["rate"], rel=0.01)
    assert not list(standins_folder().glob("*-shape*"))


def test_a_large_vocabulary_is_qwqs_own_and_a_small_one_made_up(tmp_path):
    shape = dataclasses.replace(
        find_model("r1-distill-qwen-1.5b").architecture.with_layers(1), hidden=256, feed_forward=512
    )
    attention = dataclasses.replace(shape.attention, heads=2, key_value_heads=1)
    shape = dataclasses.replace(shape, attention=attention)
    for vocabulary, tokens in ((151_936, [785, 4226, 374, 220, 21]), (1024, None)):
        file = write_standin(
            tmp_path / f"{vocabulary}.gguf",
            dataclasses.replace(shape, vocabulary=vocabulary),
            "Q4_K_M",
        )
        with open_model(file.path, context=256) as model:
            ids = [token.id for token in model.tokenize("The answer is 6")]
            assert ids == tokens or (tokens is None and len(ids) == 15)
            assert len(model.tokenize(nonsense(40, vocabulary))) == 40
            assert max(token.id for token in model.tokenize(nonsense(40, vocabulary))) < LIVE_ROWS
            # A conversation can be tried: it comes in QwQ's format, and in real tokens.
            reply = model.chat("Hi", PLAIN.but(top_k=40, seed=0, max_tokens=5)).finish()
            assert reply.thinking_tokens == 5 and reply.stop_reason == "length"
            if tokens:
                assert model.render("Hi").endswith("<|im_start|>assistant\n<think>\n")


def test_qwqs_stand_in_is_as_long_as_the_published_file_within_a_millionth(tmp_path):
    if not sparse_files_work(tmp_path):
        pytest.skip("this file system has no sparse files")
    with standin("qwq-32b", folder=tmp_path) as file:
        published = find_model("qwq-32b").files["Q4_K_M"].size_bytes
        assert file.file_bytes == pytest.approx(published, rel=1e-6)
