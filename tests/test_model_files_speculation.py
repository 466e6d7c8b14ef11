"""A plan says what a step of several tokens costs, and above what acceptance rate a draft pays."""

import csv
import dataclasses
import math
from random import Random

import pytest

from course_utils.engines.rehearsal_steps import of_the_whole
from course_utils.errors import OptionError
from course_utils.model_files.capacity import plan
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.speculation import expected_tokens, pays_from, speculative_speed
from course_utils.model_files.speed import step_work
from course_utils.paths import models_folder
from tests.test_foundations_capacity import machine


def rows(name):
    path = models_folder() / name
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_expected_tokens_are_those_of_the_paper():
    assert expected_tokens(0.0, 5) == 1 and expected_tokens(1.0, 5) == 6
    assert expected_tokens(0.8, 0) == 1
    for acceptance in (0.1, 0.5, 0.9):
        # (1 - a^(k+1)) / (1 - a), Leviathan et al. 2023, equation 1
        assert expected_tokens(acceptance, 4) == pytest.approx(
            (1 - acceptance**5) / (1 - acceptance)
        )


def test_the_expected_tokens_are_what_drawing_gives():
    draw, acceptance, drafted, steps = Random(0), 0.7, 4, 20_000
    total = 0
    for _ in range(steps):
        total += 1
        for _ in range(drafted):
            if draw.random() >= acceptance:
                break
            total += 1
    assert total / steps == pytest.approx(expected_tokens(acceptance, drafted), rel=0.02)


@pytest.mark.parametrize("wrong", [(-0.1, 3), (1.1, 3), (math.nan, 3), (0.5, -1)])
def test_an_acceptance_rate_that_is_none_is_refused(wrong):
    with pytest.raises(OptionError):
        expected_tokens(*wrong)


def test_where_a_step_costs_the_same_whatever_it_computes_any_acceptance_pays():
    assert pays_from(4, lambda tokens: 1.0) == pytest.approx(0, abs=1e-5)


def test_where_a_step_costs_as_much_as_its_tokens_no_acceptance_pays():
    assert pays_from(4, lambda tokens: float(tokens)) is None
    assert pays_from(4, lambda tokens: 1.0, draft_seconds=1.0) is None


def test_at_the_acceptance_from_which_it_pays_both_are_equally_fast():
    def seconds(tokens):
        return 1 + 0.3 * (tokens - 1)

    for drafted in (1, 2, 4, 8):
        acceptance = pays_from(drafted, seconds, 0.05)
        speed = speculative_speed(acceptance, drafted, seconds, 0.05)
        assert speed == pytest.approx(1 / seconds(1), rel=1e-4)
        better = speculative_speed(min(1, acceptance + 0.1), drafted, seconds, 0.05)
        assert better > 1 / seconds(1)


@pytest.mark.parametrize("mixture", [False, True])
def test_the_work_of_a_step_grows_with_its_tokens_and_not_faster_than_theirs_by_much(mixture):
    works = [step_work(tokens, mixture=mixture) for tokens in range(1, 65)]
    assert works[0] == 1 and works == sorted(works)
    assert all(work <= 1.2 * tokens for tokens, work in enumerate(works, 1))


def test_a_plans_step_of_one_token_is_its_speed_and_more_tokens_take_longer():
    for name in ("qwq-32b", "qwen3-30b-a3b"):
        planned = plan(name, machine=machine(64))
        assert planned.seconds_per_step() == pytest.approx(1 / planned.tokens_per_second)
        steps = [planned.seconds_per_step(tokens) for tokens in (1, 2, 4, 8, 16)]
        assert steps == sorted(steps)


@pytest.mark.parametrize("row", rows("batching.csv"))
def test_a_plans_steps_are_those_that_were_measured(row):
    """Within 15 percent, of several sequences: a step of one sequence costs the same."""
    here = machine(64, float(row["bandwidth_gb_per_second"]) * 1e9, cores=int(row["cores"]))
    planned = plan(row["model"], machine=here, quantisation=row["quantisation"])
    measured = int(row["sequences"]) / float(row["tokens_per_second"])
    assert planned.seconds_per_step(int(row["sequences"])) == pytest.approx(measured, rel=0.15)


def whole(row):
    return row["layers_run"] == row["all_layers"]


def measured_then(row):
    """The machine that a row was measured on, with its speeds in that minute."""
    waiting = row["milliseconds_per_expert_layer"]
    return dataclasses.replace(
        machine(64, float(row["bandwidth_gb_per_second"]) * 1e9, cores=int(row["cores"])),
        unpacking_bytes_per_second=float(row["unpacking_gb_per_second"]) * 1e9,
        overlap=float(row["overlap"]),
        seconds_per_expert_layer=float(waiting) / 1e3 if waiting else None,
    )


@pytest.mark.parametrize("row", [r for r in rows("step_price.csv") if not whole(r)])
def test_eight_layers_foretell_the_whole_models_price(row):
    """Within 15 percent, for both models, on the machine that measured both."""
    same = [
        other
        for other in rows("step_price.csv")
        if whole(other) and (other["model"], other["tokens"]) == (row["model"], row["tokens"])
    ]
    if not same:
        pytest.skip("the whole model did not fit there")
    foretold, measured = float(row["seconds_per_step"]), float(same[0]["seconds_per_step"])
    assert foretold == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("layers", ["8", "48"])
