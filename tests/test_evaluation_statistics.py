"""Intervals cover what they promise, and tests find what is there."""

import itertools
import math

import numpy as np
import pytest

from course_utils.errors import OptionError
from course_utils.evaluation import statistics as st

BENCHMARKS = 2000


def assert_covers(low, high, truth):
    coverage = np.mean((np.array(low) <= truth) & (truth <= np.array(high)))
    assert 0.93 <= coverage <= 0.97, f"the 95 % intervals cover {coverage:.1%}"


@pytest.mark.parametrize("problems", [30, 198, 541])
def test_score_intervals_cover_the_true_score(problems):
    rng = np.random.default_rng(problems)
    truth = rng.uniform(0.1, 0.9, BENCHMARKS)
    solved = rng.binomial(problems, truth)
    intervals = [st.score_interval(s / problems, problems) for s in solved]
    assert_covers([i.low for i in intervals], [i.high for i in intervals], truth)


@pytest.mark.parametrize(("problems", "answers"), [(30, 1), (30, 16), (100, 4)])
def test_averaged_pass_at_1_intervals_cover_the_score_on_all_problems(problems, answers):
    rng = np.random.default_rng(problems + answers)
    difficulty = rng.beta(1.0, 0.6, (BENCHMARKS, problems))
    correct = rng.binomial(1, difficulty[..., None], (BENCHMARKS, problems, answers))
    intervals = [st.pass_at_1(c) for c in correct]
    assert_covers([i.low for i in intervals], [i.high for i in intervals], 1.0 / 1.6)


def test_run_to_run_intervals_cover_the_score_on_these_problems():
    rng = np.random.default_rng(5)
    difficulty = rng.beta(1.0, 0.6, (BENCHMARKS, 30))
    correct = rng.binomial(1, difficulty[..., None], (BENCHMARKS, 30, 16))
    intervals = [st.pass_at_1(c, over="runs") for c in correct]
    truth = difficulty.mean(axis=1)
    assert_covers([i.low for i in intervals], [i.high for i in intervals], truth)


def test_pass_at_k_intervals_cover_the_true_pass_at_k():
    rng = np.random.default_rng(6)
    a, b, k = 0.5, 1.5, 4
    # E[1 - (1 - p)^k] for p from a beta distribution.
    truth = 1 - math.prod((b + i) / (a + b + i) for i in range(k))
    difficulty = rng.beta(a, b, (BENCHMARKS, 100))
    correct = rng.binomial(1, difficulty[..., None], (BENCHMARKS, 100, 8))
    intervals = [st.pass_at_k(c, k, resamples=400, seed=i) for i, c in enumerate(correct)]
    assert_covers([i.low for i in intervals], [i.high for i in intervals], truth)


def test_paired_bootstrap_intervals_cover_the_true_difference():
    rng = np.random.default_rng(7)
    difficulty = rng.beta(1.0, 1.0, (BENCHMARKS, 150))
    better = 0.9 * difficulty + 0.1
    a = rng.binomial(1, better)
    b = rng.binomial(1, difficulty)
    pairs = [
        st.paired_bootstrap(x, y, resamples=400, seed=i).difference
        for i, (x, y) in enumerate(zip(a, b, strict=True))
    ]
    assert_covers([p.low for p in pairs], [p.high for p in pairs], 0.05)


def test_pass_at_k_is_the_share_of_all_groups_of_k_with_a_right_answer():
    answers = [1, 0, 0, 1, 0, 0, 0]
    for k in range(1, 8):
        groups = list(itertools.combinations(answers, k))
        share = sum(any(group) for group in groups) / len(groups)
        assert st.pass_at_k_per_problem(np.array([answers]), k)[0] == pytest.approx(share)


def test_pass_at_k_stays_exact_for_many_answers():
    correct = np.zeros((1, 1000))
    correct[0, :3] = 1
    assert st.pass_at_k_per_problem(correct, 500)[0] == pytest.approx(
        1 - math.comb(997, 500) / math.comb(1000, 500)
    )


def test_more_answers_per_problem_cannot_make_thirty_problems_into_many():
    rng = np.random.default_rng(8)
    difficulty = rng.beta(1, 0.5, 30)
    few = st.pass_at_1(rng.binomial(1, difficulty[:, None], (30, 4)))
    many = st.pass_at_1(rng.binomial(1, difficulty[:, None], (30, 1000)))
    assert many.high - many.low > 0.6 * (few.high - few.low)
    same_problems = st.pass_at_1(rng.binomial(1, difficulty[:, None], (30, 1000)), over="runs")
    assert same_problems.high - same_problems.low < 0.02


def test_majority_vote_ignores_missing_answers_and_takes_the_first_of_a_tie():
    assert st.majority_vote(["7", None, "7", "8"]) == "7"
    assert st.majority_vote(["8", "7"]) == "8"
    assert st.majority_vote([None, None, "3"]) == "3"
    assert st.majority_vote([None]) is None


