"""How good is a model on our suite? ``python -m course_utils.evaluation qwq-32b --per-level 3``.

It says how long the evaluation will take before it starts, offers smaller ones, goes on after an
interruption, and prints scores with intervals.  The logs open with ``inspect view``.

With ``--online aime2024 ifeval bfcl`` it asks published benchmarks in place of our suite: they need
the network and the package inspect-evals (see ``online.py``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from course_utils import command_line
from course_utils.command_line import whole
from course_utils.engines import open_model
from course_utils.engines.protocol import Engine
from course_utils.engines.sampling import QWQ
from course_utils.evaluation.cost import estimate_cost, measure_speed
from course_utils.evaluation.inspect_tasks import evaluate
from course_utils.evaluation.online import BENCHMARKS, evaluate_online, load_task
from course_utils.evaluation.suite import FAMILIES, Question, generate_suite
from course_utils.model_files.capacity import THOUGHT_TOKENS

LONGEST_UNASKED = 0.5
"""Hours; a longer evaluation starts only with --yes."""

MOST_SEED = 2**32 - 2
MOST_QUESTIONS, MOST_TOKENS = 10_000, 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status (0 done, 1 an error, 2 --yes is needed)."""
    options = _parser().parse_args(arguments)
    return command_line.run(
        lambda: _run(options), "Stopped. What was answered is kept; the same command goes on."
    )


def _run(options: argparse.Namespace) -> int:
    families = options.families or FAMILIES
    # The packages and the network are asked for first: a missing one is known before any wait.
    tasks = {name: load_task(name) for name in dict.fromkeys(options.online)}
    engine = open_model(options.model)
    speed = measure_speed(engine)
    print(f"{engine.info.name} writes {speed:.1f} tokens per second here.")
    for name, task in tasks.items():
        whole = len(task.dataset)
        asked = min(options.problems or whole, whole)
        parts = {n: n for n in (5, 10, 30, 100, 300) if n < asked}
        print(f"{BENCHMARKS[name].title}, {asked} of {whole} problems:")
        if not _may_start(options, speed, asked, "--problems", parts):
            return 2
    if not tasks:
        questions = generate_suite(options.seed, options.per_level, families, options.max_level)
        parts = {
            n: len(generate_suite(options.seed, n, families, options.max_level))
            for n in range(1, options.per_level)
        }
        if not _may_start(options, speed, len(questions), "--per-level", parts):
            return 2
        _run_suite(options, engine, questions)
    for name, task in tasks.items():
        _run_online(options, engine, name, task)
    return 0


def _may_start(
    options: argparse.Namespace, speed: float, questions: int, option: str, parts: dict[int, int]
) -> bool:
    """Say what it costs; if that is long and nobody said --yes, offer these parts instead.

    ``parts``: the number of questions for each value that ``option`` may have.
    """
    cost = estimate_cost(questions, options.samples, speed, options.tokens)
    print(f"{cost}, at {options.tokens} tokens per answer.")
    if cost.hours <= LONGEST_UNASKED or options.yes:
        return True
    print(f"Add --yes to start, or take a part, with {option}:")
    for value, part in parts.items():
        print(f"  {option} {value}: {estimate_cost(part, options.samples, speed, options.tokens)}")
    return False


def _settings(options: argparse.Namespace) -> dict:
    return {
        "samples": options.samples,
        "sampling": QWQ.but(seed=options.seed, max_tokens=4 * options.tokens),
        "thinking_budget": options.thinking_budget,
        "display": "plain" if options.verbose else "none",
    }


def _run_suite(options: argparse.Namespace, engine: Engine, questions: list[Question]) -> None:
    report = evaluate(engine, questions, options.logs, **_settings(options))
    for (family, level), interval in report.by_level().items():
        print(f"{family}, level {level}: {interval}")
    print(f"all {len(questions)} questions: {report.score()}")
    tokens = (report.thinking_tokens + report.answer_tokens).mean()
    print(f"{tokens:.0f} tokens per answer; the log is {report.log}")


def _run_online(options: argparse.Namespace, engine: Engine, name: str, task) -> None:
    report = evaluate_online(
        engine, task, name, options.logs, problems=options.problems, **_settings(options)
    )
    benchmark = BENCHMARKS[name]
    score = report.score() if len(report.problems) > 1 else f"{report.correct.mean():.0%}"
    print(f"{benchmark.title}, {benchmark.metric}: {score}")
    print(
        f"{len(report.problems)} of {report.whole} problems, {report.tokens.mean():.0f} tokens per "
        f"answer; the log is {report.log}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = command_line.parser(
        "Run our own suite of questions, or a published one, with intervals.",
        prog="python -m course_utils.evaluation",
    )
    parser.add_argument("model", nargs="?", help="catalogue name, GGUF file or server address")
    seed, number = whole(0, MOST_SEED), whole(1, MOST_QUESTIONS)
    parser.add_argument("--seed", type=seed, default=0, help="which suite (default 0)")
    parser.add_argument(
        "--per-level", type=number, default=5, help="questions per level (default 5)"
    )
    parser.add_argument("--families", nargs="+", choices=FAMILIES, help="default: all four")
    parser.add_argument("--max-level", type=number, help="leave out harder questions")
    parser.add_argument(
        "--online",
        nargs="+",
        choices=BENCHMARKS,
        default=[],
        help="ask these published benchmarks instead; needs the network and inspect-evals",
    )
    parser.add_argument(
        "--problems",
        type=number,
        help="ask so many problems of a published benchmark, drawn randomly",
    )
    parser.add_argument(
        "--samples", type=number, default=1, help="answers per question (default 1)"
    )
    parser.add_argument(
        "--thinking-budget", type=whole(0), help="end thoughts after so many tokens"
    )
    parser.add_argument(
        "--tokens",
        type=whole(1, MOST_TOKENS),
        default=THOUGHT_TOKENS,
        help="tokens expected per answer, for the estimate; four times as many end an answer",
    )
    parser.add_argument("--logs", default="runs/evaluation", help="folder of the logs")
    parser.add_argument("--yes", action="store_true", help="start however long it takes")
    parser.add_argument("--verbose", action="store_true", help="show Inspect's progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
