"""Which exercises does notebook 07, on comparing benchmarks, ask?"""

from __future__ import annotations

import math

from course_utils.teaching.exercises.compare import compare_choice, compare_number
from course_utils.teaching.exercises.declaration import Exercise


def _check_standard_error(answer) -> str | None:
    for score, problems in ((0.8, 30), (0.5, 541), (0.9, 1000)):
        expected = math.sqrt(score * (1 - score) / problems)
        given = answer(score, problems)
        off = compare_number(given, expected, relative=1e-6)
        if off and compare_number(given, expected**2, relative=1e-6) is None:
            off = "That is the variance. The standard error is its square root."
        if off:
            return f"For a score of {score} on {problems} problems: {off}"
    return None


def _check_pass_at_k(answer) -> str | None:
    for n, c, k in ((4, 1, 1), (10, 3, 2), (16, 8, 4), (5, 0, 3), (6, 5, 2)):
        expected = 1 - math.comb(n - c, k) / math.comb(n, k)
        given = answer(n, c, k)
        off = compare_number(given, expected, relative=1e-6, absolute=1e-9)
        if not off:
            continue
        if compare_number(given, 1 - expected, relative=1e-6) is None:
            off = "That is the chance that all of them are wrong; at least one right is asked for."
        elif compare_number(given, 1 - (1 - c / n) ** k, relative=1e-6) is None:
            off = (
                "This draws the same answer again and again. The k answers are drawn from the n "
                "without putting any back."
            )
        return f"With {c} of {n} answers right and k = {k}: {off}"
    return None


def _check_false_alarm(answer) -> str | None:
    if compare_number(answer, 0.95**20, relative=5e-3) is None:
        return "That is the chance of no false alarm at all. How likely is at least one?"
    if compare_number(answer, 1.0, relative=1e-3) is None:
        return "Twenty times 5 % counts the cases twice in which several alarms ring at once."
    return compare_number(answer, 1 - 0.95**20, relative=1e-2)


def _check_same_problems(answer) -> str | None:
    return compare_choice(
        answer,
        "McNemar",
        {
            "two intervals": (
                "Two intervals treat the questions as drawn afresh for each model. Here both "
                "answered the same ones, and a hard question is hard for both."
            ),
            "higher score": "Then luck decides. How surprising is such a lead without skill?",
            "repeat until clear": (
                "Stopping when the result pleases is a multiple comparison in disguise."
            ),
        },
    )


EXERCISES = [
    Exercise(
        id="07.standard_error",
        title="How far does a score move by luck?",
        answer="standard_error",
        check=_check_standard_error,
        right="For 30 problems at 80 % that is 7.3 points: more than two problems, by luck alone.",
        hints=(
            "One problem is right with probability p. Its variance is p (1 - p).",
            "A mean of n independent problems has a variance n times smaller; take the root.",
        ),
        solution="""
def standard_error(score, problems):
    return (score * (1 - score) / problems) ** 0.5
""",
        difficulty=2,
        importance=5,
        minutes=5,
    ),
    Exercise(
        id="07.pass_at_k",
        title="How likely is at least one right answer among k?",
        answer="pass_at_k_of_one",
        check=_check_pass_at_k,
        right="The same formula scores code benchmarks; it needs no guess of the true probability.",
        hints=(
            "Count the ways to draw k answers from n, and those that hold no right answer.",
            "`math.comb(n, k)` counts the draws; only wrong ones: `math.comb(n - c, k)`.",
        ),
        solution="""
from math import comb

def pass_at_k_of_one(n, c, k):
    return 1 - comb(n - c, k) / comb(n, k)
""",
        difficulty=3,
        importance=4,
        minutes=10,
    ),
    Exercise(
        id="07.false_alarm",
        title="Twenty comparisons of equal models at 5 %: how likely is a false alarm?",
        answer="chance_of_false_alarm",
        check=_check_false_alarm,
        right="Look at twenty benchmarks, and a surprise is what you should expect.",
        hints=(
            "One comparison stays silent with probability 0.95.",
            "All twenty stay silent with probability 0.95 to the power of 20.",
        ),
        solution="chance_of_false_alarm = 1 - 0.95**20",
        difficulty=2,
        importance=4,
        minutes=4,
    ),
    Exercise(
        id="07.which_test",
        title="Two models answered the same 60 questions. What do you compare?",
        answer="method",
        check=_check_same_problems,
        right="Only the questions that one solved and the other did not tell them apart.",
        hints=(
            "Is a question that both solve evidence for either?",
            "The paired test above looks at the questions on which they differ.",
        ),
        solution='method = "McNemar"',
        difficulty=1,
        importance=4,
        minutes=3,
    ),
]
