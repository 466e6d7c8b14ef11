"""A conversation in a terminal: what you type, what the model thinks, what it answers, how fast."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from course_utils.engines.protocol import Engine, Message, Reply, Stream
from course_utils.engines.sampling import Sampling
from course_utils.errors import CourseError, OptionError

HELP = """\
Type a question and press Enter. Ctrl-C stops a reply; Ctrl-D, or /quit, ends the conversation.
  /budget 500   end each thought after so many tokens; /budget off lets it think to its end
  /new          forget the conversation so far
  /quit         end"""

DIM, PLAIN = "\033[2m", "\033[0m"
_CONTINUES = "\\"
_LABELS = {"thinking": "Thought", "answer": "Answer"}


@dataclass
class Conversation:
    """One conversation with an engine; ``out`` is where it is written.

    ``budget``: tokens that a thought may take, None without a limit.
    """

    engine: Engine
    sampling: Sampling | None = None
    budget: int | None = None
    out: TextIO = field(default_factory=lambda: sys.stdout)
    messages: list[Message] = field(default_factory=list)

    def run(self, read: Callable[[str], str] = input) -> None:
        """Ask and answer until the end of the input. ``read`` takes a prompt, returns a line."""
        self._say(f"{self.engine.info.name} is ready. /help lists what you can type.")
        while True:
            try:
                text = read("\nyou> ").strip()
                while text.endswith(_CONTINUES):
                    text = text[:-1] + "\n" + read("...  ").strip()
            except (EOFError, KeyboardInterrupt):
                self._say("")
                return
            if text.startswith("/"):
                if not self._command(text):
                    return
            elif text:
                self.ask(text)

    def ask(self, question: str) -> Reply | None:
        """Put one question, write the reply as it comes; None if there was none.

        An interrupt ends the reply, and keeps what had arrived of its answer.
        """
        talk = [*self.messages, {"role": "user", "content": question}]
        stream = None
        try:
            stream = self.engine.chat(talk, self.sampling, thinking_budget=self.budget)
            self._write(stream)
        except KeyboardInterrupt:
            if stream is not None:
                stream.close()
            self._say(f"{self._dim('off')}\n(stopped)")
        except CourseError as error:
            self._say(f"{self._dim('off')}\n{error}")
            return None
        if stream is None:
            return None
        reply = stream.reply
        if reply.answer.strip():
            self.messages = [*talk, reply.message()]
        self._say(costs(reply))
        return reply

    def _write(self, stream: Stream) -> None:
        kind = None
        for piece in stream:
            if piece.kind != kind:
                kind = piece.kind
                self._say(f"{self._dim('off')}\n{_LABELS[kind]}:{self._dim(kind)}")
            self._say(piece.text, end="")
        self._say(self._dim("off"))

    def _command(self, text: str) -> bool:
        """Do what a line that begins with "/" says; False if it ends the conversation."""
        name, _, value = text[1:].partition(" ")
        if name in ("quit", "exit", "q", "bye"):
            return False
        if name == "new":
            self.messages = []
            self._say("A new conversation.")
        elif name == "budget":
            try:
                self.budget = read_budget(value)
            except OptionError as error:
                self._say(str(error))
                return True
            self._say(_told_budget(self.budget))
        else:
            if name != "help":
                self._say(f"There is no command /{name}.")
            self._say(HELP)
        return True

    def _dim(self, kind: str) -> str:
        """What makes the terminal show a thought more faintly than the answer."""
        if not self.out.isatty():
            return ""
        return DIM if kind == "thinking" else PLAIN

    def _say(self, text: str, end: str = "\n") -> None:
        print(text, end=end, file=self.out, flush=True)


def costs(reply: Reply) -> str:
    """A line with what a reply took, and what a missing answer means."""
    about = "about " if reply.tokens_estimated else ""
    line = (
        f"({about}{reply.thinking_tokens} tokens of thought, {reply.answer_tokens} of answer, "
        f"{_speed(reply.tokens_per_second)} tokens per second, {reply.seconds:.0f} s"
    )
    if reply.drafted_tokens:
        line += f", {reply.tokens_per_step:.1f} tokens per step with the draft"
    if reply.thinking_cut:
        line += "; the budget ended the thought"
    if reply.stop_reason in ("length", "context") and not reply.answer.strip():
        line += (
            "). The room was used up inside the thought, so there is no answer: set /budget, or "
            "start with a larger --context"
        )
        return line + "."
    return line + ")"


def read_budget(text: str) -> int | None:
    """A thinking budget as somebody types it: a whole number, or "off". Raises OptionError."""
    text = text.strip().lower()
    if text in ("", "off", "none"):
        return None
    if not text.isdecimal():
        raise OptionError(
            f"{text!r} is not a thinking budget.", "Give a whole number of tokens, or off."
        )
    return int(text)


def _told_budget(budget: int | None) -> str:
    if budget is None:
        return "A thought may take as long as it needs."
    return f"A thought ends after {budget:,} tokens."


def _speed(value: float) -> str:
    return f"{value:.1f}" if value < 20 else f"{value:.0f}"


def enable_line_editing() -> None:
    """Arrow keys and earlier lines in ``input``, where Python has readline."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return
