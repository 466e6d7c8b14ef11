"""The plan tells learners with 8, 16, 24 or 64 GB what they can run, before they download it."""

import dataclasses
import math

import pytest

from course_utils.errors import MachineError, OptionError
from course_utils.machine import Machine
from course_utils.model_files.capacity import plan
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.memory import (
    CONTEXT_STEP,
    RESERVE_BYTES,
    MemoryNeed,
    choose_repacking,
    memory_need,
    refuse_if_swapping,
    repacked_bytes,
    tokens_beside,
)

GIB = 2**30


def machine(gib: float, bandwidth: float = 30e9, cores: int = 4) -> Machine:
    """A computer with so much memory, of which an eighth is taken by other programs."""
    return Machine(
        cores=cores,
        total_memory_bytes=int(gib * GIB),
        available_memory_bytes=int(gib * GIB * 7 / 8),
        memory_bandwidth_bytes_per_second=bandwidth,
        free_disk_bytes=100 * GIB,
    )


@pytest.mark.parametrize(("gib", "size"), [(4, "1.5B"), (8, "7B"), (12, "14B")])
def test_machines_too_small_for_qwq_get_the_largest_distilled_model_that_fits(gib, size):
    asked = plan("qwq-32b", machine=machine(gib))
    assert not asked.fits and asked.instead.fits
    assert asked.instead.quantisation == "Q4_K_M"
    assert f"DeepSeek-R1-Distill-Qwen-{size}" in asked.verdict


def test_below_three_bits_a_smaller_model_comes_first_unless_the_file_is_named():
    tight = machine(14.8)
    assert plan("qwq-32b", machine=tight).instead.model == "r1-distill-qwen-14b"
    assert plan("qwq-32b:IQ2_M", 4096, "q4_0", machine=tight).fits


def test_the_tokens_beside_the_weights_are_what_a_plan_takes():
    memory = plan("qwq-32b", 8192, machine=machine(64)).memory
    assert tokens_beside(memory.weights + memory.cache, memory.weights, 262_144) == 8192
    assert tokens_beside(GIB, 2 * GIB, 262_144) == 0


def test_16_gb_get_qwq_in_a_smaller_quantisation():
    asked = plan("qwq-32b", machine=machine(16))
    assert (asked.instead.model, asked.instead.quantisation) == ("qwq-32b", "IQ3_XXS")
    assert asked.verdict == "does not fit; QwQ-32B IQ3_XXS would, with a Q8_0 cache"


def test_of_two_files_of_one_size_the_better_one_is_taken_and_a_finer_one_before_a_coarser():
    taken = {gib: plan("qwq-32b", machine=machine(gib)).instead for gib in (16, 18, 21)}
    assert [each.quantisation for each in taken.values()] == ["IQ3_XXS", "IQ3_M", "IQ4_XS"]
    assert find_model("qwq-32b").files["Q2_K"]  # offered, and never taken unless it is named
    assert plan("qwq-32b:Q2_K", machine=machine(32)).fits


def test_a_cache_of_4_bits_is_tried_before_weights_of_fewer_than_4():
    tight = plan("qwq-32b", machine=machine(20.2))
    assert (tight.instead.quantisation, tight.instead.kv_type) == ("IQ4_XS", "q4_0")
    eighth = plan("qwq-32b", 8192, "q4_0", machine=machine(64))
    assert eighth.memory.cache == 2 * GIB * 18 // 64


def test_24_gb_get_qwq_with_a_smaller_cache():
    asked = plan("qwq-32b", machine=machine(24))
    assert not asked.fits
    assert (asked.instead.model, asked.instead.quantisation) == ("qwq-32b", "Q4_K_M")
    assert asked.verdict == "fits only with a Q8_0 cache"
    tight = plan("qwq-32b", machine=machine(23))
    assert tight.verdict == "fits only with a Q8_0 cache and 4k context"
    asked = plan("qwq-32b", 8000, machine=machine(24))
    assert asked.verdict == "fits only with a Q8_0 cache"


def test_64_gb_get_what_they_ask_for():
    for name in ("qwq-32b", "qwq-32b:Q8_0", "qwen3-30b-a3b"):
        assert plan(name, machine=machine(64)).verdict == "fits"
    assert plan("deepseek-r1", machine=machine(64)).instead.model == "qwq-32b"


def test_2_gb_still_get_the_nano_thinker():
    asked = plan("qwq-32b", machine=machine(1))
    assert asked.instead is None
    assert "nano thinker" in asked.verdict


