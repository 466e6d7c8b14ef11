"""Do the pictures and the decision of notebook 05 say what was counted and measured?"""

import csv
from dataclasses import replace

import matplotlib.text
import pytest

from course_utils.errors import OptionError
from course_utils.evaluation.choice import (
    MODELS,
    OPERATIONS_PER_CORE,
    PLACES,
    Lesson,
    choose,
    place_of,
)
from course_utils.machine import Machine
from course_utils.model_files.batching import bytes_read_per_step, experts_touched
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.quantisation import bytes_read_per_token, weight_bytes
from course_utils.paths import models_folder
from course_utils.teaching import (
    choice_chart,
    decision_chart,
    describe_choice,
    describe_parameters,
    parameter_treemap,
    published_scores,
)
from course_utils.teaching.figures.architecture import squarify

MACHINE = Machine(4, 32 * 2**30, 28 * 2**30, 50e9, 10**12)


def _report(name):
    with (models_folder() / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_boxes_of_a_treemap_have_the_asked_areas_and_fill_the_square():
    sizes = [60.0, 25.0, 10.0, 4.0, 1.0]
    boxes = squarify(sizes, (0, 0, 10, 10))
    assert [w * h for _, _, w, h in boxes] == pytest.approx(sizes)
    assert max(x + w for x, _, w, _ in boxes) == pytest.approx(10)
    assert max(y + h for _, y, _, h in boxes) == pytest.approx(10)


def test_the_treemap_names_each_model_with_its_counts():
    models = {"A & B": ({"experts": 9e9, "output": 1e9}, {"experts": 1e9, "output": 1e9})}
    texts = [t.get_text() for t in parameter_treemap(models).findobj(matplotlib.text.Text)]
    assert "A & B\n10.0 B, 2.0 B active" in texts
    assert "experts 90.0% of which 11.1%, output 10.0%" in describe_parameters(models)
    with pytest.raises(OptionError):
        parameter_treemap({})


def test_the_legend_of_a_treemap_leaves_out_colours_that_nobody_could_find():
    models = {
        "A": ({"embedding": 2e8, "experts": 9.8e9}, {"embedding": 4e3, "experts": 1e9}),
        "B": ({"embedding": 2e8, "shared": 1e8}, {"embedding": 4e3, "shared": 1e8}),
    }
    (legend,) = parameter_treemap(models).legends
    assert [text.get_text() for text in legend.get_texts()] == ["experts", "shared", "not used"]


def test_one_token_touches_its_experts_and_many_tokens_touch_all():
    assert experts_touched(128, 8, 1) == pytest.approx(8)
    assert experts_touched(128, 8, 0) == 0
    assert experts_touched(128, 8, 10_000) == pytest.approx(128)
    with pytest.raises(OptionError):
        experts_touched(8, 9, 1)


@pytest.mark.parametrize("name", MODELS)
def test_a_step_of_one_sequence_reads_what_a_token_reads_and_never_more_than_the_file(name):
    shape = find_model(name).architecture
    one = bytes_read_per_step(shape, "Q4_K_M", 1)
    assert one == pytest.approx(bytes_read_per_token(shape, "Q4_K_M"), rel=1e-9)
    many = bytes_read_per_step(shape, "Q4_K_M", 32)
    assert one <= many <= weight_bytes(shape, "Q4_K_M")
    assert (many > 5 * one) == (shape.experts is not None)


def test_the_measured_batches_agree_with_the_expected_experts_and_the_ratio_for_one():
    rows = _report("batching.csv")
    mixture = [row for row in rows if row["model"] == "qwen3-30b-a3b"]
    assert [int(row["sequences"]) for row in mixture] == [1, 2, 4, 8, 16, 32]
    for row in mixture:
        assert float(row["experts_touched"]) == pytest.approx(
            experts_touched(128, 8, int(row["sequences"])), rel=0.1
        )
    dense = next(row for row in rows if row["model"] == "qwq-32b")
    ratio = float(mixture[0]["tokens_per_second"]) / float(dense["tokens_per_second"])
    assert ratio == pytest.approx(12.0 / 1.4, rel=0.15)


def test_two_extrapolations_of_r1_agree():
    speeds = [float(row["tokens_per_second_extrapolated"]) for row in _report("r1_layers.csv")]
    assert len(speeds) == 2 and max(speeds) / min(speeds) < 1.15


def test_the_arithmetic_of_a_core_is_what_the_measured_prefill_shows():
    row = _report("full_size.csv")[0]
    shape = find_model(row["model"]).architecture
    per_core = float(row["prefill_tokens_per_second"]) * shape.flops_per_token() / int(row["cores"])
    assert per_core == pytest.approx(OPERATIONS_PER_CORE, rel=0.25)


def test_r1_fits_only_the_server_and_what_does_not_fit_has_no_price():
    fits = {place: [choose(name, at).fits for name in MODELS] for place, at in PLACES.items()}
    assert fits["laptop"] == fits["workstation"] == [True, True, False]
    assert fits["server"] == [True, True, True]
    assert choose("deepseek-r1", PLACES["laptop"]).euros == float("inf")


def test_more_learners_cost_more_and_a_crowd_shrinks_the_mixtures_lead():
    server = PLACES["server"]
    alone, crowd = Lesson(learners=1), Lesson(learners=30)

    def lead(lesson):
        mixture, dense = (choose(n, server, lesson) for n in ("qwen3-30b-a3b", "qwq-32b"))
        return mixture.speed_for_class / dense.speed_for_class

    assert choose("qwq-32b", server, crowd).euros > choose("qwq-32b", server, alone).euros
    assert lead(crowd) < 0.9 * lead(alone)


def test_a_machine_with_little_room_serves_fewer_learners_at_once():
    here = place_of(MACHINE)
    assert 0 < choose("qwq-32b", here).sequences < 30
    assert choose("qwq-32b", replace(here, memory_gib=8)).sequences == 0


def test_the_chart_shows_a_blank_for_a_missing_score_and_for_what_does_not_fit():
    choices = [choose(name, PLACES["laptop"]) for name in MODELS]
    scores = published_scores("AIME 2024", [choice.title for choice in choices])
    assert scores["QwQ-32B"] == 79.5
    figure = choice_chart(choices, PLACES["laptop"], scores | {"Qwen3-30B-A3B": None})
    texts = [t.get_text() for t in figure.findobj(matplotlib.text.Text)]
    assert "no sourced score" in texts and texts.count("does not fit") == 2
    assert "DeepSeek-R1" in describe_choice(choices, PLACES["laptop"], scores)


def test_the_widget_follows_its_fields_and_refuses_unknown_names():
    chart = decision_chart("laptop", machine=MACHINE)
    before = chart.choices[0].euros
    chart.numbers["price"].value = 2000
    assert chart.choices[0].euros > before and not chart.error.value
    chart.place.value = "server"
    assert chart.chosen_place.machines == 1 and all(c.fits for c in chart.choices)
    assert "PLACES" in repr(chart)
    for wrong in ({"place": "phone"}, {"benchmark": "none"}):
        with pytest.raises(OptionError):
            decision_chart(**{"machine": MACHINE, **wrong})
