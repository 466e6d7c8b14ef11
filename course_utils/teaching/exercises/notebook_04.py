"""Which exercises does notebook 04, on failures and their cures, ask?

Its quiz stands in ``questions_04``.
"""

from __future__ import annotations

import numpy as np

from course_utils.nano.readability import mixes_scripts, repeated_ngrams
from course_utils.teaching.exercises.compare import compare_choices, compare_number, known_mistake
from course_utils.teaching.exercises.declaration import Exercise, Mistake
from course_utils.teaching.exercises.questions_04 import QUESTIONS

__all__ = ["EXERCISES", "QUESTIONS"]


def _check_mixes(answer) -> Mistake | None:
    cases = {
        "ones: 7+8=15": ("english-only", "Only English letters stand there."),
        "个位：7+8=15": ("chinese-only", "Only Chinese characters stand there; `：` is a colon."),
        "ones: 7+8=15，进1": ("both-missed", "English and Chinese stand there."),
        "个位：7+8=15\ntens: 4+3=7": (
            "lines-apart",
            "Chinese stands in one line, English in the next.",
        ),
        "7+8=15": ("digits", "No script stands there at all: digits belong to none."),
        "7+8=15，": ("signs", "`，` is a sign, and signs belong to no script."),
        "ones，15": ("signs", "`，` is a sign, and signs belong to no script."),
        "": ("empty-thought", "The thought is empty."),
        "A B C 百": ("one-character", "One Chinese character is enough."),
    }
    for thought, (name, why) in cases.items():
        given = answer(thought)
        if not isinstance(given, bool | np.bool_ | int) or given not in (True, False):
            return Mistake(
                "no-boolean", "Return True or False: does the thought hold both scripts?"
            )
        if bool(given) != mixes_scripts(thought):
            return Mistake(name, f"For {thought!r} you say {bool(given)}. {why}")
    return None


def _check_repeats(answer) -> Mistake | None:
    cases = (
        (list("abcabcabxx"), 3, "a loop of three, and its end"),
        (list("abcdefgh"), 3, "nothing repeats"),
        (list("aaaa"), 2, "one token again and again"),
        (list("abab"), 2, "they overlap"),
        ([5, 6, 5, 6, 7], 2, "numbers instead of letters"),
        (list("ab"), 3, "shorter than one n-gram"),
        ([], 1, "no token at all"),
    )
    for tokens, n, words in cases:
        wanted = repeated_ngrams(tokens, n)
        value = answer(list(tokens), n)
        off = compare_number(value, wanted, relative=1e-6)
        if off:
            case = f"For {tokens} and n={n} ({words})"
            return (_repeats_mistake(value, tokens, n) or off).where(case)
    return None


def _repeats_mistake(value, tokens: list, n: int) -> Mistake | None:
    """A mistake in counting that has a name, if it is one."""
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    apart = [tuple(tokens[i : i + n]) for i in range(0, len(tokens) - n + 1, n)]
    known = []
    if not grams:
        known.append((1, "short-text", "nothing is there, so nothing is repeated."))
    else:
        again = 1 - repeated_ngrams(tokens, n)
        known += [
            (again, "share-of-new", "this is the share of n-grams that are new."),
            (len(grams) - len(set(grams)), "a-count", "a share is asked for, not a count."),
            (repeated_ngrams(tokens, 1), "single-tokens", "single tokens are counted, whatever n."),
            (1 - len(set(apart)) / len(apart), "not-overlapping", "n-grams overlap."),
            (
                sum(grams.count(gram) > 1 for gram in grams) / len(grams),
                "first-counted",
                "the first of a kind has not been there before.",
            ),
            (
                1 - len(set(grams)) / len(tokens),
                "tokens-below",
                "the share is of the n-grams, and there are fewer of them than tokens.",
            ),
        ]
    return known_mistake(value, known, relative=1e-6)


def _expected_reward(right: bool, tokens: int, free: int, limit: int) -> float:
    return float(right) * min(1.0, max(0.0, (limit - tokens) / (limit - free)))


def _check_short(answer) -> Mistake | None:
    cases = (
        (True, 20, 40, 192, "above-full", "right and short"),
        (True, 40, 40, 192, "free-tokens", "right, and all that is free"),
        (True, 116, 40, 192, "no-ramp", "right, halfway to the limit"),
        (True, 192, 40, 192, "at-limit", "right, exactly at the limit"),
        (True, 300, 40, 192, "below-nothing", "right, beyond the limit"),
        (False, 5, 40, 192, "wrong-paid", "wrong and very short"),
        (False, 300, 40, 192, "wrong-paid", "wrong and very long"),
        (True, 30, 10, 50, "fixed-bounds", "other bounds"),
    )
    for right, tokens, free, limit, name, words in cases:
        off = compare_number(
            answer(right, tokens, free, limit),
            _expected_reward(right, tokens, free, limit),
            relative=1e-6,
        )
        if off:
            case = f"A reply of {tokens} tokens, free={free}, limit={limit} ({words})"
            named = off.name not in ("no-number", "not-finite")
            return Mistake(name if named else off.name, f"{case}: {off.message}")
    return None


def _expected_going(chance: float, temperature: float, checks: int) -> float:
    if temperature == 0:
        return float(chance > 0.5)
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return (on / (on + end)) ** checks


def _check_still_going(answer) -> Mistake | None:
    cases = (
        (0.65, 1.0, 1, "drawn as it is"),
        (0.65, 1.0, 10, "ten checks in a row"),
        (0.65, 0.6, 10, "sharpened"),
        (0.65, 0, 10, "greedy, and going on is likelier"),
        (0.4, 0, 10, "greedy, and ending is likelier"),
        (0.4, 0.6, 2, "ending is likelier"),
    )
    for chance, temperature, checks, words in cases:
        wanted = _expected_going(chance, temperature, checks)
        value = answer(chance, temperature, checks)
        off = compare_number(value, wanted, relative=1e-6, absolute=1e-12)
        if off:
            case = f"chance {chance}, temperature {temperature}, {checks} checks ({words})"
            return (_going_mistake(value, chance, temperature, checks) or off).where(case)
    return None


