"""The chains' figures draw what the committed tables say, whatever runs they hold."""

import pytest

from course_utils.evaluation.statistics import pass_at_k_per_problem
from course_utils.nano.experiments import chains_tables
from course_utils.teaching.figures import chains


def row(arm="pretrained", size="0.2M", seed=1, tokens=2, prompt="bare", **more) -> dict:
    facts = {"arm": arm, "size": size, "seed": seed, "reading_tokens": tokens, "prompt": prompt}
    counts = {"asked": 10, "right": 5, "worked": 4, "right_worked": 4, "sound": 4}
    place = {"length": 1, "temperature": 1, "chosen": 1, "parameters": 242_496, "total_flops": 1e12}
    return facts | counts | place | more


ROWS = [
    row(),
    row(prompt="request", sound=6),
    row(arm="rl", sound=9, total_flops=2e12),
    row(tokens=4, prompt="request", sound=7, total_flops=2e12),
    row(arm="sft", sound=8, total_flops=2e12),
]


def test_a_base_is_told_from_its_prompted_self_and_from_what_became_of_it():
    sound = {(p["how"], p["reading_tokens"]): p["sound"] for p in chains.points(ROWS, [1])}
    assert sound == {
        ("bare", 2): 0.4,
        ("prompted", 2): 0.6,
        ("prompted", 4): 0.7,
        ("rl", 2): 0.9,
        ("sft", 2): 0.8,
    }


def test_an_arm_that_was_not_run_is_said_to_be_missing():
    names = {"rl": "reward", "sft": "imitation", "longer": "reads on", "rft": "own answers"}
    unit = chains_tables.UNIT
    rows = [r | {"length": 2, "reading_tokens": r["reading_tokens"] * unit // 2} for r in ROWS]
    panels = {"small": chains.arms(rows, "0.2M", unit), "large": {}}
    assert panels["small"]["longer"] == {1: 0.7} and panels["small"]["rl"] == {1: 0.9}
    figure = chains.arms_chart(panels, names)
    missing = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert missing == [["not run"], ["not run"] * 4]
    assert "small, own answers: not run" in chains.describe_arms(panels, names)


def test_pass_at_k_is_the_unbiased_estimate():
    correct = [[1, 1, 0, 0, 0, 0, 0, 0]]
    for k in (1, 3, 8):
        assert chains.pass_at_k(8, 2, k) == pytest.approx(pass_at_k_per_problem(correct, k)[0])
    assert chains.sound_at_k([row(asked=8, sound=2)], 1) == pytest.approx(0.25)


def test_all_figures_draw_the_committed_tables():
    rows, tried = chains_tables.read(), chains_tables.read("chains-passk")
    assert chains.threshold_chart(chains_tables.thresholds(rows), 0.02).axes
    assert chains.equal_computing_chart(rows).axes
    assert chains.pass_at_k_chart(tried, "1.5M", (2, 4, 6), [1, 16, 256]).axes
    words = chains.describe_thresholds(chains_tables.thresholds(rows), 0.02)
    assert "line at 2%" in words and "after reward" in words
    assert "1.5M" in chains.describe_equal_computing(rows)


def test_where_hardly_anything_is_sound_reward_is_drowned_by_luck_and_the_habit_drifts():
    """Below the line the right answers of training are nearly all lucky, and reward does not
    remove thoughts: they grow in some models and fade in others."""
    drew = chains_tables.practice(chains_tables.read("chains-rl"))
    points = chains_tables.thresholds(chains_tables.read())
    runs = {p: drew[p.size, p.seed, p.reading_tokens] for p in points}
    below = [run for p, run in runs.items() if p.before < 0.02]
    assert all(run.sound < 0.06 * run.right for run in below)
    assert all(run.sound > 0.9 * run.right for p, run in runs.items() if p.before >= 0.02)
    assert any(run.last > run.first + 0.1 for run in below)
    assert any(run.last < run.first - 0.05 for run in below)


def test_the_weights_of_the_exam_are_those_of_the_chosen_step():
    rows = [row(arm="rl", step=30, chosen=0), row(arm="rl", step=20), row(step=0)]
    assert chains_tables.chosen_step(rows, "0.2M", 1, 2) == 20
