"""Who says that a reply deserves a reward? Programs that check it: no person, no learnt taste.

A verifier is a function of a problem and a reply's whole text that gives a number from 0 to 1, so
each can be given to ``grpo.train`` as its ``reward``, alone or combined by ``weighted`` or
``product``.  QwQ's first stage used two: an accuracy verifier for maths and a server that runs
code against tests (qwenlm.github.io/blog/qwq-32b).  DeepSeek-R1 added format and language
consistency (arXiv 2501.12948, sections 2.2.2 and 2.3.2), DAPO a price on length (arXiv
2503.14476, section 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tokenizers import Tokenizer

from course_utils.code_blocks import python_blocks
from course_utils.errors import OptionError
from course_utils.nano import grpo
from course_utils.nano.tasks import Language
from course_utils.nano.tokenizer import END, END_THINK, THINK, split_reply
from course_utils.sandbox import Limits, Sandbox

Verifier = Callable[[Any, str], float]
"""``(problem, text)`` to a reward from 0 to 1; ``text`` begins inside an opened ``<think>``."""

accuracy = grpo.reward
"""1 for a reply that ends properly and whose answer holds one number, the right one; else 0."""


def form(problem: Any, text: str) -> float:
    """1 for a thought, one ``</think>``, an answer and a proper end, in this order; else 0."""
    thought, answer = split_reply(text)
    once = text.count(END_THINK) == 1 and THINK not in text
    return float(once and text.endswith(END) and bool(thought) and bool(answer))


class CodeVerifier:
    """1 for a reply whose program passes all of the problem's tests in a sandbox; else 0.

    A problem has ``cases``, a tuple of ``sandbox.Case``, and the name of the ``function`` that
    they call.  The tests never enter the sandbox.  A program that was run for a problem is not
    run again: groups repeat themselves.  ``runs`` counts the programs that were run.  The sandbox
    is a child process: ``close`` ends it, as leaving a ``with`` block does.
    """

    def __init__(self, limits: Limits | None = None):
        self._sandbox = Sandbox(limits or Limits(seconds=0.5))
        self._known: dict[tuple, float] = {}
        self.runs = 0

    def __call__(self, problem: Any, text: str) -> float:
        if not text.endswith(END):
            return 0.0
        program = code_of(split_reply(text)[1])
        if not program:
            return 0.0
        key = (program, problem.function, repr(problem.cases))
        if key not in self._known:
            result = self._sandbox.run(program, problem.cases, function=problem.function)
            self._known[key] = float(bool(result))
            self.runs += 1
        return self._known[key]

    def __enter__(self) -> CodeVerifier:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox's process."""
        self._sandbox.close()


def code_of(answer: str) -> str:
    """The program in an answer: what stands in its first Python block, or all of it."""
    blocks = python_blocks(answer)
    return (blocks[0] if blocks else answer).strip()


def words_of(text: str) -> list[Language]:
    """The language of each word, in order: a run of Latin letters, or one Chinese character."""
    return [
        "en" if word.isascii() else "zh" for word in re.findall(r"[A-Za-z]+|[\u4e00-\u9fff]", text)
    ]


def language_of(problem: Any) -> Language:
    """The language of a problem's question: that of most of its words, if it has any.

    A question without words, such as "47+38=?", leaves it to the problem's ``language``.
    """
    words = words_of(problem.question)
    if not words:
        return getattr(problem, "language", "en")
    return "zh" if 2 * words.count("zh") > len(words) else "en"


def language_consistency(problem: Any, text: str) -> float:
    """Share of the thought's words that are in the question's language; 1 if it has no words.

    A thought of numbers alone mixes no languages, so it is not punished.
    """
    words = words_of(split_reply(text)[0])
    return words.count(language_of(problem)) / len(words) if words else 1.0


def length_aware(tokenizer: Tokenizer, free: int, limit: int) -> Verifier:
    """A verifier of length: 1 up to ``free`` tokens, then less and less, 0 from ``limit`` on.

    The tokens counted are the reply's, thought and end included.  Raises OptionError unless
    0 <= free < limit.
    """
    if not 0 <= free < limit:
        raise OptionError(
            f"free={free} and limit={limit} leave no room between them.",
            "Give 0 <= free < limit, for example free=40, limit=80.",
        )

    def short_enough(problem: Any, text: str) -> float:
        tokens = len(tokenizer.encode(text).ids)
        return min(1.0, max(0.0, (limit - tokens) / (limit - free)))

    return short_enough


def weighted(*parts: tuple[float, Verifier]) -> Verifier:
    """The mean of several verifiers' rewards, by weight: from 0 to 1 again."""
    total = sum(weight for weight, _ in parts)
    if not parts or total <= 0 or any(weight < 0 for weight, _ in parts):
        raise OptionError(
            "The weights must be 0 or more, and one above 0.",
            "For example weighted((1.0, accuracy), (0.2, form)).",
        )
    return lambda problem, text: sum(w * part(problem, text) for w, part in parts) / total


def product(*parts: Verifier) -> Verifier:
    """Rewards multiplied: what earns nothing with one verifier earns nothing at all.

    With ``accuracy`` first, a wrong answer gains nothing by being short or well formed.
    """

    def multiplied(problem: Any, text: str) -> float:
        result = 1.0
        for part in parts:
            result *= part(problem, text)
            if not result:
                break
        return result

    return multiplied
