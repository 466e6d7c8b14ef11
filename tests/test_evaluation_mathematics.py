"""Comparing mathematics is exact, says when it is in doubt, and ends in time in any thread."""

import threading
import time

import pytest

from course_utils.evaluation import graders, mathematics


@pytest.fixture
def short_limit(monkeypatch):
    mathematics.compare("1", "1")  # the child's start is not what is measured
    monkeypatch.setattr(mathematics, "SECONDS", 1)


def in_a_thread(call):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(call()))
    start = time.monotonic()
    thread.start()
    thread.join(60)
    assert seen, "no verdict after a minute"
    return seen[0], time.monotonic() - start


def test_a_tower_of_powers_in_a_thread_has_its_verdict_in_time(short_limit):
    # Math-Verify#65, AReaL#1426: without an alarm signal such a comparison never ended.
    grade, seconds = in_a_thread(lambda: graders.grade_math("\\boxed{5^{(5^{11})}}", "3"))
    assert not grade and "too large" in grade.reason
    assert seconds < 30
    assert graders.grade_math("\\boxed{0.5}", "\\frac{1}{2}")  # the next one is graded again


def test_a_question_that_was_interrupted_answers_no_other(monkeypatch):
    child = mathematics._running_child()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "_next", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mathematics.compare("1", "1")
    assert mathematics.compare("1", "2").verdict == "not equal"


@pytest.mark.parametrize(
    ("answer", "truth", "equal"),
    [
        # Math-Verify#14, #82: numbers were taken out of LaTeX that could not be read.
        ("1+\\frac{1}{\\mathrm{e}}", "1-\\frac{1}{\\mathrm{e}}", False),
        ("1+\\frac{1}{\\mathrm{e}}", "1+\\frac{1}{e}", True),
        # Math-Verify#14: equal to six decimals.
        ("\\frac{1}{2^{99}}", "\\frac{1}{2^{98}}", False),
        ("\\frac{1}{2^{99}}", "2^{-99}", True),
        ("0.3333333333", "\\frac{1}{3}", False),
        ("0.125", "\\frac{1}{8}", True),
        # Any equation's right side was taken for the answer.
        ("n^2=49", "49", False),
        ("|x|=42", "42", False),
        ("\\frac{2}{3}x=\\frac{1}{2}", "\\frac{1}{2}", False),
        ("x=\\frac{1}{2}", "\\frac{1}{2}", True),
        ("p+q=\\frac{1}{2}", "\\frac{1}{2}", True),
        # Words and marks that change the number.
        ("42\\text{ thousand}", "42", False),
        ("1.5\\text{ million}", "1.5", False),
        ("x \\approx 1.5", "1.5", False),
        ("52_8", "52", False),
        ("1.5\\text{ km}", "1.5", True),
        ("\\frac{1}{2}\\%", "\\frac{1}{2}", True),
        ("50\\%", "\\frac{1}{2}", True),
        ("50\\%", "\\frac{1}{4}", False),
        ("3\\text{ or }4", "3, 4", True),
        ("10\\cdot(3-3)", "0", True),
        # lm-evaluation-harness#3652.
        ("12^{\\text{th}}", "12", True),
        ("864 \\mbox{ inches}^2", "864", True),
        ("5.4\\text{ cents}", "5.4", True),
        ("1+\\sqrt{19}, 1-\\sqrt{19}", "1 \\pm \\sqrt{19}", True),
        ("\\frac{9a+11}{20}", "\\frac{11+9a}{20}", True),
        ("10,\\!080.5", "10080.5", True),
        ("0.5 = \\frac{1}{0}", "\\frac{2}{0}", False),
    ],
)
def test_equal_means_surely_equal(answer, truth, equal):
    assert graders.grade_math(f"\\boxed{{{answer}}}", truth).correct == equal


def test_the_end_of_a_long_answer_is_not_cut_within_a_number():
    text = "The answer is " + "9" * 10 + "12 " + "and so on, as was to be shown. " * 12 + "x" * 22
    assert not graders.grade_math(text, "12", require_box=False)


@pytest.mark.parametrize("answer", ["\ud83d", "\\frac{", "\x00", "^^^", "{" * 300, "\\left(" * 60])
def test_whatever_a_model_puts_into_the_box_is_a_verdict(answer):
    assert not graders.grade_math(f"\\boxed{{{answer}}}", "1")
