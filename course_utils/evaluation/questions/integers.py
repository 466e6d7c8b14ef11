"""Can the model work out a whole number? From sums to competition problems.

Levels 1 and 2 are the nano models' own tasks, with pairs of numbers that are kept out of their
training.  Levels 3 to 5 are in the style of AIME: the answer is a whole number from 0 to 999, and
the wording and numbers are drawn afresh, so no model can have seen them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import comb, gcd
from random import Random

from course_utils.engines.protocol import Reply
from course_utils.evaluation.graders import Grade, extract_boxed, final_part, grade_integer
from course_utils.nano.tasks import make_problem

LEVELS = 5

BOX = "Please reason step by step, and put your final answer within \\boxed{}."
"""The sentence that QwQ's card asks for: https://huggingface.co/Qwen/QwQ-32B, usage guidelines."""

HIGHEST = 9999


def make(random: Random, level: int) -> tuple[str, dict]:
    """Draw a question of this level, 1 to 5: its prompt and its key."""
    if level <= 2:
        task = "addition" if level == 1 else random.choice(("subtraction", "story"))
        problem = make_problem(random, task, "en", 3, testing=True)
        return problem.question, {"answer": problem.answer, "box": False}
    while True:
        question, answer = random.choice(_PROBLEMS[level])(random)
        if 0 <= answer <= 999:
            return f"{question} {BOX}", {"answer": answer, "box": True}


def grade(key: dict, reply: str | Reply, sandbox=None) -> Grade:
    """The boxed number counts; where no box was asked for, an answer's only number does too."""
    if not key["box"] and extract_boxed(final_part(reply)) is None:
        words = final_part(reply).split()
        numbers = [word.strip(".,:;!?=") for word in words if any(map(str.isdigit, word))]
        if len(numbers) != 1:
            return Grade(False, None, f"{len(numbers)} numbers in place of one")
        reply = f"\\boxed{{{numbers[0]}}}"
    return grade_integer(reply, key["answer"], highest=HIGHEST)


def _remainder(random: Random) -> tuple[str, int]:
    base, power = random.randint(2, 12), random.randint(15, 60)
    modulus = random.randint(50, 999)
    text = f"What is the remainder when ${base}^{{{power}}}$ is divided by {modulus}?"
    return text, pow(base, power, modulus)


def _multiples(random: Random) -> tuple[str, int]:
    a, b = random.sample(range(3, 15), 2)
    limit = random.randint(300, 1500)
    text = f"How many positive integers up to {limit} are divisible by {a} or by {b}, but not both?"
    return text, sum((n % a == 0) != (n % b == 0) for n in range(1, limit + 1))


def _digit_sum(random: Random) -> tuple[str, int]:
    total, divisor = random.randint(5, 20), random.randint(2, 9)
    text = (
        f"How many three-digit positive integers have the digit sum {total} "
        f"and are divisible by {divisor}?"
    )
    found = (n for n in range(100, 1000) if n % divisor == 0 and sum(map(int, str(n))) == total)
    return text, sum(1 for _ in found)


def _recurrence(random: Random) -> tuple[str, int]:
    a, b = random.randint(1, 5), random.randint(1, 5)
    p, q, n = random.randint(1, 4), random.randint(1, 4), random.randint(12, 30)
    text = (
        f"A sequence has $a_1={a}$, $a_2={b}$ and $a_{{n}}={p}a_{{n-1}}+{q}a_{{n-2}}$ for $n>2$. "
        f"Find the remainder when $a_{{{n}}}$ is divided by 1000."
    )
    x, y = a, b
    for _ in range(n - 2):
        x, y = y, p * y + q * x
    return text, y % 1000


def _paths(random: Random) -> tuple[str, int]:
    width, height = random.randint(4, 7), random.randint(4, 7)
    x, y = random.randint(1, width - 1), random.randint(1, height - 1)
    text = (
        f"A path goes from $(0,0)$ to $({width},{height})$ in steps of one unit right or up. "
        f"How many such paths do not pass through $({x},{y})$?"
    )
    through = comb(x + y, x) * comb(width + height - x - y, width - x)
    return text, comb(width + height, width) - through


def _words(random: Random) -> tuple[str, int]:
    length, run = random.randint(6, 9), random.randint(2, 3)
    letter = random.choice("ABC")
    text = (
        f"How many words of {length} letters from A, B and C have no {run} letters {letter} in a "
        "row? Give the remainder when this number is divided by 1000."
    )
    words = ("".join(word) for word in product("ABC", repeat=length))
    return text, sum(letter * run not in word for word in words) % 1000


def _fraction(random: Random) -> tuple[str, int]:
    sides, rolls = random.randint(5, 9), random.randint(2, 3)
    target = random.randint(rolls + 2, rolls * sides - 1)
    text = (
        f"A fair die with faces 1 to {sides} is rolled {rolls} times. The probability that the sum "
        f"is at least {target} is $\\frac{{m}}{{n}}$ in lowest terms. Find $m+n$."
    )
    faces = range(1, sides + 1)
    hits = sum(sum(roll) >= target for roll in product(faces, repeat=rolls))
    total = sides**rolls
    return text, (hits + total) // gcd(hits, total)


def _least(random: Random) -> tuple[str, int]:
    moduli = random.sample((5, 7, 8, 9, 11, 13), 3)
    rests = [random.randrange(m) for m in moduli]
    conditions = ", ".join(f"{r} when divided by {m}" for r, m in zip(rests, moduli, strict=True))
    text = f"Find the least positive integer that leaves the remainders {conditions}."
    n = 1
    while any(n % m != r for m, r in zip(moduli, rests, strict=True)):
        n += 1
    return text, n


def _subsets(random: Random) -> tuple[str, int]:
    top, divisor = random.randint(9, 13), random.randint(3, 7)
    rest = random.randrange(divisor)
    text = (
        f"How many subsets of $\\{{1,2,\\dots,{top}\\}}$ with no two consecutive members have a "
        f"sum that leaves the remainder {rest} when divided by {divisor}? The empty set has the "
        "sum 0."
    )
    count = 0
    for mask in range(2**top):
        if not mask & mask >> 1:
            count += sum(i + 1 for i in range(top) if mask >> i & 1) % divisor == rest
    return text, count


def _divisors(random: Random) -> tuple[str, int]:
    number = 2 ** random.randint(3, 6) * 3 ** random.randint(2, 4) * 5 ** random.randint(1, 2)
    factor = random.choice((6, 10, 12, 15, 18))
    text = f"How many positive divisors of {number} are multiples of {factor} but not squares?"
    divisors = (d for d in range(factor, number + 1, factor) if number % d == 0)
    return text, sum(round(d**0.5) ** 2 != d for d in divisors)


_PROBLEMS: dict[int, tuple[Callable[[Random], tuple[str, int]], ...]] = {
    3: (_remainder, _multiples, _digit_sum),
    4: (_recurrence, _paths, _divisors),
    5: (_words, _fraction, _least, _subsets),
}
