"""The process that measures a stand-in: it loads it, reads, writes and reports.

Its memory can be measured alone, an interrupt ends it at once, and if the machine runs out of
memory after all, the notebook's kernel lives on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from course_utils.errors import CourseError, ModelLoadError
from course_utils.model_files.standin import nonsense
from course_utils.paths import repository_root
from course_utils.progress import Progress

PROMPT_TOKENS = 32

MOST_TOKENS = 48
"""Tokens to write; fewer when they are slow."""

LEAST_TOKENS, DECODE_SECONDS = 5, 10.0
"""So many tokens are enough once they have taken so long."""

A_FEW_FAULTS = 100
"""At first, tokens often wait for the disk: the weights fill nearly all memory, and what lay there
before makes room only now.  A token, or a look at the bandwidth, with more page faults than these
from the disk does not count; a steady one has a handful."""

MOST_SECONDS = 40.0
"""Where memory is so full that this goes on for so long, the tokens are as slow as they are."""

SECONDS_BETWEEN_READINGS = 0.5
"""How much is decoded between two looks at the memory's bandwidth, which a machine that is shared
with others changes within seconds."""


@dataclass(frozen=True)
class Measurement:
    """What one run of a stand-in measured.

    ``resident_bytes``: memory of its process, the mapped file included.  ``private_bytes``: the
    part that no other process can share.  Speeds are in tokens per second; decoding is the median.
    ``bandwidth_bytes_per_second``: how fast the weights were read between the tokens, with nothing
    to compute; the median.  None where the file is too small to tell, or never lay in memory.
    """

    load_seconds: float
    resident_bytes: int
    private_bytes: int
    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    bandwidth_bytes_per_second: float | None
    settings: dict[str, object]


def measure_in_own_process(
    path: Path, options: dict[str, object], on_progress: Callable[[int], None] | None = None
) -> Measurement:
    """Load the file, read and write, in a process of its own, and show how far it is."""
    return Measurement(**run_aside(__name__, {"path": str(path), **options}, on_progress))


def run_aside(
    module: str, job: dict[str, object], on_progress: Callable[[int], None] | None = None
) -> Any:
    """Run a module that ends in ``report_to_parent`` as a program, and give what it measured.

    job: the arguments of what it measures by.  on_progress: called with the percentage done,
    instead of a progress bar.

    Raises ModelLoadError where the process fails, or says that it cannot do its job.
    """
    command = [sys.executable, "-m", module, json.dumps(job)]
    environment = {**os.environ, "PYTHONPATH": str(repository_root())}
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C reaches a whole terminal group; the child is ended by us alone.
        start_new_session=os.name == "posix",
    )
    errors: list[str] = []
    # Read aside, so that a full pipe never stops the child.
    reader = threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True)
    reader.start()
    try:
        with Progress("rehearsing", 100, "%") as progress:
            for line in process.stdout:
                if not line.startswith("{"):
                    continue  # a debugger speaks up there where llama.cpp ends the process
                message = json.loads(line)
                if "measured" in message:
                    return message["measured"]
                if "problem" in message:
                    raise ModelLoadError(message["problem"], message["remedy"])
                (on_progress or progress.reach)(message["percent"])
        process.wait()
        reader.join(timeout=1)
        raise ModelLoadError(
            f"The rehearsal's process ended early (exit status {process.returncode}"
            f"{': ' + errors[-1].strip() if errors else ''}).",
            "Close other programs to free memory, or rehearse fewer layers, as in layers=4.",
        )
    finally:
        process.kill()
        process.wait()


def measure(path: str, **options) -> Iterator[dict]:
    """Load and run a stand-in in this process; yields progress, then the measurement."""
    import psutil

    from course_utils.engines import PLAIN
    from course_utils.engines.local import LocalEngine, LocalOptions

    yield {"percent": 1}
    started = time.perf_counter()
    engine = LocalEngine(Path(path), options=LocalOptions(**options))
    load_seconds = time.perf_counter() - started
    yield {"percent": 60}
    prompt = nonsense(PROMPT_TOKENS, engine.info.vocabulary)
    # Few candidates keep to the tokens that a mixture's stand-in has embeddings for.
    stream = engine.complete(prompt, PLAIN.but(top_k=40, max_tokens=MOST_TOKENS, seed=0))
    first = next(stream, None)
    gap, bandwidth = yield from _decode(stream, Path(path))
    stream.close()
    memory = psutil.Process().memory_info()
    measured = Measurement(
        load_seconds=load_seconds,
        resident_bytes=memory.rss,
        private_bytes=memory.rss - getattr(memory, "shared", 0),
        prefill_tokens_per_second=stream.reply.prompt_tokens / first.seconds,
        decode_tokens_per_second=1 / gap,
        bandwidth_bytes_per_second=bandwidth,
        settings=dict(engine.info.settings),
    )
    engine.close()
    yield {"measured": asdict(measured)}


def _decode(stream: Iterator, path: Path) -> Generator[dict, None, tuple[float, float | None]]:
    """Write tokens; yields progress, and returns the medians of gap and bandwidth.

    The gap is in seconds, the bandwidth in bytes per second.  Raises ModelLoadError where nothing
    is written.
    """
    from course_utils.machine.bandwidth import file_reader

    gaps, steady, bandwidths = [], [], []
    started, next_look = time.perf_counter(), 0.0
    with file_reader(path) as read_again:
        while True:
            gap, faults, token = _timed(lambda: next(stream, None))
            if token is None:  # after ``MOST_TOKENS``, or when the model ends
                break
            gaps.append(gap)
            if faults <= A_FEW_FAULTS:
                steady.append(gap)
            yield {"percent": min(99, 70 + len(gaps))}
            if read_again and sum(gaps) > next_look:
                _, faults, bandwidth = _timed(read_again)
                if faults <= A_FEW_FAULTS:
                    bandwidths.append(bandwidth)
                next_look = sum(gaps) + SECONDS_BETWEEN_READINGS
            most = DECODE_SECONDS if len(steady) >= LEAST_TOKENS else MOST_SECONDS
            if time.perf_counter() - started > most:
                break
    if not gaps:
        raise ModelLoadError(
            f"The model of {path.name} ends its text at once, so its speed cannot be measured.",
            "Rehearse another quantisation, or more layers.",
        )
    counted = steady if len(steady) >= LEAST_TOKENS else gaps
    return median(counted), median(bandwidths) if bandwidths else None


def _timed(work: Callable[[], Any]) -> tuple[float, int, Any]:
    """Do it: the seconds that it took, the page faults from the disk, and what it returned."""
    before, faults = time.perf_counter(), _disk_faults()
    result = work()
    return time.perf_counter() - before, _disk_faults() - faults, result


def _disk_faults() -> int:
    """How often this process has waited for the disk; always 0 on Windows, which does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def _end_with_parent() -> None:
    """Leave when the notebook's kernel is gone, however it went: its end of the pipe closes."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def report_to_parent(
    measure: Callable[..., Iterator[dict]], say: Callable[[str], None] = print
) -> None:
    """Be the program that ``run_aside`` starts: measure, and say so line by line."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        for message in measure(**json.loads(sys.argv[1])):
            say(json.dumps(message), flush=True)
    except CourseError as error:
        say(json.dumps({"problem": error.problem, "remedy": error.remedy}), flush=True)


if __name__ == "__main__":
    report_to_parent(measure)
