"""How long will an evaluation take on this machine, and how sure will its score be?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from course_utils.engines.protocol import Engine
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.errors import OptionError
from course_utils.evaluation.statistics import score_interval

TOKENS_MEASURED = 32
"""Tokens written to measure the speed: a fraction of a second for a nano model, half a minute for
QwQ-32B on a laptop."""


@dataclass(frozen=True)
class Cost:
    """What an evaluation costs and buys. ``points`` is half the width of its 95 % interval.

    ``points`` is stated for a score of 50 %, where it is widest, and for one answer to each
    question: it is about the choice of questions, and an average over many answers has less of it.
    """

    questions: int
    answers: int
    hours: float
    points: float

    def __str__(self) -> str:
        hours = f"{self.hours:.1f} hours" if self.hours >= 1 else f"{60 * self.hours:.0f} minutes"
        return (
            f"{self.questions} questions, {self.answers} answers: about {hours}; "
            f"the score will be known to within {self.points:.0f} points"
        )


def measure_speed(engine: Engine, sampling: Sampling = QWQ) -> float:
    """Tokens per second that the engine writes on this machine now."""
    stream = engine.chat("Count from one to a hundred.", sampling.but(max_tokens=TOKENS_MEASURED))
    reply = stream.finish()
    # A reply of one token has no decoding time of its own.
    return reply.tokens_per_second or reply.tokens / max(reply.seconds, 1e-3)


def estimate_cost(
    questions: int, samples: int, tokens_per_second: float, tokens_per_answer: float
) -> Cost:
    """Hours and precision of an evaluation; reading the prompts is not counted."""
    given = {
        "questions": questions,
        "samples": samples,
        "tokens_per_second": tokens_per_second,
        "tokens_per_answer": tokens_per_answer,
    }
    for name, value in given.items():
        if not (math.isfinite(value) and value > 0):
            raise OptionError(f"{name}={value!r} is not possible.", "Give a number above 0.")
    seconds = questions * samples * tokens_per_answer / tokens_per_second
    interval = score_interval(0.5, questions)
    return Cost(questions, questions * samples, seconds / 3600, 50 * (interval.high - interval.low))
