"""What does a learner's function do when a check calls it? Empty, failing and rude ones told apart.

A check sees an ordinary function.  What goes wrong beside a wrong result ends the check with a
``Mistake`` of its own: an error, a result that is printed and not returned, nothing returned.
"""

from __future__ import annotations

import copy
import dis
import traceback
from collections.abc import Callable

from course_utils.teaching.exercises.declaration import Mistake
from course_utils.teaching.exercises.guarded import printed_so_far


class BlankResult(Exception):
    """The learner's function is still empty."""


class AttemptFailed(Exception):
    """The learner's function gave no result; ``mistake`` says why."""

    def __init__(self, mistake: Mistake):
        super().__init__(mistake.message)
        self.mistake = mistake


class Attempt:
    """A learner's function. ``changed`` is True once it has changed what it was given."""

    def __init__(self, function: Callable):
        self.function = function
        self.changed = False
        self.__name__ = name_of(function)

    def __call__(self, *arguments, **keywords):
        given = [*arguments, *keywords.values()]
        before = [_copied(value) for value in given]
        printed = printed_so_far()
        try:
            result = self.function(*arguments, **keywords)
        except KeyboardInterrupt:
            raise AttemptFailed(endless(self.__name__)) from None
        except MemoryError:
            raise AttemptFailed(
                Mistake(
                    "memory",
                    f"`{self.__name__}` takes more and more memory. Does something grow for ever?",
                )
            ) from None
        except RecursionError:
            raise AttemptFailed(
                Mistake(
                    "recursion",
                    f"`{self.__name__}` calls itself without end (RecursionError). "
                    "Where does it stop?",
                )
            ) from None
        except (Exception, SystemExit) as error:
            line = _line_in(self.function, error)
            words = f"`{self.__name__}` stopped with an error{line}: {one_line(error).rstrip('.')}."
            raise AttemptFailed(Mistake("error", words)) from None
        if result is None:
            raise AttemptFailed(self._nothing(printed_so_far() > printed))
        if is_blank(result):
            raise BlankResult
        self.changed = self.changed or not all(map(_same, before, given))
        return result

    def _nothing(self, has_printed: bool) -> Mistake:
        if has_printed:
            return Mistake(
                "printed",
                f"`{self.__name__}` prints and gives nothing back. Whoever calls it needs the "
                "value: end it with `return`.",
            )
        return Mistake(
            "no-return", f"`{self.__name__}` gives nothing back. Does it end with `return`?"
        )


def endless(name: str) -> Mistake:
    """The mistake of a function that does not end."""
    return Mistake("endless", f"`{name}` did not come to an end. Does a loop never stop?")


def changes_its_input(name: str) -> Mistake:
    """The mistake of a function that returns the right thing and spoils its arguments."""
    return Mistake(
        "changes-its-input",
        f"`{name}` gives the right result, and changes what it was given on the way. Whoever "
        "called it would find their numbers changed. Work on a copy.",
    )


def is_blank(answer: object) -> bool:
    """Is this, or a part of it, still ``...`` or None?"""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list | tuple):
        return any(part is Ellipsis or part is None for part in answer)
    return answer is Ellipsis or answer is None


def is_empty_function(answer: object) -> bool:
    """Is its body no more than ``...``, ``pass`` or ``return ...``? Seen without calling it."""
    code = getattr(answer, "__code__", None)
    if code is None:
        return False
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_CONST", "RETURN_CONST"):
            if not (step.argval is None or step.argval is Ellipsis):
                return False
        elif step.opname not in ("RESUME", "NOP", "POP_TOP", "RETURN_VALUE"):
            return False
    return True


def is_function(answer: object) -> bool:
    """Can it be called, and is it no class?"""
    return callable(answer) and not isinstance(answer, type)


def name_of(function: Callable, otherwise: str = "your function") -> str:
    """The function's name as its author wrote it."""
    return getattr(function, "__name__", otherwise)


def one_line(error: BaseException) -> str:
    """An error as one line of text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _copied(value: object) -> object:
    """A copy to compare with later, of what can be changed in place; else the value itself."""
    if isinstance(value, list | dict | set) or hasattr(value, "__setitem__"):
        try:
            return copy.deepcopy(value)
        except Exception:  # A tensor in the middle of a computation refuses; then nothing is seen.
            return value
    return value


def _same(before: object, after: object) -> bool:
    if before is after:
        return True
    try:
        if hasattr(after, "shape"):
            # Not `==` alone: a NaN that stays a NaN has not changed.
            return bool(((before == after) | ((before != before) & (after != after))).all())
        return bool(before == after)
    except Exception:  # Values that cannot be compared cannot be accused either.
        return True


def _line_in(function: Callable, error: BaseException) -> str:
    """Where in the learner's function it happened, counted from its ``def`` line."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code is code:
            return f" in its line {line - code.co_firstlineno + 1}"
    return ""
