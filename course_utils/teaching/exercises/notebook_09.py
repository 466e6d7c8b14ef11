"""Which exercises does notebook 09, the weighing of the claims, ask?

Its quiz stands in ``questions_09``.
"""

from __future__ import annotations

import re

from course_utils.evaluation.leads import CANNOT_TELL, SETTLED_BELOW
from course_utils.evaluation.statistics import holm, probability_better
from course_utils.teaching.exercises.compare import compare_choice, compare_number, known_mistake
from course_utils.teaching.exercises.declaration import Exercise, Mistake
from course_utils.teaching.exercises.questions_09 import QUESTIONS

__all__ = ["EXERCISES", "QUESTIONS"]


def _check_apart(answer) -> Mistake | None:
    for a, b, problems in ((79.5, 79.8, 30), (66.4, 60.3, 541), (50, 50, 30)):
        expected = abs(a - b) / 100 * problems
        given = answer(a, b, problems)
        off = compare_number(given, expected, relative=1e-6)
        if off is None:
            continue
        if compare_number(given, abs(a - b), relative=1e-6) is None:
            off = Mistake("points", "That is the difference in points, not in problems.")
        elif off.name not in ("no-number", "sign") and float(given).is_integer():
            words = "It need not be a whole number: scores are averages over many answers."
            off = Mistake("rounded", words)
        return off.where(f"For {a} against {b} on {problems} problems")
    return None


# Scores of two models in percent, and problems. The second list tells two sides from one, and the
# last Holm's rule from the rule that multiplies every p value by the number of comparisons.
_PAIRS = (
    [(79.5, 63.6, 30)],
    [(83.9, 79.5, 541)],
    [(63.4, 53.8, 279)],
    [(53.8, 63.4, 279)],
    [(79.5, 79.8, 30), (63.4, 53.8, 279), (83.9, 84.8, 541), (83.9, 72.5, 541)],
    [(63.4, 53.8, 279), (72.5, 83.9, 541), (90.0, 50.0, 541)],
)


def _words(pairs, adjust=holm, sides: int = 2) -> list[str]:
    """The words for these pairs, with p values of one or two sides adjusted in some way."""
    better = [probability_better(a / 100, n, b / 100) for a, b, n in pairs]
    adjusted = adjust([sides * min(p, 1 - p) for p in better])
    return [
        CANNOT_TELL if q >= SETTLED_BELOW else "A" if p > 0.5 else "B"
        for p, q in zip(better, adjusted, strict=True)
    ]


_NOT_HOLM = "Every p value is multiplied by the number of pairs here. Holm's rule does so with the "
_TWO_SIDES = "A p value counts leads to either side: twice the smaller tail."
# Other rules that learners follow: its mistake's name, the words it gives, and what to say of it.
_OTHER_RULES = (
    (
        "swapped",
        lambda pairs: [{"A": "B", "B": "A"}.get(word, word) for word in _words(pairs)],
        "A and B are the wrong way round.",
    ),
    (
        "each-alone",
        lambda pairs: _words(pairs, adjust=list),
        "Each pair is judged alone here. `holm` takes all p values of the list together.",
    ),
    ("one-sided", lambda pairs: _words(pairs, adjust=list, sides=1), _TWO_SIDES),
    ("one-sided", lambda pairs: _words(pairs, sides=1), _TWO_SIDES),
    (
        "times-the-number",
        lambda pairs: _words(pairs, adjust=lambda p_values: [len(pairs) * p for p in p_values]),
        f"{_NOT_HOLM}smallest only, and is less strict with the next.",
    ),
    (
        "highest-score",
        lambda pairs: ["A" if a > b else "B" for a, b, _ in pairs],
        "The higher score always leads here. What if luck could have done it?",
    ),
    (
        "never-b",
        lambda pairs: [CANNOT_TELL if word == "B" else word for word in _words(pairs)],
        "B can lead as well: where the probability that A is better is small.",
    ),
    ("never", lambda pairs: [CANNOT_TELL for _ in pairs], "Some of these leads are settled."),
)


def _check_leaders(answer) -> Mistake | None:
    given = [answer([*pairs]) for pairs in _PAIRS]
    for pairs, words in zip(_PAIRS, given, strict=True):
        if not isinstance(words, list | tuple) or len(words) != len(pairs):
            return Mistake(
                "one-word-each", "Return a list with one word for each pair, in their order."
            )
        for word in words:
            if word not in ("A", "B", CANNOT_TELL):
                wrong = f'Each word is one of "A", "B" and "{CANNOT_TELL}", not {word!r}.'
                return Mistake("no-word", wrong)
    given = [list(words) for words in given]
    if given == [_words(pairs) for pairs in _PAIRS]:
        return None
    for name, rule, words in _OTHER_RULES:
        if given == [rule(pairs) for pairs in _PAIRS]:
            return Mistake(name, words)
    pairs, words = next((p, w) for p, w in zip(_PAIRS, given, strict=True) if w != _words(p))
    return Mistake("other-rule", f"For {pairs} you say {words}, and the rule {_words(pairs)}.")


