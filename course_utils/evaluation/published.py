"""Which scores have been published, who measured them, and does anyone else agree?

The data are ``published.csv`` (one score per row) and ``benchmarks.csv`` (what each benchmark asks,
and how many problems it has), beside this file.  Both refuse a row without a source that a reader
can open: a figure nobody can check has no place in a comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from course_utils.errors import CourseError, OptionError
from course_utils.evaluation.statistics import Interval, score_interval
from course_utils.logs import read_table

RESULTS_FILE = Path(__file__).with_name("published.csv")
BENCHMARKS_FILE = Path(__file__).with_name("benchmarks.csv")

AGREEMENT_POINTS = 0.5
"""Two sources agree if their scores differ by no more than this many percentage points."""

MODELS = (
    "QwQ-32B",
    "QwQ-32B-Preview",
    "DeepSeek-R1",
    "DeepSeek-R1-Zero",
    "o1-mini",
    "R1-Distill-Qwen-32B",
    "R1-Distill-Llama-70B",
)
"""The models the course compares, in the order of its tables."""


class SourceError(CourseError):
    """A figure or a statement has no source that a reader can open, or contradicts itself."""


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark asks. ``problems`` is None where the size alone gives no interval."""

    name: str
    asks: str
    problems: int | None
    metric: str
    source: str
    note: str


@dataclass(frozen=True)
class PublishedResult:
    """One published score, in percent, with everything that is known of how it came about.

    ``version`` is the edition or window of a benchmark that changes, empty otherwise.
    ``second_source_agrees`` is "yes" when ``second_source`` gives a score within
    ``AGREEMENT_POINTS`` for the same model and benchmark, "no" when it gives another, and
    "unknown" when none was found.  ``date`` is empty where the source states none.
    """

    model: str
    benchmark: str
    version: str
    metric: str
    score: float | None
    date: str
    measured_by: str
    settings: str
    source: str
    second_source_agrees: Literal["yes", "no", "unknown"]
    second_source: str


def load_benchmarks(path: str | Path = BENCHMARKS_FILE) -> dict[str, Benchmark]:
    """Every benchmark by its name. Raises SourceError for a row without a source."""
    benchmarks = {}
    for line, row in _rows(path, Benchmark):
        _require_link(row["source"], path, line)
        try:
            problems = int(row["problems"]) if row["problems"] else None
        except ValueError:
            raise _bad_row(path, line, f"problems is {row['problems']!r}, not a number") from None
        benchmarks[row["name"]] = Benchmark(**{**row, "problems": problems})
    return benchmarks


def load_results(path: str | Path = RESULTS_FILE) -> list[PublishedResult]:
    """Every published score, in file order.

    Raises SourceError for a row without a source to open, a score outside 0 to 100, or a second
    source that is named but not judged (or the reverse).
    """
    results = []
    for line, row in _rows(path, PublishedResult):
        _require_link(row["source"], path, line)
        try:
            score = float(row["score"]) if row["score"] else None
        except ValueError:
            raise _bad_row(path, line, f"the score is {row['score']!r}, not a number") from None
        if score is not None and not 0 <= score <= 100:
            raise _bad_row(path, line, f"the score {score} is not between 0 and 100")
        if row["second_source_agrees"] not in ("yes", "no", "unknown"):
            raise _bad_row(path, line, "second_source_agrees is not yes, no or unknown")
        if (row["second_source_agrees"] == "unknown") != (not row["second_source"]):
            raise _bad_row(path, line, "a second source needs a verdict, and a verdict a source")
        if row["second_source"]:
            _require_link(row["second_source"], path, line)
        results.append(PublishedResult(**{**row, "score": score}))
    return results


def find(
    results: Iterable[PublishedResult],
    *,
    model: str | None = None,
    benchmark: str | None = None,
    metric: str | None = None,
    version: str | None = None,
    measured_by: str | None = None,
) -> list[PublishedResult]:
    """The results that match everything given."""
    wanted = {
        "model": model,
        "benchmark": benchmark,
        "metric": metric,
        "version": version,
        "measured_by": measured_by,
    }
    wanted = {name: value for name, value in wanted.items() if value is not None}
    return [r for r in results if all(getattr(r, n) == v for n, v in wanted.items())]


def grid(
    results: Iterable[PublishedResult],
    models: Iterable[str] = MODELS,
    benchmarks: Iterable[str] | None = None,
) -> dict[tuple[str, str], list[PublishedResult]]:
    """All results for each model and benchmark; an empty list where no source was found.

    The empty lists matter: a figure must show what has never been published.
    """
    results = list(results)
    benchmarks = list(load_benchmarks()) if benchmarks is None else list(benchmarks)
    return {(m, b): find(results, model=m, benchmark=b) for m in models for b in benchmarks}


def interval(
    result: PublishedResult,
    benchmarks: Mapping[str, Benchmark] | None = None,
    confidence: float = 0.95,
) -> Interval | None:
    """Interval of a published score from the size of its benchmark; None where there is no size.

    It treats the score as one answer per problem.  Where it is an average over many answers, the
    chance of the draw is smaller, but the choice of *problems* is still what it was.
    """
    benchmarks = load_benchmarks() if benchmarks is None else benchmarks
    benchmark = benchmarks.get(result.benchmark)
    if result.score is None or benchmark is None or benchmark.problems is None:
        return None
    return score_interval(result.score / 100, benchmark.problems, confidence)


def _rows(path: str | Path, record: type) -> list[tuple[int, dict[str, str]]]:
    columns = list(record.__dataclass_fields__)
    try:
        found, rows = read_table(Path(path))
    except OSError as error:
        raise OptionError(
            f"The file {path} cannot be read: {error.strerror}.", "Give the path of a CSV file."
        ) from None
    if found != columns:
        raise SourceError(
            f"{Path(path).name} does not have the expected columns.",
            f"Its first line should read: {','.join(columns)}",
        )
    numbered = list(enumerate(rows, start=2))
    for line, row in numbered:
        if None in row or None in row.values():
            raise _bad_row(path, line, f"the row does not have {len(columns)} fields")
    return numbered


def _require_link(link: str, path: str | Path, line: int) -> None:
    if not link.startswith(("https://", "http://")) or " " in link:
        raise _bad_row(path, line, f"{link!r} is not a source that a reader can open")


def _bad_row(path: str | Path, line: int, problem: str) -> SourceError:
    return SourceError(
        f"{Path(path).name}, line {line}: {problem}.",
        "Correct the row, or remove it: a figure without a source stays out.",
    )
