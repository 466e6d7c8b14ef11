"""What do the failing models of notebook 04 write, and their cured twins? Asked here and now."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.engines import GREEDY, QWQ
from course_utils.nano.experiments import failures
from course_utils.nano.experiments.loop_sampling import ask
from course_utils.nano.tasks import Problem
from course_utils.paths import nano_folder
from course_utils.teaching.widgets.failure_menu import Case

MARKS = {"mixing": "scripts", "loops": "repeats", "shorthand": "steps", "overthinking": "vain"}
"""What ``highlight`` marks in the thoughts of each failure."""


def failure_replies(name: str, stage: str, problems: Sequence[Problem]) -> list[str]:
    """What the shipped model of a failure and stage writes: with QwQ's settings, loops greedily."""
    path = nano_folder() / f"{failures.SHIPPED[name, stage]}.gguf"
    return ask(path, problems, GREEDY if name == "loops" else QWQ)


def failure_cases(each: int = 3, tried: int = 20) -> dict[str, list[Case]]:
    """For each failure ``each`` of ``tried`` questions on which it shows, by its title: the failing
    model's thought and the cured one's.  English questions come first: there Chinese is astray."""
    cases = {}
    for name, failure in failures.FAILURES.items():
        problems = failures.exam(name)[:tried]
        texts = failure_replies(name, failure.headline[0], problems)
        failed = [pair for pair in zip(problems, texts, strict=True) if failure.shows(*pair)]
        failed = sorted(failed, key=lambda pair: not pair[0].question.isascii())[:each]
        cured = failure_replies(name, "cured", [problem for problem, _ in failed])
        cases[failure.title] = [
            Case(
                problem.question,
                failures.thought_of(before),
                failures.thought_of(after),
                MARKS[name],
                problem.answer,
            )
            for (problem, before), after in zip(failed, cured, strict=True)
        ]
    return cases
