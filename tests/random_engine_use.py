"""Random use of local models by two threads, in a process of its own, which must live.

``python -m tests.random_engine_use MODEL SEQUENCES SEED SIZE``: SIZE is one of
``model_sizes.SIZES``.  Each thread opens, asks, stops, closes and opens again, in an order drawn by
chance; the engines and half-read streams lie where both threads take them from.  What may come of
it is a result or a CourseError.
"""

from __future__ import annotations

import faulthandler
import json
import random
import sys
import threading
from collections import Counter

from course_utils.engines import PLAIN, open_model
from course_utils.errors import CourseError
from tests.model_sizes import computed_as

CALLS_PER_SEQUENCE = 8
STUCK_AFTER_SECONDS = 60


class User:
    """One thread's random calls on engines and streams that others use too."""

    def __init__(self, path: str, seed: int, engines: list, streams: list):
        self.path, self.draw = path, random.Random(seed)
        self.engines, self.streams = engines, streams
        self.outcomes: Counter = Counter()

    def sampling(self):
        return PLAIN.but(seed=self.draw.randrange(100), max_tokens=self.draw.randint(1, 12))

    def text(self) -> str:
        return self.draw.choice(("Hi", "So first we add", "wait " * 80, "1 + 1?"))

    def engine(self):
        return self.draw.choice(self.engines)

    def open(self):
        drafts = ({"draft": "lookup"}, {"draft": self.path, "draft_tokens": 3})
        opened = open_model(self.path, **self.draw.choice(({}, {}, {"batch": 8}, *drafts)))
        self.engines[self.draw.randrange(len(self.engines))] = opened

    def close(self):
        self.engine().close()

    def leave(self):
        with open_model(self.path) as opened:
            opened.next_tokens("Hi", 1)

    def chat(self):
        budget = self.draw.choice((None, 0, 3))
        stream = self.engine().chat(self.text(), self.sampling(), thinking_budget=budget)
        self.streams[self.draw.randrange(len(self.streams))] = stream
        for _ in zip(range(self.draw.randint(0, 5)), stream, strict=False):
            pass

    def complete(self):
        self.engine().complete(self.text(), self.sampling()).finish()

    def finish(self):
        self.draw.choice(self.streams).finish()

    def stop(self):
        self.draw.choice(self.streams).stop()

    def stop_later(self):
        stream = self.engine().chat(self.text(), self.sampling())
        threading.Timer(self.draw.random() / 100, stream.stop).start()
        stream.finish()

    def close_stream(self):
        self.draw.choice(self.streams).close()

    def score(self):
        self.engine().score(self.text())

    def next_tokens(self):
        self.engine().next_tokens(self.text(), 3)

    def sample_many(self):
        self.engine().sample_many(self.text(), self.draw.randint(1, 5), self.sampling())

    def tokens(self):
        one = self.engine()
        one.detokenize(one.tokenize(self.text()))

    def render(self):
        self.engine().render(self.text())

    def look(self):
        self.engine().attention("Hi")

    def sequence(self) -> None:
        calls = [
            *(self.open, self.open, self.close, self.leave, self.chat, self.chat, self.complete),
            *(
                self.finish,
                self.close_stream,
                self.stop,
                self.stop_later,
                self.score,
                self.next_tokens,
            ),
            *(self.sample_many, self.tokens, self.render, self.look),
        ]
        for call in self.draw.choices(calls, k=CALLS_PER_SEQUENCE):
            try:
                call()
            except CourseError as error:
                self.outcomes[f"{type(error).__name__}: {error.problem}"] += 1
            else:
                self.outcomes[call.__name__] += 1


def main(path: str, sequences: int, seed: int) -> None:
    engines = [open_model(path) for _ in range(3)]
    streams = [engines[0].complete("Hi") for _ in range(3)]
    users = [User(path, seed + number, engines, streams) for number in range(2)]
    problems: list[BaseException] = []

    def work(user: User) -> None:
        try:
            for _ in range(sequences // 2):
                user.sequence()
        except BaseException as problem:
            problems.append(problem)
            raise

    threads = [threading.Thread(target=work, args=(user,), daemon=True) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            faulthandler.dump_traceback_later(STUCK_AFTER_SECONDS, exit=True)
            before = sum((user.outcomes for user in users), Counter()).total()
            thread.join(STUCK_AFTER_SECONDS / 2)
            if sum((user.outcomes for user in users), Counter()).total() > before:
                faulthandler.cancel_dump_traceback_later()
    faulthandler.cancel_dump_traceback_later()
    with open_model(path) as model:
        model.next_tokens("Hi", 1)
    outcomes = sum((user.outcomes for user in users), Counter())
    print(json.dumps({"problems": list(map(repr, problems)), "outcomes": outcomes}))


if __name__ == "__main__":
    with computed_as(sys.argv[4]):
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
