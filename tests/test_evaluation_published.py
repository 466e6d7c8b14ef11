"""Every published score has a source, and the data do not contradict themselves."""

import csv

import numpy as np
import pytest

from course_utils.errors import OptionError
from course_utils.evaluation import published
from course_utils.evaluation.statistics import paired_bootstrap

HEADER = list(published.PublishedResult.__dataclass_fields__)
GOOD = {
    "model": "m",
    "benchmark": "AIME 2024",
    "version": "",
    "metric": "pass@1",
    "score": "50",
    "date": "",
    "published_by": "someone",
    "measured_by": "someone",
    "relation": "outsider",
    "copied": "no",
    "settings": "",
    "source": "https://example.org/a",
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
        {"measured_by": ""},
        {"published_by": ""},
        {"relation": ""},
        {"relation": "friend"},
        {"copied": ""},
        {"copied": "perhaps"},
        {"measured_by": "not stated"},
        {"relation": "not stated"},
        {"measured_by": "somebody else", "copied": "no"},
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
    assert len(cells) == 7 * 8
    assert {r.benchmark for r in results} == set(published.load_benchmarks())
    for model in published.MODELS:
        assert cells[model, "AIME 2024"], f"{model} has no AIME 2024 score"
    # No source was found for this; the figure has to show the gap.
    assert cells["DeepSeek-R1-Zero", "BFCL"] == []


def test_no_score_is_listed_twice(results):
    keys = [(r.model, r.benchmark, r.version, r.metric, r.source) for r in results]
    assert len(keys) == len(set(keys))


def row(score, by, relation="outsider", **changes):
    fields = {**GOOD, "measured_by": by, "published_by": by, "relation": relation, **changes}
    return published.PublishedResult(**{**fields, "score": score})


def test_only_a_measurement_by_somebody_else_confirms_a_score():
    own = row(80.0, "the maker", "maker")
    for other, expected in (
        (row(80.4, "an outsider"), "agrees"),
        (row(78.0, "an outsider"), "differs"),
        (row(80.0, "an outsider", copied="yes"), "none found"),
        (row(80.0, "the maker", "maker", source="https://example.org/b"), "none found"),
        (row(80.0, "another team of the maker's", "same company"), "none found"),
        (row(80.0, "not stated", "not stated", copied="not stated"), "none found"),
        (row(80.0, "an outsider", version="another window"), "none found"),
        (row(80.0, "an outsider", metric="cons@64"), "none found"),
        (row(80.0, "an outsider", model="another"), "none found"),
    ):
        assert published.agreement(own, [own, other]) == expected, other
    # Two outsiders are two parties.
    assert published.agreement(row(80.0, "a"), [row(80.0, "b")]) == "agrees"


def test_what_a_maker_prints_again_is_no_second_measurement(results):
    """The Qwen3 report repeats QwQ's figures, and takes LiveBench's from the board."""
    report = published.find(results, model="QwQ-32B", published_by="Qwen team")
    report = {r.benchmark: r for r in report if "2505.09388" in r.source}
    for benchmark in ("AIME 2024", "AIME 2025", "IFEval", "BFCL", "LiveBench"):
        assert report[benchmark].copied == "yes", benchmark
    (board,) = published.find(
        results, model="QwQ-32B", version="2024-11-25", published_by="LiveBench"
    )
    assert report["LiveBench"].score == round(board.score, 1) < 73.1
    assert report["LiveBench"].measured_by == "LiveBench"


def test_qwqs_aime_2025_has_a_second_party(results):
    own, other = (
        published.find(results, model="QwQ-32B", benchmark="AIME 2025", published_by=by)[0]
        for by in ("Qwen team", "AReaL team (Ant Group, Tsinghua)")
    )
    assert (own.score, other.score) == (69.5, 70.2)
    assert "64 answers" in own.settings and "32 answers" in other.settings
    assert published.agreement(own, results) == "differs"  # By a fifth of one problem.


def test_what_a_rival_paper_printed_first_is_marked_as_a_copy(results):
    """The release figure's scores of other models are, to the digit, those of earlier sources."""
    figure = [r for r in results if r.source == "https://qwenlm.github.io/blog/qwq-32b/"]
    earlier = {
        (r.model, r.benchmark, round(r.score, 1))
        for r in results
        if r.date < "2025-03-06"
        and not r.metric.startswith("cons")
        and r.published_by != "Qwen team"
    } | {("o1-mini", "BFCL", 62.8)}
    for r in figure:
        if r.model != "QwQ-32B":
            known = (r.model, r.benchmark, r.score) in earlier
            assert (r.copied == "yes") == known, (r.model, r.benchmark)
            assert r.measured_by != "Qwen team", (r.model, r.benchmark)


def test_the_first_version_of_the_r1_paper_is_named_where_its_figures_stand(results):
    unversioned = [r for r in results if "2501.12948" in r.source and not r.source.endswith("v1")]
    assert unversioned == []
    zero = published.find(results, model="DeepSeek-R1-Zero", benchmark="AIME 2024", metric="pass@1")
    assert {r.score for r in zero} == {71.0, 77.9}


def test_the_settings_of_qwqs_release_are_those_of_its_makers_code(results):
    for benchmark, answers in (("AIME 2024", "64 answers"), ("LiveCodeBench", "8 answers")):
        r, *_ = published.find(
            results, model="QwQ-32B", benchmark=benchmark, measured_by="Qwen team"
        )
        assert answers in r.settings and "at most 32768 tokens" in r.settings
        assert "github.com/QwenLM/QwQ/blob/" in r.settings


@pytest.mark.parametrize("edition", ["2024-11-25", "2025-04-02", "2025-04-25"])
def test_livebenchs_categories_average_to_the_boards_score(results, edition):
    board = published.load_categories(edition=edition)
    assert {"QwQ-32B", "DeepSeek-R1"} <= board.keys()
    assert {len(scores) for scores in board.values()} == {6}
    for model, scores in board.items():
        (total,) = published.find(
            results,
            model=model,
            benchmark="LiveBench",
            version=edition,
            published_by="LiveBench",
        )
        assert sum(scores.values()) / 6 == pytest.approx(total.score, abs=0.01)


def test_the_lead_on_livebench_is_judged_over_its_categories():
    board = published.load_categories()
    lead = published.category_difference(board, "QwQ-32B", "DeepSeek-R1")
    assert lead.low < 0 < lead.high and lead.estimate == pytest.approx(0.0039, abs=1e-4)
    assert published.category_difference(board, "QwQ-32B", "o1-mini").low > 0
    # The sign turns with the order; the width does not.
    back = published.category_difference(board, "DeepSeek-R1", "QwQ-32B")
    assert (back.estimate, back.low, back.high) == pytest.approx((-lead[0], -lead[2], -lead[1]))


@pytest.mark.parametrize("row", ["50,", "much,https://example.org", "501,https://example.org"])
def test_a_category_that_cannot_be_checked_is_refused(tmp_path, row):
    path = tmp_path / "c.csv"
    path.write_text(f"model,edition,category,tasks,score,source\nm,e,Coding,2,{row}\n")
    with pytest.raises(published.SourceError, match="line 2"):
        published.load_categories(path)


def test_a_model_that_the_board_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(OptionError, match="QwQ-32B-Preview"):
        published.category_difference(published.load_categories(), "QwQ-32B", "GPT-9")


def test_the_release_figure_is_complete_and_true_to_the_announcement(results):
    figure = [r for r in results if r.source == "https://qwenlm.github.io/blog/qwq-32b/"]
    assert len(figure) == 5 * 5
    score = {(r.model, r.benchmark): r.score for r in figure}
    assert score["QwQ-32B", "AIME 2024"] < score["DeepSeek-R1", "AIME 2024"]
    assert score["QwQ-32B", "LiveBench"] > score["DeepSeek-R1", "LiveBench"]
    assert score["o1-mini", "IFEval"] > score["QwQ-32B", "IFEval"]


def test_aime_intervals_of_qwq_and_r1_overlap_almost_entirely(results):
    qwq, *_ = published.find(
        results, model="QwQ-32B", benchmark="AIME 2024", measured_by="Qwen team"
    )
    (r1,) = published.find(
        results, model="DeepSeek-R1", benchmark="AIME 2024", published_by="Qwen team"
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


@pytest.mark.parametrize("benchmark", ["BFCL", "LiveBench"])
def test_an_average_of_uneven_categories_gives_no_interval(results, benchmark):
    for result in published.find(results, benchmark=benchmark):
        assert published.interval(result) is None


def test_intervals_over_six_categories_keep_their_promise_where_a_bootstrap_does_not():
    random = np.random.default_rng(4)
    gaps = random.normal(1.0, 4.0, (2000, 6))
    held, bootstrapped = 0, 0
    for row in gaps:
        first = {f"category {i}": 50 + gap for i, gap in enumerate(row)}
        board = {"a": first, "b": dict.fromkeys(first, 50.0)}
        lead = published.category_difference(board, "a", "b")
        held += lead.low <= 0.01 <= lead.high
        low, high = paired_bootstrap(row / 100 + 0.5, np.full(6, 0.5), resamples=200).difference[1:]
        bootstrapped += low <= 0.01 <= high
    assert 0.935 <= held / 2000 <= 0.965
    assert bootstrapped / 2000 < 0.9
