"""Each of four machines that people have gets one command that works there, and a reason."""

import pytest

from course_utils.chat.__main__ import _parser
from course_utils.chat.choosing import choose
from course_utils.machine import GraphicsCard, Machine
from course_utils.model_files import advice as advice_module
from course_utils.model_files import found
from course_utils.model_files.advice import advise
from course_utils.model_files.catalogue import find_file

GIB = 2**30


def machine(gib, in_use, cores, gb_per_second, card=None) -> Machine:
    return Machine(
        cores=cores,
        total_memory_bytes=gib * GIB,
        available_memory_bytes=int((gib - in_use) * GIB),
        memory_bandwidth_bytes_per_second=gb_per_second * 1e9,
        free_disk_bytes=200 * 10**9,
        card=card,
    )


MACHINES = {
    "Windows laptop, 8 GB": machine(8, 4, 4, 25),
    "Mac, 16 GB": machine(
        16, 5, 10, 120, GraphicsCard("Apple M4", int(10.67 * GIB), 120e9, shares_memory=True)
    ),
    "Mac, 16 GB, all else closed": machine(
        16, 3, 10, 120, GraphicsCard("Apple M4", int(10.67 * GIB), 120e9, shares_memory=True)
    ),
    "desktop, 32 GB and a card with 12": machine(
        32, 4, 8, 60, GraphicsCard("NVIDIA GeForce RTX 3060", int(11.5 * GIB), 360e9)
    ),
    "server, 64 GB": machine(64, 4, 32, 200),
}
EXPECTED = {
    "Windows laptop, 8 GB": ("r1-distill-qwen-1.5b:Q4_K_M", "No file of QwQ-32B fits"),
    "Mac, 16 GB": ("r1-distill-qwen-14b:Q4_K_M", "No file of QwQ-32B"),
    "Mac, 16 GB, all else closed": ("qwq-32b:IQ3_XXS", "Q2_K is worse"),
    "desktop, 32 GB and a card with 12": ("qwq-32b:Q4_K_M", "layers go on the graphics card"),
    "server, 64 GB": ("qwq-32b:Q4_K_M", "60.0 GiB are free"),
}


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_gets_one_command_that_works_there_and_a_reason(name, monkeypatch):
    monkeypatch.setattr(found, "places", lambda: [])
    here = MACHINES[name]
    advice = advise("qwq-32b", here)
    model, reason = EXPECTED[name]
    assert advice.command == f"python -m course_utils.chat {model}"
    assert reason in advice.reason and "tokens per second" in advice.reason
    # The command, typed on that machine, leads to a file that fits and can be had.
    asked = _parser().parse_args(advice.command.split()[3:])
    choice = choose(asked.model, machine=here)
    assert choice.plan.fits and choice.name == model == advice.plan.name
    assert choice.file == find_file(model)
    assert choice.options == {"context": advice.plan.context, "kv_type": advice.plan.kv_type}
    assert advice.plan.tokens_per_second > 1


def test_a_file_that_is_here_is_named_for_this_machine_only(monkeypatch, tmp_path):
    here = MACHINES["server, 64 GB"]
    copy = found.LocalCopy("qwq-32b", "Q4_K_M", tmp_path / "qwq.gguf", 20 * 10**9, "Ollama")
    monkeypatch.setattr(advice_module, "find_copies", lambda name: [copy])
    monkeypatch.setattr(advice_module, "this_machine", lambda: here)
    assert "qwq.gguf (Ollama)" in advise("qwq-32b").reason
    assert "Ollama" not in advise("qwq-32b", here).reason


def test_a_machine_too_small_for_any_download_is_sent_to_what_is_there():
    advice = advise("qwq-32b", machine(2, 1, 2, 10))
    assert advice.command == "python -m course_utils.chat nano-thinker" and advice.plan is None
