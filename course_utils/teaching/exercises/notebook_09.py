"""Which exercises does notebook 09, the weighing of the claims, ask?"""

from __future__ import annotations

import re

from course_utils.evaluation.statistics import probability_better
from course_utils.teaching.exercises.compare import compare_choice, compare_number
from course_utils.teaching.exercises.declaration import Exercise


def _check_apart(answer) -> str | None:
    for a, b, problems in ((79.5, 79.8, 30), (66.4, 60.3, 541), (50, 50, 30)):
        off = compare_number(answer(a, b, problems), abs(a - b) / 100 * problems, relative=1e-6)
        if off:
            return f"For {a} against {b} on {problems} problems: {off}"
    return None


def _check_leader(answer) -> str | None:
    cases = ((79.5, 79.8, 30), (79.5, 63.6, 30), (63.4, 53.8, 279), (53.8, 63.4, 279))
    for a, b, problems in cases:
        chance = probability_better(a / 100, problems, b / 100)
        wanted = "A" if chance >= 0.95 else "B" if chance <= 0.05 else "undecided"
        given = answer(a, b, problems)
        if given not in ("A", "B", "undecided"):
            return f'The answer is one of "A", "B" and "undecided", not {given!r}.'
        if given != wanted:
            why = {
                "A": "The probability that A is better is 0.95 or more there.",
                "B": "A probability of 0.05 or less that A is better speaks for B.",
                "undecided": f"The probability that A is better is {chance:.2f} there.",
            }[wanted]
            return f"For {a} against {b} on {problems} problems you say {given!r}. {why}"
    return None


def _check_stored_and_read(answer) -> str | None:
    for total, active, bits in ((671e9, 37e9, 4), (32.8e9, 32.0e9, 8), (30e9, 3e9, 16)):
        given = answer(total, active, bits)
        if not isinstance(given, tuple | list) or len(given) != 2:
            return "Return two numbers: the gigabytes stored and the gigabytes read for a token."
        for name, value, parameters in zip(("stored", "read"), given, (total, active), strict=True):
            off = compare_number(value, parameters * bits / 8 / 1e9, relative=1e-6)
            if off:
                return f"Gigabytes {name}, for {parameters / 1e9:g} billion at {bits} bits: {off}"
    return None


def _check_false_if(answer) -> str | None:
    return compare_choice(
        answer,
        "three sizes, equal training, a gap that stays",
        {
            "one large model that scores higher": (
                "Larger models that score higher exist whether the claim is true or not. What "
                "would the small one have scored with more reinforcement learning?"
            ),
            "one small model that scores higher": (
                "That would speak for the claim, not against it, and one model is no law."
            ),
            "an expert who doubts it": (
                "A doubt is not a measurement. The claim can be true in spite of it."
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


def _check_verdict(answer) -> str | None:
    if not isinstance(answer, str):
        return "A verdict is a text: put it between three quotation marks."
    words = len(answer.split())
    if words < 30:
        return f"That is {words} words. Take three or four sentences: a number, a doubt, a test."
    missing = [part for part, found in rubric(answer).items() if not found]
    if missing:
        return (
            f"{3 - len(missing)} of 3 parts are found. Not found: a sentence that "
            f"{'; one that '.join(missing)}. If it is there in other words, you are the judge."
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
        answer="leader",
        check=_check_leader,
        right="Even 79.5 against 63.6 stays undecided on 30 problems, by this strict measure.",
        hints=(
            "`probability_better(share_a, problems, share_b)` takes shares, not percentages.",
            "0.95 and more speaks for A. Which probability speaks as strongly for B?",
        ),
        setup="from course_utils.evaluation.statistics import probability_better",
        solution="""
def leader(score_a, score_b, problems):
    chance = probability_better(score_a / 100, problems, score_b / 100)
    if chance >= 0.95:
        return "A"
    return "B" if chance <= 0.05 else "undecided"
""",
        difficulty=3,
        importance=4,
        minutes=8,
    ),
    Exercise(
        id="09.stored",
        title="What is stored, and what is read for one token?",
        answer="stored_and_read",
        check=_check_stored_and_read,
        right="A mixture of experts keeps everything at hand, and reads little of it per token.",
        hints=(
            "Every parameter is stored, whether a token uses it or not.",
            "Parameters times bits, divided by 8, are bytes. A gigabyte is 1e9 bytes.",
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
        right="A claim on what scaling does needs several scales, and one thing changed at a time.",
        hints=(
            "Which finding would you not expect if the claim were true?",
            "One model cannot tell apart its size, its data and its training.",
        ),
        solution='false_if = "three sizes, equal training, a gap that stays"',
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
            "All three parts are there. Whether the verdict is fair, no program can tell: read it "
            "to someone who disagrees."
        ),
        hints=(
            "Say first what *impact* is to mean: higher scores, cheaper use, or other models "
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
How much of it comes from reinforcement learning, neither the announcement nor the card says. I
would change my mind if a paired comparison on a thousand new problems showed a gap of more
than five points.
"""
''',
        difficulty=3,
        importance=5,
        minutes=15,
    ),
]
