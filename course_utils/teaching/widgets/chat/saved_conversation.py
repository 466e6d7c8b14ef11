"""Conversations that survive a restart: a JSON file of messages, checked when read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from course_utils.engines.checks import as_path, shown_path, why
from course_utils.engines.protocol import Message
from course_utils.errors import CourseError, MachineError, OptionError
from course_utils.paths import write_whole

_KIND = "course conversation"
_FORMAT = 1
_ROLES = ("system", "user", "assistant")


def save_conversation(history: Sequence[Message], path: Path | str) -> None:
    """Write a conversation to a JSON file, which ``load_conversation`` reads.

    history: messages as ``engine.chat`` takes them; answers without their thoughts.
    A file that is there already is replaced only if it is a saved conversation.
    Raises OptionError for a path or history that cannot be saved, MachineError if the disk refuses.
    """
    path = as_path(path)
    if not _are_messages(history):
        raise OptionError(
            "This is not a list of messages.",
            'Save messages such as {"role": "user", "content": "Hello"}.',
        )
    if _is_there(path) and not _is_conversation(path):
        raise OptionError(
            f"{path.name} is there already and is not a saved conversation.",
            "Choose another name, so that nothing else is overwritten.",
        )
    saved = {"kind": _KIND, "format": _FORMAT, "messages": list(history)}
    text = json.dumps(saved, ensure_ascii=False, indent=1) + "\n"
    try:
        write_whole(path, text)
    except (OSError, ValueError) as error:
        raise MachineError(
            f"{shown_path(path.name)} could not be written: {why(error)}.",
            "Save into a folder that exists and has room.",
        ) from None


def load_conversation(path: Path | str) -> list[Message]:
    """The messages of a conversation written by ``save_conversation``.

    Raises OptionError where there is no such file, CourseError where it is damaged or another kind.
    """
    path = as_path(path)
    if not _is_there(path):
        raise OptionError(
            f"There is no conversation {shown_path(path.name)}.",
            "Save one first, or check the name.",
        )
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        saved = None
    if not _is_saved(saved):
        raise CourseError(
            f"{path.name} is damaged, or is not a conversation saved by this course.",
            "Load another file, or start a new conversation.",
        )
    return [{"role": m["role"], "content": m["content"]} for m in saved["messages"]]


def file_in_folder(name: str, folder: Path) -> Path:
    """The path of a learner's file name within ``folder``; ``.json`` is added where it lacks.

    Raises OptionError for no name, another ending, or a place outside the folder.
    """
    name = name.strip()
    if not name:
        raise OptionError("There is no file name.", "Write one, such as conversation.json.")
    if not Path(name).suffix:
        name += ".json"
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a zero byte, too long a name, a loop of links
        inside = False
    if not inside:
        raise OptionError(
            f"{name!r} is not a file in the working folder.",
            "Give a file name without a folder, such as conversation.json.",
        )
    if path.suffix != ".json":
        raise OptionError(
            f"{name!r} does not end in .json.", "Give a name such as conversation.json."
        )
    return path


def _is_there(path: Path) -> bool:
    """Is there anything at this path? At one that no file can have there is nothing."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _is_conversation(path: Path) -> bool:
    try:
        load_conversation(path)
    except CourseError:
        return False
    return True


def _is_saved(saved: object) -> bool:
    return (
        isinstance(saved, dict)
        and saved.get("kind") == _KIND
        and saved.get("format") == _FORMAT
        and _are_messages(saved.get("messages"))
    )


def _are_messages(messages: object) -> bool:
    return (
        isinstance(messages, Sequence)
        and not isinstance(messages, str | bytes)
        and all(
            isinstance(message, dict)
            and message.get("role") in _ROLES
            and _is_text(message.get("content"))
            for message in messages
        )
    )


def _is_text(content: object) -> bool:
    """A text that UTF-8 can hold: half of a surrogate pair would fail later, in the tokenizer."""
    try:
        return isinstance(content, str) and content.encode("utf-8") is not None
    except UnicodeEncodeError:
        return False
