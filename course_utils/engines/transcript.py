"""How is a run kept so that others can watch it without the model? Recorded, then replayed.

A transcript is a JSON file: the conversation, every piece of the reply with its time, the model
with its checksum, the settings, and the machine it ran on.  Nothing in it is edited by hand.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from course_utils import machine
from course_utils.engines.chat_format import as_messages
from course_utils.engines.protocol import Engine, Message, Piece, Reply, Stream
from course_utils.engines.sampling import Sampling
from course_utils.errors import ModelFileError, OptionError
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
    Raises OptionError without one, and whatever ``chat`` raises.
    """
    sampling = sampling or getattr(engine, "default_sampling", Sampling()).but(seed=0)
    if sampling.seed is None:
        raise OptionError(
            "A run without a seed cannot be repeated.",
            "Record with a seed: sampling.but(seed=0).",
        )
    conversation = as_messages(messages)
    stream = engine.chat(conversation, sampling, thinking_budget=thinking_budget)
    pieces = list(stream)
    transcript = {
        "format": FORMAT,
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {
            **dataclasses.asdict(engine.info),
            # The file's place on this machine means nothing on another.
            "source": Path(engine.info.source).name,
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
    text = json.dumps(transcript, ensure_ascii=False, indent=1)
    Path(path).write_text(text + "\n", encoding="utf-8")
    return stream.reply


def load(path: Path | str) -> dict:
    """A transcript as a dictionary. Raises ModelFileError if the file is not one."""
    remedy = "Record one with record(engine, path, question)."
    try:
        transcript = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError:
        raise ModelFileError(f"There is no transcript {path}.", remedy) from None
    except ValueError:
        transcript = None
    if not isinstance(transcript, dict) or transcript.get("format") != FORMAT:
        raise ModelFileError(f"{Path(path).name} is not a transcript of this course.", remedy)
    return transcript


def replay(path: Path | str, speed: float = 1.0) -> Stream:
    """Play a recorded reply as if the model wrote it now.

    speed: 1 is the speed at which it was recorded, 10 is ten times faster; ``float("inf")`` does
    not wait at all.
    """
    if not speed > 0:
        raise OptionError(f"speed={speed!r} is not valid.", "Give a number above 0.")
    transcript = load(path)
    reply = Reply()

    def pieces() -> Iterator[Piece]:
        started = time.perf_counter()
        for recorded in transcript["pieces"]:
            piece = Piece(*recorded)
            wait = piece.seconds / speed - (time.perf_counter() - started)
            if wait > 0:
                time.sleep(wait)
            if piece.kind == "thinking":
                reply.thinking += piece.text
            else:
                reply.answer += piece.text
            yield piece
        for name, value in transcript["reply"].items():
            setattr(reply, name, value)

    return Stream(pieces(), reply)


def _sha256(source: str) -> str | None:
    """The checksum of a local model file; None for a server's model."""
    path = Path(source)
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as file, Progress("checksum", path.stat().st_size, "B") as progress:
        while block := file.read(1 << 24):
            digest.update(block)
            progress.reach(file.tell())
    return digest.hexdigest()
