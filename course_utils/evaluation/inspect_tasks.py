"""Runs of our suite, or of any task of Inspect, whose logs survive an interruption.

The suite becomes a task of Inspect (https://inspect.aisi.org.uk/), the field's harness, and any
engine of the course becomes a model there.  Every finished answer is written to a log at once: a
run that was stopped or killed goes on where it was, and ``inspect view`` opens the logs.

Inspect is imported on first use only; it takes some seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np

from course_utils.engines.protocol import Engine
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.errors import OptionError
from course_utils.evaluation.inspect_model import PROVIDER, Player, inspect_parts, players
from course_utils.evaluation.statistics import Interval, pass_at_1
from course_utils.evaluation.suite import Question, scores


@dataclass(frozen=True)
class Report:
    """What one model did on a suite: one row per question, one column per answer to it.

    ``correct``, ``thinking_tokens``, ``answer_tokens``: (questions, answers).
    """

    model: str
    questions: tuple[Question, ...]
    correct: np.ndarray
    thinking_tokens: np.ndarray
    answer_tokens: np.ndarray
    log: str

    def score(self, confidence: float = 0.95) -> Interval:
        """Share of right answers over the whole suite, with its interval over questions."""
        return pass_at_1(self.correct, confidence)

    def by_level(self, confidence: float = 0.95) -> dict[tuple[str, int], Interval]:
        """Share of questions whose first answer is right, by family and level."""
        return scores(self.questions, self.correct[:, 0], confidence)


def evaluate(
    engine: Engine,
    questions: Sequence[Question],
    log_folder: str | Path,
    *,
    samples: int = 1,
    sampling: Sampling = QWQ,
    thinking_budget: int | None = None,
    **options,
) -> Report:
    """Ask an engine every question ``samples`` times and grade the answers; returns the report.

    Run it again with the same arguments after an interruption, and only what is missing is asked.
    A finished run is read from its log.  Each answer has a seed of its own, drawn from
    ``sampling.seed``, the question and the answer's number, so a run can be repeated exactly.

    ``log_folder`` should hold the logs of this comparison and nothing else.  ``options`` are those
    of ``run_task``.
    """
    if not questions:
        raise OptionError("There are no questions.", "Generate a suite with at least one.")
    if not (isinstance(samples, int) and samples >= 1):
        raise OptionError(f"samples={samples!r} is not possible.", "Give 1 or more.")
    task = suite_task(questions, samples, _settings(sampling, thinking_budget))
    return read_report(
        run_task(
            task,
            engine,
            log_folder,
            samples=samples,
            sampling=sampling,
            thinking_budget=thinking_budget,
            **options,
        )
    )


def run_task(
    task,
    engine: Engine,
    log_folder: str | Path,
    *,
    samples: int = 1,
    sampling: Sampling = QWQ,
    thinking_budget: int | None = None,
    name: str | None = None,
    display: str = "none",
) -> str:
    """Run any Inspect ``Task`` with an engine as its model, or go on with it; returns its log.

    ``name`` is the engine's in the logs.  ``display`` is Inspect's: "none", "plain", "rich" or
    "full".
    """
    from inspect_ai import eval_set
    from inspect_ai.model import get_model

    inspect_parts()
    name = name or engine.info.name
    player = players[name] = Player(engine, sampling, thinking_budget)
    folder = Path(log_folder) / _file_name(name, task.name)
    run = functools.partial(
        eval_set,
        task,
        log_dir=str(folder),
        model=get_model(f"{PROVIDER}/{name}", memoize=False),
        epochs=samples,
        retry_attempts=0,
        retry_immediate=False,
        max_samples=1,
        max_tasks=1,
        log_buffer=1,
        log_samples=True,
        log_realtime=False,
        score_display=False,
        fail_on_error=True,
        display=display,
        ctl_server=False,
        acp_server=False,
        # Inspect's own notes must not stand between a notebook's lines.
        log_level="error",
    )
    with _no_empty_widget() if display == "none" else contextlib.nullcontext():
        _, logs = _outside_any_event_loop(run, player.stop)
    if not logs:
        raise OptionError(
            "The evaluation was stopped.",
            "Run it again with the same arguments; what is finished will not be repeated.",
        )
    location = logs[0].location
    if location.startswith("file://"):  # So it is called once the log has been taken up again.
        location = url2pathname(urlparse(location).path)
    return location


def suite_task(questions: Sequence[Question], samples: int = 1, settings: dict | None = None):
    """The suite as an Inspect ``Task``, for use with Inspect's own functions."""
    from inspect_ai import Task
    from inspect_ai.dataset import MemoryDataset, Sample

    parts = inspect_parts()
    dataset = MemoryDataset(
        [
            Sample(
                id=question.id,
                input=question.prompt,
                target="",
                metadata={"family": question.family, "level": question.level, "key": question.key},
            )
            for question in questions
        ],
        name="course-suite",
    )
    seed = int((settings or {}).get("seed") or 0)
    # What is asked, and how, is part of the name: another suite is another evaluation.
    fingerprint = repr([(q.id, q.prompt, q.key) for q in questions]) + repr((samples, settings))
    return Task(
        name=f"suite-{zlib.crc32(fingerprint.encode()):08x}",
        dataset=dataset,
        solver=parts.ask(seed),
        scorer=parts.grade(),
        metadata=settings,
    )


