"""The chains' figures draw what the committed tables say, whatever runs they hold."""

import pytest

from course_utils.evaluation.statistics import pass_at_k_per_problem
from course_utils.nano.experiments import chains_rates, chains_tables
from course_utils.nano.experiments.chains_rates import Tried
from course_utils.teaching.figures import chains, rates


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


def tried(rate: str, validation: float, **more) -> Tried:
    run = {"size": "1.5M", "seed": 1, "arm": "rl", "sound": 0.5} | more
    return Tried(rate=rate, validation=validation, **run)


def test_a_rate_is_chosen_where_all_were_tried_and_the_usual_one_where_they_tie():
    first = [tried("third", 0.5), tried("same", 0.6), tried("triple", 0.6)]
    second = [tried("third", 0.9, seed=3), tried("triple", 0.2, seed=3)]
    assert chains_rates.chosen_rate(first, "1.5M", "rl") == "same"
    assert chains_rates.chosen_rate([*first, *second], "1.5M", "rl") == "same"
    whole = [*first, *second, tried("same", 0.4, seed=3)]
    assert chains_rates.chosen_rate(whole, "1.5M", "rl") == "third"


def test_a_ring_is_drawn_around_the_rate_that_validation_chooses():
    runs = [tried("third", 0.5, sound=0.1), tried("same", 0.6), tried("triple", 0.7, sound=0.9)]
    runs += [tried("same", 0.6, seed=3, sound=0.2)]
    names, labels = {"rl": "reward"}, {"third": "a third", "same": "as is", "triple": "3 times"}
    about = (runs, labels, names, {("1.5M", "rl"): "triple"})
    panels = rates.rates_chart(*about).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["1.5M, seed 1", "1.5M, seed 3"]
    ((line, ring, *_), (_, no_ring, *_)) = ([*axes.get_lines()] for axes in panels)
    assert list(line.get_ydata()) == [0.1, 0.5, 0.9] and list(ring.get_ydata()) == [0.9]
    assert ring.get_xdata()[0] == line.get_xdata()[2] and not len(no_ring.get_xdata())
    marked = {"1.5M": " again"}
    assert rates.rates_chart(*about, marked).axes[0].get_title(loc="left") == "1.5M again, seed 1"
    assert "1.5M again seed 1, reward" in rates.describe_rates(*about, marked)
    words = rates.describe_rates(*about)
    assert "seed 1, reward: a third 10%, as is 50%, 3 times 90% (chosen)" in words
    assert "seed 3, reward: as is 20%." in words


def test_the_committed_rates_are_drawn():
    runs, names = chains_rates.tried((4,)), {"sft": "imitation", "rl": "reward"}
    sizes = {(run.size, arm) for run in runs for arm in names}
    chosen = {key: chains_rates.chosen_rate(runs, *key) for key in sizes}
    labels = dict.fromkeys(chains_rates.FACTORS, "rate")
    assert len(rates.rates_chart(runs, labels, names, chosen).axes) == len(rates.bases_of(runs))
    assert rates.describe_rates(runs, labels, names, chosen).count("(chosen)") >= len(chosen)
