"""How do I talk to a thinking model? Ask, watch it think, stop it, set it, keep what was said."""

from __future__ import annotations

import threading

import ipywidgets

from course_utils.engines.protocol import Engine, Message, Reply, Stream
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.errors import OptionError
from course_utils.teaching.widgets.chat.conversation_file import ConversationFile
from course_utils.teaching.widgets.chat.past_exchanges import PastExchanges
from course_utils.teaching.widgets.chat.reply_view import ReplyView
from course_utils.teaching.widgets.chat.streaming import follow
from course_utils.teaching.widgets.fold import Fold
from course_utils.teaching.widgets.panel import ErrorLine, Panel
from course_utils.teaching.widgets.sampling_sliders import SamplingSliders

_NO_LIMIT = -1  # a slider cannot hold None
_BUDGETS = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


def conversation(
    engine: Engine,
    question: str = "",
    sampling: Sampling | None = None,
    thinking_budget: int | None = None,
) -> Conversation:
    """A conversation with a model, as a widget; end a cell with it.

    In code the same is::

        history = [{"role": "user", "content": "your question"}]
        reply = stream_to_page(engine.chat(history, Sampling(temperature=0.6)))
        history += [reply.message(), {"role": "user", "content": "and the next"}]
        reply = stream_to_page(engine.chat(history, thinking_budget=512))
        save_conversation([*history, reply.message()], "conversation.json")

    sampling: where the sampling sliders start; None takes the engine's own settings.
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
        self.history: list[Message] = []
        self._stream: Stream | None = None
        self._worker: threading.Thread | None = None
        self._last: tuple[str, Reply] | None = None

        self.question = ipywidgets.Textarea(
            value=question,
            description="Question:",
            placeholder="Ask something; then Tab to Ask, and Space",
            rows=2,
            layout=ipywidgets.Layout(width="95%"),
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
        own = engine.default_sampling or QWQ
        self.sliders = SamplingSliders(own if sampling is None else sampling)
        self.file = ConversationFile(
            engine, lambda: self._while_idle(self.history), self._go_on_with, self.error
        )
        self.past = PastExchanges()
        self.reply_pane = ReplyView()

        self.ask_button.on_click(self.error.guard(lambda _: self._ask_in_background()))
        self.stop_button.on_click(self.error.guard(lambda _: self.stop()))
        self.new_button.on_click(self.error.guard(lambda _: self.forget()))
        buttons = ipywidgets.HBox([self.ask_button, self.stop_button, self.new_button])
        super().__init__(
            ipywidgets.VBox(
                [
                    self.past,
                    self.question,
                    self.budget,
                    buttons,
                    Fold("Settings", self.sliders),
                    Fold("Save and load", self.file),
                    self.error,
                    self.reply_pane,
                ]
            ),
            f"Conversation with {engine.info.name} (a widget).\n"
            'In code: reply = stream_to_page(engine.chat("your question"))',
        )

    @property
    def sampling(self) -> Sampling:
        """The sampling settings that the sliders show."""
        return self.sliders.sampling

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
        return self._receive(*self._begin())

    def stop(self) -> None:
        """End the reply that is being written; what has arrived stays."""
        if self._stream is not None:
            self._stream.stop()

    def forget(self) -> None:
        """Start a new conversation. Stops the reply that is being written."""
        self.stop()
        self.wait()
        self._go_on_with([])

    def wait(self, seconds: float | None = None) -> None:
        """Wait until a reply asked for with the button is finished."""
        if self._worker is not None:
            self._worker.join(seconds)

    def _ask_in_background(self) -> None:
        # In a thread, since the kernel could not hear the stop button while it generates.
        receive = self.error.guard(self._receive)
        self._worker = threading.Thread(target=receive, args=self._begin(), daemon=True)
        self._worker.start()

    def _while_idle(self, value):
        """``value``; raises OptionError while a reply is being written."""
        if self._worker is not None and self._worker.is_alive():
            raise OptionError("A reply is being written.", "Wait for it, or press Stop first.")
        return value

    def _go_on_with(self, history: list[Message]) -> None:
        self._while_idle(None)
        self.history[:] = history
        self._last = None
        self.past.replace(history)
        self.reply_pane.clear()

    def _begin(self) -> tuple[Stream, list[Message]]:
        """The reply to the question in the box, not read yet, and the messages it answers."""
        self._while_idle(None)
        messages = [*self.history, {"role": "user", "content": self.question.value}]
        stream = self.engine.chat(messages, self.sampling, thinking_budget=self.thinking_budget)
        if self._last is not None:
            self.past.add(*self._last)
            self._last = None
        self._stream = stream
        self.ask_button.disabled, self.stop_button.disabled = True, False
        self.reply_pane.show(self.question.value, stream.reply, live=True)
        return stream, messages

    def _receive(self, stream: Stream, messages: list[Message]) -> Reply:
        question = messages[-1]["content"]
        try:
            follow(stream, lambda reply: self.reply_pane.show(question, reply, live=True))
        finally:
            self._stream = None
            self.ask_button.disabled, self.stop_button.disabled = False, True
            self.reply_pane.show(question, stream.reply, live=False)
            # What had arrived of a reply stays, also where the engine has failed since.
            reply = stream.reply
            answered = reply.answer or reply.stop_reason != "interrupted"
            if answered or reply.thinking:
                self._last = (question, reply)
            if answered:
                self.history[:] = [*messages, reply.message()]
        return stream.reply


def _budget_options(chosen: int | None) -> list[tuple[str, int]]:
    budgets = sorted({*_BUDGETS, *([] if chosen is None else [chosen])})
    return [*((f"{budget:,} tokens", budget) for budget in budgets), ("no limit", _NO_LIMIT)]