def test_the_rows_of_a_mixture_are_scaled_up_from_what_was_run(layers):
    same = [
        row
        for row in rows("step_price.csv")
        if (row["model"], row["layers_run"]) == ("qwen3-30b-a3b", layers)
    ]
    full = find_model("qwen3-30b-a3b").architecture
    run = {(0, int(row["tokens"])): float(row["seconds_per_step_run"]) for row in same}
    found = of_the_whole(run, full.with_layers(int(layers)), full, "Q4_K_M")
    for row in same:
        assert float(row["seconds_per_step"]) == pytest.approx(
            found[0, int(row["tokens"])], rel=1e-3
        )


PRICED = [row for row in rows("step_price.csv") if whole(row) and row["tokens"] in "1248"]


@pytest.mark.parametrize("row", [row for row in PRICED if "qwen2.5" not in row["model"]])
def test_a_plan_foretells_the_price_of_a_step(row):
    """Within 15 percent, for the speeds of the machine in that minute."""
    planned = plan(row["model"], machine=measured_then(row))
    alone = planned.seconds_per_step()
    price = planned.seconds_per_step(int(row["tokens"])) / alone
    assert price == pytest.approx(float(row["price"]), rel=0.15)
    assert alone == pytest.approx(float(row["seconds_per_step"]) / float(row["price"]), rel=0.15)


def test_a_plan_says_how_a_full_context_slows_it_and_how_long_a_prompt_takes():
    short, long = (plan("qwq-32b", context, machine=machine(64)) for context in (2048, 32_768))
    assert short.tokens_per_second == long.tokens_per_second
    full = {each.context: 1 / each.seconds_per_step(context=each.context) for each in (short, long)}
    assert full[32_768] < full[2048] < short.tokens_per_second
    text = str(long)
    assert f"With a full context it writes {full[32_768]:.2f} tokens per second" in text
    assert "Reading a prompt of 1,000 tokens: roughly" in text
    assert long.seconds_to_read(2000) > 2 * long.seconds_to_read(1000) > 0


def test_a_plan_says_from_which_acceptance_rate_a_draft_pays():
    asked = plan("qwq-32b", machine=machine(64))
    free, paid = asked.draft_pays_from(), asked.draft_pays_from(draft=plan("qwen2.5-0.5b"))
    assert 0 < free < paid < 1
    assert f"pays off if more than {free:.0%} of its tokens are accepted" in asked.draft_line()
    # A plan is read before anybody has heard of drafts: it speaks of them on request only.
    assert "draft" not in str(asked)
    # Where the memory is no limit, and the cores unpack every token again, little is to be had.
    unbound = plan("qwq-32b", machine=machine(64, bandwidth=1e13))
    assert unbound.draft_pays_from() > free
    assert unbound.draft_pays_from(1) is None


def test_a_cache_of_another_type_and_more_cores_change_a_long_texts_speed_only():
    one = machine(64)
    plans = [plan("qwq-32b", 16_384, kind, machine=one) for kind in ("f16", "q8_0", "q4_0")]
    assert len({each.tokens_per_second for each in plans}) == 1
    assert len({each.seconds_per_step(context=16_384) for each in plans}) == 3


LONG = rows("long_texts.csv")


@pytest.mark.parametrize("row", [row for row in LONG if whole(row)])
def test_eight_layers_foretell_the_whole_models_speed_after_a_long_text(row):
    """Within 15 percent at the start and after the longest text that fits beside the model."""
    wanted = (row["model"], row["kv_type"], row["context"])
    foretold = [
        float(other["tokens_per_second"])
        for other in LONG
        if not whole(other)
        and other["flash_attention"] == row["flash_attention"]
        and (other["model"], other["kv_type"], other["context"]) == wanted
    ]
    assert foretold[0] == pytest.approx(float(row["tokens_per_second"]), rel=0.15)


PLANNED = [
    row for row in LONG if row["context"] in ("0", "16384") and row["planned_tokens_per_second"]
]


@pytest.mark.parametrize("row", PLANNED)
def test_a_plan_foretells_the_speed_after_a_long_text(row):
    """Within 15 percent. If a new machine was measured, look at WALKED_PER_CORE."""
    planned = plan(row["model"], 32_768, row["kv_type"], measured_then(row), row["quantisation"])
    speed = 1 / planned.seconds_per_step(context=int(row["context"]))
    assert speed == pytest.approx(float(row["tokens_per_second"]), rel=0.15)


WHOLE = [row for row in rows("full_size.csv") if row["layers"] == row["all_layers"]]


@pytest.mark.parametrize("row", WHOLE, ids=lambda row: row["model"])
def test_a_plan_tells_the_order_of_a_prompts_time(row):
    """Within a factor of two: processors differ in the instructions that reading needs."""
    planned = plan(row["model"], machine=machine(64, cores=int(row["cores"])))
    measured = 1000 / float(row["prefill_tokens_per_second"])
    assert 0.5 < planned.seconds_to_read(1000) / measured < 2