def read_report(log: str | Path) -> Report:
    """The report of a finished log file. Raises OptionError if the run did not finish."""
    content = finished_log(log)
    samples = content.samples
    first = [sample for sample in samples if sample.epoch == 1]
    shape = (len(first), len(samples) // len(first))

    def table(value) -> np.ndarray:
        return np.array([value(sample) for sample in samples]).reshape(shape)

    def spent(sample, kind: str) -> int:
        return int(next(iter(sample.scores.values())).metadata[kind])

    return Report(
        model=content.eval.model.removeprefix(f"{PROVIDER}/"),
        questions=tuple(
            Question(
                str(s.id),
                s.metadata["family"],
                s.metadata["level"],
                str(s.input),
                s.metadata["key"],
            )
            for s in first
        ),
        correct=table(lambda sample: next(iter(sample.scores.values())).value == "C").astype(int),
        thinking_tokens=table(lambda sample: spent(sample, "thinking_tokens")),
        answer_tokens=table(lambda sample: spent(sample, "answer_tokens")),
        log=str(log),
    )


def finished_log(log: str | Path):
    """A finished log, its samples by question and answer. Raises OptionError otherwise."""
    from inspect_ai.log import read_eval_log

    content = read_eval_log(str(log))
    if content.status != "success" or not content.samples:
        why = content.error.message if content.error else f"its status is {content.status!r}"
        raise OptionError(
            f"The evaluation in {Path(str(log)).name} did not finish: {why}.",
            "Run the evaluation again; what is finished will not be repeated.",
        )
    content.samples.sort(key=lambda sample: (str(sample.id), sample.epoch))
    return content


@contextlib.contextmanager
def _no_empty_widget() -> Iterator[None]:
    """In a notebook, Inspect's display leaves an empty widget behind even when it is "none"."""
    import rich

    console, reconfigure = rich.get_console(), rich.reconfigure
    before = console.is_jupyter, console.quiet
    console.is_jupyter, console.quiet = False, True
    # Inspect sets the console up anew on its first run, and would find the notebook again.
    rich.reconfigure = functools.partial(reconfigure, force_jupyter=False, quiet=True)
    try:
        yield
    finally:
        rich.reconfigure = reconfigure
        console.is_jupyter, console.quiet = before


def _outside_any_event_loop(run: Callable[[], tuple], stop: threading.Event) -> tuple:
    """Inspect brings its own event loop; beside a notebook's it needs a thread to itself."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run)
        try:
            return future.result()
        except BaseException:
            stop.set()  # The notebook's stop button reaches only the notebook's own thread.
            raise


def _settings(sampling: Sampling, thinking_budget: int | None) -> dict:
    return {**vars(sampling), "thinking_budget": thinking_budget}


def _file_name(model: str, task: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{model}-{task}")
