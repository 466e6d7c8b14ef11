"""The picture of the statistics page shows what its simulation finds."""

import re

from course_utils.nano.experiments.recipe import read_stages
from course_utils.paths import repository_root
from course_utils.teaching.figures import coverage, recipe

PAGE = repository_root() / "docs" / "statistics.md"


def test_one_value_for_each_seed_holds_the_truth_and_pooled_answers_do_not():
    held = {name: coverage.coverage(way) for name, way in coverage.WAYS.items()}
    assert held["all answers in one pot"] < 0.6
    assert 0.935 <= held["one value for each seed"] <= 0.965
    words = PAGE.read_text(encoding="utf-8")
    for share in held.values():
        assert f"{share:.0%}".replace("%", " %") in words


def test_the_pages_example_is_what_the_committed_runs_say():
    change = recipe.change(read_stages(), "stage1", "stage2", "code")
    middle, low, high = (f"{100 * x:+.1f}".replace("-", "−") for x in change)
    assert f"{middle} points, with an interval from {low} to {high}" in PAGE.read_text("utf-8")


def test_an_interval_that_misses_is_marked_without_colour_too():
    figure = coverage.coverage_chart(shown=20)
    for axes, way in zip(figure.axes, coverage.WAYS.values(), strict=True):
        missed = sum(
            not low <= coverage.MEAN <= high for _, low, high in map(way, coverage.simulated(20))
        )
        crosses = [line for line in axes.lines if line.get_marker() == "x"]
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert len(crosses) == len(dashed) == missed


def test_the_page_names_functions_that_exist():
    import course_utils.evaluation.published as published
    import course_utils.evaluation.statistics as statistics
    import course_utils.intervals as intervals

    named = set(re.findall(r"`(\w+)(?:\(.*?\))?`", PAGE.read_text(encoding="utf-8")))
    named = {name for name in named if "_" in name}
    assert {"over_seeds", "score_interval", "category_difference"} <= named
    for name in named:
        assert any(hasattr(module, name) for module in (published, statistics, intervals)), name
