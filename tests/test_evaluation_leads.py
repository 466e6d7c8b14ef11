"""Is every lead judged by one rule, and is that rule strict enough when many are judged at once?"""

import numpy as np
import pytest

from course_utils.errors import OptionError
from course_utils.evaluation import leads
from course_utils.evaluation.claims import maths_and_coding
from course_utils.evaluation.published import load_results
from course_utils.evaluation.statistics import holm, mcnemar_exact, probability_better


@pytest.fixture(scope="module")
def release():
    return leads.release_leads(load_results())


def test_the_release_figure_is_judged_whole(release):
    assert len(release) == 12 and {lead.first for lead in release} == {"QwQ-32B"}
    assert {lead.benchmark for lead in release} == {"AIME 2024", "LiveCodeBench", "IFEval"}
    assert [lead.adjusted for lead in release] == holm([lead.p_value for lead in release])


def test_a_lead_that_counts_alone_may_not_count_among_twelve(release):
    (lead,) = [x for x in release if (x.second, x.benchmark) == ("o1-mini", "LiveCodeBench")]
    assert lead.p_value < leads.SETTLED_BELOW < lead.adjusted
    assert lead.verdict == leads.CANNOT_TELL
    (alone,) = leads.judge([(lead.benchmark, lead.first, lead.second, *lead.scores, lead.problems)])
    assert alone.verdict == "QwQ-32B is ahead"


def test_notebook_09s_answer_key_has_the_verdicts_of_notebook_07(release):
    """The claim on mathematics and coding prints the very verdicts of the release figure."""
    rows = maths_and_coding()
    for lead in release:
        if lead.benchmark != "IFEval":
            (value,) = [v for k, v in rows.items() if lead.benchmark in k and lead.second in k]
            assert value.endswith(f"among 12 comparisons: {lead.verdict}")


def test_who_is_ahead_does_not_depend_on_who_is_named_first():
    pair = ("IFEval", "A", "B", 83.9, 72.5, 541)
    (one,), (other,) = leads.judge([pair]), leads.judge([("IFEval", "B", "A", 72.5, 83.9, 541)])
    assert one.verdict == other.verdict == "A is ahead"
    assert one.p_value == pytest.approx(other.p_value)


@pytest.mark.parametrize(
    ("lead", "adjusted", "says"),
    [
        (0.4, 0.0017, "a is ahead"),
        (-3.0, 0.049, "b is ahead"),
        (0.4, 0.05, "cannot tell"),
        (0.0, 1.0, "cannot tell"),
    ],
)
def test_the_words_follow_the_adjusted_p_value_and_the_sign(lead, adjusted, says):
    assert leads.verdict("a", "b", lead, adjusted) == says


def test_equal_models_are_rarely_told_apart_in_a_figure_of_twelve_comparisons():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        solved = rng.binomial(279, 0.6, size=(12, 2)) / 2.79
        rows = [("", "A", "B", a, b, 279) for a, b in solved]
        alarms += any(lead.verdict != leads.CANNOT_TELL for lead in leads.judge(rows))
    assert alarms / 300 < 0.09


def test_totals_are_more_cautious_than_pairs():
    first, second = [1] * 150 + [1] * 12 + [0] * 38, [1] * 150 + [0] * 50
    better = probability_better(0.81, 200, 0.75)
    assert leads.two_sided(better) > 0.05 > mcnemar_exact(first, second).p_value


def test_results_without_the_release_figure_are_refused():
    for results, model in (([], "QwQ-32B"), (load_results(), "QwQ-2B")):
        with pytest.raises(OptionError, match="release figure"):
            leads.release_leads(results, model)
