"""One reply while it grows: a folding thought, an answer in Markdown, its speed."""

from __future__ import annotations

import html

import ipywidgets

from course_utils.engines.protocol import Reply
from course_utils.teaching.widgets.chat.markdown import markdown_html
from course_utils.teaching.widgets.chat.panes import (
    count_of,
    heading_html,
    note_on,
    speed_html,
    text_html,
)
from course_utils.teaching.widgets.fold import Fold

_FRAME = {"border": "1px dashed #767676", "padding": "0.2em 0.8em", "margin": "0 0 0.4em 0"}


class ReplyView(ipywidgets.VBox):
    """A question and the reply to it; ``show`` it as often as it grows.

    The thought's newest lines stay in view, unless the reader has scrolled away from them.
    """

    def __init__(self):
        self.heading = ipywidgets.HTML()
        self.counter = ipywidgets.HTML()
        self.thought = ipywidgets.HTML()
        # Formulas flicker when they are typeset again, so only whole paragraphs are.
        self.paragraphs = ipywidgets.HTMLMath()
        self.last_lines = ipywidgets.HTML()
        self.status = ipywidgets.HTML()
        # The scrolling box is never redrawn, and column-reverse keeps its end in view.
        scrolling = ipywidgets.VBox(
            [self.thought],
            layout={"max_height": "16em", "overflow": "auto", "flex_flow": "column-reverse"}
            | _FRAME,
        )
        self._parts = [
            self.heading,
            self.counter,
            self.thought,
            self.paragraphs,
            self.last_lines,
            self.status,
        ]
        fold = Fold("Thought", scrolling, beside=self.counter, unfolded=True)
        super().__init__([self.heading, fold, self.paragraphs, self.last_lines, self.status])
        self.clear()

    @property
    def value(self) -> str:
        """All that is shown, as HTML; empty before the first reply."""
        return "".join(part.value for part in self._parts)

    def clear(self) -> None:
        """Show nothing."""
        for part in self._parts:
            part.value = ""
        self.layout.display = "none"

    def show(self, question: str, reply: Reply, *, live: bool) -> None:
        """Show what there is of a reply. live: it is still being written."""
        self.heading.value = heading_html(question)
        self.counter.value = f"<small>({count_of(reply.thinking_tokens, reply)})</small>"
        self.thought.value = text_html(reply.thinking, "…" if live else "(no thought)")
        finished, growing = _paragraphs(reply.answer) if live else (reply.answer, "")
        empty = not live and not finished.strip()
        self.paragraphs.value = markdown_html("*(no answer)*" if empty else finished)
        self.last_lines.value = text_html(growing, "…") if live else ""
        self.status.value = _status(reply, live)
        self.layout.display = None


def _paragraphs(answer: str) -> tuple[str, str]:
    """A growing answer as its finished paragraphs and the one that is being written."""
    end = answer.rfind("\n\n")
    return (answer[:end], answer[end:]) if end >= 0 else ("", answer)


def _status(reply: Reply, live: bool) -> str:
    if live and not reply.tokens:
        return "<small>reading the prompt …</small>"
    answer = f"answer: {count_of(reply.answer_tokens, reply)}"
    parts = [html.escape(note_on(reply, live)), answer, speed_html(reply)]
    if reply.prompt_tokens and reply.cached_tokens is not None:
        parts.append(
            f"{reply.cached_tokens:,} of {reply.prompt_tokens:,} prompt tokens from the KV cache"
        )
    elif reply.prompt_tokens:
        parts.append(f"{reply.prompt_tokens:,} prompt tokens")
    return f"<small>{' · '.join(part for part in parts if part)}</small>"
