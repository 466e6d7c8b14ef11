"""How do I talk to a thinking model? A question box, two live panes, stop, thinking budget."""

from __future__ import annotations

import threading

import ipywidgets

from course_utils.engines.protocol import Engine, Message, Reply, Stream
from course_utils.engines.sampling import Sampling
from course_utils.errors import OptionError
from course_utils.teaching.widgets.panel import ErrorLine, Panel
from course_utils.teaching.widgets.panes import panes_html
from course_utils.teaching.widgets.streaming import follow

_NO_LIMIT = -1  # a slider cannot hold None
_BUDGETS = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


def conversation(
    engine: Engine,
    question: str = "",
    sampling: Sampling | None = None,
    thinking_budget: int | None = None,
) -> Conversation:
    """A conversation with a model, as a widget; end a cell with it.

    In code the same is ``reply = stream_to_page(engine.chat(question))``.
    sampling: settings for every reply; None takes the engine's own.
    thinking_budget: where the budget slider starts; None means no limit.
    """
    return Conversation(engine, question, sampling, thinking_budget)


class Conversation(Panel):
    """The widget behind ``conversation``. ``history`` holds the messages so far, answers only."""

    def __init__(
        self,
        engine: Engine,
        question: str = "",
        sampling: Sampling | None = None,
        thinking_budget: int | None = None,
    ):
        self.engine = engine
        self.sampling = sampling
        self.history: list[Message] = []
        self._stream: Stream | None = None
        self._worker: threading.Thread | None = None

        wide = ipywidgets.Layout(width="95%")
        self.question = ipywidgets.Textarea(
            value=question,
            description="Question:",
            placeholder="Ask something",
            rows=2,
            layout=wide,
        )
        self.budget = ipywidgets.SelectionSlider(
            options=_budget_options(thinking_budget),
            value=_NO_LIMIT if thinking_budget is None else thinking_budget,
            description="Budget:",
            tooltip="Thinking budget: end the thought after this many tokens",
            continuous_update=False,
        )
        self.ask_button = ipywidgets.Button(
            description="Ask", icon="play", tooltip="Send the question", button_style="primary"
        )
        self.stop_button = ipywidgets.Button(
            description="Stop", icon="stop", tooltip="End this reply now", disabled=True
        )
        self.new_button = ipywidgets.Button(
            description="New conversation", tooltip="Forget the questions and answers so far"
        )
        self.error = ErrorLine()
        self.past = ipywidgets.HTML()
        self.reply_pane = ipywidgets.HTML()
        self._past_html = ""
        self._last_html = ""

        self.ask_button.on_click(self.error.guard(lambda _: self._ask_in_background()))
        self.stop_button.on_click(self.error.guard(lambda _: self.stop()))
        self.new_button.on_click(self.error.guard(lambda _: self.forget()))
        buttons = ipywidgets.HBox([self.ask_button, self.stop_button, self.new_button])
        super().__init__(
            ipywidgets.VBox(
                [self.past, self.question, self.budget, buttons, self.error, self.reply_pane]
            ),
            f"Conversation with {engine.info.name} (a widget).\n"
            'In code: reply = stream_to_page(engine.chat("your question"))',
        )

    @property
    def thinking_budget(self) -> int | None:
        """What the slider allows the thought to cost, in tokens; None for no limit."""
        return None if self.budget.value == _NO_LIMIT else self.budget.value

    def ask(self, question: str | None = None) -> Reply:
        """Ask, wait for the reply and return it; the panes show it while it is written.

        Raises what the engine raises: PromptError for an empty question, for instance.
        """
        if question is not None:
            self.question.value = question
        messages = [*self.history, {"role": "user", "content": self.question.value}]
        stream = self.engine.chat(messages, self.sampling, thinking_budget=self.thinking_budget)
        return self._receive(stream, messages)

    def stop(self) -> None:
        """End the reply that is being written; what has arrived stays."""
        if self._stream is not None:
            self._stream.stop()

    def forget(self) -> None:
        """Start a new conversation. Stops the reply that is being written."""
        self.stop()
        self.wait()
        self.history.clear()
        self._past_html = self._last_html = self.past.value = self.reply_pane.value = ""

    def wait(self, seconds: float | None = None) -> None:
        """Wait until a reply asked for with the button is finished."""
        if self._worker is not None:
            self._worker.join(seconds)

    def _ask_in_background(self) -> None:
        # In a thread, since the kernel could not hear the stop button while it generates.
        if self._worker is not None and self._worker.is_alive():
            raise OptionError("A reply is being written.", "Wait for it, or press Stop first.")
        self._worker = threading.Thread(target=self.error.guard(self.ask), daemon=True)
        self._worker.start()

    def _receive(self, stream: Stream, messages: list[Message]) -> Reply:
        self._past_html += self._last_html
        self.past.value, self._last_html = self._past_html, ""
        self._stream = stream
        self.ask_button.disabled, self.stop_button.disabled = True, False
        heading = messages[-1]["content"]
        try:
            follow(stream, lambda reply: self._show(reply, heading, live=True))
        finally:
            self._stream = None
            self.ask_button.disabled, self.stop_button.disabled = False, True
            self._show(stream.reply, heading, live=False)
            self._last_html = self.reply_pane.value
        self.history[:] = [*messages, stream.reply.message()]
        return stream.reply

    def _show(self, reply: Reply, heading: str, *, live: bool) -> None:
        self.reply_pane.value = panes_html(reply, heading=heading, live=live)


def _budget_options(chosen: int | None) -> list[tuple[str, int]]:
    budgets = sorted({*_BUDGETS, *([] if chosen is None else [chosen])})
    return [*((f"{budget:,} tokens", budget) for budget in budgets), ("no limit", _NO_LIMIT)]
