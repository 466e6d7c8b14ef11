"""The two panes of a reply, thought and answer, as HTML and as plain text."""

from __future__ import annotations

import html

from course_utils.engines.protocol import Reply

_ENDINGS = {
    "end": "",
    "length": "stopped at the limit of tokens",
    "context": "stopped because the context is full",
    "interrupted": "stopped before its end",
}
_PANE = (
    "flex: 1 1 18em; min-width: 0; padding: 0.3em 0.8em; border: 1px {border} #767676; "
    "border-radius: 4px"
)
# column-reverse keeps the newest text in view while a long thought streams.
_TEXT = (
    "max-height: 20em; overflow: auto; display: flex; flex-direction: {direction}; "
    "white-space: pre-wrap; overflow-wrap: anywhere"
)


def panes_html(reply: Reply, *, heading: str = "", live: bool = False) -> str:
    """A reply as two panes side by side: thought (dashed frame) and answer (solid frame).

    Times stand in ``<span class="timing">``, which comparisons of outputs can leave out.
    live: the reply is still being written, so keep its newest lines in view.
    """
    direction = "column-reverse" if live else "column"
    panes = (
        ("Thought", "dashed", reply.thinking, reply.thinking_tokens, "(no thought)"),
        ("Answer", "solid", reply.answer, reply.answer_tokens, "…" if live else "(no answer)"),
    )
    parts = []
    for name, border, text, tokens, empty in panes:
        shown = html.escape(text.strip("\n")) if text.strip() else f"<em>{empty}</em>"
        parts.append(
            f'<section aria-label="{name}" style="{_PANE.format(border=border)}">'
            f"<strong>{name}</strong> <small>({count_of(tokens, reply)})</small>"
            f'<div style="{_TEXT.format(direction=direction)}"><div>{shown}</div></div></section>'
        )
    title = f"<strong>{html.escape(heading)}</strong>" if heading else ""
    notes = (html.escape(note_on(reply, live)), speed_html(reply))
    # A thought's dollar signs are text, not formulas.
    return (
        f'<div class="tex2jax_ignore mathjax_ignore">{title}'
        f'<div style="display: flex; flex-wrap: wrap; gap: 0.6em; margin: 0.3em 0">'
        f"{''.join(parts)}</div><small>{' · '.join(filter(None, notes))}</small></div>"
    )


def panes_text(reply: Reply, heading: str = "") -> str:
    """The same as plain text, without times."""
    lines = [heading] if heading else []
    for name, text, tokens in (
        ("Thought", reply.thinking, reply.thinking_tokens),
        ("Answer", reply.answer, reply.answer_tokens),
    ):
        lines += [f"{name} ({count_of(tokens, reply)}):", text.strip() or "(none)"]
    note = note_on(reply, live=False)
    return "\n".join([*lines, *([f"[{note}]"] if note else [])])


def count_of(tokens: int, reply: Reply) -> str:
    """A number of a reply's tokens in words, which say where the server did not count them."""
    return f"{'about ' * reply.tokens_estimated}{tokens:,} tokens"


def speed_html(reply: Reply) -> str:
    """How long a reply took, and how fast it was written."""
    digits = 1 if reply.tokens_per_second < 100 else 0
    speed = f"{'about ' * reply.tokens_estimated}{reply.tokens_per_second:,.{digits}f}"
    seconds = f"{reply.seconds:.{1 if reply.seconds >= 1 else 2}f} s"
    return f'<span class="timing">{seconds}, {speed} tokens per second</span>'


def text_html(text: str, empty: str = "") -> str:
    """Raw text for a page: its line breaks kept, its dollar signs no formulas."""
    shown = html.escape(text.strip("\n")) if text.strip() else f"<em>{empty}</em>"
    return (
        '<div class="tex2jax_ignore mathjax_ignore" '
        f'style="white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5">{shown}</div>'
    )


def heading_html(text: str) -> str:
    """A question above its reply."""
    return f'<div style="font-weight: bold">{text_html(text)}</div>'


def note_on(reply: Reply, live: bool) -> str:
    """What is to be said of a reply's end; empty where it ended by itself."""
    notes = ["the thinking budget ended the thought"] if reply.thinking_cut else []
    if live:
        notes.append(reply.waiting or "writing …")
    elif _ENDINGS[reply.stop_reason]:
        notes.append(_ENDINGS[reply.stop_reason])
    return ", ".join(notes)
