"""Does the base model answer as the thinker does? One question, several models, side by side."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import ipywidgets

from course_utils.engines.protocol import Engine, Reply, Stream
from course_utils.engines.sampling import Sampling
from course_utils.errors import OptionError
from course_utils.teaching.widgets.chat.panes import panes_html
from course_utils.teaching.widgets.chat.streaming import follow
from course_utils.teaching.widgets.panel import ErrorLine, Panel


def compare_models(
    engines: Mapping[str, Engine], question: str = "", sampling: Sampling | None = None
) -> ModelComparison:
    """Ask several models the same question in one widget: ``{"base": ..., "thinker": ...}``.

    In code the same is
    ``compare_replies({name: e.chat(question).finish() for name, e in engines.items()})``.
    """
    return ModelComparison(engines, question, sampling)


class ModelComparison(Panel):
    """The widget behind ``compare_models``."""

    def __init__(
        self, engines: Mapping[str, Engine], question: str = "", sampling: Sampling | None = None
    ):
        if not engines:
            raise OptionError("There is no model to compare.", 'Give some: {"base": engine, ...}.')
        self.engines = dict(engines)
        self.sampling = sampling
        self._stopped = threading.Event()
        self._stream: Stream | None = None
        self._worker: threading.Thread | None = None
        self.question = ipywidgets.Textarea(
            value=question,
            description="Question:",
            placeholder="Ask something",
            rows=2,
            layout=ipywidgets.Layout(width="95%"),
        )
        self.ask_button = ipywidgets.Button(
            description="Ask all",
            icon="play",
            tooltip="Send the question to every model",
            button_style="primary",
        )
        self.stop_button = ipywidgets.Button(
            description="Stop", icon="stop", tooltip="End the replies now", disabled=True
        )
        self.error = ErrorLine()
        self.panes = {name: ipywidgets.HTML() for name in self.engines}
        self.ask_button.on_click(self.error.guard(lambda _: self._ask_in_background()))
        self.stop_button.on_click(self.error.guard(lambda _: self.stop()))
        buttons = ipywidgets.HBox([self.ask_button, self.stop_button])
        super().__init__(
            ipywidgets.VBox([self.question, buttons, self.error, *self.panes.values()]),
            f"The same question to {', '.join(self.engines)} (a widget).\n"
            "In code: compare_replies({name: engine.chat(question).finish() "
            "for name, engine in engines.items()})",
        )

    def ask(self, question: str | None = None) -> dict[str, Reply]:
        """Ask every model in turn, and return their replies by name."""
        if question is not None:
            self.question.value = question
        self._stopped.clear()
        self.ask_button.disabled, self.stop_button.disabled = True, False
        replies = {}
        try:
            for name, engine in self.engines.items():
                if self._stopped.is_set():
                    break
                self._stream = engine.chat(self.question.value, self.sampling)
                replies[name] = self._receive(self._stream, name)
        finally:
            self._stream = None
            self.ask_button.disabled, self.stop_button.disabled = False, True
        return replies

    def stop(self) -> None:
        """End the reply that is being written and skip the models after it."""
        self._stopped.set()
        stream = self._stream
        if stream is not None:
            stream.stop()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the replies asked for with the button are finished."""
        if self._worker is not None:
            self._worker.join(seconds)

    def _ask_in_background(self) -> None:
        if self._worker is not None and self._worker.is_alive():
            raise OptionError("Replies are being written.", "Wait for them, or press Stop first.")
        self._worker = threading.Thread(target=self.error.guard(self.ask), daemon=True)
        self._worker.start()

    def _receive(self, stream: Stream, name: str) -> Reply:
        pane = self.panes[name]

        def show(reply: Reply, live: bool = True) -> None:
            pane.value = panes_html(reply, heading=name, live=live)

        try:
            return follow(stream, show)
        finally:
            show(stream.reply, live=False)
