"""Which exercises does notebook 03, on scaling reinforcement learning, ask?

Its quiz stands in ``questions_03``.
"""

from __future__ import annotations

import re
from math import comb

import numpy as np

from course_utils.nano.tasks import Problem
from course_utils.teaching.exercises.compare import (
    as_array,
    compare_choices,
    compare_number,
    first_mistake,
    known_mistake,
)
from course_utils.teaching.exercises.declaration import Exercise, Mistake
from course_utils.teaching.exercises.questions_03 import QUESTIONS

__all__ = ["EXERCISES", "QUESTIONS"]

_END = "<|im_end|>"
_SUM = Problem("addition", "en", "47+38=?", 47, "+", 38)
_OTHER = Problem("addition", "en", "12+9=?", 12, "+", 9)

_REPLIES = (
    # problem, reply, its reward, the mistake's name, and what is off otherwise
    (
        _SUM,
        f"ones: 7+8=15, carry 1\n</think>\n\n85{_END}",
        1,
        "right-unpaid",
        "A right reply earns nothing.",
    ),
    (
        _SUM,
        f"</think>\n\nThe answer is 85.{_END}",
        1,
        "words-unpaid",
        "Words around the right number should do no harm.",
    ),
    (
        _OTHER,
        f"</think>\n\n21{_END}",
        1,
        "one-problem-only",
        "Another sum's right reply is not paid.",
    ),
    (_SUM, f"</think>\n\n86{_END}", 0, "wrong-paid", "A wrong number is paid."),
    (
        _SUM,
        f"</think>\n\n83 84 85 86{_END}",
        0,
        "list-paid",
        "A list of guesses is paid for holding the right one.",
    ),
    (
        _SUM,
        f"</think>\n\n1850{_END}",
        0,
        "digits-inside-paid",
        "The digits 85 inside a larger number are paid.",
    ),
    (
        _SUM,
        f"is it 85?\n</think>\n\n{_END}",
        0,
        "thought-paid",
        "A right number in the thought is paid without an answer.",
    ),
    (_SUM, "</think>\n\n85", 0, "no-end-paid", "A reply that never came to its end mark is paid."),
    (
        _SUM,
        f"</think>\n\n-85{_END}",
        0,
        "negative-paid",
        "The negative of the right number is paid.",
    ),
)


def _check_verifier(answer) -> Mistake | None:
    for problem, text, wanted, name, off in _REPLIES:
        value = answer(problem, text)
        if compare_number(float(value) if isinstance(value, bool | np.bool_) else value, wanted):
            return Mistake(name, f"{off} Try your verifier on {text!r}.")
    return None


