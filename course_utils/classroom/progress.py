"""Who has passed which exercise, and where is the class stuck? In memory, by nickname, by consent.

Nothing is taken unless the teacher has asked for it and the learner has agreed, and nothing is
kept: it is gone when the teacher ends it, when the learner withdraws, and with the server.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from course_utils.classroom.asked import Refusal
from course_utils.classroom.keys import checked_name
from course_utils.errors import OptionError

LONGEST_MISTAKE = 120
MOST_EXERCISES = 200

_EXERCISE = re.compile(r"\d\d\.[a-z0-9_]{1,40}")


@dataclass(frozen=True)
class Result:
    """How an exercise stands for one learner: passed, or the name of the mistake, "" for none."""

    passed: bool
    mistake: str = ""


@dataclass
class Report:
    """What one learner shares: a nickname, and the last result of each exercise."""

    nickname: str
    results: dict[str, Result] = field(default_factory=dict)


class Progress:
    """The class's results. ``on``: whether the teacher has asked for them."""

    def __init__(self):
        self.on = False
        self._reports: dict[str, Report] = {}

    def switch(self, on: bool) -> None:
        """Ask the class for its results, or end that; then what there was is forgotten."""
        self.on = on
        if not on:
            self._reports.clear()

    def note(self, owner: str, said: dict) -> None:
        """Take a learner's result, or only the nickname of one who has none yet.

        said: {"nickname": ..., "exercise": "03.advantages", "passed": false, "mistake": ...}.
        Raises Refusal where the teacher asks for no results, it is none, or the name is taken.
        """
        if not self.on:
            raise Refusal(403, "The teacher does not ask for results at the moment.")
        try:
            nickname = checked_name(said.get("nickname"))
            result = _result(said) if "exercise" in said else None
        except OptionError as error:
            raise Refusal(400, f"{error.problem} {error.remedy}") from None
        taken = any(
            other != owner and report.nickname.casefold() == nickname.casefold()
            for other, report in self._reports.items()
        )
        if taken:
            raise Refusal(409, "Somebody in this class has this nickname: choose another.")
        report = self._reports.setdefault(owner, Report(nickname))
        report.nickname = nickname
        if result is None:
            return
        exercise = said["exercise"]
        if exercise not in report.results and len(report.results) >= MOST_EXERCISES:
            raise Refusal(400, f"One learner shares {MOST_EXERCISES} exercises at most.")
        report.results[exercise] = result

    def owners(self) -> set[str]:
        """Who shares results."""
        return set(self._reports)

    def forget(self, owner: str) -> None:
        """Take back all that a learner has shared."""
        self._reports.pop(owner, None)

    def summary(self) -> dict:
        """For the board: each exercise, with its mistakes of this moment, and each learner."""
        exercises: dict[str, dict] = {}
        for report in self._reports.values():
            for name, result in report.results.items():
                row = exercises.setdefault(
                    name, {"exercise": name, "passed": 0, "tried": 0, "mistakes": Counter()}
                )
                row["tried"] += 1
                row["passed"] += result.passed
                if result.mistake:
                    row["mistakes"][result.mistake] += 1
        rows = [
            row | {"mistakes": _most_common(row["mistakes"])}
            for _, row in sorted(exercises.items())
        ]
        learners = [
            {
                "nickname": report.nickname,
                "passed": sorted(name for name, result in report.results.items() if result.passed),
                "stuck": sorted(
                    name for name, result in report.results.items() if not result.passed
                ),
            }
            for report in self._reports.values()
        ]
        learners.sort(key=lambda learner: learner["nickname"].casefold())
        return {"on": self.on, "sharing": len(learners), "exercises": rows, "learners": learners}


def _result(said: dict) -> Result:
    """A learner's result, read. Raises Refusal or OptionError for what is none."""
    exercise, passed = said.get("exercise"), said.get("passed")
    mistake = said.get("mistake") or ""
    known = isinstance(exercise, str) and _EXERCISE.fullmatch(exercise)
    if not known or not isinstance(passed, bool) or not isinstance(mistake, str):
        raise Refusal(400, "A result has an exercise, passed (true or false), and a mistake.")
    named = checked_name(mistake, LONGEST_MISTAKE) if mistake else ""
    return Result(passed, "" if passed else named)


def _most_common(mistakes: Counter) -> list[dict]:
    """The three most frequent; their names, "no-division" and the like, read as words."""
    return [
        {"name": re.sub(r"(?<=\w)-(?=\w)", " ", name), "count": count}
        for name, count in mistakes.most_common(3)
    ]
