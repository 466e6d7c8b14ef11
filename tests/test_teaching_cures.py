"""The figure of failures and cures says what its counts say, in the picture and in words."""

import pytest

from course_utils.errors import OptionError
from course_utils.intervals import Interval
from course_utils.nano.experiments import loop_sampling
from course_utils.teaching import (
    by_seed,
    cure_chart,
    cure_curves,
    cure_verdict,
    describe_cure_curves,
    describe_cures,
    describe_efforts,
    describe_settings,
    effort_chart,
    efforts,
    in_points,
    settings_chart,
)

SHARES = {
    "endless loops": {"before": {1: 0.9, 2: 1.0}, "after": {1: 0.0, 2: 0.02}},
    "over-thinking": {"before": {1: 0.2, 2: 0.6}, "after": {1: 0.04, 2: 0.3}},
}


def test_the_words_hold_the_figures_numbers():
    words = describe_cures(SHARES)
    assert "endless loops: before 95% (seeds 90%, 100%), after 1% (seeds 0%, 2%);" in words


def test_each_failure_has_a_row_with_both_marks():
    (axes,) = cure_chart(SHARES).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(SHARES)
    assert axes.get_legend_handles_labels()[1] == ["before", "after"]
    assert len(axes.containers) == 4
    dots = [line for line in axes.lines if line.get_marker() == "."]
    assert [len(line.get_xdata()) for line in dots] == [2, 2, 2, 2]


def test_a_failure_counts_as_shown_and_as_cured_only_if_every_seed_says_so():
    assert cure_verdict({1: 0.9, 2: 0.4}, {1: 0.0, 2: 0.05}) == "shown, cured"
    assert cure_verdict({1: 0.9, 2: 0.2}, {1: 0.0, 2: 0.05}) == "not shown by every seed, cured"
    assert cure_verdict({1: 0.9, 2: 0.4}, {1: 0.0, 2: 0.1}) == "shown, reduced"
    assert cure_verdict({1: 0.9, 2: 0.4}, {1: 0.0, 2: 0.3}) == "shown, not cured"


def test_no_counts_are_refused():
    with pytest.raises(OptionError, match="no failure"):
        cure_chart({})


def test_the_cost_of_an_answer_has_a_mark_for_every_seed():
    (axes,) = effort_chart({"before": {"easy": [40.0, 50.0], "hard": [80.0, 90.0]}}).axes
    line, easy, hard = axes.lines
    assert list(line.get_ydata()) == [45.0, 85.0]
    assert list(easy.get_ydata()) == [40.0, 50.0] and list(hard.get_ydata()) == [80.0, 90.0]


def test_the_committed_trainings_are_drawn_with_the_cure_and_without():
    (axes,) = cure_curves("mixing", "failed", "How many?").axes
    names = [line.get_label() for line in axes.lines]
    assert names == ["reward for right answers only", "the cure"]
    words = describe_cure_curves("mixing", "failed", "How many?")
    assert words.startswith("How many? reward for right answers only ends at 7")
    assert "the cure ends at 0% to 0%" in words


def test_every_sampling_setting_has_its_row_and_its_words():
    settings = loop_sampling.read_settings()
    never, right = settings_chart(settings).axes
    drawn = [row["settings"] for row in settings if "penalties" not in row["settings"]]
    assert len(never.get_yticklabels()) == len(drawn) < len(settings)
    assert never.get_title(loc="left") == "thoughts that never end"
    assert right.get_title(loc="left") == "right answers"
    assert describe_settings(settings).count("%") == 2 * len(drawn)


def test_the_cost_of_the_committed_answers_is_told_by_level():
    found = efforts({"zero": "paid", "cured": "and short"})
    assert list(found["paid"]) == ["easy", "medium", "hard"]
    assert max(found["and short"]["easy"]) < min(found["paid"]["easy"])
    assert "and short, easy: 10 to 11 tokens" in describe_efforts(found)


def test_shares_and_changes_are_said_in_a_line():
    assert by_seed({1: 0.25, 2: 0.75}) == " 50%  (seeds: 25%, 75%)"
    assert in_points(Interval(0.44, 0.234, -0.65)) == "+44 points (+23 to -65)"
