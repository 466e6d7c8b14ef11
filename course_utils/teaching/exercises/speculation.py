"""Which exercises does notebook 06 ask about drafts? They stand apart, as their section does."""

from __future__ import annotations

import numpy as np

from course_utils.model_files.speculation import expected_tokens
from course_utils.nano import speculative
from course_utils.teaching.exercises.compare import (
    compare_array,
    compare_number,
    compare_probabilities,
    known_mistake,
)
from course_utils.teaching.exercises.declaration import Exercise, Mistake

_PAIRS = (
    ((0.5, 0.3, 0.2), (0.2, 0.5, 0.3)),
    ((0.1, 0.2, 0.3, 0.4), (0.4, 0.3, 0.2, 0.1)),
    ((0.7, 0.2, 0.1), (0.0, 0.0, 1.0)),
)


def _check_after_rejection(answer) -> Mistake | None:
    for pair in _PAIRS:
        p, q = map(np.array, pair)
        values = answer(p.copy(), q.copy())
        off = compare_probabilities(values, speculative.after_rejection(p, q))
        if off:
            case = f"For p = {list(pair[0])} and q = {list(pair[1])}"
            return _rejection_mistake(values, p, q) or off.where(case)
    return None


def _rejection_mistake(values, p: np.ndarray, q: np.ndarray) -> Mistake | None:
    """A mistake about what is still missing that has a name, if it is one."""
    lacking, apart, common = np.maximum(p - q, 0), np.abs(p - q), np.minimum(p, q)
    known = (
        (
            p,
            "target-again",
            "From p, the draft's favourites would come too often: they have had their chance.",
        ),
        (q, "draft-again", "That is the draft's distribution, which was just rejected."),
        (
            lacking,
            "no-division",
            "These are the right shares, but they do not sum to 1. Divide by their sum.",
        ),
        (
            p - q,
            "negative",
            "Where the draft draws a token too often, nothing is missing: 0, and not less.",
        ),
        (
            (p - q) / apart.sum(),
            "negative",
            "Where the draft draws a token too often, nothing is missing: 0, and not less.",
        ),
        (
            speculative.after_rejection(q, p),
            "wrong-way-round",
            "It is the wrong way round: a token is missing where p is larger than q.",
        ),
        (
            apart / apart.sum(),
            "both-sides",
            "Where q is larger than p, too much was drawn already; leave it out.",
        ),
        (
            common / common.sum(),
            "what-is-kept",
            "That is the share that is kept. What is asked for is what is still missing.",
        ),
    )
    return known_mistake(values, known, compare_array)


def _check_tokens_per_step(answer) -> Mistake | None:
    for rate, drafted in ((0.7, 4), (0.5, 1), (0.9, 8), (0.3, 3)):
        value = answer(rate, drafted)
        off = compare_number(value, expected_tokens(rate, drafted), relative=1e-6)
        if off:
            case = f"For a rate of {rate:g} and {drafted} drafted tokens"
            return _tokens_mistake(value, rate, drafted) or off.where(case)
    for rate, wanted in ((1.0, 6), (0.0, 1)):
        try:
            value = answer(rate, 5)
        except Exception:  # a division by zero, wherever the learner's code meets it
            value = float("nan")
        if compare_number(value, wanted):
            every = "every token is accepted" if rate else "no token is accepted"
            return Mistake(
                "at-the-ends",
                f"When {every}, a step with five drafted tokens gives {wanted}. Try it.",
            )
    return None


def _tokens_mistake(value, rate: float, drafted: int) -> Mistake | None:
    """A mistake in counting a step's tokens that has a name, if it is one."""
    wanted = expected_tokens(rate, drafted)
    alone = "A drafted token counts only if all before it were accepted too."
    known = (
        (
            wanted - 1,
            "without-its-own",
            "There is one more token: the model draws one itself, after those it accepted.",
        ),
        (1 + rate * drafted, "not-in-a-row", alone),
        (rate * drafted, "not-in-a-row", alone),
        (rate * drafted + rate, "not-in-a-row", alone),
        (
            expected_tokens(rate, drafted - 1),
            "one-too-few",
            "The last drafted token may be accepted too: one power more.",
        ),
        (
            expected_tokens(rate, drafted + 1),
            "one-too-many",
            "After the last drafted token the model draws one, and that is all.",
        ),
        (drafted + 1, "the-most", "That is the most there can be: every token accepted."),
        (
            1 / (1 - rate),
            "endless-draft",
            "The draft does not go on for ever: it proposes `drafted` tokens.",
        ),
        (
            rate**drafted * (drafted + 1),
            "all-or-nothing",
            "Where only some of the drafted tokens are accepted, those count too.",
        ),
    )
    return known_mistake(value, known, relative=1e-6)


DRAFT_EXERCISES = [
    Exercise(
        id="06.after_rejection",
        title="Which distribution does the replacement for a rejected token come from?",
        answer="after_rejection",
        check=_check_after_rejection,
        right="Kept and replaced tokens together follow p to the last digit, whatever q is.",
        hints=(
            "What the draft draws less often than the target would is still missing: p - q.",
            "What it draws more often is not missing: 0. `np.maximum(..., 0)` does both.",
            "What is missing has to be a distribution again: divide by its sum.",
        ),
        solution="""
def after_rejection(p, q):
    lacking = np.maximum(p - q, 0)
    return lacking / lacking.sum()
""",
        difficulty=3,
        importance=4,
        minutes=8,
        setup="import numpy as np",
    ),
    Exercise(
        id="06.tokens_per_step",
        title="How many tokens does one step of the target give?",
        answer="tokens_per_step",
        check=_check_tokens_per_step,
        right="Drafting many tokens gains little unless nearly all of them are accepted.",
        hints=(
            "One token comes for certain. The first drafted one comes with probability `rate`.",
            "The second counts only if the first was accepted as well: rate * rate.",
            "Add up: 1 + rate + rate**2 + ... + rate**drafted.",
        ),
        solution="""
def tokens_per_step(rate, drafted):
    return sum(rate**place for place in range(drafted + 1))
""",
        difficulty=2,
        importance=4,
        minutes=6,
        setup="import numpy as np",
    ),
]