# Words and signs that take back what a number says, or leave it open.
_TAKEN_BACK = re.compile(
    r"\?|？|n't\b|n’t\b|[不没非错]|\b(?:not|no|nor|never|none|cannot|neither|without|except|but|unless|"
    r"wrong|false|incorrect|maybe|perhaps|possibly|guess\w*|doubt\w*|unlikely|unsure|or|if|"
    r"almost|nearly|over|under|above|below|than|between|about|around|roughly)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def _check_fooling(answer) -> Mistake | None:
    reply = str(answer).split("</think>")[-1]
    if "85" not in reply:
        return Mistake(
            "not-paid", "The naive verifier does not pay this: it looks for 85 after </think>."
        )
    # The two numbers of the sum may be said again; any other number makes it no answer.
    numbers = set(_NUMBER.findall(reply)) - {"47", "38"}
    if numbers == {"85"} and not _TAKEN_BACK.search(reply):
        return Mistake(
            "right-answer",
            "That is the right answer itself. Find a reply that is paid and is no answer.",
        )
    return None


def _check_advantages(answer) -> Mistake | None:
    rewards = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
    values = as_array(answer(rewards.copy()))
    if values is None:
        return Mistake("no-array", "An array of numbers is asked for, as large as the rewards.")
    if values.shape != rewards.shape:
        return Mistake(
            "shape",
            f"One advantage for each completion is asked for, {rewards.shape}, not {values.shape}.",
        )
    if not np.isfinite(values).all():
        return Mistake(
            "division-by-zero",
            "A group of equal rewards has a deviation of 0. Add a small number before dividing.",
        )
    wanted = _advantages(rewards)
    if np.allclose(values, wanted, rtol=0.01, atol=0.001):
        return None
    return _advantage_mistake(values, rewards, wanted)


def _advantage_mistake(values: np.ndarray, rewards: np.ndarray, wanted: np.ndarray) -> Mistake:
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    population = centred / (rewards.std(axis=1, keepdims=True) + 1e-4)
    signs = (
        (
            np.allclose(values, population, rtol=0.01),
            "population-deviation",
            "This divides by the deviation of a whole population, NumPy's default. A group is a "
            "sample: `ddof=1` divides by one less, as the libraries do.",
        ),
        (
            np.allclose(values, centred),
            "no-division",
            "The mean is gone; now divide each group by its standard deviation.",
        ),
        (
            np.allclose(values, -wanted, rtol=0.01, atol=0.001),
            "sign",
            "The better completions get the negative numbers: check a sign.",
        ),
        (
            np.allclose(values[0], values[0, 0]),
            "no-difference",
            "Within a group all advantages are the same.",
        ),
        (
            np.abs(values.mean(axis=1)).max() > 0.01,
            "sum-not-zero",
            "The advantages of a group must sum to 0: take each group's mean, along axis 1.",
        ),
    )
    return first_mistake(signs) or Mistake(
        "size",
        "The signs and the zeros are right, and the size is not. Divide by the group's deviation.",
    )


def _advantages(rewards: np.ndarray) -> np.ndarray:
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    return centred / (rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4)


def _check_pass_at_k(answer) -> Mistake | None:
    for n, c, k in ((10, 3, 1), (10, 3, 4), (256, 1, 128), (8, 0, 4), (8, 7, 2), (8, 8, 3)):
        wanted = 1 - comb(n - c, k) / comb(n, k)
        value = answer(n, c, k)
        off = compare_number(value, wanted, relative=1e-6)
        if off:
            return (_pass_mistake(value, n, c, k) or off).where(f"With n={n}, c={c}, k={k}")
    return None


def _pass_mistake(value, n: int, c: int, k: int) -> Mistake | None:
    """A mistake in counting that has a name, if it is one."""
    known = (
        (
            1 - (1 - c / n) ** k,
            "with-replacement",
            "this draws with replacement, as if one reply could be drawn twice; it comes out too "
            "small. Count the ways to choose k of the n replies.",
        ),
        (comb(n - c, k) / comb(n, k), "all-wrong", "this is the probability that all k are wrong."),
        (comb(c, k) / comb(n, k), "all-right", "this is the probability that all k are right."),
        (k * c / n, "added-up", "probabilities of single replies cannot be added up."),
        (c / n, "one-reply", "this is the probability for one reply; k of them are drawn."),
    )
    return known_mistake(value, known, relative=1e-6)


DIAGNOSES = {
    "A": ("healthy", "healthy-run"),
    "B": ("reward hacking", "hacking-unseen"),
    "C": ("entropy collapse", "collapse-unseen"),
    "D": ("problems too hard", "too-hard-unseen"),
}
_LOOK_AT = {
    "A": "Run A learns: compare its reward with the exam, and look at its gradient norm. Which "
    "value of the loss would you expect?",
    "B": "In run B reward and exam tell two stories. What is it that earns the reward?",
    "C": "Run C stays where it is, and its policy tosses no coins any more. Which column says so?",
    "D": "In run D nothing earns a reward, so no group has spread; the policy is still undecided.",
}


def _check_diagnosis(answer) -> Mistake | None:
    return compare_choices(answer, DIAGNOSES, _LOOK_AT, choice="diagnosis", of="run")


EXERCISES = [
    Exercise(
        id="03.fool",
        title="Fool the naive verifier",
        answer="fooling_reply",
        check=_check_fooling,
        right="A model under training tries thousands of replies; it finds such holes too.",
        hints=(
            "The verifier checks only whether 85 appears somewhere after `</think>`.",
            "What if you wrote many numbers?",
        ),
        solution='fooling_reply = "</think>\\n\\n83 84 85 86 87<|im_end|>"',
        difficulty=1,
        importance=4,
        minutes=3,
    ),
    Exercise(
        id="03.verifier",
        title="Close the hole in the verifier",
        answer="mended",
        check=_check_verifier,
        right="Exactly one number, the right one, in the answer, and a proper end.",
        hints=(
            "`split_reply(text)` gives thought and answer; the answer is empty without `</think>`.",
            "`re.findall(r'-?[0-9]+', answer)` lists the numbers of an answer.",
            "A finished reply ends with `END`.",
        ),
        setup="import re\nfrom course_utils.nano.tokenizer import END, split_reply",
        solution="""
def mended(problem, text):
    _, answer = split_reply(text)
    numbers = re.findall(r"-?[0-9]+", answer)
    return float(text.endswith(END) and numbers == [str(problem.answer)])
""",
        difficulty=3,
        importance=5,
        minutes=10,
    ),
    Exercise(
        id="03.advantages",
        title="How much better than its group is each completion?",
        answer="group_advantages",
        check=_check_advantages,
        right="A group that is all right or all wrong teaches nothing: its advantages are 0.",
        hints=(
            "`rewards.mean(axis=1, keepdims=True)` is one mean for each group.",
            "Divide by `rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4`. `ddof=1` is the "
            "deviation of a sample, as in the libraries; NumPy's own default is a little smaller.",
        ),
        setup="import numpy as np",
        solution="""
def group_advantages(rewards):
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    deviation = rewards.std(axis=1, ddof=1, keepdims=True)
    return centred / (deviation + 1e-4)
""",
        difficulty=3,
        importance=5,
        minutes=10,
    ),
    Exercise(
        id="03.diagnosis",
        title="Four runs, four diagnoses",
        answer="diagnosis",
        check=_check_diagnosis,
        right="Three of the four have a loss of 0, and one of those is in the best of health: the "
        "gradient norm tells it apart.",
        hints=(
            "First compare the reward with the exam: does one rise without the other?",
            "Where the gradient norm is 0, no group has spread. Is that because all completions "
            "are alike (look at the entropy), or because none is ever right?",
        ),
        solution="""
diagnosis = {
    "A": "healthy",
    "B": "reward hacking",
    "C": "entropy collapse",
    "D": "problems too hard",
}
""",
        difficulty=2,
        importance=5,
        minutes=5,
    ),
    Exercise(
        id="03.pass_at_k",
        title="Estimate pass@k from n replies, c of them right",
        answer="pass_at_k",
        check=_check_pass_at_k,
        right="Chen et al., arXiv 2107.03374, show that this estimate is unbiased.",
        hints=(
            "All k are wrong if they come from the n - c wrong ones.",
            "`math.comb(n, k)` counts the ways to choose k of n.",
        ),
        solution="""
import math

def pass_at_k(n, c, k):
    return 1 - math.comb(n - c, k) / math.comb(n, k)
""",
        difficulty=3,
        importance=4,
        minutes=10,
    ),
]
