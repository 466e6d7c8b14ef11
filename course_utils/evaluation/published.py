"""Which scores have been published, who measured them, and does anyone else agree?

The data are ``published.csv`` (one score per row) and ``benchmarks.csv`` (what each benchmark asks,
and how many problems it has), beside this file.  Both refuse a row without a source that a reader
can open: a figure that cannot be checked has no place in a comparison.  A score also has to say who
measured it and whether it was taken over from somebody else's paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from course_utils.errors import CourseError, OptionError
from course_utils.evaluation.statistics import Interval, score_interval
from course_utils.intervals import mean_interval
from course_utils.logs import read_table

RESULTS_FILE = Path(__file__).with_name("published.csv")
BENCHMARKS_FILE = Path(__file__).with_name("benchmarks.csv")
CATEGORIES_FILE = Path(__file__).with_name("livebench_categories.csv")

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

NOT_STATED = "not stated"
"""Stands where a source does not say who measured a score, or whether it is a copy."""

Relation = Literal["maker", "same company", "other maker", "outsider", "not stated"]
"""Who measured, seen from the model: its own maker, another part of the maker's company, somebody
who trains models too, or somebody who does not."""

Agreement = Literal["agrees", "differs", "none found"]


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
class CategoryScore:
    """A row of ``livebench_categories.csv``: one model's average in one category, in percent."""

    model: str
    edition: str
    category: str
    tasks: int
    score: float
    source: str


@dataclass(frozen=True)
class PublishedResult:
    """One published score, in percent, with everything that is known of how it came about.

    ``version`` is the edition or window of a benchmark that changes, empty otherwise.
    ``published_by`` printed the score at ``source``; ``measured_by`` ran the model, which is
    somebody else where the score is ``copied`` ("yes", "no" or "not stated").  ``relation`` is how
    whoever measured stands to the model.  ``date`` is empty where the source states none.
    """

    model: str
    benchmark: str
    version: str
    metric: str
    score: float | None
    date: str
    published_by: str
    measured_by: str
    relation: Relation
    copied: Literal["yes", "no", "not stated"]
    settings: str
    source: str


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

    Raises SourceError for a row without a source to open, a score outside 0 to 100, or a row that
    does not say who measured and whether the score is a copy.
    """
    results = []
    for line, row in _rows(path, PublishedResult):
        _require_link(row["source"], path, line)
        score = _percent(row["score"], path, line) if row["score"] else None
        if problem := _unclear_origin(row):
            raise _bad_row(path, line, problem)
        results.append(PublishedResult(**{**row, "score": score}))
    return results


def _unclear_origin(row: Mapping[str, str]) -> str | None:
    """What is missing or contradictory in who measured a score; None if nothing is."""
    if not row["published_by"] or not row["measured_by"]:
        return "it does not say who published and who measured the score"
    if row["relation"] not in get_args(Relation):
        return f"the relation is {row['relation']!r}, not one of {', '.join(get_args(Relation))}"
    if row["copied"] not in ("yes", "no", NOT_STATED):
        return f"copied is {row['copied']!r}, not yes, no or {NOT_STATED}"
    if (row["relation"] == NOT_STATED) != (row["measured_by"] == NOT_STATED):
        return "who measured and how they stand to the model are stated together or not at all"
    if row["copied"] == "no" and row["measured_by"] != row["published_by"]:
        return "a score that somebody else measured is a copy"
    return None


def find(
    results: Iterable[PublishedResult],
    *,
    model: str | None = None,
    benchmark: str | None = None,
    metric: str | None = None,
    version: str | None = None,
    published_by: str | None = None,
    measured_by: str | None = None,
) -> list[PublishedResult]:
    """The results that match everything given."""
    wanted = {
        "model": model,
        "benchmark": benchmark,
        "metric": metric,
        "version": version,
        "published_by": published_by,
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

    The maker's own come first, then the others, each by date.  The empty lists matter: a figure
    must show where the course found nothing.
    """
    results = sorted(results, key=_own_first)
    benchmarks = list(load_benchmarks()) if benchmarks is None else list(benchmarks)
    return {(m, b): find(results, model=m, benchmark=b) for m in models for b in benchmarks}


def _own_first(result: PublishedResult) -> tuple[bool, bool, str]:
    return result.relation != "maker", not result.date, result.date


