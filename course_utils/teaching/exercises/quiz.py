"""Did the ideas arrive? A few questions on concepts; each option unfolds why it is right or not.

The questions are plain HTML that folds, so they can be answered by keyboard (Tab, then Enter) and
read where no kernel runs.  ``quiz("01.greedy", choice=2)`` is the same in code.
"""

from __future__ import annotations

import html

from IPython.display import display

from course_utils.errors import OptionError
from course_utils.teaching.exercises.declaration import Question, find_question, questions_of
from course_utils.teaching.page import OnPage, prose_html


def quiz(which: str, choice: int | None = None) -> None:
    """Ask all questions of a notebook, ``"01"``, or one of them, ``"01.greedy"``.

    choice: the plain-code way to answer one: the number of an option, from 1; then only the
    verdict on it is shown.
    Raises OptionError for an unknown question or option.
    """
    if choice is not None:
        display(_answered(find_question(which), choice))
        return
    questions = [find_question(which)] if "." in which else questions_of(which)
    if not questions:
        raise OptionError(
            f"There are no questions for {which!r}.", 'Give a notebook\'s number, such as "01".'
        )
    display(_asked(questions))


def _asked(questions: list[Question]) -> OnPage:
    blocks, lines = [], []
    for number, question in enumerate(questions, 1):
        options = "".join(_folded(question, place) for place in range(1, len(question.options) + 1))
        blocks.append(
            f'<div style="margin: 0 0 1em 0"><p><strong>Question {number}.</strong> '
            f"{prose_html(question.asks)}</p>{options}</div>"
        )
        lines.append(f"Question {number} ({question.id}): {question.asks}")
        lines += [f"  {place}. {option.text}" for place, option in enumerate(question.options, 1)]
    lines.append(f"To answer in code: quiz({questions[0].id!r}, choice=1)")
    invitation = "<p>Make up your mind first, then open the option you have chosen.</p>"
    return OnPage(invitation + "".join(blocks), "\n".join(lines))


def _folded(question: Question, place: int) -> str:
    option = question.options[place - 1]
    sign, word, colour = _look(question, place)
    return (
        f'<details style="margin: 0.2em 0 0.2em 1em"><summary>{prose_html(option.text)}</summary>'
        f'<div style="border-left: 5px solid {colour}; padding: 0.2em 0.8em; margin: 0.2em 0">'
        f"<strong>{sign} {word}</strong> {prose_html(option.because)}</div></details>"
    )


def _answered(question: Question, choice: int) -> OnPage:
    whole = isinstance(choice, int) and not isinstance(choice, bool)
    if not (whole and 1 <= choice <= len(question.options)):
        raise OptionError(
            f"There is no option number {choice!r}.",
            f"Choose a number from 1 to {len(question.options)}.",
        )
    option = question.options[choice - 1]
    sign, word, colour = _look(question, choice)
    return OnPage(
        f'<div style="border-left: 5px solid {colour}; padding: 0.3em 0.8em; margin: 0.3em 0">'
        f"<strong>{sign} {word}</strong> <small>({html.escape(question.id)})</small> "
        f"{prose_html(option.text)}<br>{prose_html(option.because)}</div>",
        f"{sign} {word} ({question.id}) {option.text}\n{option.because}",
    )


def _look(question: Question, place: int) -> tuple[str, str, str]:
    if place == question.right:
        return "✓", "Right.", "#009E73"
    return "✗", "Not this one.", "#D55E00"
