"""A plan knows what lies on a graphics card; the engine tells llama.cpp. No card is needed here."""

import dataclasses
import subprocess
import sys

import pytest

import course_utils.engines.local.loading as loading
import course_utils.engines.local.runtime as runtime
from course_utils import machine as machines
from course_utils.engines import open_model
from course_utils.engines.local import LocalOptions
from course_utils.errors import OptionError
from course_utils.machine import GraphicsCard, Machine, cards
from course_utils.model_files.capacity import plan
from course_utils.paths import nano_folder

GIB = 2**30
RTX_3060 = GraphicsCard("NVIDIA GeForce RTX 3060", int(11.5 * GIB), 360e9)
APPLE = GraphicsCard("Apple M2", int(10.7 * GIB), 100e9, shares_memory=True)


def machine(gib: int, card: GraphicsCard | None, bandwidth: float = 40e9) -> Machine:
    return Machine(
        cores=8,
        total_memory_bytes=gib * GIB,
        available_memory_bytes=(gib - 3) * GIB,
        memory_bandwidth_bytes_per_second=bandwidth,
        free_disk_bytes=100 * 10**9,
        card=card,
    )


def test_what_lies_on_the_card_is_not_in_memory_and_nothing_is_lost():
    alone, shared = (
        plan("qwq-32b", machine=machine(32, None)),
        plan("qwq-32b", machine=machine(32, RTX_3060)),
    )
    assert 0 < shared.card.layers < shared.card.all_layers == 65
    assert shared.card.total <= RTX_3060.free_memory_bytes
    assert shared.memory.weights + shared.card.weights == alone.memory.weights
    assert shared.memory.cache + shared.card.cache == alone.memory.cache
    assert sum(shared.parts().values()) == alone.memory.total
    text = str(shared)
    assert "On the card (NVIDIA GeForce RTX 3060)" in text and "at 360 GB/s" in text


def test_the_times_in_memory_and_on_the_card_add_up():
    none, some, every = (
        plan("qwq-32b", machine=machine(32, card))
        for card in (
            None,
            RTX_3060,
            dataclasses.replace(RTX_3060, free_memory_bytes=24 * GIB),
        )
    )
    assert every.card.layers == 65 and every.card.share == pytest.approx(1)
    seconds = {each: 1 / each.tokens_per_second for each in (none, some, every)}
    share = some.card.share
    assert seconds[some] == pytest.approx((1 - share) * seconds[none] + share * seconds[every])
    assert every.tokens_per_second == pytest.approx(0.7 * 360 / 19.407, rel=1e-3)
    assert none.tokens_per_second < some.tokens_per_second < some.ceiling


def test_a_machine_too_small_alone_runs_the_model_with_a_card():
    assert not plan("qwq-32b", machine=machine(16, None)).fits
    assert plan("qwq-32b", machine=machine(16, RTX_3060)).fits


def test_a_card_that_shares_the_memory_adds_no_room():
    alone, shared = (plan("qwq-32b", machine=machine(16, card, 100e9)) for card in (None, APPLE))
    assert alone.verdict == shared.verdict
    assert shared.instead.needed_bytes == alone.instead.needed_bytes
    assert shared.instead.memory.total < shared.instead.needed_bytes
    assert "Apple M2" in str(shared.instead)


@pytest.mark.parametrize("wanted, layers", [(0, 0), (10, 10), ("auto", 34)])
def test_the_number_of_layers_can_be_chosen(wanted, layers):
    planned = plan("qwq-32b", machine=machine(32, RTX_3060), gpu_layers=wanted)
    assert (planned.card.layers if planned.card else 0) == layers


@pytest.mark.parametrize(
    "card, wanted, words",
    [
        (None, "all", "no graphics card"),
        (None, 3, "no graphics card"),
        (RTX_3060, "all", "65 layers do not fit"),
        (RTX_3060, 60, "60 layers do not fit"),
        (RTX_3060, -1, "not valid"),
        (RTX_3060, "many", "not valid"),
        (RTX_3060, True, "not valid"),
    ],
)
def test_layers_that_cannot_be_are_refused_with_what_can(card, wanted, words):
    with pytest.raises(OptionError, match=words):
        plan("qwq-32b", machine=machine(32, card), gpu_layers=wanted)


