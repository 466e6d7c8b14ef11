"""The border of thought and answer: splits a reply at ``<think>`` and ``</think>``.

A reasoning model writes ``<think>``, its thought, ``</think>`` and then the answer.  QwQ's chat
template already writes the opening tag into the prompt, so the reply itself may start inside the
thought (https://huggingface.co/Qwen/QwQ-32B, usage guidelines).

Three rules settle every case, streamed or not:

* A thought stands before the answer.  Once the answer has begun, a tag in it is ordinary text.
* Inside a thought, the first ``</think>`` ends it; a ``<think>`` there is ordinary text, except at
  its very start, where it only repeats the template's.
* White space around the tags is layout: it belongs to neither the thought nor the answer.
  A reply without any tag comes through unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.engines.protocol import Kind, Message

OPENING = "<think>"
CLOSING = "</think>"

END_OF_THOUGHT = f"\n{CLOSING}\n\n"
"""What closes a thought that has used up its budget; QwQ's own layout."""


class ThinkingSplitter:
    """Splits a reply while it streams in, however the pieces cut the tags.

    ``opened`` says whether the prompt already ends with ``<think>`` (see ``opens_thinking``).
    Text that could still turn out to be a tag, or the white space before one, is held back until
    the next piece; ``close()`` releases it.
    """

    __slots__ = ("_held", "_started", "_thought_seen", "kind")

    def __init__(self, opened: bool):
        self.kind: Kind = "thinking" if opened else "answer"
        """What the text read last belongs to: the thought or the answer."""
        self._started = False  # has any text of this thought or of the answer been released?
        self._thought_seen = opened
        self._held = ""

    def feed(self, text: str) -> list[tuple[Kind, str]]:
        """Read one more piece of the reply; give back the pieces that are now certain."""
        # Two short cuts take nearly every piece, since this runs once for each token.
        if self._started:
            if self.kind == "answer":
                return [("answer", text)] if text else []
            if not self._held and "<" not in text and text and not text[-1].isspace():
                return [("thinking", text)]
        return self._split(self._held + text)

    def close(self) -> list[tuple[Kind, str]]:
        """The reply is over: give back what was still held."""
        text, self._held = self._held, ""
        if self.kind == "thinking" or self._thought_seen:
            text = text.strip() if not self._started else text.rstrip()
        return [(self.kind, text)] if text else []

    def _split(self, text: str) -> list[tuple[Kind, str]]:
        pieces: list[tuple[Kind, str]] = []
        self._held = ""
        while text:
            if not self._started:
                begins = text.lstrip()
                if begins.startswith(OPENING):
                    text = begins[len(OPENING) :]
                    self.kind = "thinking"
                    self._thought_seen = True
                    continue
                if OPENING.startswith(begins):  # nothing yet, or the start of a tag
                    self._held = text
                    break
                if self._thought_seen:
                    text = begins
            if self.kind == "answer":
                self._started = True
                pieces.append(("answer", text))
                break
            end = text.find(CLOSING)
            if end >= 0:
                thought, text = text[:end].rstrip(), text[end + len(CLOSING) :]
                if thought:
                    pieces.append(("thinking", thought))
                self.kind = "answer"
                self._started = False
                continue
            certain = _certain_length(text)
            if certain:
                pieces.append(("thinking", text[:certain]))
                self._started = True
            self._held = text[certain:]
            break
        return pieces


def split_thinking(text: str, opened: bool | None = None) -> tuple[str, str]:
    """Split a whole reply into (thinking, answer), by the same rules as the streaming splitter.

    ``opened=None`` is for a text whose prompt is not known: a ``</think>`` that no ``<think>``
    comes before shows that the prompt had opened the thought.
    """
    if opened is None:
        opened = CLOSING in text and OPENING not in text[: text.index(CLOSING)]
    splitter = ThinkingSplitter(opened)
    parts: dict[Kind, list[str]] = {"thinking": [], "answer": []}
    for kind, piece in splitter.feed(text) + splitter.close():
        parts[kind].append(piece)
    return "".join(parts["thinking"]), "".join(parts["answer"])


def without_thinking(messages: Sequence[Message]) -> list[Message]:
    """The conversation with the thoughts dropped from the assistant's messages.

    QwQ's card asks for this: "historical model output should only include the final output part"
    (https://huggingface.co/Qwen/QwQ-32B, usage guidelines).  The messages given are not changed.
    """
    return [
        {**message, "content": split_thinking(message["content"])[1]}
        if message.get("role") == "assistant" and isinstance(message.get("content"), str)
        else dict(message)
        for message in messages
    ]


def opens_thinking(prompt: str) -> bool:
    """Does this prompt, its chat template applied, already end inside a thought?"""
    return prompt.rstrip().endswith(OPENING)


def _certain_length(thought: str) -> int:
    """How much of an unfinished thought can be shown, whatever comes next.

    A trailing part of ``</think>`` and the white space before it have to wait.
    """
    end = len(thought)
    tag = thought.rfind("<")
    if tag >= 0 and CLOSING.startswith(thought[tag:]):
        end = tag
    return len(thought[:end].rstrip())
