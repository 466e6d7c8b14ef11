"""How good is a model on our suite? ``python -m course_utils.evaluation qwq-32b --per-level 3``.

It says how long the evaluation will take before it starts, offers smaller ones, goes on after an
interruption, and prints scores with intervals.  The logs open with ``inspect view``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from course_utils.capacity import THOUGHT_TOKENS
from course_utils.engines import open_model
from course_utils.engines.sampling import QWQ
from course_utils.errors import CourseError
from course_utils.evaluation.cost import estimate_cost, measure_speed
from course_utils.evaluation.inspect_tasks import evaluate
from course_utils.evaluation.suite import FAMILIES, generate_suite

LONGEST_UNASKED = 0.5
"""Hours; a longer evaluation starts only with --yes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status (0 done, 1 an error, 2 --yes is needed)."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    families = options.families or FAMILIES
    questions = generate_suite(options.seed, options.per_level, families, options.max_level)
    engine = open_model(options.model)
    speed = measure_speed(engine)
    cost = estimate_cost(len(questions), options.samples, speed, options.tokens)
    print(f"{engine.info.name} writes {speed:.1f} tokens per second here.")
    print(f"{cost}, at {options.tokens} tokens per answer.")
    if cost.hours > LONGEST_UNASKED and not options.yes:
        print("Add --yes to start, or take a part of the suite, with --per-level:")
        for per_level in range(1, options.per_level):
            part = len(generate_suite(options.seed, per_level, families, options.max_level))
            smaller = estimate_cost(part, options.samples, speed, options.tokens)
            print(f"  --per-level {per_level}: {smaller}")
        return 2
    report = evaluate(
        engine,
        questions,
        options.logs,
        samples=options.samples,
        sampling=QWQ.but(seed=options.seed, max_tokens=4 * options.tokens),
        thinking_budget=options.thinking_budget,
        display="plain" if options.verbose else "none",
    )
    for (family, level), interval in report.by_level().items():
        print(f"{family}, level {level}: {interval}")
    print(f"all {len(questions)} questions: {report.score()}")
    tokens = (report.thinking_tokens + report.answer_tokens).mean()
    print(f"{tokens:.0f} tokens per answer; the log is {report.log}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.evaluation",
        description="Run our own suite of questions on a model, with intervals.",
    )
    parser.add_argument("model", nargs="?", help="catalogue name, GGUF file or server address")
    parser.add_argument("--seed", type=int, default=0, help="which suite (default 0)")
    parser.add_argument("--per-level", type=int, default=5, help="questions per level (default 5)")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, help="default: all four")
    parser.add_argument("--max-level", type=int, help="leave out harder questions")
    parser.add_argument("--samples", type=int, default=1, help="answers per question (default 1)")
    parser.add_argument("--thinking-budget", type=int, help="end thoughts after so many tokens")
    parser.add_argument(
        "--tokens",
        type=int,
        default=THOUGHT_TOKENS,
        help="tokens expected per answer, for the estimate; four times as many end an answer",
    )
    parser.add_argument("--logs", default="runs/evaluation", help="folder of the logs")
    parser.add_argument("--yes", action="store_true", help="start however long it takes")
    parser.add_argument("--verbose", action="store_true", help="show Inspect's progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
