"""What does this failure look like, and what became of it? Choose one; see both thoughts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets

from course_utils.errors import OptionError
from course_utils.teaching.highlight import highlight
from course_utils.teaching.page import OnPage
from course_utils.teaching.widgets.panel import ErrorLine, Panel


@dataclass(frozen=True)
class Case:
    """One question, the failing model's thought and the cured one's.

    ``mark`` is what is to be marked in both (see ``highlight``); ``answer`` is the right result.
    """

    question: str
    failing: str
    cured: str
    mark: str
    answer: int | None = None


def compare_thoughts(case: Case) -> OnPage:
    """A failing thought beside the cured one, both with what went wrong marked."""
    panes = [
        highlight(thought, case.mark, answer=case.answer, label=label)
        for label, thought in (("Before the cure", case.failing), ("After it", case.cured))
    ]
    sides = "".join(
        f'<section style="flex: 1 1 20em; min-width: 0">{pane.html}</section>' for pane in panes
    )
    return OnPage(
        f"<strong>Question: {html.escape(case.question)}</strong>"
        f'<div style="display: flex; flex-wrap: wrap; gap: 1em">{sides}</div>',
        "\n".join([f"Question: {case.question}", *(pane.text for pane in panes)]),
    )


def failure_menu(cases: Mapping[str, Sequence[Case]]) -> FailureMenu:
    """Pick a failure and one of its questions: ``{"language mixing": [case, ...], ...}``.

    In code the same is ``compare_thoughts(cases["language mixing"][0])``.
    Raises OptionError where a failure has no case.
    """
    return FailureMenu(cases)


class FailureMenu(Panel):
    """The widget behind ``failure_menu``."""

    def __init__(self, cases: Mapping[str, Sequence[Case]]):
        if not cases or not all(cases.values()):
            raise OptionError(
                "A failure without a thought cannot be shown.", "Give each at least one Case."
            )
        self.cases = {name: list(some) for name, some in cases.items()}
        wide = {"style": {"description_width": "6em"}, "layout": {"width": "26em"}}
        self.failure = ipywidgets.Dropdown(options=list(self.cases), description="Failure:", **wide)
        self.question = ipywidgets.Dropdown(description="Question:", **wide)
        self.view = ipywidgets.HTML()
        self.error = ErrorLine()
        self._fill()
        self.failure.observe(self.error.guard(lambda _: self._fill()), names="value")
        self.question.observe(self.error.guard(lambda _: self._show()), names="value")
        super().__init__(
            ipywidgets.VBox([self.failure, self.question, self.error, self.view]),
            f"A menu of failures (a widget): {', '.join(self.cases)}.\n"
            "In code: compare_thoughts(cases[failure][number])",
        )

    @property
    def case(self) -> Case:
        """The case that is shown."""
        return self.cases[self.failure.value][self.question.value or 0]

    def _fill(self) -> None:
        questions = [case.question for case in self.cases[self.failure.value]]
        self.question.options = [(text, number) for number, text in enumerate(questions)]
        self.question.index = 0  # a menu that was empty selects nothing by itself
        self._show()

    def _show(self) -> None:
        self.view.value = compare_thoughts(self.case).html
