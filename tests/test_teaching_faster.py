"""The charts of "Faster and longer" say what the numbers say."""

import pytest

from course_utils.errors import OptionError
from course_utils.model_files.speculation import pays_from
from course_utils.teaching import (
    describe_long_texts,
    describe_speculation,
    long_text_chart,
    speculation_chart,
)

LONG = {"F16": {0: 1.5, 8192: 1.2, 16_384: 1.0}, "Q8_0": {0: 1.5, 8192: 1.1, 16_384: 0.9}}


def seconds(tokens):
    """A step of one token takes 0.6 s, each one more a third of that."""
    return 0.4 + 0.2 * tokens


def test_each_cache_has_a_line_and_the_plan_has_crosses():
    axes = long_text_chart(LONG, LONG).axes[0]
    lines = [line for line in axes.lines if line.get_linestyle() != "None"]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert len(lines) == len(crosses) == 2
    assert list(lines[0].get_ydata()) == [1.5, 1.2, 1.0]
    assert axes.get_ylim()[0] == 0
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == 2
    text = describe_long_texts(LONG)
    assert "F16: 1.50 after 0, 1.20 after 8,192" in text and "Q8_0" in text


def test_a_line_crosses_the_model_alone_where_it_begins_to_pay():
    axes = speculation_chart(seconds, (1, 4)).axes[0]
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [float(point.get_xdata()[0]) for point in points] == pytest.approx(
        [pays_from(1, seconds), pays_from(4, seconds)]
    )
    assert all(float(point.get_ydata()[0]) == pytest.approx(1 / 0.6) for point in points)
    text = describe_speculation(seconds, (1, 4))
    assert "Without a draft 1.67 tokens per second." in text
    assert f"4 drafted: pays from a rate of {pays_from(4, seconds):.2f}" in text


def test_a_draft_that_never_pays_has_no_mark_and_the_text_says_so():
    axes = speculation_chart(float, (1, 4)).axes[0]
    assert not [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert "1 drafted: never pays" in describe_speculation(float, (1, 4))
    assert "never pays" in describe_speculation(seconds, (2,), draft_seconds=1.0)


@pytest.mark.parametrize(
    "draw", [lambda: long_text_chart({}), lambda: speculation_chart(float, ())]
)
def test_nothing_to_draw_is_told(draw):
    with pytest.raises(OptionError):
        draw()
