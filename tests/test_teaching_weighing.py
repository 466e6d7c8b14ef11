"""Do the charts of notebooks 05 and 09 draw what their numbers say, each time they are asked?"""

import matplotlib.text
import pytest

from course_utils import teaching
from course_utils.errors import OptionError
from course_utils.evaluation.beside import Beside, Gap
from course_utils.evaluation.published import find, load_results
from course_utils.model_files.catalogue import find_model
from course_utils.nano.experiments import moe_verdict
from course_utils.nano.experiments.moe import MODELS, read_runs


def words_of(figure) -> str:
    figure.draw_without_rendering()
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_attention_is_drawn_with_its_heads_and_what_it_caches():
    kinds = [
        teaching.sharing_of(name, find_model(name).architecture)
        for name in ("qwq-32b", "deepseek-r1")
    ]
    assert [(k.queries, k.groups, k.numbers, k.latent) for k in kinds] == [
        (40, 8, 2048, False),
        (128, 1, 576, True),
    ]
    figure = teaching.head_chart(kinds)
    assert [len(axes.patches) for axes in figure.axes] == [40 + 8, 128 + 1 + 1]
    assert "2,048 numbers cached" in words_of(figure) and "576" in words_of(figure)
    assert "40 query heads over 8 key and value heads" in teaching.describe_heads(kinds)
    # The cache is to scale: 8 boxes together are 2,048 / 576 times as wide as the one.
    widths = [sum(p.get_width() for p in axes.patches if p.get_y() == 0) for axes in figure.axes]
    assert widths[0] / widths[1] == pytest.approx(2048 / 576)


def test_a_difference_without_an_interval_says_so():
    rows = [
        Beside("AIME 2024", "", "somebody", Gap(-2.0, -23.0, 19.0)),
        Beside("LiveBench", "2025-04-25", "a board", Gap(-3.0)),
    ]
    figure = teaching.difference_chart(rows, ("A", "B"))
    words = words_of(figure)
    assert "-3.0  no interval" in words and "LiveBench 2025-04-25 · a board" in words
    assert "somebody: -2.0 (-23 to +19)" in teaching.describe_differences(rows)
    with pytest.raises(OptionError):
        teaching.difference_chart([], ("A", "B"))


def test_each_run_is_a_dot_at_its_score():
    figure = teaching.run_chart([22, 21, 22], 30, {"A": 79.5, "B": 79.8})
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    drawn = sorted(float(x) for line in dots for x in line.get_xdata())
    assert drawn == pytest.approx([70.0, 100 * 22 / 30, 100 * 22 / 30])
    assert "A 79.5" in words_of(figure)


def test_scores_are_drawn_by_benchmark_and_ratios_on_their_side_of_the_line():
    results = load_results()
    rows = {
        name: find(results, benchmark=name, published_by="Qwen team")[:2]
        for name in ("LiveBench", "LiveCodeBench")
    }
    assert "QwQ-32B  73.1" in words_of(teaching.score_rows(rows))
    ratios = {"memory": 20.5, "cache": 0.27}
    assert "0.27 times" in words_of(teaching.ratio_chart(ratios, title="What?"))
    assert teaching.describe_ratios(ratios) == "memory: 20.50 times; cache: 0.27 times."
    for draw in (lambda: teaching.score_rows({}), lambda: teaching.ratio_chart({}, title="?")):
        with pytest.raises(OptionError):
            draw()


def test_a_budget_chart_has_a_line_for_each_model_and_knows_its_budgets():
    figure = teaching.budget_chart(read_runs(), ["balanced", "dense-short"], "flops", title="?")
    for model in ("balanced", "dense-short"):
        assert MODELS[model].label in words_of(figure)
    with pytest.raises(OptionError, match="tokens, flops"):
        teaching.budget_chart(read_runs(), ["balanced"], "euros", title="?")


BATCHES = [
    {"model": model, "sequences": n, "tokens_per_second": speed, "gb_per_step": read}
    for model, n, speed, read in (
        *(("dense", 1, 1.0, 20.0), ("dense", 4, 3.0, 20.0)),
        *(("sparse", 1, 8.0, 2.0), ("sparse", 4, 15.0, 5.0)),
    )
]


def test_a_lead_is_a_quotient_of_speeds_and_beside_it_stands_that_of_bytes():
    leads = teaching.lead_of(BATCHES, "sparse", "dense")
    assert leads == {1: (8.0, 10.0), 4: (5.0, 4.0)}
    assert "1: 8.0, 4: 5.0. By bytes alone: 1: 10.0, 4: 4.0" in teaching.describe_leads(leads)
    rates = {name: teaching.rates_of(BATCHES, name) for name in ("dense", "sparse")}
    assert rates["sparse"] == {1: 8.0, 4: 15.0}
    assert "measured" in words_of(teaching.crowd_chart(rates, leads))
    assert "two cores" in words_of(teaching.lead_chart({"two cores": {1: 10.0, 4: 5.0}}))


def test_the_parts_at_work_are_the_architectures_active_parameters():
    for name in ("qwq-32b", "deepseek-r1"):
        shape = find_model(name).architecture
        everything, at_work = teaching.parts_at_work(shape)
        assert sum(everything.values()) == shape.parameters
        assert sum(at_work.values()) == shape.active_parameters() + shape.hidden


def test_lines_on_the_mixture_say_who_is_better_and_who_cannot_be_told_apart():
    runs = read_runs()
    assert moe_verdict.verdict_line(runs, "balanced", "dense-short").endswith("is better")
    assert "no clear difference" in moe_verdict.verdict_line(runs, "balanced", "dense-total")
    assert moe_verdict.winners(runs, ["balanced", "dense-short"]) == ["balanced"]
    assert set(moe_verdict.winners(runs, ["balanced", "dense-total"])) == {
        "balanced",
        "dense-total",
    }
    assert "of 300 sums right" in moe_verdict.result_line(runs, "balanced")
