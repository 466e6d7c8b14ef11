"""Whatever a model writes or a tool returns, the loop lives and the trace says what happened."""

import itertools
import sys
import time
import tomllib
from pathlib import Path
from typing import Literal

import pytest

from course_utils.agents import loop
from course_utils.agents.tools import as_tool
from course_utils.engines.reply import Reply, split_thinking
from tests.scripted_engine import ScriptedEngine

ATTACKS = tomllib.loads(
    (Path(__file__).parent / "data" / "agent_attacks.toml").read_text(encoding="utf-8")
)["case"]
LIMITS = loop.Limits(turns=6, calls=4, tool_seconds=0.2, result_characters=2000)


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no")


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no")


def toolbox(page: str, deleted: list[str]) -> list:
    counter = itertools.count(1)

    def add(a: int, b: int) -> int:
        """Add two whole numbers."""
        return a + b

    def keep(text: str) -> str:
        """Keep a text."""
        return text

    def now() -> str:
        """Tell the time."""
        return "noon"

    def count() -> int:
        """Count one further."""
        return next(counter)

    def fetch(page: str) -> str:
        """Fetch a page."""
        return contents

    def delete(path: str) -> str:
        """Delete a file."""
        deleted.append(path)
        return "deleted"

    def misbehave(how: Literal[tuple(MISBEHAVIOUR)]) -> object:
        """Do what no tool should."""
        return MISBEHAVIOUR[how]()

    contents = page
    return [add, keep, now, count, fetch, as_tool(delete, consent=True), misbehave]


def circle() -> list:
    result: list = []
    result.append(result)
    return result


def unspeakable():
    raise UnspeakableError


MISBEHAVIOUR = {
    "fail": lambda: 1 // 0,
    "exit": sys.exit,
    "hang": lambda: time.sleep(3),
    "megabytes": lambda: "x" * 5_000_000,
    "endless": itertools.count,
    "nothing": lambda: None,
    "circle": circle,
    "unshowable": Unshowable,
    "unspeakable": unspeakable,
    "surrogate": lambda: "\ud835",
}


def replies_of(case: dict) -> list:
    replies = [reply * case.get("repeat", 1) for reply in case["replies"]]
    if case.get("cut"):
        replies = [Reply(*split_thinking(reply), stop_reason="length") for reply in replies]
    return replies if case.get("forever") else [*replies, "Done."]


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case["title"])
def test_the_loop_survives(case):
    deleted: list[str] = []
    engine = ScriptedEngine(replies_of(case))
    trace = loop.run(engine, "A task.", toolbox(case.get("page", ""), deleted), limits=LIMITS)
    told = [m["content"] for m in trace.messages[1:] if m["role"] in ("tool", "user")]
    if "first" in case:
        assert trace.outcomes[: len(case["first"])] == case["first"]
    else:
        assert trace.outcomes == case["outcomes"], trace
    assert trace.stopped == case.get("stopped", "answered")
    assert case.get("told", "") in (told or [""])[-1]
    assert "hidden" not in case or not any(case["hidden"] in text for text in told)
    notes = [note for event in trace.events for note in (*event.notes, event.text)]
    assert any(case.get("note", "") in note for note in [*notes, ""])
    if "given" in case:
        assert [e.call for e in trace.events if e.kind == "call"][-1].arguments == case["given"]
    assert not deleted
    for text in told:
        text.encode()  # whatever the model is told can be sent to a server
    assert str(trace).endswith(f"stopped: {trace.stopped}. {trace.why}".strip())


def test_there_are_sixty_attacks_and_half_of_them_were_reported_in_public():
    assert len(ATTACKS) >= 60
    assert sum("#" in case["source"] for case in ATTACKS) >= 30
    assert len({case["title"] for case in ATTACKS}) == len(ATTACKS)
