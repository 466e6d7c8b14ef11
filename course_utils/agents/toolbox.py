"""Which real tools can a model be given here? A calculator, a Python sandbox, a search.

What the model writes is never run outside of ``course_utils.sandbox``.
"""

from __future__ import annotations

import re
from dataclasses import asdict

from course_utils.agents.course_search import search
from course_utils.sandbox import Limits, run_code

CALCULATOR_LIMITS = Limits(seconds=1.0, memory_bytes=16 * 2**20, output_bytes=2000)


class ToolError(Exception):
    """A tool cannot do what it was asked; its words are for the model."""


def calculator(expression: str) -> str:
    """Work out an arithmetic expression exactly.

    Args:
        expression: Numbers with + - * / // % ** and brackets, such as "(17 + 25) * 3".
    """
    plain = expression.replace("×", "*").replace("÷", "/").replace("^", "**").replace("−", "-")
    if not re.fullmatch(r"[0-9.eE+\-*/%() ]{1,200}", plain):
        raise ToolError("Write numbers and + - * / // % ** ( ), nothing else.")
    result = run_code(plain, limits=CALCULATOR_LIMITS)
    if not result:
        raise ToolError(result.message)
    return str(result.value)


def python(code: str) -> str:
    """Run a Python program, and get what it prints and the value of its last line.

    There are no files, no network and few modules.

    Args:
        code: The whole program; nothing is kept from one run to the next.
    """
    result = run_code(code)
    if not result:
        raise ToolError(f"{result.verdict}: {result.message}")
    value = "" if result.value is None else str(result.value)
    return (result.output + value).strip() or "(nothing was printed)"


def search_course(query: str, passages: int = 3) -> list[dict[str, str]]:
    """Search the notebooks of this course for passages about a question.

    Args:
        query: A few words, in English.
        passages: How many of the best passages to return, 1 to 10.
    """
    return [asdict(found) for found in search(query, min(max(passages, 1), 10))]