def _going_mistake(value, chance: float, temperature: float, checks: int) -> Mistake | None:
    """A mistake in the chance that has a name, if it is one."""
    if temperature == 0:
        return Mistake("greedy", "at temperature 0 the likelier of the two is taken each time.")
    sharp = _expected_going(chance, temperature, 1)
    known = (
        (chance * checks, "added-up", "probabilities in a row are multiplied, not added up."),
        (1 - sharp**checks, "ended", "this is the probability that it has ended."),
        (sharp**checks * (1 - sharp), "ended-then", "whether it ends after that is not asked."),
        (sharp, "one-check", "it has to go on that many times, not once."),
        (chance**checks, "no-temperature", "the temperature changes nothing here."),
        (
            chance ** (checks / temperature),
            "sum-not-one",
            "after the temperature the two probabilities no longer sum to 1.",
        ),
        (
            _expected_going(chance, 1 / temperature, checks),
            "upside-down",
            "a low temperature makes the likelier more likely still; yours does the reverse.",
        ),
    )
    return known_mistake(value, known, relative=1e-6, absolute=1e-12)


CONTROLS = {
    1: ("reward for right answers alone", "loops-control"),
    2: ("the cold start alone", "cold-start-control"),
    3: ("the base", "checks-control"),
    4: ("other sampling settings", "sampling-control"),
}
_THINK_OF = {
    1: "The cured looper was trained with two things at once: right answers are paid, and length "
    "has a price. Which run takes one of them away?",
    2: "Two steps made the cured scribbler. Look at the model in between.",
    3: "Whoever says that reward brought a habit has to show that it was not there before.",
    4: "The same weights can be used in more than one way. What has to be tried before training?",
}


def _check_control(answer) -> Mistake | None:
    look_at = {claim: f"Claim {claim}. {words}" for claim, words in _THINK_OF.items()}
    return compare_choices(answer, CONTROLS, look_at, choice="control", of="claim")


EXERCISES = [
    Exercise(
        id="04.mixes",
        title="Does a thought mix two scripts?",
        answer="mixes",
        check=_check_mixes,
        right="Digits and signs belong to no script, so they must not count for either.",
        hints=(
            'Chinese characters lie between "\\u4e00" and "\\u9fff": '
            '`"\\u4e00" <= character <= "\\u9fff"`.',
            "An English letter is a character for which `character.isascii()` and "
            "`character.isalpha()` both hold.",
        ),
        solution="""
def mixes(thought):
    latin = any(c.isascii() and c.isalpha() for c in thought)
    chinese = any("\\u4e00" <= c <= "\\u9fff" for c in thought)
    return latin and chinese
""",
        difficulty=2,
        importance=4,
        minutes=6,
    ),
    Exercise(
        id="04.repeats",
        title="What share of a text has been written before?",
        answer="repeated_share",
        check=_check_repeats,
        right="Near 1 the text goes in circles, whatever the circle says.",
        hints=(
            "An n-gram is n tokens in a row. Make them tuples, so that they fit into a set.",
            "`[tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]` are all of them, and "
            "`set(...)` holds each once.",
            "A text shorter than n has no n-grams, so return 0.",
        ),
        solution="""
def repeated_share(tokens, n):
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
""",
        difficulty=3,
        importance=4,
        minutes=8,
    ),
    Exercise(
        id="04.short",
        title="A reward that prefers short thoughts",
        answer="short_reward",
        check=_check_short,
        right="Multiplying keeps a wrong answer at 0, however short it is.",
        hints=(
            "Up to `free` tokens nothing is lost; from `limit` on, everything is. In between it "
            "falls in a straight line.",
            "`(limit - tokens) / (limit - free)`, held between 0 and 1 by `min` and `max`.",
            "Shortness must not pay for a wrong answer: multiply.",
        ),
        solution="""
def short_reward(right, tokens, free, limit):
    shortness = min(1.0, max(0.0, (limit - tokens) / (limit - free)))
    return float(right) * shortness
""",
        difficulty=2,
        importance=4,
        minutes=6,
    ),
    Exercise(
        id="04.going",
        title="How likely is it that a thought is still going?",
        answer="still_going",
        check=_check_still_going,
        right="Above temperature 0 the probability falls to nothing; at 0 it is 1 or 0 for ever.",
        hints=(
            "At temperature 1, the probability of `checks` checks in a row is `chance ** checks`.",
            "Dividing logits by T raises each probability to the power 1/T, and then the two have "
            "to sum to 1 again.",
            "At temperature 0 the likelier of the two is taken every time.",
        ),
        solution="""
def still_going(chance, temperature, checks):
    if temperature == 0:
        return 1.0 if chance > 0.5 else 0.0
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return (on / (on + end)) ** checks
""",
        difficulty=4,
        importance=3,
        minutes=12,
    ),
    Exercise(
        id="04.control",
        title="Which control is missing?",
        answer="missing",
        check=_check_control,
        right="Each of the four is one run, or less. That is what makes a claim worth repeating.",
        hints=(
            "A control could show the claim to be wrong. What else could have done it?",
            "Two of the four appear in the tables above, as lines called `base` and `cold`.",
        ),
        solution="""
missing = {
    1: "reward for right answers alone",
    2: "the cold start alone",
    3: "the base",
    4: "other sampling settings",
}
""",
        difficulty=2,
        importance=5,
        minutes=5,
    ),
]
