"""Is this answer right? Mathematics, whole numbers and multiple choice, graded by code.

A grader reads a model's reply and the true answer, and says not only yes or no but what it read
and why.  Each takes the whole reply: a thought, if there is one, is set aside first, since only
the answer counts.  Other graders: ``instructions.py``, ``function_calls.py``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from course_utils.code_blocks import code_blocks, python_blocks
from course_utils.engines.reply import Reply, split_thinking
from course_utils.errors import OptionError
from course_utils.evaluation.letters import read_letter, stated_letters
from course_utils.evaluation.mathematics import compare
from course_utils.evaluation.whole_numbers import (
    changes_number,
    plain,
    read_whole_number,
    without_phrase,
)

LONGEST_ANSWER = 400
"""Characters; a longer "final answer" is not one, and could keep a computer algebra system busy."""


@dataclass(frozen=True)
class Grade:
    """The verdict on one reply: what was read as the answer (None if nothing), and why."""

    correct: bool
    extracted: str | None
    reason: str

    def __bool__(self) -> bool:
        return self.correct


def final_part(reply: str | Reply) -> str:
    """The reply without its thought: what an engine's ``Reply`` holds as its answer.

    A text is split as the engines split it.  A thought that never ends has no answer after it, so
    nothing is left.
    """
    return reply.answer if isinstance(reply, Reply) else split_thinking(reply)[1]


def extract_code(reply: str | Reply) -> str | None:
    """The last Python block of a reply (its thought set aside); None if there is none."""
    blocks = python_blocks(final_part(reply))
    return blocks[-1] if blocks else None


def extract_boxed(text: str) -> str | None:
    """What stands in the last ``\\boxed{...}`` that is complete and not empty, braces matched.

    Of boxes within each other the outer one counts.  Empty if all are; None if there is none.
    """
    return _last_box(text)[1]


def grade_math(reply: str | Reply, truth: str, *, require_box: bool = True) -> Grade:
    """Is the reply's final answer mathematically equal to ``truth``? Decided by math-verify.

    ``truth`` is LaTeX or plain text without dollar signs, such as ``\\frac{3}{4}``.  The answer is
    the last ``\\boxed{}``, as QwQ's card asks for; with ``require_box=False`` a reply without a
    box is searched for an expression instead.

    Rounded is not exact, an equation such as ``n^2 = 49`` says nothing sure about 49, and an
    answer with a word or mark that changes it ("thousand", ``\\approx``, a base) is not equal to
    a truth without it.  What takes seconds to compare is too large to be an answer.
    Library: https://github.com/huggingface/Math-Verify
    """
    answer = final_part(reply)
    boxed = extract_boxed(answer)
    if boxed is None and require_box:
        return Grade(False, None, "no \\boxed{} in the answer")
    if boxed is not None and len(boxed) > LONGEST_ANSWER:
        return Grade(False, boxed[:40], "the boxed answer is too long to be an answer")
    if boxed == "":
        return Grade(False, "", "the box is empty")
    given = _tidy(boxed) if boxed is not None else _tail(answer)
    if boxed is not None and re.fullmatch(r"[+-]?\d+", truth.strip()):
        number = read_whole_number(boxed)
        if number is not None:
            return _verdict(number == int(truth), boxed, truth)
    changed = _changing_marks(given) - _changing_marks(truth)
    if changed and boxed is not None:
        return Grade(False, boxed, f"not surely {truth}: it says {min(changed)}")
    found = _compare_with_percent(_tidy(truth), given, prose=boxed is None)
    if found.verdict == "unreadable truth":
        raise OptionError(
            f"The true answer {truth!r} cannot be read as mathematics.",
            "Write it as LaTeX or plain text without dollar signs, such as \\frac{3}{4}.",
        )
    if found.verdict == "unreadable answer":
        return Grade(False, boxed, "the answer cannot be read as mathematics")
    if found.verdict == "too large":
        return Grade(False, boxed, "the expression is too large to evaluate")
    read = boxed if boxed is not None else found.read
    return _verdict(found.verdict == "equal", read, truth)


def grade_integer(reply: str | Reply, truth: int, lowest: int = 0, highest: int = 999) -> Grade:
    """Is the boxed answer this whole number? AIME style: 0 to 999 unless said otherwise.

    ``whole_numbers.py`` says what is read as one: a unit, legal thousands separators, leading
    zeros and ``x =`` are forgiven; anything that leaves the number in doubt is wrong, and so is a
    number out of range.  Without a box there is no answer.
    """
    if not lowest <= truth <= highest:
        raise OptionError(
            f"The true answer {truth} is not between {lowest} and {highest}.",
            "Widen the range, or correct the answer.",
        )
    boxed = extract_boxed(final_part(reply))
    if boxed is None:
        return Grade(False, None, "no \\boxed{} in the answer")
    number = read_whole_number(boxed)
    if number is None:
        return Grade(False, boxed, "not a whole number")
    if not lowest <= number <= highest:
        return Grade(False, boxed, f"not between {lowest} and {highest}")
    return _verdict(number == truth, boxed, truth)


def grade_choice(reply: str | Reply, truth: str, options: str = "ABCD") -> Grade:
    """Is this letter chosen? Reads JSON's ``"answer"`` field, as QwQ's card asks, or a box.

    The prompt to use: "Please show your choice in the answer field with only the choice letter,
    e.g., "answer": "C"." (https://huggingface.co/Qwen/QwQ-32B, usage guidelines).  The field may
    lack its quotation marks (``Answer: C``), and a last line of the letter alone counts too;
    ``letters.py`` says how a letter may be written.  The last statement counts; a reply that names
    a letter in passing has not answered.
    """
    if len(truth) != 1 or truth not in options:
        raise OptionError(
            f"The true answer {truth!r} is not one of the options {options!r}.",
            "Give one letter of them.",
        )
    answer = final_part(reply)
    statements = stated_letters(answer, options)
    position, boxed = _last_box(answer)
    if boxed is not None:
        statements.append((position, boxed))
    if not statements:
        return Grade(False, None, 'neither "answer": "…" nor \\boxed{} in the answer')
    said = max(statements)[1]
    letter = read_letter(said, options)
    if letter is None:
        return Grade(False, said, f"not exactly one of {', '.join(options)}")
    return _verdict(letter == truth, said, truth)


def string_equality(reply: str | Reply, truth: str) -> bool:
    """The naive grader: are the two texts the same? Here to be compared with, not to be used."""
    answer = final_part(reply)
    boxed = extract_boxed(answer)
    return (answer if boxed is None else boxed).strip() == truth.strip()


def read_json(text: str) -> object | None:
    """The JSON value that a text consists of, in a code fence or not; None if there is none."""
    try:
        return json.loads(unfenced(text), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def unfenced(text: str) -> str:
    """A text without the code fence around all of it, if it has one."""
    text = text.strip()
    if not text.startswith(("`", "~~~")):
        return text
    blocks = code_blocks(text)
    last_line = text.rpartition("\n")[2].strip()
    if len(blocks) == 1 and (
        not last_line.strip("`~") or blocks[0].code.rstrip().endswith(last_line)
    ):
        return blocks[0].code.strip()
    within_a_line = re.fullmatch(r"(`+)(?:json|python)?([^`]*)\1", text)
    return within_a_line[2].strip() if within_a_line else text


def _no_constant(name: str):
    raise ValueError(f"{name} is not JSON")


def _verdict(equal: bool, read: str | None, truth: object) -> Grade:
    return Grade(equal, read, "equal" if equal else f"not {truth}")


_BOX_OR_BRACE = re.compile(r"\\+(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)


def _last_box(text: str) -> tuple[int, str | None]:
    """Where the last complete box that is not empty stands, and its content, in one pass."""
    opened: list[tuple[int, int] | None] = []  # of each open brace: its box's place and start
    last: tuple[int, str | None] = (-1, None)
    for mark in _BOX_OR_BRACE.finditer(text):
        if mark[0] == "}":
            box = opened.pop() if opened else None
            if box:
                content = text[box[1] : mark.start()].strip()
                if content or not last[1]:
                    last = box[0], content
        elif mark[0].endswith("{") and (mark[0] == "{" or len(mark[0]) > 2):
            opened.append((mark.start(), mark.end()) if len(mark[0]) > 2 else None)
    return last


_TEXT = re.compile(r"\\(?:text\w*|mbox|hbox|mathrm)\s*\{([^{}]*)\}")
_CHANGING = re.compile(
    r"\\(?:approx|simeq|sim|equiv|pmod|bmod|neq?)(?![A-Za-z])|[≈≡≠]|(?<=\d)_\{?\d+"
    r"|(?<=\d)\s*(?:\\[cl]?dots(?![A-Za-z])|\.{2,}|…)"
)


def _changing_marks(expression: str) -> set[str]:
    """The words and marks in an expression that change what its number says."""
    words = {w for text in _TEXT.findall(expression) for w in re.findall(r"[^\W\d_]+", text)}
    changing = {w.lower() for w in words if changes_number(w)} - {"and", "or"}
    return changing | set(_CHANGING.findall(expression))


_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:(?:\\[,;:! ]|,\\!|\{,\})\d{3})+(?![\d])")


def _tidy(expression: str) -> str:
    """The expression in the library's own spelling; marks around all of it say nothing."""
    text = plain(expression).strip()
    text = re.sub(r"^(\*\*|`|\$\$?)(.+)\1$", r"\2", text)
    text = without_phrase(text).strip()
    text = re.sub(r"\\(?:mathrm|text|rm)\s*\{\s*([ei])\s*\}", r" \1", text)
    return _THOUSANDS.sub(lambda number: re.sub(r"\D", "", number[0]), text)


def _compare_with_percent(truth: str, answer: str, *, prose: bool):
    """Compare; a per cent sign on one side only is either left out or a hundredth."""
    percent = re.compile(r"\s*\\?%\s*$")
    bare_truth, bare_answer = percent.sub("", truth), percent.sub("", answer)
    if prose or (bare_truth, bare_answer) == (truth, answer):
        return compare(truth, answer, prose=prose)
    found = compare(bare_truth, bare_answer)
    if found.verdict == "not equal" and (bare_truth == truth) != (bare_answer == answer):
        sides = (bare_truth, bare_answer)
        hundredth = [rf"\frac{{{s}}}{{100}}" if s not in (truth, answer) else s for s in sides]
        found = compare(*hundredth)
    return found


def _tail(answer: str) -> str:
    """The end of an answer without a box, cut between words: half a number is another number."""
    if len(answer) <= LONGEST_ANSWER:
        return answer
    return re.sub(r"^\S*\s", "", answer[-LONGEST_ANSWER:])
