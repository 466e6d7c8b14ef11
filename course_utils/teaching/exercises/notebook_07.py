"""Which exercises does notebook 07, on comparing benchmarks, ask?"""

from __future__ import annotations

import math

from course_utils.teaching.exercises.compare import compare_choice, compare_number, known_mistake
from course_utils.teaching.exercises.declaration import Exercise, Mistake, Option, Question


def _check_standard_error(answer) -> Mistake | None:
    for score, problems in ((0.8, 30), (0.5, 541), (0.9, 1000), (1.0, 30)):
        expected = math.sqrt(score * (1 - score) / problems)
        given = answer(score, problems)
        off = compare_number(given, expected, relative=1e-6)
        if off is None:
            continue
        known = (
            (
                expected**2,
                "variance",
                "That is the variance. The standard error is its square root.",
            ),
            (
                expected * math.sqrt(problems),
                "one-problem",
                "That is how far a single problem is from the mean. How many are averaged?",
            ),
            (
                expected / math.sqrt(problems),
                "outside-the-root",
                "The number of problems counts twice. It belongs under the root.",
            ),
        )
        half = "That is half of a 95% interval. One standard error is asked for."
        interval = known_mistake(given, [(1.96 * expected, "interval", half)], relative=2e-2)
        off = known_mistake(given, known, relative=1e-6) or interval or off
        return off.where(f"For a score of {score} on {problems} problems")
    return None


def _check_split(answer) -> Mistake | None:
    for only_a, only_b in ((9, 1), (1, 9), (8, 8), (5, 0), (12, 3), (30, 18)):
        n, fewer = only_a + only_b, min(only_a, only_b)
        tail = sum(math.comb(n, i) for i in range(fewer + 1)) / 2**n
        given = answer(only_a, only_b)
        off = compare_number(given, min(1, 2 * tail), relative=1e-6)
        if off is None:
            continue
        exactly = math.comb(n, fewer) / 2**n
        known = (
            (2 * tail, "above-one", "No probability is above 1. Try an even split."),
            (
                tail,
                "one-sided",
                "That counts leads in one direction only. A lead of the other model would have "
                "been just as surprising.",
            ),
            (
                exactly,
                "one-split",
                "That is this very split alone. More uneven ones count as well.",
            ),
            (
                2 * exactly,
                "two-splits",
                "Those are the two splits of exactly this size. More uneven ones count as well.",
            ),
            (
                2 * (tail - exactly),
                "more-uneven-only",
                'The split that was seen counts too: "at least as uneven" includes it.',
            ),
            (
                1 - tail,
                "wrong-tail",
                "Those are the splits that are less uneven. How likely are the others?",
            ),
        )
        off = known_mistake(given, known, relative=1e-6) or off
        return off.where(f"For {only_a} and {only_b}")
    return None


def _check_false_alarm(answer) -> Mistake | None:
    wanted = 1 - 0.95**20
    off = compare_number(answer, wanted, relative=2e-3)
    if off is None:
        return None
    known = (
        (
            0.95**20,
            "no-alarm",
            "That is the probability of no false alarm at all. How likely is at least one?",
        ),
        (
            1.0,
            "added-up",
            "Twenty times 5% counts the cases twice in which several alarms ring at once.",
        ),
        (
            0.05**20,
            "all-ring",
            "That is the probability that all twenty ring. At least one is asked for.",
        ),
        (
            20 * 0.05 * 0.95**19,
            "exactly-one",
            "That is the probability of exactly one. Two or more count as well.",
        ),
        (0.05, "one-comparison", "That is one comparison alone. There are twenty."),
    )
    return known_mistake(answer, known, relative=5e-3, absolute=0) or off


def _check_same_problems(answer) -> Mistake | None:
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
        right="For 30 problems at 80% that is 7.3 points: more than two problems, by luck alone.",
        hints=(
            "One problem is right with probability p. Its variance is p (1 - p).",
            "A mean of n independent problems has a variance n times smaller; take the square "
            "root.",
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
        id="07.false_alarm",
        title="Twenty comparisons of equal models at 5%: how likely is a false alarm?",
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
        id="07.split",
        title="How surprising is this split, if the two are equally good?",
        answer="split_p_value",
        check=_check_split,
        right="This is McNemar's test in its exact form. It needs only the two counts.",
        hints=(
            "Of the `2**n` sequences of `n` tosses, `math.comb(n, i)` show heads exactly `i` "
            "times.",
            "Add up the splits in which the smaller count is as small as here, or smaller. Then "
            "count both sides; the result must not be above 1.",
        ),
        solution="""
from math import comb

def split_p_value(only_a, only_b):
    n, fewer = only_a + only_b, min(only_a, only_b)
    tail = sum(comb(n, i) for i in range(fewer + 1)) / 2**n
    return min(1, 2 * tail)
""",
        difficulty=3,
        importance=4,
        minutes=10,
    ),
    Exercise(
        id="07.which_test",
        title="Two models answered the same 40 questions. How do you compare them?",
        answer="method",
        check=_check_same_problems,
        right="Only the questions that one solved and the other did not tell them apart.",
        hints=(
            "Is a question that both solve evidence for either?",
            "One of the four looks only at the questions on which they differ.",
        ),
        solution='method = "McNemar"',
        difficulty=1,
        importance=4,
        minutes=3,
    ),
]

QUESTIONS = [
    Question(
        id="07.overlap",
        asks="Two models answered the same questions, and their 95% intervals overlap. "
        "What do you know?",
        options=(
            Option(
                "That there is no difference.",
                "No difference was *found*, by a way of looking that ignores the pairs.",
            ),
            Option(
                "Too little: compare them question by question.",
                "The paired test looks only at what one solved and the other did not.",
            ),
            Option(
                "That the higher score belongs to the better model.",
                "It may, with a probability that you can compute and that is rarely near 1.",
            ),
        ),
        right=2,
    ),
    Question(
        id="07.average",
        asks="A score is an average over 64 answers to each of 30 problems. "
        "What does the averaging not remove?",
        options=(
            Option(
                "The luck of a single answer.",
                "That is what it removes: 64 answers to each problem even it out.",
            ),
            Option(
                "The luck of which 30 problems were chosen.",
                "Next year's exam has 30 others, however often each of these was answered.",
            ),
            Option(
                "Rounding.",
                "The average moves in steps of a twentieth of a point. That is no worry here.",
            ),
        ),
        right=2,
    ),
    Question(
        id="07.confirmed",
        asks="A rival's paper prints the same 79.8 as the model's maker. Is the score confirmed?",
        options=(
            Option(
                "Yes, two parties agree to the digit.",
                "The exact agreement is the clue: the figure was copied, and one measurement "
                "appears twice.",
            ),
            Option(
                "Only if the rival says that it ran the model.",
                "Confirmed means measured by somebody else, with settings that they state.",
            ),
            Option(
                "No, rivals never count.",
                "A rival that ran the test itself does count: it has no reason to be kind.",
            ),
        ),
        right=2,
    ),
    Question(
        id="07.control",
        asks="By pass@1 the thinker is far ahead of its base. "
        "Which row would a sceptic ask for first?",
        options=(
            Option(
                "The base, prompted as well as we can.",
                "If a better prompt did the same, nothing would show that reward added an ability. "
                "Here none of the twelve prompts does.",
            ),
            Option(
                "A larger base.",
                "That asks what size does, which is another question.",
            ),
            Option(
                "The thinker with another seed of the sampler.",
                "That shows how steady the score is, not where it comes from.",
            ),
        ),
        right=1,
    ),
]
