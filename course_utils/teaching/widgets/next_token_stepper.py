"""How does a text grow? One token at a time, with the next-token chart redrawn at each step."""

from __future__ import annotations

import ipywidgets
import numpy as np

from course_utils.engines.protocol import Engine, NextToken
from course_utils.teaching.figures.tokens import describe_next_tokens, next_token_chart
from course_utils.teaching.page import image_html
from course_utils.teaching.widgets.panel import ErrorLine, Panel, text_box


def next_token_stepper(
    engine: Engine, text: str, k: int = 10, seed: int | None = 0
) -> NextTokenStepper:
    """A text box and the chart of its next tokens, with buttons that append one.

    In code the same is ``next_token_chart(engine.next_tokens(text, k))``.
    k: how many tokens the chart shows.  seed: of the button that draws; None draws afresh.
    """
    return NextTokenStepper(engine, text, k, seed)


class NextTokenStepper(Panel):
    """The widget behind ``next_token_stepper``. ``text`` is what it says now."""

    def __init__(self, engine: Engine, text: str, k: int = 10, seed: int | None = 0):
        self.engine = engine
        self.k = k
        self._random = np.random.default_rng(seed)
        self._before: list[str] = []
        self.candidates: list[NextToken] = []
        self.text_box = text_box(text)
        self.append_button = ipywidgets.Button(
            description="Append the likeliest",
            tooltip="Append the likeliest token (greedy decoding)",
            button_style="primary",
            layout=ipywidgets.Layout(width="12em"),
        )
        self.draw_button = ipywidgets.Button(
            description="Append one at random",
            tooltip="Draw one of the tokens shown by its probability, and append it",
            layout=ipywidgets.Layout(width="12em"),
        )
        self.undo_button = ipywidgets.Button(
            description="Undo", tooltip="Take the last appended token back", disabled=True
        )
        self.error = ErrorLine()
        self.chart = ipywidgets.HTML()
        self.append_button.on_click(self.error.guard(lambda _: self.append_likeliest()))
        self.draw_button.on_click(self.error.guard(lambda _: self.append_drawn()))
        self.undo_button.on_click(self.error.guard(lambda _: self.undo()))
        refresh = self.error.watch(self._refresh, self.text_box)
        buttons = ipywidgets.HBox([self.append_button, self.draw_button, self.undo_button])
        super().__init__(
            ipywidgets.VBox([self.text_box, buttons, self.error, self.chart]),
            "Next-token chart with a step button (a widget).\n"
            f"In code: next_token_chart(engine.next_tokens(text, {k}))",
        )
        refresh()

    @property
    def text(self) -> str:
        return self.text_box.value

    def append_likeliest(self) -> None:
        """Greedy decoding, one step."""
        self._append(self.candidates[0])

    def append_drawn(self) -> None:
        """Draw one of the k tokens shown, by their probabilities."""
        shares = np.array([candidate.probability for candidate in self.candidates])
        self._append(self.candidates[self._random.choice(len(shares), p=shares / shares.sum())])

    def undo(self) -> None:
        """Take back the last token that a button appended."""
        if self._before:
            self.text_box.value = self._before.pop()
            self.undo_button.disabled = not self._before

    def _append(self, candidate: NextToken) -> None:
        self._before.append(self.text)
        self.undo_button.disabled = False
        self.text_box.value = self.text + candidate.token.text

    def _refresh(self) -> None:
        self.candidates = self.engine.next_tokens(self.text, self.k)
        self.chart.value = image_html(
            next_token_chart(self.candidates), describe_next_tokens(self.candidates)
        )
