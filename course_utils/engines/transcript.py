"""Transcripts: runs recorded and replayed, so that others can watch them without the model.

A transcript is a JSON file: the conversation, every piece of the reply with its time, the model
with its checksum, the settings, and the machine it ran on.  Nothing in it is edited by hand.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from course_utils import machine
from course_utils.engines.checks import (
    as_path,
    finite_number,
    place_to_write,
    shown_path,
    shown_short,
    why,
)
from course_utils.engines.messages import as_messages
from course_utils.engines.protocol import Engine, Message, Piece, Reply, Stream
from course_utils.engines.sampling import Sampling, chosen
from course_utils.errors import MachineError, ModelFileError, OptionError
from course_utils.hashing import hash_file
from course_utils.progress import Progress

FORMAT = 1


def record(
    engine: Engine,
    path: Path | str,
    messages: str | Sequence[Message],
    sampling: Sampling | None = None,
    *,
    thinking_budget: int | None = None,
) -> Reply:
    """Let a model answer and write the run to ``path``; gives the reply.

    The sampling needs a seed, so that the same model can be asked to do it again.
    Raises OptionError without one, MachineError where ``path`` cannot be written (before the model
    is asked), and whatever ``chat`` raises.
    """
    sampling = chosen(sampling, (engine.default_sampling or Sampling()).but(seed=0))
    if sampling.seed is None:
        raise OptionError(
            "A run without a seed cannot be repeated.",
            "Record with a seed: sampling.but(seed=0).",
        )
    conversation = as_messages(messages)
    path = place_to_write(path)
    stream = engine.chat(conversation, sampling, thinking_budget=thinking_budget)
    pieces = list(stream)
    transcript = {
        "format": FORMAT,
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {
            **dataclasses.asdict(engine.info),
            # The file's place on this machine means nothing on another.
            "source": shown_path(Path(engine.info.source).name),
            "sha256": _sha256(engine.info.source),
        },
        "sampling": dataclasses.asdict(sampling),
        "thinking_budget": thinking_budget,
        "machine": {
            "processor": machine.cpu_name(),
            "cores": machine.usable_cores(),
            "memory_bytes": machine.total_memory_bytes(),
            "system": platform.system(),
        },
        "messages": conversation,
        "pieces": [list(piece) for piece in pieces],
        "reply": dataclasses.asdict(stream.reply),
    }
    _write(path, json.dumps(transcript, ensure_ascii=False, indent=1) + "\n")
    return stream.reply


def _write(path: Path, text: str) -> None:
    """Write a transcript; where that fails after all, somewhere else, since it took long to make.

    Half of a surrogate pair, which a server may send, is written as JSON's own escape.
    """
    data = text.encode("utf-8", errors="backslashreplace")
    try:
        path.write_bytes(data)
    except OSError as error:
        with tempfile.NamedTemporaryFile(
            prefix="transcript-", suffix=".json", delete=False
        ) as kept:
            kept.write(data)
        raise MachineError(
            f"{shown_path(path)} could not be written: {why(error)}. "
            f"The transcript lies in {kept.name} instead.",
            "Move it from there.",
        ) from None


def load(path: Path | str) -> dict:
    """A transcript as a dictionary. Raises ModelFileError if the file is not one."""
    remedy = "Record one with record(engine, path, question)."
    path = as_path(path)
    try:
        transcript = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ModelFileError(f"There is no transcript {shown_path(path)}.", remedy) from None
    except (ValueError, RecursionError):
        transcript = None
    if not _is_transcript(transcript):
        raise ModelFileError(f"{shown_path(path.name)} is not a transcript of this course.", remedy)
    return transcript


def _is_transcript(found: object) -> bool:
    """Whether it has what a replay needs."""
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return False
    reply, pieces = found.get("reply"), found.get("pieces")
    return (
        isinstance(reply, dict)
        and set(reply) <= {field.name for field in dataclasses.fields(Reply)}
        and isinstance(pieces, list)
        and all(isinstance(piece, list) and len(piece) == 4 for piece in pieces)
        and all(
            isinstance(text, str) and finite_number(seconds) is not None
            for _, text, _, seconds in pieces
        )
    )


def replay(path: Path | str, speed: float = 1.0) -> Stream:
    """Play a recorded reply as if the model wrote it now.

    speed: 1 is the speed at which it was recorded, 10 is ten times faster; ``float("inf")`` does
    not wait at all.
    """
    if (finite_number(speed) is None and speed != float("inf")) or not speed > 0:
        raise OptionError(f"speed={shown_short(speed)} is not valid.", "Give a number above 0.")
    transcript = load(path)
    reply = Reply()

    def pieces() -> Iterator[Piece]:
        started = time.perf_counter()
        for recorded in transcript["pieces"]:
            piece = Piece(*recorded)
            wait = piece.seconds / speed - (time.perf_counter() - started)
            if wait > 0:
                time.sleep(wait)
            reply.add(piece.kind, piece.text)
            yield piece
        for name, value in transcript["reply"].items():
            setattr(reply, name, value)

    return Stream(pieces(), reply)


def _sha256(source: str) -> str | None:
    """The checksum of a local model file; None for a server's model."""
    path = Path(source)
    if not path.is_file():
        return None
    with Progress("checksum", path.stat().st_size, "B") as progress:
        return hash_file(path, advance=progress.advance)
