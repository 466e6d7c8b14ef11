"""What do the base models of the chains read? Single turns, and questions with right answers.

A quarter of the rows are pages of single turns.  The rest are questions: seven in ten have one to
three turns, and of these more than half are worked, mostly because the question asks for it.
Longer chains have the bare answer, as on most pages of the web: more than three turns are never
seen one after the other.

Token numbers are put together here without the tokenizer: some twenty times as fast, with the same
result (a test compares them).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

import torch
from torch import Tensor

from course_utils.nano.experiments.chains_task import REQUEST, ROWS, Chain, draw
from course_utils.nano.tokenizer import END, END_OF_TEXT, END_THINK, load, render

ROW = 128
"""Tokens in a row that is trained on."""


@dataclass(frozen=True)
class Reading:
    """What is read: ``pages`` is the share of rows that begin with a page of single turns.

    Of the questions ``short`` is the share of one to three turns; the rest have four to eight.  Of
    the short ones, ``asked`` ask for the working and have it; of the others of them, ``worked``
    have it all the same.  Without ``questions`` only replies are predicted: the numbers of a
    question cannot be known.
    """

    pages: float = 0.25
    short: float = 0.7
    asked: float = 0.5
    worked: float = 0.2
    questions: bool = False


@cache
def spelling() -> tuple[dict[str, int], dict[str, list[int]]]:
    """Token numbers of single characters, and of the fixed parts of a document."""
    tokenizer = load()

    def ids(text: str) -> list[int]:
        return tokenizer.encode(text).ids

    letters = {letter: ids(letter)[0] for letter in "0123456789+=_"}
    letters["\n"] = ids("1\n2")[1]
    before, after = render("1").split("1")
    end = ids(END)
    return letters, {
        "open": ids(before),
        "request": ids(REQUEST + "1")[:-1],
        "think": ids("1=?" + after)[1:],
        "done": ids(f"1\n{END_THINK}\n\n2")[1:-1],
        "at once": ids(f"{END_THINK}\n\n2")[:-1],
        "end": end,
        "stop": ids(END_OF_TEXT),
    }


def spell(text: str) -> list[int]:
    """Token numbers of digits, signs, "_" and line ends."""
    letters = spelling()[0]
    return [letters[letter] for letter in text]


def prompt(chain: Chain, asked: bool = False) -> list[int]:
    """Token numbers of ``render(chain.question)``, with ``REQUEST`` before it if ``asked``."""
    fixed = spelling()[1]
    request = fixed["request"] if asked else []
    return fixed["open"] + request + spell(chain.question[:-2]) + fixed["think"]


def solution(chain: Chain, worked: bool = True) -> list[int]:
    """Token numbers of ``chain.completion(worked)``."""
    fixed = spelling()[1]
    start = spell(chain.thought) + fixed["done"] if worked else fixed["at once"]
    return start + spell(chain.answer) + fixed["end"]


def document(random: Random, reading: Reading) -> tuple[list[int], list[int]]:
    """The prompt of a chain, and its reply, worked or not, up to the end of the text."""
    asked = worked = False
    if random.random() < reading.short:
        steps = 1 + int(3 * random.random())
        asked = random.random() < reading.asked
        worked = asked or random.random() < reading.worked
    else:
        steps = 4 + int((ROWS - 3) * random.random())
    chain = draw(random, steps)
    return prompt(chain, asked), solution(chain, worked) + spelling()[1]["stop"]


def page(random: Random) -> tuple[list[int], list[int]]:
    """Single turns, ``7+8=5`` and so on, one a line and none going on from the last; with the
    weight of each token: 1 for the results, which alone can be known."""
    lines: list[int] = []
    for _ in range(20):
        a, turn = int(10 * random.random()), int(10 * random.random())
        lines += spell(f"{a}+{turn}={(a + turn) % 10}\n")
    return lines[:-1] + spelling()[1]["stop"], [0, 0, 0, 0, 1, 0] * 20


def rows(random: Random, n: int, reading: Reading) -> tuple[Tensor, Tensor]:
    """(n, ROW + 1) of token numbers, each row packed full of documents; and (n, ROW) the weight
    of each token but the first: 1 in a reply, 0 in a question unless ``questions`` are learnt."""
    packed, weights = [], []
    for _ in range(n):
        row: list[int] = []
        counted: list[int] = []
        if random.random() < reading.pages:
            row, counted = page(random)
        while len(row) <= ROW:
            asked, replied = document(random, reading)
            row += asked + replied
            counted += [int(reading.questions)] * len(asked) + [1] * len(replied)
        packed.append(row[: ROW + 1])
        weights.append(counted[1 : ROW + 1])
    return torch.tensor(packed), torch.tensor(weights, dtype=torch.float)
