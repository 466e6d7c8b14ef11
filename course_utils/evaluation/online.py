"""How does a model do on AIME 2024, IFEval and BFCL themselves?

The problems belong to their authors and are not shipped: the package ``inspect-evals``
(https://github.com/UKGovernmentBEIS/inspect_evals) fetches them, each under its own licence, and
brings the field's own graders.  The package is optional, and the first run needs the network.

BFCL is asked in its single-turn categories: those of several turns need more context, and more
patience, than a laptop has.  So its score is not the board's overall accuracy.
"""

from __future__ import annotations

import importlib
import importlib.util
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from course_utils.engines.protocol import Engine
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.errors import DownloadError, NotSupportedError, OptionError
from course_utils.evaluation.inspect_model import answer_seed
from course_utils.evaluation.inspect_tasks import finished_log, run_task
from course_utils.evaluation.statistics import Interval, pass_at_1

SINGLE_TURN = (
    "simple_python",
    "simple_java",
    "simple_javascript",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
)
"""The categories of BFCL's first version that are compared by structure, or expect no call."""

INSTALL = "python -m pip install inspect-evals"
INSTALL_IFEVAL = (
    "python -m pip install langdetect git+https://github.com/josejg/instruction_following_eval"
)


@dataclass(frozen=True)
class OnlineBenchmark:
    """A benchmark of inspect-evals: its task there, and what it needs.

    ``modules`` maps each module needed to the command that installs it.  ``host`` is where its
    problems come from.  ``options`` go to the task.
    """

    title: str
    module: str
    task: str
    metric: str
    modules: dict[str, str]
    host: str
    options: dict[str, object]


BENCHMARKS = {
    "aime2024": OnlineBenchmark(
        "AIME 2024",
        "inspect_evals.aime2024",
        "aime2024",
        "share of answers that are right",
        {"inspect_evals": INSTALL},
        "https://huggingface.co",
        {},
    ),
    "ifeval": OnlineBenchmark(
        "IFEval",
        "inspect_evals.ifeval",
        "ifeval",
        "share of prompts with every instruction met, strict",
        {"inspect_evals": INSTALL, "instruction_following_eval": INSTALL_IFEVAL},
        "https://huggingface.co",
        {},
    ),
    "bfcl": OnlineBenchmark(
        "BFCL, single turn",
        "inspect_evals.bfcl",
        "bfcl",
        "share of requests with exactly the right calls",
        {"inspect_evals": INSTALL},
        "https://github.com",
        {"categories": list(SINGLE_TURN)},
    ),
}
"""By the name that the command line takes."""


@dataclass(frozen=True)
class OnlineReport:
    """What a model did on a published benchmark: one row per problem, one column per answer.

    ``correct``, ``tokens``: (problems, answers).  ``whole`` is the number of problems the benchmark
    has; fewer were asked if there are fewer rows.
    """

    benchmark: str
    model: str
    problems: tuple[str, ...]
    correct: np.ndarray
    tokens: np.ndarray
    whole: int
    log: str

    def score(self, confidence: float = 0.95) -> Interval:
        """pass@1, with its interval over problems."""
        return pass_at_1(self.correct, confidence)


def load_task(benchmark: str):
    """The benchmark as an Inspect ``Task``, its problems fetched if need be.

    Raises OptionError for a name that is not in ``BENCHMARKS``, NotSupportedError if a package is
    missing, and DownloadError if the problems cannot be fetched.
    """
    if benchmark not in BENCHMARKS:
        raise OptionError(
            f"There is no benchmark called {benchmark!r} here.",
            f"Use one of: {', '.join(BENCHMARKS)}.",
        )
    wanted = BENCHMARKS[benchmark]
    for module, install in wanted.modules.items():
        if importlib.util.find_spec(module) is None:
            raise NotSupportedError(
                f"{wanted.title} needs the package {module.replace('_', '-')}, which the course "
                "does not install.",
                f"Install it with `{install}`. The course's own suite needs no such package.",
            )
    # Without the network the package would try again for minutes before it gave up.
    _require_answer(wanted.host, wanted.title)
    make = getattr(importlib.import_module(wanted.module), wanted.task)
    try:
        return make(**wanted.options)
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise DownloadError(
            f"The problems of {wanted.title} could not be fetched: {why}.",
            "Check the network and run it again.",
        ) from None


