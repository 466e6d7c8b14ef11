"""Quizzes and closing cells: to be read by whoever answers nothing, and used without a mouse."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from course_utils.errors import OptionError
from course_utils.teaching.exercises import closing, declaration, folded, quiz, results
from course_utils.teaching.exercises.predictions import predict, reveal
from course_utils.teaching.page import prose_html
from tests import owing

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
NUMBERS = [path.name[:2] for path in NOTEBOOKS]
QUESTIONS = [question for number in NUMBERS for question in declaration.questions_of(number)]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    from course_utils.teaching.exercises import predictions

    monkeypatch.setattr(results, "_results", {})
    monkeypatch.setattr(predictions, "_predictions", {})


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_its_frame_or_is_listed_as_owing(path):
    number = path.name[:2]
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    headings = [problem for problem in folded.drifted_cells(path) if "no heading" in problem]
    complete = (
        3 <= len(declaration.questions_of(number)) <= 5
        and f'quiz("{number}")' in code
        and f'what_you_did("{number}")' in code
        and not headings
    )
    assert complete == (number not in owing.FRAME)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_a_question_is_complete(question):
    assert declaration.find_question(question.id) is question
    assert question.asks.endswith("?")
    assert 2 <= len(question.options) <= 5
    assert 1 <= question.right <= len(question.options)
    texts = [option.text for option in question.options]
    assert len(set(texts)) == len(texts)
    reasons = [option.because for option in question.options]
    assert all(reason.endswith((".", "!", "?")) for reason in reasons)
    assert len(set(reasons)) == len(reasons)


class _Structure(HTMLParser):
    """The tags of a page, and what stands in its summaries."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.summaries, self._inside = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "summary":
            self.summaries.append("")
            self._inside = True

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "summary"

    def handle_data(self, data):
        if self._inside:
            self.summaries[-1] += data


def test_options_fold_so_that_the_keyboard_opens_them_and_no_kernel_is_needed():
    questions = declaration.questions_of("00")
    page = _Structure(quiz._asked(questions)._repr_html_())
    # A browser gives every summary a place in the order of Tab, and opens it with Enter.
    assert page.tags.count("details") == sum(len(question.options) for question in questions)
    assert page.summaries == [o.text.replace("`", "") for q in questions for o in q.options]
    assert not {"script", "input", "button"} & set(page.tags)


def test_the_reasons_stand_in_no_plain_text_before_an_answer(capsys):
    quiz.quiz("00")
    out = capsys.readouterr().out
    for question in declaration.questions_of("00"):
        assert question.asks in out
        for option in question.options:
            assert option.text in out and option.because not in out


def test_a_question_is_answered_in_code(capsys):
    question = declaration.questions_of("00")[0]
    for number, option in enumerate(question.options, 1):
        quiz.quiz(question.id, choice=number)
        out = capsys.readouterr().out
        assert option.because in out
        assert out.startswith("✓ Right" if number == question.right else "✗ Not this one")


@pytest.mark.parametrize(
    ("which", "choice"), [("99", None), ("00.nothing", None), ("00.base", 9), ("00.base", True)]
)
def test_an_impossible_question_or_option_is_an_error_with_a_remedy(which, choice):
    with pytest.raises(OptionError):
        quiz.quiz(which, choice)


def test_who_only_reads_gets_a_kind_word_and_every_link(capsys):
    closing.what_you_did("01")
    lines = capsys.readouterr().out.splitlines()
    assert "Reading alone is a fine way" in lines[0]
    exercises = declaration.exercises_of("01")
    assert [line[0] for line in lines[1:]] == ["○"] * len(exercises)


def test_passed_tried_and_open_exercises_are_told_apart(capsys):
    ids = [exercise.id for exercise in declaration.exercises_of("01")]
    results.record(results.Result(ids[0], False, "overflow"))
    results.record(results.Result(ids[0], True))
    results.record(results.Result(ids[1], False, "too-few"))
    predict("01.greedy", ["it loops", "it stops"], choice=1)
    reveal("01.greedy", 1)
    capsys.readouterr()
    closing.what_you_did("01")
    first, *lines = capsys.readouterr().out.splitlines()
    assert f"1 of {len(ids)} right, 1 of {len(ids)} tried but not right yet" in first
    assert first.endswith("Of your 1 prediction, 1 came true.")
    assert [line[0] for line in lines] == ["✓", "✗", *"○" * (len(ids) - 2)]
    for exercise_id in ids:
        results.record(results.Result(exercise_id, True))
    closing.what_you_did("01")
    assert f"all {len(ids)} exercises are right" in capsys.readouterr().out


def test_a_link_leads_to_the_exercises_heading():
    exercise = declaration.find_exercise("01.softmax")
    source = folded.heading_markdown(exercise)
    heading = source.splitlines()[2]
    # JupyterLab and nbconvert both put hyphens for blanks in a heading's id.
    place = heading.removeprefix("#### ").replace(" ", "-")
    assert closing._place(exercise) == place
    # The site makes other ids of headings, and carries this one above them.
    assert folded.with_place(source) == f'<span id="{place}"></span>\n\n{source}'
    assert folded.with_place("No exercise.") == "No exercise."


def test_a_notebook_without_exercises_is_an_error_with_a_remedy():
    with pytest.raises(OptionError):
        closing.what_you_did("99")


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("How many are *not* touched?", "How many are <em>not</em> touched?"),
        ("(*found*)", "(<em>found</em>)"),
        ("`a * b` is *a product*.", "<code>a * b</code> is <em>a product</em>."),
        ("2*3*4, 2 * 3 * 4", "2*3*4, 2 * 3 * 4"),
        ("f(*args, **kwargs) takes *args", "f(*args, **kwargs) takes *args"),
    ],
)
def test_asterisks_are_emphasis_where_words_stand_between_them(words, page):
    assert prose_html(words) == page
