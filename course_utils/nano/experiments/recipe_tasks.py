"""What is QwQ's recipe trained on, at nano scale? Sums, small programs, and instructions.

Maths: sums of two-digit numbers.  Code: "Write f(x): add 3, times 2.", judged by hidden tests.
General: answer a small sum in words, in Chinese or in brackets; say what a text tells and admit
what it does not; reply to small talk.  For each the base corpus holds a right way and several
wrong ones, as the web does, in the shares below.  One question in eight is kept for the exam.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from course_utils.nano import tasks
from course_utils.nano.experiments import sums, talk
from course_utils.nano.tokenizer import END, END_OF_TEXT, END_THINK, render, split_reply
from course_utils.sandbox import Case

Area = Literal["maths", "code", "general"]
Kind = Literal["maths", "code", "words", "chinese", "brackets", "fact", "talk"]

AREAS: dict[Area, tuple[Kind, ...]] = {
    "maths": ("maths",),
    "code": ("code",),
    "general": ("words", "chinese", "brackets", "fact", "talk"),
}
SHARES: dict[Area, float] = {"maths": 0.3, "code": 0.3, "general": 0.4}
"""Shares of the areas in the base corpus; an area's kinds share equally."""

CAREFUL, SLOPPY = 0.25, 0.45
"""Shares of worked solutions, right and with the usual slip; the rest is blurted out.

The slips: a sum forgets its carries, a program its brackets.
"""
OBEYED = 0.35
"""Share of instructions that the base corpus shows followed."""

MAX_TOKENS = 72
"""Room for a reply: the longest right ones, programs of three steps, take about 60."""

WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen", "twenty"),
)
DIGITS = "零一二三四五六七八九"
ASKED = {
    "words": ("{}=? In words.", "Say {} in words."),
    "chinese": ("{}=? In Chinese.", "Say {} in Chinese."),
    "brackets": ("{}=? In brackets.", "Put {} in brackets."),
}
THINGS = ("apples", "books", "coins", "shells")
UNKNOWN = "I do not know."
OPERATIONS = {"add": "+", "take": "-", "times": "*"}


@dataclass(frozen=True)
class Task:
    """A question of one kind.

    ``answer`` is a right reply's text: for maths a number, for code a program (one of many).
    ``cases`` are a program's hidden tests, ``steps`` its operations; ``numbers`` are those that
    are added; ``topic`` says what small talk is about.
    ``told_and_asked`` is the thought of who compares what a text tells with what is asked.
    """

    kind: Kind
    question: str
    answer: str
    numbers: tuple[int, int] = (0, 0)
    steps: tuple[tuple[str, int], ...] = ()
    cases: tuple[Case, ...] = ()
    topic: str = ""
    told_and_asked: str = ""
    function: str = "f"

    @property
    def area(self) -> Area:
        return self.kind if self.kind in ("maths", "code") else "general"


def chinese_number(number: int) -> str:
    """A number from 0 to 20 in Chinese."""
    if number < 10:
        return DIGITS[number]
    return ("二十" if number == 20 else "十") + (DIGITS[number % 10] if number % 10 else "")


def formatted(kind: Kind, number: int) -> str:
    """A number as an instruction wants it."""
    forms = {"words": WORDS.__getitem__, "chinese": chinese_number, "brackets": "[{}]".format}
    return forms[kind](number)


def expression(steps: tuple[tuple[str, int], ...], *, brackets: bool = True) -> list[str]:
    """The expression after each step; without ``brackets`` it is what a sloppy writer writes."""
    so_far, sum_open, lines = "x", False, []
    for operation, number in steps:
        if operation == "times" and sum_open and brackets:
            so_far = f"({so_far})"
        so_far += f"{OPERATIONS[operation]}{number}"
        sum_open = operation != "times"
        lines.append(so_far)
    return lines


def held_out(question: str) -> bool:
    """Is this question kept from all training? One in eight is."""
    return zlib.crc32(question.encode()) % 8 == 0


def draw(random: Random, kind: Kind, *, testing: bool = False) -> Task:
    """A task of one kind; ``testing`` asks for a held-out question, which training never draws."""
    if kind == "maths":
        problem = sums.problem(random, testing=testing)
        numbers = problem.first, problem.second
        return Task("maths", problem.question, str(problem.answer), numbers)
    make = {"code": _program, "fact": _fact, "talk": _talk}.get(kind, _format)
    while True:
        task = make(random, kind)
        if held_out(task.question) == testing:
            return task


def draw_from(random: Random, shares: dict[Area, float]) -> Task:
    """A training task, its area by ``shares``, its kind evenly among the area's."""
    (area,) = random.choices(list(shares), list(shares.values()))
    return draw(random, random.choice(AREAS[area]))


def exam(kind: Kind, n: int, seed: int = 2026) -> list[Task]:
    """``n`` tasks that no model has trained on; small kinds repeat questions."""
    random = Random(f"recipe {kind} {seed}")
    return [draw(random, kind, testing=True) for _ in range(n)]


