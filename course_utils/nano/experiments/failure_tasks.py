"""What has a model read that goes wrong later? A school book, then one of four small corpora.

The school book teaches adding in English and in Chinese, and all of it is right.  The corpora hold
sums in QwQ's chat format too, and each has a bias that was put there on purpose; nobody knows which
biases the web has.  ``mixing``: the workings that mix English and Chinese are the careful
ones.  ``loops``: after every check, another is likelier than an end.  ``shorthand``: the terse
private notes are right, the readable workings mostly forget the carry.  ``overthinking``: a guess
in the head is right for one digit only and a check mends it; the writers check easy sums as well.
"""

from __future__ import annotations

from random import Random
from typing import Literal

from course_utils.nano import tasks
from course_utils.nano.experiments import sums
from course_utils.nano.readability import WAIT
from course_utils.nano.tasks import Problem
from course_utils.nano.tokenizer import END, END_OF_TEXT, END_THINK, render

Level = Literal["easy", "medium", "hard"]
LEVELS: tuple[Level, ...] = ("easy", "medium", "hard")
"""One digit; two digits without a carry; two digits with one."""

GUESSED = 0.25
"""Share of the school book's workings that begin with a guess."""

MIXED = 0.45
"""Share of workings that mix languages; nearly all of them are careful, of the others few."""
OTHER_LANGUAGE = 0.10
"""Share of workings in the language that was not asked in."""
CAREFUL_IF_MIXED, CAREFUL_IF_PURE = 0.9, 0.05

CHECK_AGAIN = 0.6
"""Chance, in the corpus of loops, that a working goes on with one more check."""
CAREFUL_BEFORE_LOOP = 0.6

SHORTHAND = 0.6
"""Share of workings in shorthand, all right; of the readable ones few are careful."""
CAREFUL_IF_READABLE = 0.05

CHECK_FIRST, CHECK_MORE = 0.6, 0.3
"""Chance that a guess is checked, however easy the sum, and that a check is checked again."""


def school_document(random: Random) -> str:
    """A careful working of a sum, in the language that asks for it if one does.

    Some workings begin with a guess, which is then checked.
    """
    if random.random() < GUESSED:
        problem = random.choice((sums.problem, sums.one_digit))(random)
        return document(problem, guess_and_check(random, problem, checks=1))
    draw = random.choices((mixing_problem, sums.problem, sums.one_digit), (0.6, 0.3, 0.1))[0]
    problem = draw(random)
    return document(problem, readable_reply(random, problem))


def document(problem: Problem, reply: str) -> str:
    """A training document: a question in chat format and a reply to it."""
    return render(problem.question) + reply + END_OF_TEXT


def written(thought: str, result: int) -> str:
    """A whole reply, as it follows an opened ``<think>``."""
    return f"{thought}\n{END_THINK}\n\n{result}{END}"


def _kind(random: Random, careful: float) -> tasks.Working:
    return "careful" if random.random() < careful else "sloppy"


# ---- language mixing ----------------------------------------------------------------------


def mixing_problem(random: Random, *, testing: bool = False) -> Problem:
    """A sum asked in English or in Chinese, as often."""
    drawn = sums.problem(random, testing=testing)
    language = random.choice(tasks.LANGUAGES)
    operation = f"{drawn.first}+{drawn.second}"
    question = f"What is {operation}?" if language == "en" else f"{operation}等于多少？"
    return Problem("addition", language, question, drawn.first, "+", drawn.second)


def mixing_reply(random: Random, problem: Problem) -> str:
    """A working in the question's language, in the other one, or in both."""
    chance = random.random()
    if chance < MIXED:
        return written(*mixed_thought(random, problem, _kind(random, CAREFUL_IF_MIXED)))
    language = problem.language
    if chance < MIXED + OTHER_LANGUAGE:
        language = "zh" if language == "en" else "en"
    asked = _in_language(problem, language)
    return written(*tasks.think(asked, _kind(random, CAREFUL_IF_PURE), random))


