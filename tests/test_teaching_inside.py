"""Do the pictures of a model's inside show what they are given?"""

import numpy as np
import pytest
from matplotlib.patches import FancyBboxPatch

from course_utils.errors import OptionError
from course_utils.teaching.figures import inside


def boxes(figure, linestyle):
    patches = figure.axes[0].patches
    return sum(isinstance(p, FancyBboxPatch) and p.get_linestyle() == linestyle for p in patches)


def test_the_model_grows_part_by_part_until_nothing_is_dashed():
    dashed = [boxes(inside.model_picture(part), "--") for part in inside.PARTS]
    assert dashed == sorted(dashed, reverse=True) and dashed[0] > dashed[-1] == 0
    assert boxes(inside.model_picture(), "--") == 0


def test_alt_text_names_the_parts_that_are_drawn_and_no_others():
    said = inside.describe_model("attention")
    assert "embedding, norm, attention." in said and "The part attention is lit." in said
    assert "softmax" not in said and "softmax" in inside.describe_model()


def test_an_unknown_part_is_an_error_with_a_remedy():
    with pytest.raises(OptionError, match="attention"):
        inside.model_picture("atention")


def test_each_query_head_is_joined_to_the_key_it_reads():
    axes = inside.sharing_picture({"QwQ-32B": (40, 8)}).axes[0]
    assert len(axes.lines) == 40
    for head, line in enumerate(axes.lines):
        assert line.get_xdata()[1] == pytest.approx((head // 5 + 0.5) / 8)


def test_tokens_that_are_alike_lie_close_together_whichever_way_they_are_turned():
    random = np.random.default_rng(0)
    vectors = random.normal(0, 0.1, (6, 16)) + np.repeat(np.eye(16)[:2] * 5, 3, axis=0)
    names = list("abcdef")
    for sign in (1, -1):
        axes = inside.embedding_map(sign * vectors, names, list("xxxyyy")).axes[0]
        x, y = (np.asarray(c.get_offsets()) for c in axes.collections)
        spread = max(np.ptp(x, axis=0).max(), np.ptp(y, axis=0).max())
        assert spread < np.abs(x.mean(axis=0) - y.mean(axis=0)).max() / 3


def test_a_look_up_draws_its_largest_share_thickest():
    figure = inside.lookup_picture(["a", "b", "c"], [0.1, 0.7, 0.2], asks="the space")
    widths = [line.get_linewidth() for line in figure.axes[0].lines[1::2]]
    assert widths.index(max(widths)) == 1
    assert "70%" in {text.get_text() for text in figure.axes[0].texts}


def test_the_head_that_is_missed_most_is_told_without_colour():
    axes = inside.ablation_bars({"0.0": 0.9, "0.1": 0.4, "0.2": 1.0}, 1.0, "?").axes[0]
    assert [bar.get_hatch() for bar in axes.patches] == [None, "///", None]


def test_parts_of_a_model_fill_its_bar():
    axes = inside.parts_chart({"a": {"x": 1, "y": 3}, "b": {"x": 5, "y": 5}}, "?").axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([0.25, 0.75, 0.5, 0.5])


def test_tables_and_curves_say_their_numbers_in_words():
    table = inside.head_table(np.array([[0.02, 0.98]]), "?").axes[0]
    assert {"2%", "98%"} <= {text.get_text() for text in table.texts}
    lens = inside.lens_chart(["embedding", "layer 0"], [0.1, 0.9], ["up", "5"]).axes[0]
    assert [text.get_text() for text in lens.texts] == ["“up”", "“5”"]
    arrows = inside.rotation_chart({"pair 0": np.array([[1.0, 0.0], [0.0, 1.0]])}).axes[0]
    assert {"0", "1"} <= {text.get_text() for text in arrows.texts}
