"""The figure of a recipe's stages says what its rows say, in the picture and in words."""

import pytest

from course_utils.errors import OptionError
from course_utils.nano.experiments.recipe import read_stages
from course_utils.teaching.figures.recipe import (
    change,
    describe_recipe,
    recipe_scores,
    scores_by_seed,
)

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


def test_seeds_are_told_apart_and_the_kinds_of_an_area_counted_together():
    assert scores_by_seed(ROWS + ROWS, "b", "maths") == {1: 0.6, 2: 0.7}
    with pytest.raises(OptionError, match="no row of general"):
        scores_by_seed(ROWS, "b", "general")


def test_the_words_hold_the_figures_numbers():
    words = describe_recipe(ROWS, STAGES, ("maths", "code"))
    assert "before: maths 25% (0% to 89%), code 45% (0% to 100%); after: maths 65% (" in words


def test_every_area_has_a_place_at_every_stage():
    figure = recipe_scores(ROWS, STAGES, ("maths", "code"))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["before", "after"]
    assert axes.get_legend_handles_labels()[1] == ["maths", "code"]
    assert len(axes.containers) == 4


def test_three_seeds_do_not_exclude_that_the_second_stage_costs_nine_points_of_code():
    code = change(read_stages(), "stage1", "stage2", "code")
    assert [round(100 * x, 1) for x in code] == [-0.9, -9.4, 7.6]
    assert change(read_stages(), "stage1", "stage2", "general").low > 0
