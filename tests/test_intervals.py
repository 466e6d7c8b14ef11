"""Seeds are the unit for training, questions for one model: intervals cover what they promise."""

import numpy as np
import pytest

from course_utils.errors import OptionError
from course_utils.evaluation.statistics import pass_at_1, score_interval
from course_utils.intervals import mean_interval, over_seeds, student_quantile, wilson_interval

TIMES = 2000


def coverage(intervals, truth):
    return np.mean([low <= truth <= high for _, low, high in intervals])


@pytest.mark.parametrize(
    ("freedom", "published"),
    # Table of Student's t for a two-sided 95 % interval.
    list(
        zip(
            (1, 2, 3, 4, 9, 30, 200, 201, 1000),
            (12.706, 4.303, 3.182, 2.776, 2.262, 2.042, 1.972, 1.972, 1.962),
            strict=True,
        )
    ),
)
def test_students_t_is_that_of_the_published_tables(freedom, published):
    assert student_quantile(0.975, freedom) == pytest.approx(published, abs=6e-4)
    assert student_quantile(0.025, freedom) == pytest.approx(-published, abs=6e-4)
    assert student_quantile(0.5, freedom) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_over_seeds_cover_what_training_gives_on_average(seeds):
    draws = np.random.default_rng(seeds).normal(0.6, 0.1, (TIMES, seeds))
    found = [over_seeds(dict(enumerate(row))) for row in draws]
    assert 0.935 <= coverage(found, 0.6) <= 0.965


def test_pooling_the_answers_of_three_seeds_promises_far_too_much():
    random = np.random.default_rng(1)
    skills = random.normal(0.6, 0.08, (TIMES, 3)).clip(0, 1)
    right = random.binomial(300, skills)
    pooled = [(0, *wilson_interval(int(row.sum()), 900)) for row in right]
    by_seed = [over_seeds(dict(enumerate(row / 300))) for row in right]
    assert coverage(pooled, 0.6) < 0.6
    assert 0.935 <= coverage(by_seed, 0.6) <= 0.965


def test_pairing_by_seed_is_sharper_where_a_seed_does_the_same_to_both():
    random = np.random.default_rng(2)
    shared = random.normal(0, 0.1, (TIMES, 3))
    ours = 0.65 + shared + random.normal(0, 0.01, shared.shape)
    theirs = 0.6 + shared + random.normal(0, 0.01, shared.shape)
    paired, apart = [], []
    for a, b in zip(ours, theirs, strict=True):
        paired.append(over_seeds(dict(enumerate(a)), dict(enumerate(b))))
        apart.append(over_seeds(dict(enumerate(a)), dict(enumerate(b, start=3))))
    assert 0.935 <= coverage(paired, 0.05) <= 0.965
    assert coverage(apart, 0.05) >= 0.935
    width = [np.mean([high - low for _, low, high in found]) for found in (paired, apart)]
    assert width[0] < width[1] / 4


def test_averages_over_many_answers_are_surer_than_wilson_says_and_still_cover():
    random = np.random.default_rng(3)
    difficulty = random.beta(2, 2, (TIMES // 2, 60))
    answers = random.binomial(1, difficulty[..., None], (TIMES // 2, 60, 16))
    found = [pass_at_1(table) for table in answers]
    assert 0.93 <= coverage(found, 0.5) <= 0.97
    wilson = [score_interval(table.mean(), 60) for table in answers]
    narrower = [a.high - a.low < b.high - b.low for a, b in zip(found, wilson, strict=True)]
    assert np.mean(narrower) > 0.99


def test_one_seed_is_one_clear_error():
    with pytest.raises(OptionError, match="seed"):
        over_seeds({0: 0.5})
    with pytest.raises(OptionError, match="seed"):
        over_seeds({0: 0.5, 1: 0.6}, {2: 0.5})
    with pytest.raises(ValueError, match="spread"):
        mean_interval([0.5])
    assert over_seeds({0: 0.5, 1: 0.5}, {2: 0.5, 3: 0.5}) == (0, 0, 0)