def _program(random: Random, kind: Kind) -> Task:
    names = list(OPERATIONS)
    steps = tuple(
        (random.choice(names), random.randint(2, 9)) for _ in range(random.choice((2, 3)))
    )
    written = ", ".join(f"{name} {number}" for name, number in steps)
    answer = expression(steps)[-1]
    cases = []
    for x in (1, -3, 7):
        value = x
        for name, number in steps:
            value = {"add": value + number, "take": value - number, "times": value * number}[name]
        cases.append(Case((x,), value))
    return Task("code", f"Write f(x): {written}.", program(answer), steps=steps, cases=tuple(cases))


def program(value: str) -> str:
    """A function that returns an expression."""
    return f"def f(x): return {value}"


def _format(random: Random, kind: Kind) -> Task:
    first = random.randint(1, 19)
    second = random.randint(1, 20 - first)
    question = random.choice(ASKED[kind]).format(f"{first}+{second}")
    return Task(kind, question, formatted(kind, first + second), (first, second))


def _fact(random: Random, kind: Kind) -> Task:
    number = random.randint(10, 99)
    told, other = random.sample(THINGS, 2)
    asked = random.choice((told, other))
    question = f"There are {number} {told}. How many {asked}?"
    answer = str(number) if asked == told else UNKNOWN
    thought = f"It has {told}, {asked}?"
    return Task("fact", question, answer, (number, 0), told_and_asked=thought)


def _talk(random: Random, kind: Kind) -> Task:
    topic = random.choice(list(talk.REMARKS))
    name, _ = random.choice(tasks.NAMES["en"])
    question = f"{random.choice(talk.REMARKS[topic])} It is {name}."
    return Task("talk", question, talk.good_reply(random, topic), topic=topic)


def careful(task: Task, random: Random) -> str:
    """A right reply to a task of maths or code, worked out: what a cold start reads."""
    thought, answer = _worked(task, random, "careful")
    return written(thought, answer)


def base_reply(task: Task, random: Random) -> str:
    """One of the ways in which the base corpus answers a task, right or wrong."""
    if task.area != "general":
        way = random.choices(
            ("careful", "sloppy", "blurted"), (CAREFUL, SLOPPY, 1 - CAREFUL - SLOPPY)
        )[0]
        return written(*_worked(task, random, way))
    if task.kind == "talk":
        way = random.choices(list(talk.BASE_WAYS), list(talk.BASE_WAYS.values()))[0]
        return written(talk.THOUGHTS[task.topic], talk.reply(random, way, task.topic))
    obeyed = random.random() < OBEYED
    first, second = task.numbers
    if task.kind == "fact":
        # Who does not look says the number that the text holds, whatever was asked.
        return written(task.told_and_asked if obeyed else "", task.answer if obeyed else str(first))
    other = random.choice([kind for kind in ASKED if kind != task.kind])
    plain = random.random() < 0.8
    wrong = str(first + second) if plain else formatted(other, first + second)
    return written(f"{first}+{second}={first + second}", task.answer if obeyed else wrong)


def written(thought: str, answer: str) -> str:
    """A whole reply, as it follows an opened ``<think>``."""
    opening = f"{thought}\n" if thought else ""
    return f"{opening}{END_THINK}\n\n{answer}{END}"


def document(random: Random) -> str:
    """A document of the base corpus: one task and one of the ways to answer it."""
    task = draw_from(random, SHARES)
    return render(task.question) + base_reply(task, random) + END_OF_TEXT


def _worked(task: Task, random: Random, way: tasks.Working) -> tuple[str, str]:
    if task.kind == "maths":
        first, second = task.numbers
        problem = tasks.Problem("addition", "en", task.question, first, "+", second)
        thought, result = tasks.think(problem, way, random)
        return thought, str(result)
    if way == "blurted":
        steps = tuple(
            (name, number + random.choice((0, 0, 0, 1, -1))) for name, number in task.steps
        )
        return "", program(expression(steps)[-1])
    lines = expression(task.steps, brackets=way == "careful")
    return "\n".join(lines), program(lines[-1])


def follows(task: Task, text: str) -> float:
    """The rule-based verifier of general instructions: 1 for an answer as asked, else 0.

    For small talk no rule is at hand in training; what is used here is the hidden standard by
    which its replies are graded in the exam, ``talk.is_good``.
    """
    answer = split_reply(text)[1]
    if not text.endswith(END):
        return 0.0
    if task.kind == "talk":
        return float(talk.is_good(answer, task.topic))
    return float(answer == task.answer)


def right(task: Task, text: str, code: Callable[[Task, str], float]) -> float:
    """1 if a task of any kind is solved: by its number, by its tests, or as the rules ask."""
    if task.kind == "maths":
        return float(text.endswith(END) and _one_number(split_reply(text)[1], int(task.answer)))
    return code(task, text) if task.kind == "code" else follows(task, text)


def _one_number(answer: str, number: int) -> bool:
    return tasks.verify(tasks.Problem("addition", "en", "", number, "+", 0), answer)
