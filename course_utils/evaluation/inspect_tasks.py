"""How does a model run through our suite, with logs that survive an interruption?

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
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np

from course_utils.engines.protocol import Engine, Reply
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.errors import OptionError
from course_utils.evaluation.function_calls import offer_functions, parse_function_calls
from course_utils.evaluation.statistics import Interval, pass_at_1
from course_utils.evaluation.suite import Question, scores
from course_utils.sandbox import Sandbox

PROVIDER = "course"
"""Inspect knows our engines as ``course/NAME``."""


@dataclass(frozen=True)
class _Player:
    engine: Engine
    sampling: Sampling
    thinking_budget: int | None
    stop: threading.Event = field(default_factory=threading.Event)


# Inspect finds a model by its name, also when it takes up an old log; so the names are kept here.
_players: dict[str, _Player] = {}


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
    name: str | None = None,
    display: str = "none",
) -> Report:
    """Ask an engine every question ``samples`` times and grade the answers; returns the report.

    Run it again with the same arguments after an interruption, and only what is missing is asked.
    A finished run is read from its log.  Each answer has a seed of its own, drawn from
    ``sampling.seed``, the question and the answer's number, so a run can be repeated exactly.

    ``log_folder`` should hold the logs of this comparison and nothing else.  ``display`` is
    Inspect's: "none", "plain", "rich" or "full".
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
            name=name,
            display=display,
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
    """Run any Inspect ``Task`` with an engine as its model, or go on with it; returns its log."""
    from inspect_ai import eval_set
    from inspect_ai.model import get_model

    _register()
    name = name or engine.info.name
    player = _players[name] = _Player(engine, sampling, thinking_budget)
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

    _register()
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
        solver=_ask(seed),
        scorer=_grade(),
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


def answer_seed(seed: int, sample_id: object, epoch: int) -> int:
    """The seed of one answer: the same in every run, another for every question and answer."""
    return zlib.crc32(f"{seed} {sample_id} {epoch}".encode()) % (2**32 - 1)


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


def _ask(seed: int):
    return _inspect_parts().ask(seed)


def _grade():
    return _inspect_parts().grade()


def _register() -> None:
    _inspect_parts()


@dataclass(frozen=True)
class _Parts:
    ask: object
    grade: object


@functools.cache
def _inspect_parts() -> _Parts:
    """Define our model provider, solver and scorer; Inspect's decorators need Inspect itself."""
    import anyio
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessageAssistant,
        ChatMessageUser,
        ContentReasoning,
        ContentText,
        ModelAPI,
        ModelOutput,
        ModelUsage,
        modelapi,
    )
    from inspect_ai.scorer import Score, accuracy, scorer, stderr
    from inspect_ai.solver import solver
    from inspect_ai.tool import ToolCall

    class EngineAPI(ModelAPI):
        """An engine of the course as a model of Inspect."""

        def __init__(self, model_name, base_url=None, api_key=None, config=None, **_unused):
            super().__init__(model_name, base_url, api_key, [], *([config] if config else []))
            if model_name not in _players:
                raise OptionError(
                    f"No engine called {model_name!r} is open.", "Start with evaluate(engine, …)."
                )
            self.player = _players[model_name]

        async def generate(self, input, tools, tool_choice, config):
            messages = [
                {"role": message.role, "content": message.text}
                for message in input
                if isinstance(message, ChatMessageUser | ChatMessageAssistant)
                or message.role == "system"
            ]
            if tools:
                messages = offer_functions(messages, [tool.model_dump() for tool in tools])
            changes = {
                name: getattr(config, name)
                for name in ("temperature", "top_p", "top_k", "max_tokens", "seed")
                if getattr(config, name) is not None
            }
            stop = threading.Event()
            answer = functools.partial(
                _answer, self.player, messages, self.player.sampling.but(**changes), stop
            )
            try:
                # A thread keeps Inspect's display and its cancelling alive meanwhile.
                reply = await anyio.to_thread.run_sync(answer, abandon_on_cancel=True)
            finally:
                stop.set()
            content: list = [ContentReasoning(reasoning=reply.thinking)] if reply.thinking else []
            content.append(ContentText(text=reply.answer))
            calls = parse_function_calls(reply.answer) if tools else []
            message = ChatMessageAssistant(
                content=content,
                tool_calls=[
                    ToolCall(id=f"call_{number}", function=call.name, arguments=call.arguments)
                    for number, call in enumerate(calls)
                ]
                or None,
                model=self.model_name,
            )
            stop_reason = "max_tokens" if reply.stop_reason == "length" else "stop"
            choice = ChatCompletionChoice(
                message=message, stop_reason="tool_calls" if calls else stop_reason
            )
            output = ModelOutput(model=self.model_name, choices=[choice])
            output.usage = ModelUsage(
                input_tokens=reply.prompt_tokens or 0,
                output_tokens=reply.tokens,
                total_tokens=(reply.prompt_tokens or 0) + reply.tokens,
                reasoning_tokens=reply.thinking_tokens,
            )
            output.metadata = {
                "thinking_tokens": reply.thinking_tokens,
                "answer_tokens": reply.answer_tokens,
                # A thought that never closed is no answer, whatever it says.
                "answered": bool(reply.answer.strip()),
            }
            return output

    @modelapi(name=PROVIDER)
    def course():
        return EngineAPI

    @solver
    def ask(seed: int):
        async def solve(state, generate):
            return await generate(state, seed=answer_seed(seed, state.sample_id, state.epoch))

        return solve

    @scorer(metrics=[accuracy(), stderr()])
    def grade():
        sandbox = Sandbox()

        async def score(state, target):
            metadata = state.metadata
            question = Question(
                str(state.sample_id), metadata["family"], metadata["level"], "", metadata["key"]
            )
            # The completion is the answer alone: a tag in it is text, and must not split it again.
            verdict = question.grade(Reply(answer=state.output.completion), sandbox)
            return Score(
                value="C" if verdict else "I",
                answer=verdict.extracted,
                explanation=verdict.reason,
                metadata=state.output.metadata,
            )

        return score

    return _Parts(ask, grade)


def _answer(
    player: _Player, messages: list[dict[str, str]], sampling: Sampling, stop: threading.Event
) -> Reply:
    stream = player.engine.chat(messages, sampling, thinking_budget=player.thinking_budget)
    for _ in stream:
        if stop.is_set() or player.stop.is_set():
            stream.close()
            raise InterruptedError("the evaluation was stopped")
    return stream.reply
