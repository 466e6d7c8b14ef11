"""Do the pictures of repeated exams and of the four fields show the counts that they were given?"""

import matplotlib.text
import numpy as np
import pytest

from course_utils import teaching
from course_utils.errors import OptionError
from course_utils.evaluation.statistics import mcnemar_exact


def _texts(figure):
    figure.draw_without_rendering()
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def test_each_bar_is_as_high_as_its_score_came_up_often_and_the_middle_is_marked():
    exams = np.array([24] * 6 + [23] * 3 + [18]) / 30
    figure = teaching.spread_chart(
        exams, 23 / 30, 24 / 30, step=1 / 30, title="t", x_label="x", zero=True
    )
    (axes,) = figure.axes
    bars = {round(b.get_x() + b.get_width() / 2): b.get_height() for b in axes.patches}
    assert bars == {80: 60, 77: 30, 60: 10}
    middle, others = axes.containers
    assert (len(middle), len(others)) == (2, 1)
    assert {"the middle 95 of 100", "the others"} <= set(_texts(figure))
    described = teaching.describe_spread(exams, 23 / 30, 24 / 30, step=1 / 30)
    assert "from 60 to 80" in described and "from 77 to 80" in described


def test_the_four_fields_hold_what_mcnemar_counts():
    first, second = [1, 1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 1, 0, 0]
    texts = _texts(teaching.pair_chart(first, second, ("A", "B")))
    test = mcnemar_exact(first, second)
    described = teaching.describe_pairs(first, second, ("A", "B"))
    assert f"A alone {test.only_a}" in described and f"B alone {test.only_b}" in described
    assert texts.count("they differ") == 2 and texts.count("says nothing") == 2
    assert "both solved 2" in described and "neither 2" in described


@pytest.mark.parametrize(
    "call",
    [
        lambda: teaching.spread_chart([], 0, 1, step=0.1, title="t", x_label="x"),
        lambda: teaching.spread_chart([0.5], 0, 1, step=0, title="t", x_label="x"),
        lambda: teaching.pair_chart([], [], ("A", "B")),
        lambda: teaching.pair_chart([1, 0], [1], ("A", "B")),
        lambda: teaching.pair_chart([0.5], [1], ("A", "B")),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_error(call):
    with pytest.raises(OptionError):
        call()
