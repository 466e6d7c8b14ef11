"""What is the base model trained on? A seeded stream of documents, mixed by shares.

Three tenths of the documents are everyday sentences; the rest are questions in QwQ's chat format.
Of the worked solutions few are careful: most forget the carries or blurt out a number.  So the
base model becomes fluent and is often wrong, as models are that read the web.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from course_utils.nano import sentences, tasks
from course_utils.nano.tokenizer import END, END_OF_TEXT, END_THINK, render


@dataclass(frozen=True)
class Shares:
    """Shares of documents; each group sums to 1."""

    sentences: float = 0.28
    addition: float = 0.34
    subtraction: float = 0.10
    story: float = 0.24
    small_talk: float = 0.04

    careful: float = 0.25
    sloppy: float = 0.45
    blurted: float = 0.30

    three_digits: float = 0.70
    two_digits: float = 0.22
    one_digit: float = 0.08

    english: float = 0.55
    second_turn: float = 0.08
    """Share of questions that follow an earlier exchange."""


def document(random: Random, shares: Shares | None = None) -> str:
    """One training document, closed by ``<|endoftext|>``."""
    m = shares or Shares()
    language = "en" if random.random() < m.english else "zh"
    kind = _pick(random, m, ("sentences", *tasks.TASKS, "small_talk"))
    if kind == "sentences":
        return sentences.story(random, language) + END_OF_TEXT
    messages = []
    if random.random() < m.second_turn:
        messages = _exchange(random, m)
    if kind == "small_talk":
        remark, thought, reply = sentences.small_talk(random, language)
        text = f"{thought}\n{END_THINK}\n\n{reply}{END}"
    else:
        problem = draw_problem(random, kind, language, m)
        remark = problem.question
        text = tasks.completion(problem, _pick(random, m, tasks.WORKINGS), random)
    return render([*messages, {"role": "user", "content": remark}]) + text + END_OF_TEXT


def draw_problem(
    random: Random, task: tasks.Task, language: tasks.Language, shares: Shares | None = None
) -> tasks.Problem:
    """A training problem of one to three digits, in the corpus's shares."""
    sizes = ("one_digit", "two_digits", "three_digits")
    digits = 1 + sizes.index(_pick(random, shares or Shares(), sizes))
    return tasks.make_problem(random, task, language, digits)


def _exchange(random: Random, shares: Shares) -> list[dict[str, str]]:
    """An earlier question and its answer; its thought is not in the history, as QwQ's card asks."""
    language = "en" if random.random() < shares.english else "zh"
    if random.random() < 0.5:
        question, _, answer = sentences.small_talk(random, language)
    else:
        problem = draw_problem(random, "addition", language, shares)
        question, answer = problem.question, str(problem.answer)
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _pick(random: Random, shares: Shares, names: tuple[str, ...]) -> str:
    return random.choices(names, [getattr(shares, name) for name in names])[0]
