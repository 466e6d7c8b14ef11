"""Do benchmark figures show every score, its interval, and where none was found?"""

import matplotlib.text
import pytest

import course_utils.teaching as teaching
from course_utils.errors import OptionError
from course_utils.evaluation.published import MODELS, load_results
from course_utils.evaluation.statistics import (
    Interval,
    probability_better,
    score_interval,
)

BENCHMARKS = ["AIME 2024", "IFEval", "BFCL"]


def _texts(figure):
    figure.draw_without_rendering()
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def test_where_no_score_was_found_is_said_in_the_figure_and_its_alt_text():
    results = load_results()
    texts = _texts(teaching.published_chart(results, BENCHMARKS))
    blanks = sum(
        not any(r.model == m and r.benchmark == b for r in results)
        for m in MODELS
        for b in BENCHMARKS
    )
    assert blanks >= 2
    assert texts.count("none found") == blanks
    assert teaching.describe_published(results, BENCHMARKS).count("none found") == blanks
    for size in ("30 problems", "no interval"):
        assert f"score in percent\n{size}" in texts


def test_a_published_chart_of_one_benchmark_and_of_no_results_can_be_drawn():
    texts = _texts(teaching.published_chart([], ["IFEval"], ["QwQ-32B"]))
    assert "none found" in texts


def test_a_copy_is_not_drawn_as_a_second_measurement():
    """R1's 79.8 was printed again by others; QwQ's 79.5 was measured again by others."""
    figure = teaching.published_chart(load_results(), ["AIME 2024"], ["DeepSeek-R1", "QwQ-32B"])
    (axes,) = figure.axes
    diamonds = {
        (round(x, 1), y)
        for line in axes.lines
        if line.get_marker() == "D"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert (78.6, 0) in diamonds and (79.8, 0) not in diamonds
    assert (78.9, 1) in diamonds and (80.0, 1) not in diamonds


def test_a_majority_vote_is_not_drawn_among_single_answers():
    described = teaching.describe_published(load_results(), ["AIME 2024"])
    assert "DeepSeek-R1-Zero 71 or 77.9" in described and "86.7" not in described


def test_an_interval_chart_states_its_numbers():
    texts = _texts(teaching.interval_chart({"QwQ": score_interval(0.795, 30)}))
    assert any(text.startswith("79.5") for text in texts)
    with pytest.raises(OptionError):
        teaching.interval_chart({})


def test_a_price_chart_names_its_lines():
    points = [(10, Interval(0.2, 0.1, 0.3)), (20, Interval(0.4, 0.3, 0.5))]
    texts = _texts(teaching.price_chart({"votes": points}, x_label="budget"))
    assert "votes" in texts and "budget (each step doubles)" in texts
    with pytest.raises(OptionError):
        teaching.price_chart({"votes": []})


def test_the_score_comparison_follows_its_sliders_and_equals_the_plain_code():
    panel = teaching.score_comparison(0.795, 0.798, 30, names=("QwQ-32B", "DeepSeek-R1"))
    assert panel.probability == pytest.approx(probability_better(0.795, 30, 0.798))
    assert "49%" in panel.verdict.value and "282,712" in panel.verdict.value
    before = panel.chart.value
    panel.problems.value = 300_000
    assert panel.chart.value != before and panel.probability < 0.01
    panel.score_b.value = panel.score_a.value
    assert "cannot be told apart" in panel.verdict.value and not panel.error.value