def test_whatever_is_advised_does_fit():
    for gib in (2, 4, 8, 12, 16, 20, 24, 32, 48, 64):
        for name in ("qwq-32b", "qwq-32b:Q8_0", "qwen3-30b-a3b", "deepseek-r1"):
            asked = plan(name, machine=machine(gib))
            assert asked.fits or asked.instead is None or asked.instead.fits


def test_the_memory_is_the_sum_of_weights_cache_buffers_and_program():
    asked = plan("qwq-32b", 8192, machine=machine(64))
    assert asked.memory.cache == 2 * GIB
    assert asked.memory.weights == pytest.approx(19.85e9, rel=1e-3)
    assert sum(asked.memory.parts().values()) == asked.memory.total
    half = plan("qwq-32b", 8192, "q8_0", machine=machine(64))
    assert half.memory.cache == 2 * GIB * 34 // 64


def test_a_context_is_rounded_up_as_llama_cpp_does():
    shape = find_model("qwq-32b").architecture
    sizes = [
        memory_need(file_bytes=0, architecture=shape, context=context).cache
        for context in (1, CONTEXT_STEP, CONTEXT_STEP + 1)
    ]
    assert sizes == [64 * 2**20, 64 * 2**20, 128 * 2**20]


def test_speed_is_bandwidth_over_bytes_per_token_and_a_little_less():
    asked = plan("qwq-32b", machine=machine(64, bandwidth=30e9))
    assert asked.ceiling == pytest.approx(30 / 19.407, rel=1e-3)
    assert 0.7 * asked.ceiling < asked.tokens_per_second < asked.ceiling
    faster = plan("qwq-32b", machine=machine(64, bandwidth=60e9))
    assert 1.5 < faster.tokens_per_second / asked.tokens_per_second < 2
    shorter = asked.minutes_per_thought / faster.minutes_per_thought
    # Looking back at the cache is arithmetic, which a faster memory does not help.
    assert 1.5 < shorter < faster.tokens_per_second / asked.tokens_per_second


def test_memory_faster_than_the_cores_unpack_hardly_makes_a_plan_faster():
    two = {
        gb: dataclasses.replace(machine(64, bandwidth=gb * 1e9), cores=2) for gb in (20, 120, 960)
    }
    slow, fast, fastest = (plan("qwq-32b", machine=m).tokens_per_second for m in two.values())
    assert slow < fast < fastest < 50 / 19.407 < 1.1 * fast
    eight = dataclasses.replace(two[960], cores=8)
    assert plan("qwq-32b", machine=eight).tokens_per_second > 2.5 * fastest


def test_a_measured_rate_of_unpacking_takes_the_place_of_the_assumed_one():
    slow = dataclasses.replace(
        machine(64, bandwidth=1e12), unpacking_bytes_per_second=12e9, seconds_per_expert_layer=1e-3
    )
    dense, mixture = (plan(name, machine=slow) for name in ("qwq-32b", "qwen3-30b-a3b"))
    assert dense.tokens_per_second == pytest.approx(12 / 19.407, rel=1e-3)
    assert mixture.tokens_per_second == pytest.approx(1 / (1.920 / 12 + 0.048), rel=1e-2)
    faster = dense.on(dataclasses.replace(slow, unpacking_bytes_per_second=24e9))
    assert faster.tokens_per_second == pytest.approx(2 * dense.tokens_per_second, rel=1e-3)
    tight = dataclasses.replace(slow, memory_bandwidth_bytes_per_second=12e9)
    apart, together = (
        dense.on(dataclasses.replace(tight, overlap=overlap)).tokens_per_second
        for overlap in (1.0, 32.0)
    )
    # Half of what was measured counts, and half of what is usual: the exponents are the roots of 2
    # and of 64.
    assert apart == pytest.approx(12 / 2 ** (1 / math.sqrt(2)) / 19.407, rel=1e-3)
    assert together == pytest.approx(12 / 2 ** (1 / 8) / 19.407, rel=1e-3)


def test_a_thought_takes_a_little_longer_than_its_first_token_promises():
    asked = plan("qwq-32b", machine=machine(64))
    at_first_speed = 2000 / asked.tokens_per_second / 60
    assert at_first_speed < asked.minutes_per_thought < 1.2 * at_first_speed


