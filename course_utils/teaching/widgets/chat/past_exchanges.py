"""What has been said so far: each earlier question with its answer, its thought folded away."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from course_utils.engines.protocol import Message, Reply
from course_utils.teaching.widgets.chat.markdown import markdown_html
from course_utils.teaching.widgets.chat.panes import count_of, heading_html, text_html


class PastExchanges(ipywidgets.VBox):
    """Earlier questions and answers, one widget each, so that adding one redraws no other."""

    @property
    def value(self) -> str:
        """All that is shown, as HTML."""
        return "".join(child.value for child in self.children)

    def add(self, question: str, reply: Reply) -> None:
        """Add a question and its reply."""
        thought = (
            f"<details><summary>Thought ({count_of(reply.thinking_tokens, reply)})</summary>"
            f"{text_html(reply.thinking)}</details>"
            if reply.thinking.strip()
            else ""
        )
        self._append(
            heading_html(question) + thought + markdown_html(reply.answer or "*(no answer)*")
        )

    def replace(self, history: Sequence[Message]) -> None:
        """Show these messages instead; their thoughts are not part of them."""
        self.children = []
        for message in history:
            if message["role"] == "assistant":
                self._append(markdown_html(message["content"] or "*(no answer)*"))
            else:
                prefix = "System: " if message["role"] == "system" else ""
                self._append(heading_html(prefix + message["content"]))

    def _append(self, page: str) -> None:
        self.children = [*self.children, ipywidgets.HTMLMath(page)]
