"""Is a lead counted only where one party measured both, and does its interval keep its promise?"""

import numpy as np
import pytest

from course_utils.evaluation import beside, published

FIELDS = {
    "benchmark": "AIME 2024",
    "version": "",
    "metric": "pass@1",
    "date": "2025-01-01",
    "relation": "outsider",
    "settings": "",
    "source": "https://example.org",
}


def row(model, score, by, copied="no", **changes):
    fields = {**FIELDS, "published_by": by, "measured_by": by, **changes}
    return published.PublishedResult(model=model, score=score, copied=copied, **fields)


def test_only_one_party_that_ran_both_makes_a_comparison():
    rows = [
        row("A", 80.0, "one"),
        row("B", 70.0, "one"),
        row("A", 81.0, "two"),
        row("B", 71.0, "three"),
        row("A", 80.0, "four", copied="yes"),
        row("B", 70.0, "four", copied="yes"),
        row("A", 60.0, "five", benchmark="BFCL"),
        row("B", 50.0, "five", benchmark="BFCL"),
    ]
    together, alone = beside.measured_beside(rows, "A", "B")
    assert [(each.measured_by, each.gap.points) for each in together] == [("one", 10), ("five", 10)]
    assert together[0].gap.low < 0 < together[0].gap.high
    assert together[1].gap.low is None and not together[1].gap.decided
    assert [each.measured_by for each in alone] == ["two"]


def test_another_edition_is_another_benchmark():
    rows = [row("A", 80.0, "one", version="v1"), row("B", 70.0, "one", version="v2")]
    together, alone = beside.measured_beside(rows, "A", "B")
    assert together == [] and len(alone) == 1


def test_every_published_difference_of_qwq_and_r1_has_an_interval_that_includes_zero():
    """What notebook 09 says of the evidence; a new row may change it, and then the text."""
    together, alone = beside.measured_beside(published.load_results(), "QwQ-32B", "DeepSeek-R1")
    assert len(together) == 7
    assert all(each.gap.low < 0 < each.gap.high for each in together)
    assert {each.measured_by for each in together} == {"Prime Intellect", "LiveBench"}
    assert "Qwen team" in {each.measured_by for each in alone}


def test_a_difference_beyond_luck_needs_somebody_else_problems_and_distance():
    here, near, far = row("A", 80.0, "one"), row("A", 77.0, "two"), row("A", 20.0, "three")
    assert not beside.differs_beyond_luck(here, [here])
    assert not beside.differs_beyond_luck(here, [here, near, far])
    assert beside.differs_beyond_luck(here, [here, far])
    unsized = [row("A", score, by, benchmark="BFCL") for score, by in ((80.0, "x"), (20.0, "y"))]
    assert not beside.differs_beyond_luck(unsized[0], unsized)


@pytest.mark.parametrize(("first", "second"), [(0.8, 0.8), (0.95, 0.7)])
def test_the_interval_of_a_difference_holds_the_truth_in_95_of_100_cases(first, second):
    rng = np.random.default_rng(0)
    solved = rng.binomial(60, [first, second], size=(1000, 2)) / 0.6
    truth = 100 * (first - second)
    held = sum(g.low <= truth <= g.high for g in (beside.newcombe(a, b, 60) for a, b in solved))
    assert 0.93 < held / 1000 < 0.98
