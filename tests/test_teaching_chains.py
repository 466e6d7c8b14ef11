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
    figure = chains.arms_chart(ROWS, 2, names)
    assert [text.get_text() for text in figure.axes[0].texts] == ["not run"]
    assert {p["how"] for p in chains.arms(ROWS, 2)} >= {"longer", "rl", "sft"}


def test_pass_at_k_is_the_unbiased_estimate():
    correct = [[1, 1, 0, 0, 0, 0, 0, 0]]
    for k in (1, 3, 8):
        assert chains.pass_at_k(8, 2, k) == pytest.approx(pass_at_k_per_problem(correct, k)[0])
    assert chains.sound_at_k([row(asked=8, sound=2)], 1) == pytest.approx(0.25)


def test_all_figures_draw_the_committed_tables():
    rows, tried = chains_tables.read(), chains_tables.read("chains-passk")
    assert chains.threshold_chart(chains_tables.thresholds(rows)).axes
    assert chains.equal_computing_chart(rows).axes
    assert chains.pass_at_k_chart(tried, "1.5M", (2, 4, 6), [1, 16, 256]).axes
    assert "after reward" in chains.describe_thresholds(chains_tables.thresholds(rows))
    assert "1.5M" in chains.describe_equal_computing(rows)


def test_reward_helps_the_bases_in_which_working_pays_and_no_other():
    """The finding of notebook 03, as the committed runs have it."""
    points = chains_tables.thresholds(chains_tables.read())
    assert len(points) > 10
    assert all(point.after > 0.8 for point in points if point.pays > 0.1)
    assert all(point.after < 0.2 for point in points if point.pays < 0.05)