def elsewhere(result: PublishedResult, results: Iterable[PublishedResult]) -> list[PublishedResult]:
    """What somebody else measured of the same model on the same benchmark; copies do not count.

    A maker and its own house are one party.  Editions and windows that differ hold other questions,
    and a majority vote is compared with majority votes only.
    """
    if result.measured_by == NOT_STATED:
        return []
    own = ("maker", "same company")
    return [
        other
        for other in results
        if (other.model, other.benchmark) == (result.model, result.benchmark)
        and other.version == result.version
        and other.metric.startswith("cons") == result.metric.startswith("cons")
        and other.copied == "no"
        and other.measured_by not in (NOT_STATED, result.measured_by)
        and not (other.relation in own and result.relation in own)
        and other.score is not None
    ]


def agreement(result: PublishedResult, results: Iterable[PublishedResult]) -> Agreement:
    """Has somebody else measured this score, and how close did they come?

    "agrees" if one of them lies within ``AGREEMENT_POINTS``, "differs" if none does.  To differ is
    no contradiction: the next run of the same party may lie as far away.
    """
    others = elsewhere(result, results)
    if result.score is None or not others:
        return "none found"
    # A little room, since 79.9 - 79.4 is not 0.5 in binary.
    closest = min(abs(other.score - result.score) for other in others)
    return "agrees" if closest <= AGREEMENT_POINTS + 1e-9 else "differs"


def interval(
    result: PublishedResult,
    benchmarks: Mapping[str, Benchmark] | None = None,
    confidence: float = 0.95,
) -> Interval | None:
    """Interval of a published score from the size of its benchmark; None where there is no size.

    It treats the score as one answer per problem.  Where it is an average over many answers, it is
    wider than need be: problems that are half solved differ less than problems that are solved or
    not.  How much less only the single answers tell (``pass_at_1`` in ``statistics``).
    """
    benchmarks = load_benchmarks() if benchmarks is None else benchmarks
    benchmark = benchmarks.get(result.benchmark)
    if result.score is None or benchmark is None or benchmark.problems is None:
        return None
    return score_interval(result.score / 100, benchmark.problems, confidence)


def load_categories(
    path: str | Path = CATEGORIES_FILE, edition: str = "2024-11-25"
) -> dict[str, dict[str, float]]:
    """LiveBench's scores on one edition of its questions: each model's average in each category.

    In percent; empty for an edition whose categories do not come with the course.

    Averages of the tasks of a category, computed from the table at ``source``.  Raises SourceError
    for a row without a source to open or a score outside 0 to 100.
    """
    board: dict[str, dict[str, float]] = {}
    for line, row in _rows(path, CategoryScore):
        _require_link(row["source"], path, line)
        score = _percent(row["score"], path, line)
        if row["edition"] == edition:
            board.setdefault(row["model"], {})[row["category"]] = score
    return board


def category_difference(
    board: Mapping[str, Mapping[str, float]], first: str, second: str, confidence: float = 0.95
) -> Interval:
    """How much higher the first model's average of categories is, with an interval over them.

    The categories are what the average is made of, and both models have a score in each: so the
    differences are taken category by category, and the interval is Student's for their mean.  It
    asks where the lead would be, had LiveBench chosen other categories of this kind.  (A bootstrap
    of six values would be too sure: its intervals miss the truth nearly three times as often.)

    Raises OptionError for a model that the board does not have.
    """
    for model in (first, second):
        if model not in board:
            raise OptionError(f"{model!r} is not on the board.", f"Use one of: {', '.join(board)}.")
    gaps = [(board[first][name] - board[second][name]) / 100 for name in board[first]]
    return Interval(*mean_interval(gaps, confidence))


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


def _percent(text: str, path: str | Path, line: int) -> float:
    try:
        score = float(text)
    except ValueError:
        raise _bad_row(path, line, f"the score is {text!r}, not a number") from None
    if not 0 <= score <= 100:
        raise _bad_row(path, line, f"the score {score} is not between 0 and 100")
    return score


def _bad_row(path: str | Path, line: int, problem: str) -> SourceError:
    return SourceError(
        f"{Path(path).name}, line {line}: {problem}.",
        "Correct the row, or remove it: a figure without a source stays out.",
    )