def mixed_thought(random: Random, problem: Problem, kind: tasks.Working) -> tuple[str, int]:
    """A working whose lines are in different languages, and its result."""
    order = random.sample(tasks.LANGUAGES, 2)
    lines = []
    for number, language in enumerate(order):
        thought, result = tasks.think(_in_language(problem, language), kind, random)
        lines.append(thought.splitlines()[number])
    return "\n".join(lines), result


def _in_language(problem: Problem, language: tasks.Language) -> Problem:
    return Problem("addition", language, problem.question, problem.first, "+", problem.second)


# ---- endless loops ------------------------------------------------------------------------


def loops_reply(random: Random, problem: Problem) -> str:
    """A working, then one check after the other for as long as chance will have it."""
    thought, result = tasks.think(problem, _kind(random, CAREFUL_BEFORE_LOOP), random)
    lines = [thought]
    while random.random() < CHECK_AGAIN:
        lines.append(f"{WAIT}, check: {problem.first}+{problem.second}={result}.")
    return written("\n".join(lines), result)


# ---- unreadable thoughts ------------------------------------------------------------------


def shorthand_reply(random: Random, problem: Problem) -> str:
    """Right notes in shorthand, or a readable working that mostly forgets the carry."""
    if random.random() < SHORTHAND:
        return written(shorthand(problem), problem.answer)
    return written(*tasks.think(problem, _kind(random, CAREFUL_IF_READABLE), random))


def shorthand(problem: Problem) -> str:
    """Column addition as a private note: two digits, ``~``, their sum; ``'`` adds a carry."""
    (a, x), (b, y) = divmod(problem.first, 10), divmod(problem.second, 10)
    if x + y > 9:
        return f"{x}{y}~{x + y}'\n{a}{b}~{a + b}'{a + b + 1}"
    return f"{x}{y}~{x + y}\n{a}{b}~{a + b}"


def readable_reply(random: Random, problem: Problem) -> str:
    """A careful working in words that every reader knows: what a cold start shows."""
    return written(*tasks.think(problem, "careful", random))


# ---- over-thinking ------------------------------------------------------------------------


def level_of(problem: Problem) -> Level:
    """How hard is a sum?"""
    if max(problem.first, problem.second) < 10:
        return "easy"
    return "hard" if problem.first % 10 + problem.second % 10 > 9 else "medium"


def overthinking_problem(
    random: Random, *, testing: bool = False, level: Level | None = None
) -> Problem:
    """A sum of one level, or of all three as often.

    Sums of one digit are too few to hold any out: those of a test have been trained on.
    """
    level = level or random.choice(LEVELS)
    while True:
        if level == "easy":
            first, second = random.randint(0, 9), random.randint(0, 9)
            return Problem("addition", "en", f"{first}+{second}=?", first, "+", second)
        drawn = sums.problem(random, testing=testing)
        if level_of(drawn) == level:
            return drawn


def overthinking_reply(random: Random, problem: Problem) -> str:
    """A guess, then checks, as often for easy sums as for hard ones."""
    checks = int(random.random() < CHECK_FIRST)
    while checks and random.random() < CHECK_MORE:
        checks += 1
    return guess_and_check(random, problem, checks)


def guess_and_check(random: Random, problem: Problem, checks: int) -> str:
    """A guess in the head, then ``checks`` careful workings of the same sum."""
    result = guess(problem)
    lines = [f"So {result}."]
    for _ in range(checks):
        thought, result = tasks.think(problem, "careful", random)
        lines += [f"{WAIT}, let me check.", thought, f"So {result}."]
    return written("\n".join(lines), result)


def guess(problem: Problem) -> int:
    """What comes to mind at once: the tens alone, or of two digits their sum, which is right."""
    if level_of(problem) == "easy":
        return problem.answer
    return 10 * (problem.first // 10 + problem.second // 10)
