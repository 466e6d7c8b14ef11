"""The file of a conversation: a name, Save, Load, and the KV cache beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets

from course_utils.engines.protocol import Engine, Message
from course_utils.errors import CourseError
from course_utils.teaching.widgets.chat.saved_conversation import (
    file_in_folder,
    load_conversation,
    save_conversation,
)
from course_utils.teaching.widgets.panel import ErrorLine

CACHE_ENDING = ".kvcache"


class ConversationFile(ipywidgets.VBox):
    """Save and Load for a conversation in the working folder.

    read, write: give and take the messages; ``write`` may refuse with a CourseError.
    The KV cache is offered where the engine can keep it.
    """

    def __init__(
        self,
        engine: Engine,
        read: Callable[[], list[Message]],
        write: Callable[[list[Message]], None],
        error: ErrorLine,
    ):
        self._engine, self._read, self._write = engine, read, write
        self.keeps_cache = engine.keeps_cache
        self.name = ipywidgets.Text(
            value="conversation.json",
            description="File name:",
            tooltip="A file in the working folder, beside the notebook",
            layout={"width": "24em", "max_width": "95%"},
        )
        self.cache = ipywidgets.Checkbox(
            value=False,
            description="Save the KV cache too",
            tooltip="Reading a long conversation again then costs nothing, also after a restart "
            "of the kernel; for QwQ-32B it takes 256 KiB of disk per token",
            indent=False,
            layout={"width": "auto", "display": None if self.keeps_cache else "none"},
        )
        self.save_button = ipywidgets.Button(
            description="Save", icon="save", tooltip="Write the conversation to the file"
        )
        self.load_button = ipywidgets.Button(
            description="Load", icon="folder-open", tooltip="Go on with the file's conversation"
        )
        self.notice = ipywidgets.HTML()
        self.save_button.on_click(error.guard(lambda _: self.save()))
        self.load_button.on_click(error.guard(lambda _: self.load()))
        buttons = ipywidgets.HBox([self.save_button, self.load_button, self.cache])
        super().__init__([self.name, buttons, self.notice])

    def save(self) -> None:
        """Write the messages, and the KV cache if its box is ticked.

        Raises what ``save_conversation`` and ``save_cache`` raise.
        """
        self.notice.value = ""
        path, history = file_in_folder(self.name.value, Path.cwd()), self._read()
        save_conversation(history, path)
        self.notice.value = f"Saved {_count(history)}."
        if self.cache.value and self.keeps_cache:
            tokens = self._engine.save_cache(path.with_suffix(CACHE_ENDING))
            self.notice.value = f"Saved {_count(history)} and a KV cache of {tokens:,} tokens."

    def load(self) -> None:
        """Take the messages from the file, and the KV cache if it lies beside it.

        A cache that does not fit is named, and the conversation goes on without it.
        Raises what ``load_conversation`` raises.
        """
        self.notice.value = ""
        path = file_in_folder(self.name.value, Path.cwd())
        history = load_conversation(path)
        self._write(history)
        self.notice.value = f"Loaded {_count(history)}."
        cache = path.with_suffix(CACHE_ENDING)
        if not self.keeps_cache or not cache.is_file():
            return
        try:
            tokens = self._engine.load_cache(cache)
        except CourseError as problem:
            raise CourseError(
                f"The conversation is loaded, its KV cache is not: {problem.problem}",
                problem.remedy,
            ) from None
        self.notice.value = f"Loaded {_count(history)} and a KV cache of {tokens:,} tokens."


def _count(history: list[Message]) -> str:
    return f"{len(history)} message{'' if len(history) == 1 else 's'}"
