"""How fast would this model be here? One button that rehearses it, with progress and the result."""

from __future__ import annotations

import html
import threading

import ipywidgets

from course_utils.engines.rehearsal import Rehearsal, rehearse
from course_utils.errors import OptionError
from course_utils.model_files.catalogue import find_model
from course_utils.teaching.widgets.panel import ErrorLine, Panel

LOADED_PERCENT = 60
"""Where a rehearsal's progress stands once the stand-in is loaded (see ``rehearsal_process``)."""


def rehearsal_button(model: str = "qwq-32b", **options) -> RehearsalButton:
    """A button that rehearses a model at full size on this machine; end a cell with it.

    In code the same is ``print(rehearse("qwq-32b"))``.  ``options`` are those of ``rehearse``.
    Raises OptionError for a model that the catalogue does not have.
    """
    return RehearsalButton(model, options)


class RehearsalButton(Panel):
    """The widget behind ``rehearsal_button``. ``rehearsal`` is the last result, or None."""

    def __init__(self, model: str, options: dict):
        title = find_model(model).title
        self.model = model
        self.options = options
        self.rehearsal: Rehearsal | None = None
        self._worker: threading.Thread | None = None
        self.button = ipywidgets.Button(
            description=f"Rehearse {title}",
            icon="play",
            button_style="primary",
            tooltip="Runs a stand-in of the same shape: about a minute for 20 GB",
            layout=ipywidgets.Layout(width="auto"),
        )
        self.bar = ipywidgets.IntProgress(
            description="Progress:", max=100, layout=ipywidgets.Layout(visibility="hidden")
        )
        self.state = ipywidgets.HTML()
        self.result = ipywidgets.HTML()
        self.error = ErrorLine()
        self.button.on_click(self.error.guard(lambda _: self._run_in_background()))
        super().__init__(
            ipywidgets.VBox(
                [
                    ipywidgets.HBox([self.button, self.bar, self.state]),
                    self.error,
                    self.result,
                ]
            ),
            f"Rehearsal of {title} (a button): load time, memory and speed on this machine.\n"
            f'In code: print(rehearse("{model}"))',
        )

    def run(self) -> Rehearsal:
        """Rehearse, wait for the result and return it. Raises what ``rehearse`` raises."""
        self.button.disabled = True
        self.bar.layout.visibility = "visible"
        self._reach(0)
        try:
            self.rehearsal = rehearse(self.model, on_progress=self._reach, **self.options)
            self.result.value = f'<pre role="status">{html.escape(str(self.rehearsal))}</pre>'
        finally:
            self.button.disabled = False
            self.bar.layout.visibility = "hidden"
            self.state.value = ""
        return self.rehearsal

    def wait(self, seconds: float | None = None) -> None:
        """Wait until a rehearsal started with the button is finished."""
        if self._worker is not None:
            self._worker.join(seconds)

    def _run_in_background(self) -> None:
        # In a thread, so that other cells can be run meanwhile.
        if self._worker is not None and self._worker.is_alive():
            raise OptionError("A rehearsal is running.", "Wait until it has finished.")
        self._worker = threading.Thread(target=self.error.guard(self.run), daemon=True)
        self._worker.start()

    def _reach(self, percent: int) -> None:
        self.bar.value = percent
        loaded = percent >= LOADED_PERCENT
        self.state.value = "reading and writing tokens" if loaded else "loading the stand-in"
