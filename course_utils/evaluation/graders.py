"""Is this answer right? Mathematics, whole numbers and multiple choice, graded by code.

A grader reads a model's reply and the true answer, and says not only yes or no but what it read
and why.  Each takes the whole reply: a thought, if there is one, is set aside first, since only
the answer counts.  Other graders: ``instructions.py``, ``function_calls.py``.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import dataclass

from course_utils.errors import OptionError

LONGEST_ANSWER = 400
"""Characters; a longer "final answer" is not one, and could keep a computer algebra system busy."""

SECONDS = 3
"""Time limit for comparing two expressions: 9^(9^9) must not stop an evaluation."""


@dataclass(frozen=True)
class Grade:
    """The verdict on one reply: what was read as the answer (None if nothing), and why."""

    correct: bool
    extracted: str | None
    reason: str

    def __bool__(self) -> bool:
        return self.correct


def final_part(reply: str) -> str:
    """The reply without its thought: what follows the last ``</think>``.

    A thought that never ends has no answer after it, so nothing is left.
    """
    if "</think>" in reply:
        return reply.rsplit("</think>", 1)[1]
    return "" if "<think>" in reply else reply


def extract_code(reply: str) -> str | None:
    """The last code block of a reply (its thought set aside); None if there is none."""
    blocks = re.findall(
        r"^```(?:python|py)?[ \t]*\n(.*?)^```", final_part(reply), flags=re.DOTALL | re.MULTILINE
    )
    return blocks[-1] if blocks else None


def extract_boxed(text: str) -> str | None:
    """The content of the last complete ``\\boxed{...}``, braces matched; None if there is none."""
    for start in reversed([m.end() for m in re.finditer(r"\\(?:boxed|fbox)\s*\{", text)]):
        depth, position = 1, start
        while position < len(text) and depth:
            character = text[position]
            if character == "\\":
                position += 1  # An escaped brace is a character of the answer.
            else:
                depth += (character == "{") - (character == "}")
            position += 1
        if depth == 0:
            return text[start : position - 1].strip()
    return None


def grade_math(reply: str, truth: str, *, require_box: bool = True) -> Grade:
    """Is the reply's final answer mathematically equal to ``truth``? Decided by math-verify.

    ``truth`` is LaTeX or plain text without dollar signs, such as ``\\frac{3}{4}``.  The answer is
    the last ``\\boxed{}``, as QwQ's card asks for; with ``require_box=False`` a reply without a
    box is searched for an expression instead.
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
    gold = _parse(f"${_tidy(truth)}$")
    if not gold:
        raise OptionError(
            f"The true answer {truth!r} cannot be read as mathematics.",
            "Write it as LaTeX or plain text without dollar signs, such as \\frac{3}{4}.",
        )
    if _too_heavy(boxed if boxed is not None else answer):
        return Grade(False, boxed, "the expression is too large to evaluate")
    given = _parse(f"${_tidy(boxed)}$" if boxed is not None else answer[-LONGEST_ANSWER:])
    if not given:
        return Grade(False, boxed, "the answer cannot be read as mathematics")
    equal = _verify(gold, given)
    read = boxed if boxed is not None else str(given[-1])
    return Grade(equal, read, "equal" if equal else f"not equal to {truth}")


def grade_integer(reply: str, truth: int, lowest: int = 0, highest: int = 999) -> Grade:
    """Is the boxed answer this whole number? AIME style: 0 to 999 unless said otherwise.

    Leading zeros, a thousands comma, spaces, a unit and ``x =`` are forgiven; a value that is
    not a whole number, or is out of range, is wrong.  Without a box there is no answer.
    """
    if not lowest <= truth <= highest:
        raise OptionError(
            f"The true answer {truth} is not between {lowest} and {highest}.",
            "Widen the range, or correct the answer.",
        )
    boxed = extract_boxed(final_part(reply))
    if boxed is None:
        return Grade(False, None, "no \\boxed{} in the answer")
    number = _whole_number(boxed)
    if number is None:
        return Grade(False, boxed, "not a whole number")
    if not lowest <= number <= highest:
        return Grade(False, boxed, f"not between {lowest} and {highest}")
    return Grade(number == truth, boxed, "equal" if number == truth else f"not {truth}")