def test_a_mixture_of_the_same_memory_is_planned_several_times_faster():
    dense, mixture = (plan(name, machine=machine(64)) for name in ("qwq-32b", "qwen3-30b-a3b"))
    assert mixture.memory.total == pytest.approx(dense.memory.total, rel=0.15)
    assert mixture.tokens_per_second > 6 * dense.tokens_per_second


def test_a_plan_reads_as_sentences_with_its_numbers():
    text = str(plan("qwq-32b", machine=machine(64)))
    assert "20.7 GiB (weights" in text and "21.2 GiB with 0.5 GiB in reserve" in text
    assert "fits" in text and "19.4 GB per token at 30 GB/s" in text and "2,000 tokens" in text
    text = str(plan("qwq-32b", machine=machine(8)))
    assert "does not fit" in text and "from disk" in text and "7B" in text


def test_where_too_little_is_free_by_a_hair_the_plan_says_how_much():
    """Rounded, 21.2 GiB would be needed and 21.2 free, and the model would not fit."""
    needed = plan("qwq-32b", machine=machine(64)).needed_bytes + RESERVE_BYTES
    for missing, told in ((2**23, 8), (2**20 + 1, 2), (1, 1)):
        close = dataclasses.replace(machine(64), available_memory_bytes=needed - missing)
        text = str(plan("qwq-32b", machine=close))
        assert f"free here: 21.2 GiB ({told} MiB too little) of" in text
        assert "use up the reserve" in text and "every token" not in text


def test_a_plan_made_on_a_busy_machine_says_so():
    quiet, busy = (
        str(plan("qwq-32b", machine=dataclasses.replace(machine(64), busy=busy)))
        for busy in (False, True)
    )
    assert "Other programs kept this machine busy" in busy and "Other programs" not in quiet


def test_any_quantisation_can_be_planned_offered_or_not():
    named = plan("qwq-32b:Q6_K", machine=machine(64))
    assert (
        named.quantisation
        == "Q6_K"
        == plan("qwq-32b", machine=machine(64), quantisation="q6_k").quantisation
    )
    assert plan("deepseek-r1", machine=machine(64), quantisation="Q2_K").memory.weights > 200e9


def test_repacking_adds_a_private_copy_of_nearly_14_gib_for_qwq():
    shape = find_model("qwq-32b").architecture
    assert repacked_bytes(shape, "Q4_K_M") == pytest.approx(13.9 * GIB, rel=0.01)
    assert repacked_bytes(shape, "Q8_0") == 0
    shared, repacked = (plan("qwq-32b", machine=machine(64), repack=r) for r in (False, True))
    assert repacked.memory.total - shared.memory.total == repacked_bytes(shape, "Q4_K_M")


@pytest.mark.parametrize(
    "wrong", [{"context": 0}, {"context": 2.5}, {"kv_type": "q3"}, {"quantisation": "tiny"}]
)
def test_a_wrong_option_is_refused(wrong):
    with pytest.raises(OptionError):
        plan("qwq-32b", machine=machine(64), **wrong)


def test_a_load_that_would_swap_is_refused_unless_forced():
    need = MemoryNeed(weights=20 * GIB, cache=GIB, compute=0, program=0)
    refuse_if_swapping(need, available_bytes=22 * GIB)
    with pytest.raises(MachineError, match=r"21\.0 GiB of memory, and 20\.0 GiB are free") as no:
        refuse_if_swapping(need, name="QwQ-32B", available_bytes=20 * GIB)
    assert "QwQ-32B" in no.value.problem and "force=True" in no.value.remedy
    refuse_if_swapping(need, available_bytes=20 * GIB, force=True)


def test_a_repacked_copy_is_made_only_for_one_kernel_with_room_for_it():
    shape = find_model("qwq-32b").architecture
    copy = repacked_bytes(shape, "Q4_K_M")
    need = plan("qwq-32b", machine=machine(64)).memory
    assert choose_repacking(need, copy, 56 * GIB).repack
    shared = choose_repacking(need, copy, 56 * GIB, kernels=2)
    assert not shared.repack and "2 notebooks" in shared.reason
    small = choose_repacking(need, copy, 22 * GIB)
    assert not small.repack and "13.9 GiB does not fit" in small.reason
    assert not choose_repacking(need, 0, 56 * GIB).repack


def test_this_machine_is_planned_for_by_default(monkeypatch):
    from course_utils.model_files import capacity

    monkeypatch.setattr(capacity, "this_machine", lambda: machine(64))
    assert plan("qwq-32b").machine == machine(64)
    assert dataclasses.replace(plan("qwq-32b"), instead=None).fits
