"""What widgets share: a plain text that never changes, errors in sight, a box for a text."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable

import ipywidgets
from IPython.display import display

from course_utils.errors import CourseError


class Panel:
    """A widget for the page, with a stable plain text for exports, readers and comparisons.

    ipywidgets' own text form spells out every property, images included, and differs between
    machines.  ``plain_text`` says instead what the widget is and which plain code does the same.
    """

    def __init__(self, widget: ipywidgets.Widget, text: str):
        self.widget = widget
        self.plain_text = text

    def show(self) -> None:
        display(self)

    def _repr_mimebundle_(self, **_options) -> dict:
        bundle = self.widget._repr_mimebundle_()
        bundle.pop("text/html", None)
        return {**bundle, "text/plain": self.plain_text}

    def __repr__(self) -> str:
        return self.plain_text


class ErrorLine(ipywidgets.HTML):
    """One line of a widget that shows what went wrong, and is empty otherwise."""

    def guard(self, action: Callable) -> Callable:
        """``action`` with its errors shown in this line instead of lost in a callback."""

        @functools.wraps(action)
        def guarded(*arguments, **keywords):
            self.value = ""
            try:
                return action(*arguments, **keywords)
            except Exception as error:
                self.show_error(error)
                return None

        return guarded

    def watch(self, action: Callable, *controls: ipywidgets.Widget) -> Callable:
        """``action``, guarded, which also runs whenever one of these controls has a new value."""
        guarded = self.guard(action)
        for control in controls:
            control.observe(lambda _: guarded(), names="value")
        return guarded

    def show_error(self, error: BaseException) -> None:
        text = (
            f"{error.problem} {error.remedy}"
            if isinstance(error, CourseError)
            else f"{type(error).__name__}: {error}"
        )
        self.value = (
            '<div role="alert" style="border-left: 5px solid #D55E00; padding: 0 0.6em">'
            f"<strong>✗</strong> {html.escape(text)}</div>"
        )


def text_box(text: str) -> ipywidgets.Textarea:
    """A box for a text that the model reads when it is written.

    It has several lines, since a one-line box would drop a prompt's line breaks.
    """
    return ipywidgets.Textarea(
        value=text,
        description="Text:",
        tooltip="The text before the token; press Tab when it is written",
        rows=2,
        continuous_update=False,
        layout=ipywidgets.Layout(width="95%"),
    )
