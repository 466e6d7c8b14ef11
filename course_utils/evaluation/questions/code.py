"""Can the model write a function that passes tests it has not seen?

The rules of each problem have numbers in them that are drawn afresh, so a remembered solution to
a well-known problem fails.  The tests are hidden and run in the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from course_utils.engines.protocol import Reply
from course_utils.evaluation.graders import Grade, extract_code
from course_utils.sandbox import Case, Sandbox, run_code

LEVELS = 4
CASES = 8

ASK = (
    "Write a Python function `solve({arguments})` that {task} Use plain Python without imports. "
    "Answer with the function in one ```python code block."
)


@dataclass(frozen=True)
class _Problem:
    """``task`` has places for the numbers; ``solution`` takes them after the arguments."""

    arguments: str
    task: str
    solution: Callable[..., object]
    numbers: Callable[[Random], tuple[int, ...]]
    inputs: Callable[[Random], tuple]


def make(random: Random, level: int) -> tuple[str, dict]:
    """Draw a question of this level, 1 to 4: its prompt and its key (the hidden tests)."""
    problem = random.choice(_PROBLEMS[level])
    numbers = problem.numbers(random)
    prompt = ASK.format(arguments=problem.arguments, task=problem.task.format(*numbers))
    cases = []
    for _ in range(CASES):
        arguments = problem.inputs(random)
        cases.append([list(arguments), problem.solution(*arguments, *numbers)])
    return prompt, {"cases": cases}


def grade(key: dict, reply: str | Reply, sandbox: Sandbox | None = None) -> Grade:
    """Run the reply's last code block against the hidden tests."""
    code = extract_code(reply)
    if code is None:
        return Grade(False, None, "no code block in the answer")
    cases = [Case(tuple(arguments), expected) for arguments, expected in key["cases"]]
    result = sandbox.run(code, cases) if sandbox else run_code(code, cases)
    if result:
        return Grade(True, code, f"passed {result.passed} tests")
    return Grade(False, code, f"{result.verdict}: {result.message}")


def _sum_of_multiples(values: list[int], divisor: int, excluded: int) -> int:
    return sum(value for value in values if value % divisor == 0 and value % excluded)


def _every_nth(text: str, step: int, first: int) -> str:
    return text[first - 1 :: step]


def _count_between(values: list[int], low: int, high: int) -> int:
    return sum(low <= value <= high for value in values)


def _longest_run(values: list[int], least: int, most: int) -> int:
    best = current = 1 if values else 0
    for before, after in pairwise(values):
        current = current + 1 if least <= abs(after - before) <= most else 1
        best = max(best, current)
    return best


def _shift_vowels(text: str, places: int, reach: int) -> str:
    vowels = "aeiou"
    return "".join(
        vowels[(vowels.index(letter) + places) % 5]
        if letter in vowels and position < reach
        else letter
        for position, letter in enumerate(text)
    )


def _ways_to_climb(steps: int, small: int, large: int, broken: int) -> int:
    ways = [1] + [0] * steps
    for step in range(1, steps + 1):
        if step % broken:
            ways[step] = sum(ways[step - jump] for jump in (small, large) if jump <= step)
    return ways[steps]


def _best_without_neighbours(values: list[int], gap: int, least: int) -> int:
    best = [0] * (len(values) + 1)
    for index, value in enumerate(values):
        taken = value + best[max(0, index - gap)] if value >= least else 0
        best[index + 1] = max(best[index], taken)
    return best[-1]


def _cheapest_path(grid: list[list[int]], down: int, right: int) -> int:
    costs: list[int] = []
    for row_number, row in enumerate(grid):
        line: list[int] = []
        for column, cost in enumerate(row):
            ways = []
            if row_number:
                ways.append(costs[column] + down)
            if column:
                ways.append(line[column - 1] + right)
            line.append(cost + (min(ways) if ways else 0))
        costs = line
    return costs[-1]


def _numbers(random: Random) -> tuple[list[int]]:
    return ([random.randint(-30, 60) for _ in range(random.randint(0, 14))],)


def _some_numbers(random: Random) -> tuple[list[int]]:
    return ([random.randint(1, 40) for _ in range(random.randint(1, 12))],)


def _walk(random: Random) -> tuple[list[int]]:
    values = [random.randint(0, 9)]
    for _ in range(random.randint(0, 14)):
        values.append(values[-1] + random.choice((-1, 1)) * random.choice((0, 2, 5, 12, 35)))
    return (values,)


def _text(random: Random) -> tuple[str]:
    return ("".join(random.choice("abcdeiourst ") for _ in range(random.randint(0, 24))),)


def _grid(random: Random) -> tuple[list[list[int]]]:
    rows, columns = random.randint(1, 5), random.randint(1, 5)
    return ([[random.randint(0, 9) for _ in range(columns)] for _ in range(rows)],)


_PROBLEMS: dict[int, tuple[_Problem, ...]] = {
    1: (
        _Problem(
            "values",
            "returns the sum of the whole numbers in the list `values` that {0} divides and {1} "
            "does not divide.",
            _sum_of_multiples,
            lambda random: (random.randint(2, 5), random.randint(7, 15)),
            _numbers,
        ),
        _Problem(
            "text",
            "returns every {0}th character of `text`, beginning with character number {1} "
            "(the first is number 1), joined in order.",
            _every_nth,
            lambda random: (random.randint(4, 7), random.randint(1, 4)),
            _text,
        ),
        _Problem(
            "values",
            "returns how many numbers in the list `values` are at least {0} and at most {1}.",
            _count_between,
            lambda random: (random.randint(-20, 10), random.randint(11, 50)),
            _numbers,
        ),
    ),
    2: (
        _Problem(
            "values",
            "returns the length of the longest stretch of neighbours in the list `values` in which "
            "each number differs from the one before it by at least {0} and at most {1}. A single "
            "number is a stretch of length 1, and an empty list gives 0.",
            _longest_run,
            lambda random: (random.randint(0, 3), random.randint(4, 30)),
            _walk,
        ),
        _Problem(
            "text",
            "replaces each small vowel among the first {1} characters of `text` by the vowel {0} "
            "places later in the order a, e, i, o, u, going round, and leaves all else as it is. "
            "It returns the new text.",
            _shift_vowels,
            lambda random: (random.randint(1, 4), random.randint(3, 20)),
            _text,
        ),
    ),
    3: (
        _Problem(
            "steps",
            "returns in how many ways one can climb from step 0 to step `steps` with jumps of {0} "
            "or {1} steps, never landing on a step that {2} divides. You may start on step 0.",
            _ways_to_climb,
            lambda random: (random.randint(1, 2), random.randint(3, 6), random.randint(5, 30)),
            lambda random: (random.randint(1, 30),),
        ),
    ),
    4: (
        _Problem(
            "values",
            "returns the largest sum of numbers chosen from the list `values` such that between "
            "any two chosen ones lie at least {0} others, and none of them is below {1}. Choosing "
            "none gives 0.",
            _best_without_neighbours,
            lambda random: (random.randint(2, 4), random.randint(2, 25)),
            _some_numbers,
        ),
        _Problem(
            "grid",
            "returns the least cost of going from the top left to the bottom right cell of `grid`, "
            "a list of rows, moving right or down. A path costs the sum of the numbers in its "
            "cells, first and last included, and {0} more for each move down and {1} more for "
            "each move right.",
            _cheapest_path,
            lambda random: (random.randint(1, 12), random.randint(1, 12)),
            _grid,
        ),
    ),
}
