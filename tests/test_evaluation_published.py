"""Every published score has a source, and the data do not contradict themselves."""

import csv

import pytest

from course_utils.errors import OptionError
from course_utils.evaluation import published

HEADER = list(published.PublishedResult.__dataclass_fields__)
GOOD = {
    "model": "m",
    "benchmark": "AIME 2024",
    "version": "",
    "metric": "pass@1",
    "score": "50",
    "date": "",
    "measured_by": "someone",
    "settings": "",
    "source": "https://example.org/a",
    "second_source_agrees": "unknown",
    "second_source": "",
}


@pytest.fixture(scope="module")
def results():
    return published.load_results()


def write(path, **changes):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerow({**GOOD, **changes})
    return path


def test_a_sound_row_loads(tmp_path):
    (row,) = published.load_results(write(tmp_path / "a.csv"))
    assert row.score == 50.0


def test_an_unknown_score_stays_blank(tmp_path):
    (row,) = published.load_results(write(tmp_path / "a.csv", score=""))
    assert row.score is None
    assert published.interval(row) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"source": ""},
        {"source": "from memory"},
        {"score": "795"},
        {"score": "about 80"},
        {"second_source_agrees": "maybe"},
        {"second_source_agrees": "yes"},
        {"second_source": "https://example.org/b"},
    ],
)
def test_a_row_that_cannot_be_checked_is_refused(tmp_path, changes):
    with pytest.raises(published.SourceError, match="line 2"):
        published.load_results(write(tmp_path / "a.csv", **changes))


def test_a_benchmark_without_a_source_is_refused(tmp_path):
    path = tmp_path / "b.csv"
    path.write_text("name,asks,problems,metric,source,note\nX,asks,10,share,,\n")
    with pytest.raises(published.SourceError, match="line 2"):
        published.load_benchmarks(path)


def test_a_missing_or_foreign_file_is_one_clear_error(tmp_path):
    with pytest.raises(OptionError):
        published.load_results(tmp_path / "none.csv")
    (tmp_path / "c.csv").write_text("a,b\n1,2\n")
    with pytest.raises(published.SourceError, match="columns"):
        published.load_results(tmp_path / "c.csv")


def test_the_comparison_covers_the_models_and_benchmarks_of_the_course(results):
    cells = published.grid(results)
    assert len(cells) == 7 * 7
    assert {r.benchmark for r in results} == set(published.load_benchmarks())
    for model in published.MODELS:
        assert cells[model, "AIME 2024"], f"{model} has no AIME 2024 score"
    # Nobody published these; the figure has to show the gap.
    assert cells["DeepSeek-R1-Zero", "BFCL"] == []


def test_no_score_is_listed_twice(results):
    keys = [(r.model, r.benchmark, r.version, r.metric, r.source) for r in results]
    assert len(keys) == len(set(keys))


def test_agreement_is_what_the_numbers_say(results):
    """ "yes" and "no" are not opinions: the second source's own row decides."""

    def voted(result):
        return result.metric.startswith("cons")

    judged = [r for r in results if r.second_source]
    for r in judged:
        others = [
            o
            for o in published.find(results, model=r.model, benchmark=r.benchmark)
            if o.source == r.second_source
            and voted(o) == voted(r)
            # An edition of LiveBench is a benchmark of its own.
            and (r.benchmark != "LiveBench" or o.version == r.version)
        ]
        assert others, f"{r.model} on {r.benchmark}: {r.second_source} has no row"
        close = abs(others[0].score - r.score) <= published.AGREEMENT_POINTS + 1e-9
        assert r.second_source_agrees == ("yes" if close else "no"), (r, others[0])
    assert len(judged) > 50


def test_the_release_figure_is_complete_and_true_to_the_announcement(results):
    figure = [r for r in results if r.source == "https://qwenlm.github.io/blog/qwq-32b/"]
    assert len(figure) == 5 * 5
    score = {(r.model, r.benchmark): r.score for r in figure}
    assert score["QwQ-32B", "AIME 2024"] < score["DeepSeek-R1", "AIME 2024"]
    assert score["QwQ-32B", "LiveBench"] > score["DeepSeek-R1", "LiveBench"]
    assert score["o1-mini", "IFEval"] > score["QwQ-32B", "IFEval"]


def test_aime_intervals_of_qwq_and_r1_overlap_almost_entirely(results):
    (qwq,) = published.find(
        results, model="QwQ-32B", benchmark="AIME 2024", measured_by="Qwen team"
    )
    (r1,) = published.find(
        results, model="DeepSeek-R1", benchmark="AIME 2024", measured_by="Qwen team"
    )
    a, b = published.interval(qwq), published.interval(r1)
    assert a.high - a.low > 0.25
    assert min(a.high, b.high) - max(a.low, b.low) > 0.95 * (a.high - a.low)


def test_the_order_of_qwq_and_r1_on_livebench_depends_on_the_edition(results):
    leads = {}
    for version in ("2024-11-25", "2025-04-02", "2025-04-25"):
        board = {
            r.model: r.score
            for r in published.find(
                results, benchmark="LiveBench", version=version, measured_by="LiveBench"
            )
        }
        leads[version] = board["QwQ-32B"] > board["DeepSeek-R1"]
    assert leads == {"2024-11-25": True, "2025-04-02": False, "2025-04-25": False}


def test_a_benchmark_without_a_size_gives_no_interval(results):
    (bfcl,) = published.find(results, model="QwQ-32B", benchmark="BFCL")
    assert published.interval(bfcl) is None
