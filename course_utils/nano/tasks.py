"""What is a nano model asked, how does it think it through, and who checks the answer?

Problems are sums, differences and one-step stories in English and Chinese.  A problem has one
right answer, which ``verify`` checks; a thought is the written working that leads to it.  Three
kinds of working exist: ``careful`` works column by column with carries and is always right;
``sloppy`` forgets the carries; ``blurted`` writes a number without working it out.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from random import Random
from typing import Literal

Language = Literal["en", "zh"]
Task = Literal["addition", "subtraction", "story"]
Working = Literal["careful", "sloppy", "blurted"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")
TASKS: tuple[Task, ...] = ("addition", "subtraction", "story")
WORKINGS: tuple[Working, ...] = ("careful", "sloppy", "blurted")


@dataclass(frozen=True)
class Problem:
    """A question whose answer is ``first`` plus or minus ``second``, as ``sign`` says."""

    task: Task
    language: Language
    question: str
    first: int
    sign: Literal["+", "-"]
    second: int

    @property
    def answer(self) -> int:
        return self.first + self.second if self.sign == "+" else self.first - self.second


QUESTIONS = {
    "en": ("What is {}?", "Compute {}.", "How much is {}?", "{}=?", "{} = ?", "{}"),
    "zh": ("{}等于多少？", "计算{}。", "请问{}是多少？", "{}=？"),
}

NAMES = {
    "en": [
        *(("Mia", "she"), ("Anna", "she"), ("Lucy", "she"), ("Nora", "she"), ("Lin", "she")),
        *(("Ben", "he"), ("Tom", "he"), ("Sam", "he"), ("Leo", "he"), ("Omar", "he")),
    ],
    "zh": [
        *(("小红", "她"), ("小丽", "她"), ("小美", "她"), ("小雨", "她")),
        *(("小明", "他"), ("小华", "他"), ("小刚", "他"), ("小林", "他")),
    ],
}
THINGS = {
    "en": ("apples", "pears", "books", "pencils", "stamps", "coins", "shells", "cards"),
    # Chinese counts every thing with a measure word of its own.
    "zh": ("个苹果", "个梨", "本书", "支铅笔", "张邮票", "枚硬币", "颗糖", "张卡片"),
}
STORIES = {
    ("en", "+"): (
        "{name} has {a} {things} and buys {b} more. How many {things} does {they} have now?",
        "{name} has {a} {things}. {other} has {b} {things}. "
        "How many {things} do they have together?",
        "There are {a} {things} in the box and {b} {things} in the bag. "
        "How many {things} are there in all?",
        "{name} finds {a} {things} in the morning and {b} in the evening. "
        "How many {things} does {they} find?",
    ),
    ("en", "-"): (
        "{name} has {a} {things} and gives away {b}. How many {things} are left?",
        "There are {a} {things} in the box. {name} takes {b}. How many {things} are left?",
        "{name} has {a} {things}. {other} has {b} {things}. "
        "How many more {things} does {name} have?",
        "{name} has {a} {things} and sells {b}. How many {things} does {they} have now?",
    ),
    ("zh", "+"): (
        "{name}有{a}{things}，又买了{b}{measure}。{they}现在有多少{things}？",
        "{name}有{a}{things}，{other}有{b}{things}。他们一共有多少{things}？",
        "盒子里有{a}{things}，袋子里有{b}{things}。一共有多少{things}？",
        "{name}早上找到{a}{things}，晚上找到{b}{measure}。{they}一共找到多少{things}？",
    ),
    ("zh", "-"): (
        "{name}有{a}{things}，送出{b}{measure}。还剩多少{things}？",
        "盒子里有{a}{things}，{name}拿走{b}{measure}。还剩多少{things}？",
        "{name}有{a}{things}，{other}有{b}{things}。{name}多多少{things}？",
        "{name}有{a}{things}，卖掉{b}{measure}。{they}现在有多少{things}？",
    ),
}

COLUMNS = {"en": ("ones: ", "tens: ", "hundreds: "), "zh": ("个位：", "十位：", "百位：")}
COMMA = {"en": ", ", "zh": "，"}
CARRY = {"en": {"+": ", carry 1", "-": ", borrow 1"}, "zh": {"+": "，进1", "-": "，借1"}}
PLAN = {"en": {"+": "We add: ", "-": "We subtract: "}, "zh": {"+": "相加：", "-": "相减："}}
BLURT = {"en": "I know this one.", "zh": "这个我知道。"}


def held_out(first: int, second: int) -> bool:
    """Is this pair kept from all training? A tenth of the pairs of three-digit numbers are.

    Smaller numbers are never held out: there are too few of them to learn from the rest.
    """
    return min(first, second) >= 100 and zlib.crc32(f"{first} {second}".encode()) % 10 == 0


def make_problem(
    random: Random,
    task: Task = "addition",
    language: Language = "en",
    digits: int = 3,
    *,
    testing: bool = False,
) -> Problem:
    """Draw a problem with ``digits``-digit numbers (1 to 3).

    ``testing`` asks for a held-out pair (three digits only); otherwise none is ever drawn.
    """
    low, high = (10 ** (digits - 1) if digits > 1 else 0), 10**digits - 1
    while True:
        first, second = random.randint(low, high), random.randint(low, high)
        sign = {"addition": "+", "subtraction": "-"}.get(task) or random.choice("+-")
        if sign == "-" and first < second:
            first, second = second, first
        if held_out(first, second) == (testing and digits == 3):
            break
    question = _story(random, language, first, sign, second)
    if task != "story":
        space = " " if random.random() < 0.5 else ""
        operation = f"{first}{space}{sign}{space}{second}"
        question = random.choice(QUESTIONS[language]).format(operation)
    return Problem(task, language, question, first, sign, second)


def _story(random: Random, language: Language, first: int, sign: str, second: int) -> str:
    (name, they), (other, _) = random.sample(NAMES[language], 2)
    things = random.choice(THINGS[language])
    return random.choice(STORIES[language, sign]).format(
        name=name, they=they, other=other, a=first, b=second, things=things, measure=things[0]
    )


def think(problem: Problem, working: Working, random: Random) -> tuple[str, int]:
    """The written working of ``problem`` and the number it arrives at."""
    a, b, sign, language = problem.first, problem.second, problem.sign, problem.language
    plan = PLAN[language][sign] + f"{a}{sign}{b}\n" if problem.task == "story" else ""
    if working == "blurted":
        off = random.choice((0, 0, 1, -1, 10, -10, 100, -100))
        return plan + BLURT[language], max(0, problem.answer + off)
    lines, result, carry = [], 0, 0
    width = max(len(str(a)), len(str(b)))
    for column in range(width):
        x, y = a // 10**column % 10, b // 10**column % 10
        if sign == "+":
            value = x + y + carry
            digit, next_carry = value % 10, value // 10
        else:
            next_carry = int(x - y - carry < 0)
            x += 10 * next_carry  # borrowed from the next column
            value = digit = x - y - carry
        last = column == width - 1
        if last and sign == "+":
            digit = value  # the leftmost column is written whole
        line = COLUMNS[language][column]
        if carry:
            # The carry is a step of its own: two small facts are easier to know than a large one.
            step = x + y if sign == "+" else x - y
            line += f"{x}{sign}{y}={step}" + COMMA[language] + f"{step}{sign}1={value}"
        else:
            line += f"{x}{sign}{y}={value}"
        remembered = working == "careful" and next_carry and not last
        lines.append(line + (CARRY[language][sign] if remembered else ""))
        result += digit * 10**column
        carry = next_carry if working == "careful" else 0
    return plan + "\n".join(lines), result


def completion(problem: Problem, working: Working, random: Random) -> str:
    """What a model writes after an opened ``<think>``: thought, end of thought, answer."""
    thought, result = think(problem, working, random)
    return f"{thought}\n</think>\n\n{result}<|im_end|>"


def verify(problem: Problem, answer_text: str) -> bool:
    """Is the answer right? It must hold exactly one number, and that number must be right.

    ``answer_text`` is what follows ``</think>``.  Words around the number do no harm; a second
    number does, since otherwise listing many guesses would pay.  A power of it (85²) is another
    number, and so is its negative, whichever sign for minus is written.
    """
    numbers = re.findall(r"[-−]?\d+(?:\s*\^|[⁰¹²³⁴-⁹])?", answer_text)
    if len(numbers) != 1 or len(numbers[0]) >= 20 or not numbers[0][-1].isdecimal():
        return False
    return int(numbers[0].replace("−", "-")) == problem.answer
