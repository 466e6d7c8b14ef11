"""The plan's speed carries over: from the machines that were measured to one that was not."""

import math
from collections import defaultdict

import pytest

from course_utils.logs import read_log
from course_utils.model_files.capacity import plan
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.speed import (
    MOST_OVERLAP,
    SECONDS_PER_EXPERT_LAYER,
    UNPACKED_PER_CORE,
    UNPACKED_PER_CORE_BY_MAKER,
    decoding_bytes_per_second,
    measured_overlap,
    unpacked_per_core,
)
from course_utils.paths import models_folder
from tests.test_foundations_capacity import machine

# Stand-ins at full size, or of eight layers and scaled up, beside the bandwidth that was measured
# before and after each. The first three machines are AMD's, the fourth is Intel's.
ROWS = read_log(models_folder() / "decoding_speeds.csv")
AMD = ("first", "second", "third")


def expected(row, per_core=None, waiting=SECONDS_PER_EXPERT_LAYER):
    per_core = per_core or unpacked_per_core(row["cpu"])
    rate = decoding_bytes_per_second(
        row["bandwidth_gb_per_second"] * 1e9,
        row["threads"],
        unpacking=per_core * row["threads"],
    )
    layers = find_model(row["model"]).architecture.expert_layers
    return 1 / (row["gb_per_token"] * 1e9 / rate + waiting * layers)


def off(row, *rates):
    return math.log(expected(row, *rates) / row["decode_tokens_per_second"])


def fit(rows, waiting=None):
    """The two rates that foresee these rows best, by least squares over a grid."""
    waits = [waiting] if waiting is not None else [step * 1e-5 for step in range(5, 40)]
    grid = [(core * 5e8, wait) for core in range(10, 80) for wait in waits]
    return min(grid, key=lambda rates: sum(off(row, *rates) ** 2 for row in rows))


def of(*machines):
    return [row for row in ROWS if row["machine"] in machines]


@pytest.mark.parametrize("left_out", AMD)
def test_a_machine_that_was_left_out_of_the_fit_is_foreseen_within_15_percent(left_out):
    rates = fit(of(*(name for name in AMD if name != left_out)))
    for row in of(left_out):
        # One thread of two, which no plan is made for, is missed by 17 %.
        within = 0.15 if row["threads"] == row["cores"] else 0.2
        assert expected(row, *rates) == pytest.approx(row["decode_tokens_per_second"], rel=within)


def test_the_plans_two_numbers_are_those_of_the_fit():
    per_core, waiting = fit(of(*AMD))
    assert pytest.approx(per_core, rel=0.1) == UNPACKED_PER_CORE
    assert pytest.approx(waiting, rel=0.25) == SECONDS_PER_EXPERT_LAYER


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['machine']}-{row['model']}")
def test_the_speed_on_all_machines_is_planned_within_15_percent(row):
    assert expected(row) == pytest.approx(row["decode_tokens_per_second"], rel=0.15)


def test_another_make_of_processor_needs_its_own_rate_and_no_more():
    """The rate of AMD's is far too hopeful for Intel; QwQ's rows there foresee the mixture's."""
    dense = [row for row in of("fourth") if row["model"] == "qwq-32b"]
    mixture = [row for row in of("fourth") if row["model"] != "qwq-32b"]
    too_hopeful = [math.exp(off(row, UNPACKED_PER_CORE)) for row in dense]
    assert min(too_hopeful) > 1.15 and max(too_hopeful) > 1.4
    rates = fit(dense, waiting=SECONDS_PER_EXPERT_LAYER)
    assert rates[0] < UNPACKED_PER_CORE / 2
    assert pytest.approx(rates[0], rel=0.1) == UNPACKED_PER_CORE_BY_MAKER["intel"]
    for row in dense + mixture:
        assert expected(row, *rates) == pytest.approx(row["decode_tokens_per_second"], rel=0.15)


def test_a_share_of_the_bandwidth_alone_would_not_carry_over():
    shares = defaultdict(list)
    for row in ROWS:
        read = row["decode_tokens_per_second"] * row["gb_per_token"]
        shares[row["model"]].append(read / row["bandwidth_gb_per_second"])
    assert all(max(found) > 1.3 * min(found) for found in shares.values())


@pytest.mark.parametrize("overlap", [0.7, 1.0, 2.0, 5.0])
@pytest.mark.parametrize(("bandwidth", "unpacking"), [(15e9, 50e9), (46e9, 25e9), (30e9, 29e9)])
def test_the_overlap_is_found_again_from_what_was_decoded(bandwidth, unpacking, overlap):
    decoded = decoding_bytes_per_second(bandwidth, 2, unpacking=unpacking, overlap=overlap)
    found = measured_overlap(decoded, bandwidth, unpacking)
    again = decoding_bytes_per_second(bandwidth, 2, unpacking=unpacking, overlap=found)
    assert again == pytest.approx(decoded, rel=1e-6)
    assert found == pytest.approx(overlap, rel=0.01)


def test_where_unpacking_is_no_hindrance_the_overlap_counts_as_whole():
    assert measured_overlap(11e9, 10e9, 50e9) == pytest.approx(MOST_OVERLAP)
    rate = decoding_bytes_per_second(10e9, 2, unpacking=50e9, overlap=MOST_OVERLAP)
    assert rate == pytest.approx(10e9)


def test_with_no_overlap_the_times_add_up():
    rate = decoding_bytes_per_second(20e9, 2, unpacking=30e9, overlap=1)
    assert rate == pytest.approx(1 / (1 / 20e9 + 1 / 30e9))


def test_a_plan_uses_the_formula():
    for model, cores in (("qwq-32b", 4), ("qwen3-30b-a3b", 4)):
        planned = plan(model, machine=machine(64, 40e9))
        row = {
            "model": model,
            "cpu": planned.machine.cpu_name,
            "bandwidth_gb_per_second": 40,
            "threads": cores,
            "gb_per_token": planned.bytes_per_token / 1e9,
        }
        assert planned.tokens_per_second == pytest.approx(expected(row), rel=1e-6)


ELSEWHERE = read_log(models_folder() / "speeds_elsewhere.csv")


@pytest.mark.parametrize("row", ELSEWHERE, ids=lambda row: f"{row['processor']}-{row['model']}")
def test_what_others_measured_has_its_address_and_lies_below_what_the_memory_can(row):
    assert row["source"].startswith("https://")
    reached = row["gb_per_token"] * row["tokens_per_second"]
    assert 0.5 < reached / row["gb_per_second"] < 0.85


def test_there_is_a_measured_row_for_each_kind_of_memory():
    kinds = {row["memory"].split(",")[0].split("-")[0].split(" M")[0] for row in ELSEWHERE}
    assert kinds == {"DDR3L", "DDR4", "DDR5", "Apple"}
    assert any("12 channels" in row["memory"] for row in ELSEWHERE)
