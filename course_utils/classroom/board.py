"""What does the teacher see? The queue, the speed, and who is served, counted while it happens."""

from __future__ import annotations

import time
from collections import Counter, deque

from course_utils.classroom.answering import LOADING, PAUSED, Outcome
from course_utils.classroom.line import Line
from course_utils.classroom.progress import Progress

WINDOW_SECONDS = 10
"""Tokens per second are those of so many seconds."""

NEWEST_SHARE = 0.2
"""How much of the typical time of a reply the newest one decides."""


class Board:
    """The figures of a running class; none of them says what anybody asked."""

    def __init__(self):
        self._tokens: deque[tuple[int, int]] = deque(maxlen=WINDOW_SECONDS + 1)
        self._served: Counter[str] = Counter()
        self._unfinished: Counter[str] = Counter()
        self._written = 0
        self._typical: float | None = None
        self._began = time.monotonic()

    def count_tokens(self, tokens: int) -> None:
        """So many tokens have just come."""
        if not tokens:
            return
        self._written += tokens
        now = int(time.monotonic())
        if self._tokens and self._tokens[-1][0] == now:
            tokens += self._tokens.pop()[1]
        self._tokens.append((now, tokens))

    def count_reply(self, outcome: Outcome) -> None:
        """A request has ended, well or not."""
        if not outcome.complete:
            self._unfinished[outcome.owner] += 1
            return
        self._served[outcome.owner] += 1
        before = self._typical if self._typical is not None else outcome.seconds
        self._typical = before + NEWEST_SHARE * (outcome.seconds - before)

    def replies_of(self, owner: str) -> int:
        """How many replies a learner has had."""
        return self._served[owner]

    def typical_seconds(self) -> float | None:
        """How long a reply has taken lately, None before the first."""
        return self._typical

    @property
    def tokens_per_second(self) -> float:
        now = time.monotonic()
        oldest = int(now) - WINDOW_SECONDS
        recent = sum(tokens for second, tokens in self._tokens if second > oldest)
        return recent / min(WINDOW_SECONDS, max(now - self._began, 1.0))

    def view(self, model: str, line: Line, names: list[str], progress: Progress) -> dict:
        """Everything the board shows, as JSON."""
        running = Counter(ticket.owner for ticket in line.running)
        waiting = line.waiting()
        waits = Counter(ticket.owner for ticket in waiting)
        return {
            "model": model,
            "slots": line.slots,
            "running": len(line.running),
            "waiting": len(waiting),
            "paused": line.is_held(PAUSED),
            "loading": line.is_held(LOADING),
            "tokens_per_second": round(self.tokens_per_second, 1),
            "seconds_per_reply": None if self._typical is None else round(self._typical, 2),
            "replies": self._served.total(),
            "unfinished": self._unfinished.total(),
            "tokens": self._written,
            "line": [ticket.owner for ticket in waiting],
            "learners": [
                {
                    "name": name,
                    "running": running[name],
                    "waiting": waits[name],
                    "replies": self._served[name],
                    "unfinished": self._unfinished[name],
                }
                for name in names
            ],
            "progress": progress.summary(),
        }