def pick(samples: Sequence, problems: int | None, seed: int = 0) -> list:
    """``problems`` of these samples, drawn at random with this seed; all for None.

    A random part gives an honest estimate; the first ones of a file may all be of one kind.
    """
    if problems is None or problems >= len(samples):
        return list(samples)
    if problems < 1:
        raise OptionError(f"problems={problems!r} is not possible.", "Give 1 or more.")
    chosen = sorted(Random(seed).sample(range(len(samples)), problems))
    return [samples[index] for index in chosen]


def evaluate_online(
    engine: Engine,
    task,
    benchmark: str,
    log_folder: str | Path,
    *,
    problems: int | None = None,
    samples: int = 1,
    sampling: Sampling = QWQ,
    thinking_budget: int | None = None,
    display: str = "none",
) -> OnlineReport:
    """Ask an engine a benchmark's problems, from ``load_task``, or a random part of them.

    Like ``evaluate``, it goes on after an interruption, and each answer has a seed of its own.
    """
    from inspect_ai import task_with
    from inspect_ai.dataset import MemoryDataset

    seed = sampling.seed or 0
    whole = len(task.dataset)
    chosen = pick(list(task.dataset), problems, seed)
    fingerprint = repr([s.id for s in chosen]) + repr((samples, sampling, thinking_budget))
    part = task_with(
        task,
        # What is asked, and how, is part of the name: another part is another evaluation.
        name=f"{benchmark}-{zlib.crc32(fingerprint.encode()):08x}",
        dataset=MemoryDataset(chosen, name=benchmark),
        solver=_with_seeds(task.solver, seed),
    )
    log = run_task(
        part,
        engine,
        log_folder,
        samples=samples,
        sampling=sampling,
        thinking_budget=thinking_budget,
        display=display,
    )
    answered = finished_log(log).samples
    names = tuple(dict.fromkeys(str(sample.id) for sample in answered))
    shape = (len(names), len(answered) // len(names))
    right = [_is_right(next(iter(sample.scores.values())).value) for sample in answered]
    tokens = [sample.output.usage.output_tokens for sample in answered]
    return OnlineReport(
        benchmark=benchmark,
        model=engine.info.name,
        problems=names,
        correct=np.array(right, dtype=int).reshape(shape),
        tokens=np.array(tokens, dtype=int).reshape(shape),
        whole=whole,
        log=log,
    )


def _with_seeds(inner, seed: int):
    """The benchmark's own solver; every answer it asks for gets a seed of its own."""
    from inspect_ai.solver import solver

    @solver(name="with_seeds")
    def with_seeds():
        async def solve(state, generate):
            async def generate_with_seed(state, **options):
                options.setdefault("seed", answer_seed(seed, state.sample_id, state.epoch))
                return await generate(state, **options)

            return await inner(state, generate_with_seed)

        return solve

    return with_seeds()


def _is_right(value: object) -> bool:
    if isinstance(value, dict):  # IFEval's scores; the strict one for the whole prompt counts.
        return bool(value["prompt_level_strict"])
    return value == "C" if isinstance(value, str) else bool(value)


def _require_answer(host: str, title: str) -> None:
    import httpx

    try:
        httpx.head(host, timeout=10)
    except httpx.HTTPError:
        raise DownloadError(
            f"The problems of {title} cannot be fetched: {host} does not answer.",
            "Connect to the network and run it again. The course's own suite needs no network.",
        ) from None
