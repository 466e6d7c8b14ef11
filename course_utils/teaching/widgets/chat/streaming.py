"""Replies while they are written: live in two panes, and kept on the page after."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping

import ipywidgets
from IPython.display import display

from course_utils.engines.protocol import Reply, Stream
from course_utils.teaching.page import OnPage
from course_utils.teaching.stopping import uninterrupted
from course_utils.teaching.widgets.chat.panes import panes_html, panes_text
from course_utils.teaching.widgets.panel import Panel

# Ten times a second looks live; sending every token would slow down a fast model.
SECONDS_BETWEEN_UPDATES = 0.1

LETTERS_AT_ONCE = 20_000
"""Longer replies are shown less often, in proportion: each update sends all of the text, and a page
that is written anew faster than it can be laid out stops answering (Chainlit#2604)."""


def stream_to_page(stream: Stream, heading: str = "") -> Reply:
    """Show a reply in two panes while it is written; return it when it is finished.

    The finished panes stay in the notebook as plain HTML, for readers who do not run it.
    Interrupting the kernel ends the reply and keeps what had arrived.
    """
    live = ipywidgets.HTML()
    Panel(live, "").show()
    try:
        follow(stream, lambda reply: _set(live, panes_html(reply, heading=heading, live=True)))
    finally:
        with uninterrupted():
            live.layout.display = "none"
            display(reply_on_page(stream.reply, heading))
    return stream.reply


def _set(widget: ipywidgets.HTML, value: str) -> None:
    widget.value = value


def follow(stream: Stream, update: Callable[[Reply], None]) -> Reply:
    """Run a stream to its end and call ``update`` with the growing reply, not too often."""
    shown = 0.0
    try:
        for _ in stream:
            now = time.monotonic()
            letters = len(stream.reply.thinking) + len(stream.reply.answer)
            if now - shown >= SECONDS_BETWEEN_UPDATES * max(1.0, letters / LETTERS_AT_ONCE):
                update(stream.reply)
                shown = now
    except KeyboardInterrupt:
        with uninterrupted():
            stream.close()
            stream.reply.stop_reason = "interrupted"
    return stream.reply


def reply_on_page(reply: Reply, heading: str = "") -> OnPage:
    """A finished reply as two panes, to end a cell with."""
    return OnPage(panes_html(reply, heading=heading), panes_text(reply, heading))


def compare_replies(replies: Mapping[str, Reply], question: str = "") -> OnPage:
    """Several models' replies to one question, one under the other: name to reply."""
    pages = [reply_on_page(reply, name) for name, reply in replies.items()]
    if question:
        title = f"Question: {question}"
        pages.insert(0, OnPage(f"<p><strong>{html.escape(title)}</strong></p>", title))
    return OnPage("".join(page.html for page in pages), "\n\n".join(page.text for page in pages))
