"""The figure of a recipe's stages says what its rows say, in the picture and in words."""

import pytest

from course_utils.errors import OptionError
from course_utils.teaching.figures.recipe import describe_recipe, pooled, recipe_scores

ROWS = [
    {"stage": stage, "area": area, "seed": seed, "right": right + seed - 1, "asked": 10}
    for stage, area, right in (
        ("a", "maths", 2),
        ("a", "code", 4),
        ("b", "maths", 6),
        ("b", "code", 8),
    )
    for seed in (1, 2)
]
STAGES = {"a": "before", "b": "after"}


def test_seeds_are_counted_together():
    assert pooled(ROWS, "b", "maths") == (13, 20)
    with pytest.raises(OptionError, match="no row of general"):
        pooled(ROWS, "b", "general")


def test_the_words_hold_the_figures_numbers():
    words = describe_recipe(ROWS, STAGES, ("maths", "code"))
    assert "before: maths 25%, code 45%; after: maths 65%, code 85%." in words


def test_every_area_has_a_place_at_every_stage():
    figure = recipe_scores(ROWS, STAGES, ("maths", "code"))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["before", "after"]
    assert axes.get_legend_handles_labels()[1] == ["maths", "code"]
    assert len(axes.containers) == 4