def grade_choice(reply: str, truth: str, options: str = "ABCD") -> Grade:
    """Is this letter chosen? Reads JSON's ``"answer"`` field, as QwQ's card asks, or a box.

    The prompt to use: "Please show your choice in the answer field with only the choice letter,
    e.g., "answer": "C"." (https://huggingface.co/Qwen/QwQ-32B, usage guidelines).  The last
    statement counts; a reply that names a letter in passing has not answered.
    """
    if len(truth) != 1 or truth not in options:
        raise OptionError(
            f"The true answer {truth!r} is not one of the options {options!r}.",
            "Give one letter of them.",
        )
    answer = final_part(reply)
    statements = [
        (m.start(), m.group(1)) for m in re.finditer(r'["\']?answer["\']?\s*:\s*"([^"]*)"', answer)
    ]
    boxed = extract_boxed(answer)
    if boxed is not None:
        position = max(m.start() for m in re.finditer(r"\\(?:boxed|fbox)\s*\{", answer))
        statements.append(
            (position, re.sub(r"\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}", r"\1", boxed))
        )
    if not statements:
        return Grade(False, None, 'neither "answer": "…" nor \\boxed{} in the answer')
    said = max(statements)[1]
    letter = said.strip().strip("().").strip()
    if len(letter) != 1 or letter.upper() not in options:
        return Grade(False, said, f"not exactly one of {', '.join(options)}")
    correct = letter.upper() == truth
    return Grade(correct, said, "equal" if correct else f"not {truth}")


def string_equality(reply: str, truth: str) -> bool:
    """The naive grader: are the two texts the same? Here to be compared with, not to be used."""
    boxed = extract_boxed(final_part(reply))
    return (final_part(reply) if boxed is None else boxed).strip() == truth.strip()


def read_json(text: str) -> object | None:
    """The JSON value that a reply consists of, in a code fence or not; None if there is none."""
    text = text.strip()
    fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", text, flags=re.DOTALL)
    try:
        return json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError):
        return None


def _whole_number(text: str) -> int | None:
    text = re.sub(r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\\circ|\^|\\%|\\\$|[$°]", "", text)
    text = re.sub(r"\\[,;:! ]|[{}\s~]", "", text)
    text = re.sub(r"^[A-Za-z]\w*=", "", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = text.replace("−", "-").rstrip(".")
    text = re.sub(r"\.0+$", "", text)
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,30}", text) else None


def _tidy(expression: str) -> str:
    """Thin spaces that group digits (1\\,000) are no multiplication."""
    return re.sub(r"(?<=\d)\s*(?:\\[,;:!]|\{,\})\s*(?=\d{3}(?!\d))", "", expression.strip())


def _too_heavy(expression: str) -> bool:
    """Would evaluating this take for ever? Towers of powers and huge factorials would."""
    tower = re.search(r"\^\s*\{?\s*\d+\s*\^", expression)
    return bool(tower or re.search(r"\d{5,}\s*!|!\s*!|\^\s*\{?\s*\d{6,}", expression))


def _parse(text: str) -> list:
    from math_verify import parse

    return parse(text, parsing_timeout=_seconds())


def _verify(gold: list, given: list) -> bool:
    from math_verify import verify

    # The library logs every time-out; the verdict already says what matters.
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    logging.getLogger("math_verify.grader").setLevel(logging.CRITICAL)
    return bool(verify(gold, given, timeout_seconds=_seconds()))


def _seconds() -> int | None:
    """The library's time limit is an alarm signal, which only the main thread can receive."""
    return SECONDS if threading.current_thread() is threading.main_thread() else None
