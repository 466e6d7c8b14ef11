"""Which exercises does notebook 03, scaling reinforcement learning, ask?"""

from __future__ import annotations

import re
from math import comb

import numpy as np

from course_utils.nano.tasks import Problem
from course_utils.teaching.exercises.compare import compare_number
from course_utils.teaching.exercises.declaration import Exercise, Mistake

_SUM = Problem("addition", "en", "47+38=?", 47, "+", 38)
_END = "<|im_end|>"

_REPLIES = (
    (f"ones: 7+8=15, carry 1\n</think>\n\n85{_END}", 1, "A right reply earns nothing."),
    (f"</think>\n\nThe answer is 85.{_END}", 1, "Words around the right number should do no harm."),
    (f"</think>\n\n86{_END}", 0, "A wrong number is paid."),
    (f"</think>\n\n83 84 85 86{_END}", 0, "A list of guesses is paid for holding the right one."),
    (f"</think>\n\n1850{_END}", 0, "The digits 85 inside a larger number are paid."),
    (
        f"is it 85?\n</think>\n\n{_END}",
        0,
        "A right number in the thought is paid without an answer.",
    ),
    ("</think>\n\n85", 0, "A reply that never came to its end mark is paid."),
)


def _check_verifier(answer) -> str | None:
    for text, wanted, off in _REPLIES:
        value = answer(_SUM, text)
        if float(value) != wanted:
            return f"{off} Try your verifier on {text!r}."
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


def _check_advantages(answer) -> str | None:
    rewards = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
    values = np.asarray(answer(rewards.copy()), dtype=float)
    if values.shape != rewards.shape:
        return f"One advantage for each solution is asked for, {rewards.shape}, not {values.shape}."
    if not np.isfinite(values).all():
        return "A group of equal rewards has a deviation of 0. Add a small number before dividing."
    wanted = _advantages(rewards)
    if np.allclose(values, wanted, rtol=0.01, atol=0.001):
        return None
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    if np.allclose(values, centred / (rewards.std(axis=1, keepdims=True) + 1e-4), rtol=0.01):
        return (
            "This divides by the deviation of a whole population, NumPy's default. A group is a "
            "sample: `ddof=1` divides by one less, as the libraries do."
        )
    if np.allclose(values, centred):
        return "The mean is gone; now divide each group by its standard deviation."
    if abs(values[0].mean()) > 0.01:
        return "The advantages of a group must sum to 0: take each group's mean, along axis 1."
    return "The sign and the zero are right, and the size is not. Divide by the group's deviation."


def _advantages(rewards: np.ndarray) -> np.ndarray:
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    return centred / (rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4)


def _check_pass_at_k(answer) -> str | None:
    for n, c, k in ((10, 3, 1), (10, 3, 4), (256, 1, 128), (8, 0, 4), (8, 7, 2)):
        wanted = 1 - comb(n - c, k) / comb(n, k)
        value = answer(n, c, k)
        if compare_number(value, wanted, relative=1e-6) is None:
            continue
        if compare_number(value, 1 - (1 - c / n) ** k, relative=1e-6) is None:
            return (
                "This draws with replacement, as if one reply could be drawn twice; it comes out "
                "too small. Count the ways to choose k of the n replies."
            )
        if compare_number(value, 1 - wanted, relative=1e-6) is None:
            return "This is the chance that all k are wrong."
        return f"With n={n}, c={c}, k={k}: {compare_number(value, wanted, relative=1e-6)}"
    return None


EXERCISES = [
    Exercise(
        id="03.fool",
        title="Write a reply that the naive verifier pays, and that is no answer",
        answer="fooling_reply",
        check=_check_fooling,
        right="A model under training tries thousands of replies; it finds such holes too.",
        hints=(
            "The verifier asks only whether 85 stands somewhere after `</think>`.",
            "What if you wrote many numbers?",
        ),
        solution='fooling_reply = "</think>\\n\\n83 84 85 86 87<|im_end|>"',
        difficulty=1,
        importance=4,
        minutes=3,
    ),
    Exercise(
        id="03.verifier",
        title="Mend the verifier",
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
        title="How much better than its group is each solution?",
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
