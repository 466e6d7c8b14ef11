"""Which exercises does notebook 04, on failures and their cures, ask?"""

from __future__ import annotations

from course_utils.nano.readability import mixes_scripts, repeated_ngrams
from course_utils.teaching.exercises.compare import compare_number
from course_utils.teaching.exercises.declaration import Exercise


def _check_mixes(answer) -> str | None:
    cases = {
        "ones: 7+8=15": "Only English letters stand there.",
        "个位：7+8=15": "Only Chinese characters stand there; `：` is a colon.",
        "ones: 7+8=15，进1": "English and Chinese stand there.",
        "个位：7+8=15\ntens: 4+3=7": "Chinese stands in one line, English in the next.",
        "7+8=15": "No script stands there at all: digits belong to none.",
        "7+8=15，": "`，` is a sign, and signs belong to no script.",
        "": "The thought is empty.",
        "A B C 百": "One Chinese character is enough.",
    }
    for thought, why in cases.items():
        given = answer(thought)
        if not isinstance(given, bool):
            return "Return True or False: does the thought hold both scripts?"
        if given != mixes_scripts(thought):
            return f"For {thought!r} you say {given}. {why}"
    return None


def _check_repeats(answer) -> str | None:
    cases = (
        (list("abcabcabc"), 3, "a loop of three"),
        (list("abcdefgh"), 3, "nothing repeats"),
        (list("aaaa"), 2, "one token again and again"),
        (list("ab"), 3, "shorter than one n-gram"),
        ([5, 6, 5, 6, 7], 2, "numbers instead of letters"),
    )
    for tokens, n, words in cases:
        off = compare_number(answer(tokens, n), repeated_ngrams(tokens, n), relative=1e-6)
        if off:
            return f"For {tokens} and n={n} ({words}): {off}"
    return None


def _expected_reward(right: bool, tokens: int, free: int, limit: int) -> float:
    return float(right) * min(1.0, max(0.0, (limit - tokens) / (limit - free)))


def _check_short(answer) -> str | None:
    cases = (
        (True, 20, 40, 192, "right and short"),
        (True, 40, 40, 192, "right, and all that is free"),
        (True, 116, 40, 192, "right, halfway to the limit"),
        (True, 300, 40, 192, "right, beyond the limit"),
        (False, 5, 40, 192, "wrong and very short"),
        (True, 30, 10, 50, "other bounds"),
    )
    for right, tokens, free, limit, words in cases:
        off = compare_number(
            answer(right, tokens, free, limit),
            _expected_reward(right, tokens, free, limit),
            relative=1e-6,
        )
        if off:
            return f"A reply of {tokens} tokens, free={free}, limit={limit} ({words}): {off}"
    return None


def _expected_going(chance: float, temperature: float, checks: int) -> float:
    if temperature == 0:
        return float(chance > 0.5)
    on, end = chance ** (1 / temperature), (1 - chance) ** (1 / temperature)
    return (on / (on + end)) ** checks


def _check_still_going(answer) -> str | None:
    cases = (
        (0.65, 1.0, 1, "drawn as it is"),
        (0.65, 1.0, 10, "ten checks in a row"),
        (0.65, 0.6, 10, "sharpened"),
        (0.65, 0, 10, "greedy, and going on is likelier"),
        (0.4, 0, 10, "greedy, and ending is likelier"),
        (0.4, 0.6, 2, "ending is likelier"),
    )
    for chance, temperature, checks, words in cases:
        off = compare_number(
            answer(chance, temperature, checks),
            _expected_going(chance, temperature, checks),
            relative=1e-6,
            absolute=1e-12,
        )
        if off:
            return f"chance {chance}, temperature {temperature}, {checks} checks ({words}): {off}"
    return None


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
            "A letter of English is one for which `character.isascii()` and "
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
        title="Which share of a text has been written before?",
        answer="repeated_share",
        check=_check_repeats,
        right="Near 1 the text goes in circles, whatever the circle says.",
        hints=(
            "An n-gram is n tokens in a row. Make them tuples, so that they fit into a set.",
            "`[tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]` are all of them, and "
            "`set(...)` holds each once.",
            "A text shorter than n has no n-gram: give 0 then.",
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
            "Up to `free` tokens the price is nothing, from `limit` on all is lost. In between it "
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
        title="How likely is a thought still going?",
        answer="still_going",
        check=_check_still_going,
        right="Above temperature 0 the chance falls to nothing; at 0 it is 1 or 0 for ever.",
        hints=(
            "Without temperature, `checks` checks in a row have the chance `chance ** checks`.",
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
]
