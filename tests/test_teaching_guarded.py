"""A learner's function may loop, eat memory or end Python: it gets a line, and the kernel lives.

`while True: numbers.append(1)` froze kernels for others (nbgrader#427), and a loop without an end
left a grader without a word (otter-grader#469).
"""

import os
import signal
import sys
import time

import pytest

from course_utils.teaching.exercises import guarded
from course_utils.teaching.exercises.checking import verdict
from course_utils.teaching.exercises.guarded import run_guarded

in_a_copy = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks safely")


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(guarded, "LIMIT_SECONDS", 0.4)


@pytest.fixture(params=["copy", "watchdog"])
def way(request, monkeypatch):
    """Both ways of guarding, wherever the first one exists."""
    if request.param == "watchdog":
        monkeypatch.setattr(guarded, "_can_fork", lambda: False)
    elif sys.platform != "linux":
        pytest.skip("only Linux forks safely")
    return request.param


def loops(logits):
    while True:
        pass


def waits(logits):
    time.sleep(3600)


def prints_for_ever(logits):
    while True:
        print("again and again", logits)


def grows_in_steps(logits):
    numbers = []
    while True:
        numbers.append(1)


@pytest.mark.parametrize("function", [loops, waits, prints_for_ever, grows_in_steps])
def test_a_function_without_an_end_gets_a_message(function, way):
    start = time.monotonic()
    found = verdict("01.softmax", function)
    assert (found.state, found.mistake) == ("wrong", "endless")
    assert f"`{function.__name__}` did not come to an end" in found.message
    assert time.monotonic() - start < 10
    assert len(found.printed) <= guarded.PRINTED_CHARACTERS


@in_a_copy
def test_a_loop_that_catches_everything_is_ended_too():
    def softmax(logits):
        while True:
            try:
                sum(range(10**12))
            except BaseException:
                continue

    assert verdict("01.softmax", softmax).mistake == "endless"


@in_a_copy
def test_a_call_that_no_interrupt_reaches_is_ended_too():
    def softmax(logits):
        return sum(range(10**12)) * logits

    assert verdict("01.softmax", softmax).mistake == "endless"


@in_a_copy
@pytest.mark.parametrize("ending", [lambda: os._exit(3), lambda: os.kill(os.getpid(), 9)])
def test_a_function_that_ends_python_ends_a_copy_of_it(ending):
    def softmax(logits):
        ending()

    found = verdict("01.softmax", softmax)
    assert (found.mistake, "Your notebook is safe" in found.message) == ("crashed", True)


@in_a_copy
def test_memory_has_a_limit(monkeypatch):
    monkeypatch.setattr(guarded, "LIMIT_SECONDS", 4)
    monkeypatch.setattr(guarded, "MEMORY_BYTES", 2**28)

    def softmax(logits):
        return bytearray(2**29)

    assert verdict("01.softmax", softmax).mistake == "memory"


def test_a_function_that_asks_for_input_is_told_that_nobody_answers(way):
    def softmax(logits):
        return float(input("logits? "))

    found = verdict("01.softmax", softmax)
    assert found.mistake == "error" and "asks for input" in found.message


def test_nothing_that_an_answer_does_to_the_kernel_stays(way):
    ask, out, handler = input, sys.stdout, signal.getsignal(signal.SIGINT)
    for function in (loops, waits, prints_for_ever):
        verdict("01.softmax", function)
    import builtins

    assert (builtins.input, sys.stdout, signal.getsignal(signal.SIGINT)) == (ask, out, handler)
    assert run_guarded(lambda: 7).value == 7


def test_output_is_kept_to_its_beginning(way):
    outcome = run_guarded(lambda: [print("x" * 100) for _ in range(100)] and 1)
    assert outcome.value == 1 and outcome.printed.startswith("x" * 100 + "\n")
    assert len(outcome.printed) == guarded.PRINTED_CHARACTERS


def test_a_check_from_another_thread_works_as_well():
    from concurrent.futures import ThreadPoolExecutor

    def softmax(logits):
        return logits

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(verdict, "01.softmax", softmax).result(30)
    assert found.state == "wrong"