def _check_stored_and_read(answer) -> Mistake | None:
    for total, active, bits in ((671e9, 37e9, 4), (32.8e9, 32.0e9, 8), (30e9, 3e9, 16)):
        given = answer(total, active, bits)
        if not isinstance(given, tuple | list) or len(given) != 2:
            words = "Return two numbers: the gigabytes stored and the gigabytes read for a token."
            return Mistake("two-numbers", words)
        wanted = [parameters * bits / 8 / 1e9 for parameters in (total, active)]
        if all(compare_number(g, w) is None for g, w in zip(given, wanted[::-1], strict=True)):
            return Mistake(
                "swapped", "The two are the wrong way round: what is stored comes first."
            )
        for name, value, expected in zip(("stored", "read"), given, wanted, strict=True):
            off = compare_number(value, expected, relative=1e-6)
            if off is None:
                continue
            known = (
                (expected * 1e9 / 2**30, "gib", "That is in GiB. A gigabyte is 1e9 bytes here."),
                (wanted[0], "reads-all", "A token reads the active parameters only."),
                (
                    wanted[1],
                    "stores-active",
                    "All parameters are stored, including those that a token does not use.",
                ),
            )
            off = known_mistake(value, known, relative=1e-6) or off
            return off.where(f"Gigabytes {name}, for {total / 1e9:g} billion at {bits} bits")
    return None


def _check_false_if(answer) -> Mistake | None:
    return compare_choice(
        answer,
        "three sizes, ever more training for small ones, a gap that stays",
        {
            "three sizes, equal training, a gap that stays": Mistake(
                "equal-training",
                "At equal training the claim itself expects the larger model to be ahead. What "
                "does it say of a small one that gets more?",
            ),
            "one large model that scores higher": (
                "Larger models that score higher exist whether the claim is true or not. What "
                "would the small one have scored with more reinforcement learning?"
            ),
            "one small model that scores higher": (
                "That would speak for the claim, not against it, and one model is no law."
            ),
        },
    )


# Digits that belong to a name or a year are not evidence.
_NAMES = re.compile(
    r"https?://\S+|QwQ-\d+B(-Preview)?|R1(-\w+)*|o1(-\w+)?|o3(-\w+)?|Qwen[\d.]*(-\w+)*"
    r"|AIME[ -]?\d*|MATH-\d+|INTELLECT-\d+|claims? \d+|notebook \d+|\b20\d\d\b",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    r"https?://|arxiv|paper|model card|announce|blog|config|catalogue|leaderboard|published"
    r"|livebench|livecodebench|ifeval|bfcl|gpqa|aime|math-500|prime intellect|areal"
    r"|ml foundations|deepseek|qwen team|the board|notebook \d|measured (here|by)|counted",
    re.IGNORECASE,
)
_UNCERTAIN = re.compile(
    r"interval|between .+ and |±|uncertain|unknown|not known|not published|unpublished|noise"
    r"|within|chance|probab|likely|cannot (be )?(know|tell|say)|not sure|undecided|too few"
    r"|only \d+ problems|does not say|perhaps|may ",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"change (of )?(my|this) (mind|verdict)|changes? my mind|my mind if|unless|would be wrong if"
    r"|think otherwise|give (it|this|that) up if|would convince|would persuade|revise"
    r"|reconsider|until (someone|somebody|a |an )",
    re.IGNORECASE,
)