def test_the_experts_of_a_mixture_are_read_only_in_part_wherever_they_lie():
    planned = plan("qwen3-30b-a3b", machine=machine(32, RTX_3060))
    assert 0.3 < planned.card.share < 0.7
    assert (
        planned.tokens_per_second
        > plan("qwen3-30b-a3b", machine=machine(32, None)).tokens_per_second
    )


@pytest.fixture
def loaded(monkeypatch):
    """What llama.cpp is asked for, recorded on the way; this machine's build has no card."""
    asked = []
    load = runtime.C.llama_model_load_from_file

    def record(path, parameters):
        asked.append(parameters.n_gpu_layers)
        return load(path, parameters)

    monkeypatch.setattr(runtime.C, "llama_model_load_from_file", record)
    return asked


def test_the_engine_hands_the_layers_down_to_llama_cpp(loaded, monkeypatch):
    path = nano_folder() / "thinker.gguf"
    with open_model(path, context=300) as engine:
        assert engine.info.settings["gpu_layers"] == 0
    monkeypatch.setattr(loading, "graphics_card", lambda: RTX_3060)
    for wanted in (2, "all", "auto"):
        open_model(path, gpu_layers=wanted, context=300).close()
    assert loaded == [0, 2, 5, 5]  # four layers and the output


def test_the_engine_refuses_layers_without_a_card(loaded):
    with pytest.raises(OptionError, match="no graphics card"):
        open_model("nano-thinker", gpu_layers=1)
    for wrong in (-1, 2.5, "some", True):
        with pytest.raises(OptionError):
            LocalOptions(gpu_layers=wrong)
    assert loaded == []


class Devices:
    """ggml's list of devices on a machine with a processor and two cards."""

    known = (
        (0, "Some processor", 30),
        (1, "NVIDIA GeForce RTX 4090", 23),
        (1, "Unknown 9000", 7),
        (2, "Integrated graphics", 12),
    )

    def ggml_backend_dev_count(self):
        return len(self.known)

    def ggml_backend_dev_get(self, place):
        return place

    def ggml_backend_dev_type(self, device):
        return self.known[device][0]

    def ggml_backend_dev_description(self, device):
        return self.known[device][1].encode()

    def ggml_backend_dev_memory(self, device, free, total):
        free._obj.value = total._obj.value = self.known[device][2] * GIB


def test_cards_are_read_from_llama_cpps_own_list(monkeypatch):
    listed = list(cards._cards(Devices(), memory_bandwidth=50e9))
    assert [(c.name, c.free_memory_bytes // GIB, c.shares_memory) for c in listed] == [
        ("NVIDIA GeForce RTX 4090", 23, False),
        ("Unknown 9000", 7, False),
        ("Integrated graphics", 12, True),
    ]
    speeds = [card.bandwidth_bytes_per_second for card in listed]
    assert speeds == [1008e9, cards.ASSUMED_BANDWIDTH, 50e9]
    monkeypatch.setattr(runtime.C, "llama_supports_gpu_offload", lambda: True)
    monkeypatch.setattr(cards, "_ggml", lambda folder: Devices())
    assert machines.graphics_card().name == "NVIDIA GeForce RTX 4090"


def test_a_machine_without_llama_cpp_still_has_its_other_figures():
    code = (
        "import sys; sys.modules['llama_cpp'] = None\n"
        "from course_utils.machine import graphics_card; print(graphics_card())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "None", done.stderr


def test_this_builds_own_list_can_be_read():
    from pathlib import Path

    ggml = cards._ggml(Path(runtime.C.__file__).parent / "lib")
    kinds = [
        ggml.ggml_backend_dev_type(ggml.ggml_backend_dev_get(place))
        for place in range(ggml.ggml_backend_dev_count())
    ]
    assert 0 in kinds  # at least the processor
    if not runtime.C.llama_supports_gpu_offload():
        assert list(cards._cards(ggml, 1e9)) == [] and machines.graphics_card() is None
