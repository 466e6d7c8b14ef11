"""Is what each learner will get said right, before anybody asks?"""

import csv
from dataclasses import replace

import pytest

from course_utils.classroom.capacity import (
    plan_class,
    readable_wait,
    tokens_per_second_together,
)
from course_utils.errors import MachineError, OptionError
from course_utils.machine import GraphicsCard, Machine
from course_utils.model_files.capacity import plan
from course_utils.paths import models_folder
from course_utils.units import GIB

LAPTOP = Machine(2, 24 * GIB, 22 * GIB, 62.3e9, 100 * GIB)
WORKSTATION = Machine(16, 128 * GIB, 120 * GIB, 90e9, 100 * GIB)


def measured():
    with open(models_folder() / "batching.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", measured(), ids=lambda row: f"{row['model']} x {row['sequences']}")
def test_speed_for_several_replies_at_once_is_within_a_quarter_of_what_was_measured(row):
    machine = replace(
        LAPTOP,
        cores=int(row["cores"]),
        memory_bandwidth_bytes_per_second=float(row["bandwidth_gb_per_second"]) * 1e9,
    )
    planned = plan(row["model"], 512, "f16", machine, row["quantisation"])
    expected = tokens_per_second_together(planned, int(row["sequences"]))
    assert expected == pytest.approx(float(row["tokens_per_second"]), rel=0.25)


def test_a_class_of_thirty_got_what_it_was_told_beforehand_and_lost_nothing():
    with open(models_folder() / "class_server.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(row["lost"] == row["cut_off"] == "0" for row in rows)
    told = [float(row["measured_of_said"]) for row in rows if row["measured_of_said"]]
    assert told and all(0.75 <= share <= 1.25 for share in told)


def test_a_class_of_thirty_got_three_times_what_the_package_server_gives():
    with open(models_folder() / "class_server.csv", encoding="utf-8") as file:
        speeds = {
            (row["server"], row["streamed"]): float(row["tokens_per_second"])
            for row in csv.DictReader(file)
        }
    for streamed in "01":
        ours, theirs = speeds["class server", streamed], speeds["llama_cpp.server", streamed]
        assert ours > 3 * theirs


def test_one_reply_at_a_time_is_what_the_capacity_plan_says():
    planned = plan("qwq-32b", 4096, "f16", WORKSTATION)
    assert tokens_per_second_together(planned, 1) == pytest.approx(planned.tokens_per_second)


def test_qwq_on_a_workstation_has_slots_that_fit_and_says_how_long_the_class_waits():
    sized = plan_class("qwq-32b", 30, machine=WORKSTATION)
    assert sized.slots == 16 and sized.context == 4096 and sized.plan.fits
    assert sized.plan.context == sized.slots * sized.context
    assert sized.each == pytest.approx(sized.together / 16)
    said = str(sized)
    assert "16 replies at a time, 4,096 tokens of context" in said
    assert "tokens per second together" in said and "When all 30 ask at once" in said


def test_qwq_where_hardly_anything_is_left_gets_a_small_cache_and_few_slots():
    full = replace(LAPTOP, available_memory_bytes=20 * GIB)
    sized = plan_class("qwq-32b", 30, machine=full)
    assert 1 <= sized.slots < 4 and sized.plan.fits and sized.kv_type == "q8_0"
    assert sized.per_learner == 1
    assert "That is too long for a class" in str(sized)


def test_the_nano_thinker_serves_a_class_in_no_memory_to_speak_of():
    sized = plan_class("nano-thinker", 30, machine=LAPTOP)
    assert sized.slots == 16 and sized.context == 1024 and sized.per_learner == 4
    assert sized.plan.needed_bytes < GIB and sized.together is None
    assert "the rehearsal measures it" in str(sized)
    rehearsed = sized.measured(1200.0, 40)
    assert "Measured in a rehearsal: 1,200 tokens per second together, so 75 for" in str(rehearsed)
    assert rehearsed.seconds_for_all == pytest.approx(1.0)


def test_a_mixture_serves_more_than_a_dense_model_of_its_size():
    mixture = plan_class("qwen3-30b-a3b", 30, machine=WORKSTATION)
    dense = plan_class("qwq-32b", 30, machine=WORKSTATION)
    assert mixture.together > 1.3 * dense.together


def test_a_graphics_card_serves_a_class_faster():
    card = GraphicsCard("a card", 46 * GIB, 900e9)
    sized = plan_class("qwq-32b", 30, machine=replace(WORKSTATION, card=card), slots=8)
    assert sized.plan.card is not None
    assert sized.together > 3 * plan_class("qwq-32b", 30, machine=WORKSTATION, slots=8).together


@pytest.mark.parametrize("model", ["deepseek-r1", "qwq-32b"])
def test_a_model_that_does_not_fit_is_one_message_with_a_way_out(model):
    small = replace(LAPTOP, available_memory_bytes=8 * GIB)
    with pytest.raises(MachineError, match="free") as error:
        plan_class(model, 30, machine=small)
    assert "nano-thinker" in error.value.remedy


def test_slots_that_are_asked_for_are_given_or_refused():
    assert plan_class("qwq-32b", 30, machine=WORKSTATION, slots=3).slots == 3
    with pytest.raises(MachineError, match="16 x "):
        plan_class("qwq-32b", 30, machine=LAPTOP, slots=16)


@pytest.mark.parametrize(
    "wrong",
    [{"learners": 0}, {"learners": 10**9}, {"learners": "30"}, {"slots": 0}, {"slots": True},
     {"context": 0}, {"context": 10**9}],
)  # fmt: skip
def test_numbers_that_are_none_are_refused(wrong):
    with pytest.raises(OptionError, match="is not valid"):
        plan_class("qwq-32b", **{"learners": 30, "machine": WORKSTATION} | wrong)


def test_waits_are_said_as_people_say_them():
    waits = [readable_wait(seconds) for seconds in (0.2, 8.4, 400, 9000)]
    assert waits == ["a second", "8 seconds", "7 minutes", "2.5 hours"]
