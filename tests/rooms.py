"""Which modules of ours does a call go through, and how often does it come back to one?

A reader who follows a call through the code changes rooms whenever a function of one module calls
one of another.  Few rooms, each entered once or twice, are code that can be followed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection
from types import FrameType


def rooms(call: Callable[[], object], doors: Collection[str] = ()) -> list[str]:
    """The modules of ``course_utils`` that ``call()`` enters, in order, one item for each stay.

    A stay begins when a function is called by one of another module, be it through a library in
    between, or when a generator goes on at such a call; further calls into the same module belong
    to the stay until another module is entered.  ``doors`` names packages that count as one room,
    since everybody enters them by their ``__init__`` alone.  Importing is not entering, so call
    ``call`` once before; nor is making a dataclass, whose code nobody wrote.  Only this thread
    is watched.
    """
    stays: list[str] = []

    def watch(frame: FrameType, event: str, _argument) -> None:
        if event != "call" or (room := _room(frame, doors)) is None:
            return
        caller = frame.f_back
        while caller is not None and _room(caller, doors) is None:
            caller = caller.f_back
        came_from_elsewhere = caller is None or _room(caller, doors) != room
        if came_from_elsewhere and stays[-1:] != [room]:
            stays.append(room)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(before)
    return stays


def most_stays(stays: list[str]) -> int:
    """How often the room that was entered most was entered."""
    return max(Counter(stays).values())


def _room(frame: FrameType, doors: Collection[str]) -> str | None:
    name = frame.f_globals.get("__name__", "")
    if not name.startswith("course_utils") or frame.f_code.co_filename.startswith("<"):
        return None
    return next((door for door in doors if name.startswith(f"{door}.")), name)