def test_majority_voting_rescues_a_model_that_is_right_more_often_than_any_one_mistake():
    rng = np.random.default_rng(9)
    # Right 40 % of the time; the wrong answers scatter over 20 values.
    answers = [
        [42 if rng.random() < 0.4 else int(rng.integers(100, 120)) for _ in range(64)]
        for _ in range(50)
    ]
    voted = st.cons_at_k(answers, [42] * 50, 64)
    assert voted.estimate == 1.0 and voted.low > 0.9


def test_a_vote_of_one_answer_is_pass_at_1_exactly():
    rng = np.random.default_rng(9)
    answers = [[int(a) for a in rng.integers(3, size=16)] for _ in range(24)]
    right = np.array([[answer == 2 for answer in given] for given in answers], dtype=int)
    assert st.cons_at_k(answers, [2] * 24, 1) == st.pass_at_1(right)


def test_a_tied_vote_counts_as_its_chance():
    assert st.cons_at_k([["1", "2"], ["1", "2"]], ["1", "1"], 2).estimate == 0.5


def test_a_quarter_of_one_problem_says_nothing_about_who_is_better():
    # AIME 2024: QwQ-32B 79.5 against DeepSeek-R1 79.8, 30 problems.
    assert 0.4 < st.probability_better(0.795, 30, 0.798, 30) < 0.5
    assert st.problems_needed(0.795, 0.798) > 100_000


def test_probability_better_matches_random_draws():
    rng = np.random.default_rng(10)
    a = rng.beta(1 + 24, 1 + 6, 400_000)
    b = rng.beta(1 + 60, 1 + 40, 400_000)
    assert st.probability_better(0.8, 30, 0.6, 100) == pytest.approx(np.mean(a > b), abs=0.003)
    assert st.probability_better(0.7, 50, 0.7, 50) == pytest.approx(0.5)


def test_mcnemar_counts_only_the_problems_that_one_model_alone_solves():
    a = [1] * 10 + [1] * 8 + [0] * 1 + [0] * 5
    b = [1] * 10 + [0] * 8 + [1] * 1 + [0] * 5
    only_a, only_b, p = st.mcnemar_exact(a, b)
    assert (only_a, only_b) == (8, 1)
    assert p == pytest.approx(2 * (math.comb(9, 0) + math.comb(9, 1)) / 2**9)
    assert st.mcnemar_exact([1, 0], [1, 0]).p_value == 1.0


def test_mcnemar_raises_few_false_alarms():
    rng = np.random.default_rng(11)
    alarms = [
        st.mcnemar_exact(rng.random(60) < 0.6, rng.random(60) < 0.6).p_value < 0.05
        for _ in range(BENCHMARKS)
    ]
    assert np.mean(alarms) <= 0.05


def test_pairing_sees_a_difference_that_two_separate_intervals_hide():
    rng = np.random.default_rng(12)
    hard = rng.random(200)
    b = hard < 0.5
    a = hard < 0.55
    paired = st.paired_bootstrap(a, b)
    assert paired.difference.low > 0 and paired.probability_better > 0.99
    apart_a, apart_b = st.score_interval(a.mean(), 200), st.score_interval(b.mean(), 200)
    assert apart_a.low < apart_b.high


def test_holm_keeps_the_order_and_the_published_example():
    # Four comparisons, worked by hand: 0.01*4, 0.02*3, 0.03*2 raised to 0.06, 0.04.
    assert st.holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert st.holm([]) == []
    assert st.holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_limits_any_false_alarm_among_ten_comparisons():
    rng = np.random.default_rng(13)
    p_values = rng.random((BENCHMARKS, 10))
    naive = np.mean((p_values < 0.05).any(axis=1))
    corrected = np.mean([min(st.holm(p)) < 0.05 for p in p_values])
    assert naive > 0.35
    assert corrected < 0.07


def test_the_same_seed_gives_the_same_interval():
    correct = np.random.default_rng(14).integers(0, 2, (40, 8))
    assert st.pass_at_k(correct, 4, seed=3) == st.pass_at_k(correct, 4, seed=3)
    assert st.pass_at_k(correct, 4, seed=3) != st.pass_at_k(correct, 4, seed=4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: st.score_interval(79.5, 30),
        lambda: st.score_interval(0.8, 0),
        lambda: st.pass_at_k(np.ones((5, 3)), 4),
        lambda: st.pass_at_1(np.array([[2.0, 1.0]])),
        lambda: st.pass_at_1(np.ones((1, 4))),
        lambda: st.pass_at_1(np.ones((4, 1)), over="runs"),
        lambda: st.cons_at_k([["1"]], ["1", "2"], 1),
        lambda: st.cons_at_k([["1"]], ["1"], 2),
        lambda: st.mcnemar_exact([1, 0], [1]),
        lambda: st.mcnemar_exact([0.5, 0], [1, 0]),
        lambda: st.holm([1.5]),
        lambda: st.problems_needed(0.5, 0.5),
    ],
)
def test_bad_input_is_one_clear_error(call):
    with pytest.raises(OptionError):
        call()
