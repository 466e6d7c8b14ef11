"""How often is a nano model right? Measured through llama.cpp, on problems it never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from course_utils.engines import GREEDY, QWQ, Sampling, open_model
from course_utils.intervals import wilson_interval
from course_utils.nano.tasks import Problem, make_problem, verify

SAMPLINGS: dict[str, Sampling] = {"greedy": GREEDY, "qwq": QWQ}
"""The likeliest token each time, and the settings that QwQ-32B's card recommends."""

HEADLINE = "addition-en-3"
TESTS = (
    HEADLINE,
    "addition-zh-3",
    "addition-en-2",
    "subtraction-en-3",
    "subtraction-zh-3",
    "story-en-3",
    "story-zh-3",
)
"""Task, language and digits. Pairs of three-digit numbers are held out from all training; those
of two digits are too few for that, so the model may have seen them."""


@dataclass(frozen=True)
class Accuracy:
    """``correct`` of ``n`` answers were right; ``tokens`` is the mean length of a reply."""

    correct: int
    n: int
    tokens: float

    @property
    def share(self) -> float:
        return self.correct / self.n

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Wilson's interval for the share, as (low, high)."""
        return wilson_interval(self.correct, self.n, confidence)


def exam_problems(test: str = HEADLINE, n: int = 500, seed: int = 2026) -> list[Problem]:
    """``n`` problems of one of ``TESTS``; another seed gives others."""
    task, language, digits = test.split("-")
    random = Random(f"{test} {seed}")
    return [
        make_problem(random, task, language, int(digits), testing=digits == "3") for _ in range(n)
    ]


def measure(
    model: str | Path,
    problems: Sequence[Problem],
    sampling: Sampling,
    *,
    max_tokens: int = 160,
    **options,
) -> Accuracy:
    """Ask a model (a file, or any name ``open_model`` takes) each problem once, and verify.

    Problem number i is answered with seed i, so that a second run gives the same figure.
    ``options``: how the model is opened, see ``open_model``.
    """
    engine = open_model(model, **options)  # left open: a notebook may be talking to the same engine
    correct = tokens = 0
    for seed, problem in enumerate(problems):
        settings = sampling.but(seed=seed, max_tokens=max_tokens)
        reply = engine.chat(problem.question, settings).finish()
        correct += reply.stop_reason == "end" and verify(problem, reply.answer)
        tokens += reply.tokens
    return Accuracy(correct, len(problems), tokens / len(problems))