def rubric(text: str) -> dict[str, bool]:
    """Which parts of a verdict a program can find in its text. It cannot tell a fair verdict."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    return {
        "names a number together with its source": any(
            re.search(r"\d", _NAMES.sub("", sentence)) and _SOURCE.search(sentence)
            for sentence in sentences
        ),
        "names an uncertainty": bool(_UNCERTAIN.search(text)),
        "names what would change your mind": bool(_CHANGE.search(text)),
    }


_PARTS = {
    "names a number together with its source": "no-number-with-source",
    "names an uncertainty": "no-uncertainty",
    "names what would change your mind": "no-test",
}


def _check_verdict(answer) -> Mistake | None:
    if not isinstance(answer, str):
        words = "A verdict is a text: put it between three quotation marks."
        return Mistake("no-text", words)
    words = len(answer.split())
    if words < 30:
        return Mistake(
            "short",
            f"That is {words} words. Take four to six sentences: a number, a doubt, a test.",
        )
    missing = [part for part, found in rubric(answer).items() if not found]
    if missing:
        return Mistake(
            _PARTS[missing[0]] if len(missing) == 1 else "parts-missing",
            f"{3 - len(missing)} of 3 parts are found. Not found: a sentence that "
            f"{'; one that '.join(missing)}. If it is there in other words, you are the judge.",
        )
    return None


EXERCISES = [
    Exercise(
        id="09.apart",
        title="How many problems lie between two scores?",
        answer="problems_apart",
        check=_check_apart,
        right="79.5 and 79.8 on 30 problems: less than a tenth of one problem.",
        hints=(
            "A score in percent is the share of problems solved, times 100.",
            "Turn the difference into a share, then into a number of problems. `abs` drops a sign.",
        ),
        solution="""
def problems_apart(score_a, score_b, problems):
    return abs(score_a - score_b) / 100 * problems
""",
        difficulty=1,
        importance=4,
        minutes=4,
    ),
    Exercise(
        id="09.leader",
        title="Who leads, if anyone can tell?",
        answer="leaders",
        check=_check_leaders,
        right="One rule for all comparisons: that is what keeps a judge from choosing the verdict.",
        hints=(
            "`probability_better(share_a, problems, share_b)` takes shares, not percentages. "
            "The p value is twice the smaller of that probability and 1 minus it.",
            "Collect all p values in a list and give them to `holm` together. A lead whose "
            "adjusted p value is below 0.05 is settled; the probability says who leads.",
        ),
        setup="from course_utils.evaluation.statistics import holm, probability_better",
        solution="""
def leaders(pairs):
    better = [probability_better(a / 100, problems, b / 100) for a, b, problems in pairs]
    adjusted = holm([2 * min(p, 1 - p) for p in better])
    return [
        "cannot tell" if q >= 0.05 else "A" if p > 0.5 else "B"
        for p, q in zip(better, adjusted, strict=True)
    ]
""",
        difficulty=3,
        importance=4,
        minutes=10,
    ),
    Exercise(
        id="09.stored",
        title="What is stored, and what is read for one token?",
        answer="stored_and_read",
        check=_check_stored_and_read,
        right="A mixture of experts keeps everything at hand, and reads little of it per token.",
        hints=(
            "Every parameter is stored, whether a token uses it or not.",
            "Parameters times bits, divided by 8, gives bytes. A gigabyte is 1e9 bytes.",
        ),
        solution="""
def stored_and_read(parameters, active_parameters, bits):
    gigabytes_per_parameter = bits / 8 / 1e9
    return parameters * gigabytes_per_parameter, active_parameters * gigabytes_per_parameter
""",
        difficulty=2,
        importance=3,
        minutes=6,
    ),
    Exercise(
        id="09.false_if",
        title="Which finding would show that reinforcement learning does not replace size?",
        answer="false_if",
        check=_check_false_if,
        right="If training could stand in for size, more of it would close the gap.",
        hints=(
            "Which finding would you not expect if the claim were true?",
            "If more training can stand in for size, what happens to a small model that gets more "
            "and more of it?",
        ),
        solution='false_if = "three sizes, ever more training for small ones, a gap that stays"',
        difficulty=2,
        importance=4,
        minutes=4,
    ),
    Exercise(
        id="09.verdict",
        title="Will QwQ-32B have an impact on R1?",
        answer="my_verdict",
        check=_check_verdict,
        right=(
            "All three parts are there. No program can tell whether the verdict is fair: read it "
            "to someone who disagrees."
        ),
        hints=(
            "Say first what you mean by *impact*: higher scores, cheaper use, or other models "
            "that follow.",
            "One sentence for a number and who published it, one for what you cannot know, one "
            "that begins: I would change my mind if.",
        ),
        solution='''
my_verdict = """
By impact I mean that people choose QwQ-32B where they would have taken R1. On scores alone I see
no reason to: the Qwen team reports 79.5 against 79.8 on AIME 2024, and when Prime Intellect
measured both models, each led on two of four benchmarks. Each of those differences is within the
noise. Memory is a reason: 32.8 against 671 billion parameters, counted from both config files.
Neither the announcement nor the card says how much of QwQ-32B's score comes from reinforcement
learning. I would change my mind if a paired comparison on a thousand new problems showed a gap
of more than five points.
"""
''',
        difficulty=3,
        importance=5,
        minutes=15,
    ),
]
