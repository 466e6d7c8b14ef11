"""The figure of failures and cures says what its counts say, in the picture and in words."""

import pytest

from course_utils.errors import OptionError
from course_utils.teaching import cure_chart, describe_cures, effort_chart

COUNTS = {
    "endless loops": {"before": (90, 100), "after": (1, 100)},
    "over-thinking": {"before": (40, 100), "after": (4, 100)},
}


def test_the_words_hold_the_figures_numbers():
    words = describe_cures(COUNTS)
    assert "endless loops: before 90%, after 1%; over-thinking: before 40%, after 4%." in words


def test_each_failure_has_a_row_with_both_marks():
    (axes,) = cure_chart(COUNTS).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(COUNTS)
    assert axes.get_legend_handles_labels()[1] == ["before", "after"]
    assert len(axes.containers) == 4


def test_no_counts_are_refused():
    with pytest.raises(OptionError, match="no failure"):
        cure_chart({})


def test_the_cost_of_an_answer_has_a_mark_for_every_seed():
    (axes,) = effort_chart({"before": {"easy": [40.0, 50.0], "hard": [80.0, 90.0]}}).axes
    line, easy, hard = axes.lines
    assert list(line.get_ydata()) == [45.0, 85.0]
    assert list(easy.get_ydata()) == [40.0, 50.0] and list(hard.get_ydata()) == [80.0, 90.0]
