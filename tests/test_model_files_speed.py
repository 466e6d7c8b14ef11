"""The plan's speed carries over: one formula meets what was measured on three machines."""

import csv

import pytest

from course_utils.model_files.capacity import plan
from course_utils.model_files.speed import decoding_bytes_per_second, unpacking_bytes_per_second
from course_utils.paths import models_folder
from tests.test_foundations_capacity import machine

# Two cores each, stand-ins of full size (python -m tests.benchmarks full-size): the bandwidth that
# was measured beside them in GB/s, and tokens per second. On the last machine 0.92 of the bandwidth
# were reached, which no fixed share of it foresees.
MEASURED = [
    ("qwq-32b", 10.4, 0.538),
    ("qwen3-30b-a3b", 24.85, 10.88),
    ("qwq-32b", 34.64, 1.352),
    ("qwen3-30b-a3b", 34.99, 12.846),
    ("qwq-32b", 14.98, 0.71),
]
BYTES_PER_TOKEN = {"qwq-32b": 19.407e9, "qwen3-30b-a3b": 1.920e9}


def rows(name):
    with (models_folder() / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def committed():
    return [
        (
            row["model"],
            float(row["bandwidth_gb_per_second"]),
            float(row["decode_tokens_per_second"]),
        )
        for row in rows("full_size.csv")
        if row["layers"] == row["all_layers"]
    ]


def expected(model, bandwidth, cores=2):
    rate = decoding_bytes_per_second(bandwidth * 1e9, cores, mixture=model != "qwq-32b")
    return rate / BYTES_PER_TOKEN[model]


@pytest.mark.parametrize(("model", "bandwidth", "measured"), [*MEASURED, *committed()])
def test_the_speed_on_each_machine_is_planned_within_15_percent(model, bandwidth, measured):
    assert expected(model, bandwidth) == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("row", rows("one_and_two_threads.csv"))
def test_one_core_and_two_are_planned_within_15_percent(row):
    if row["repack"] == "True":
        pytest.skip("another way of unpacking")
    rate = decoding_bytes_per_second(
        float(row["bandwidth_gb_per_second"]) * 1e9, int(row["threads"]), mixture=False
    )
    assert rate / 1e9 == pytest.approx(float(row["decode_gb_per_second"]), rel=0.15)


def test_a_share_of_the_bandwidth_alone_would_not_carry_over():
    shares = [
        speed * BYTES_PER_TOKEN[model] / bandwidth / 1e9
        for model, bandwidth, speed in [*MEASURED, *committed()]
        if model == "qwq-32b"
    ]
    assert max(shares) > 1.3 * min(shares)


def test_the_rate_of_unpacking_is_found_again_from_what_was_decoded():
    for bandwidth, unpacking in ((15e9, 50e9), (46e9, 25e9), (30e9, 12e9)):
        decoded = decoding_bytes_per_second(bandwidth, 2, mixture=False, unpacking=unpacking)
        assert unpacking_bytes_per_second(decoded, bandwidth) == pytest.approx(unpacking)
    # Faster than the memory was measured to be: not limited by unpacking.
    assert unpacking_bytes_per_second(11e9, 10e9) == 100e9


def test_a_plan_uses_the_formula():
    planned = plan("qwq-32b", machine=machine(64, 40e9))
    assert planned.tokens_per_second == pytest.approx(expected("qwq-32b", 40, cores=4), rel=1e-3)
