"""Verifiers: a right reply earns a reward, a wrong or cunning one does not."""

from dataclasses import dataclass

import pytest

from course_utils.engines.reply import split_thinking
from course_utils.errors import OptionError
from course_utils.nano import tokenizer, verifiers
from course_utils.nano.tasks import Problem
from course_utils.sandbox import Case

SUM = Problem("addition", "en", "47+38=?", 47, "+", 38)
RIGHT = "ones: 7+8=15, carry 1\n</think>\n\n85<|im_end|>"


@dataclass(frozen=True)
class Programming:
    question: str = "Write f(x): add 3, times 2."
    function: str = "f"
    cases: tuple = (Case((1,), 8), Case((-3,), 0))


@pytest.fixture(scope="module")
def code():
    with verifiers.CodeVerifier() as verifier:
        yield verifier


def reply(answer: str, thought: str = "x+3") -> str:
    return f"{thought}\n</think>\n\n{answer}<|im_end|>"


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        (RIGHT, 1),
        (RIGHT.replace("85", "The sum is 85."), 1),
        (RIGHT.replace("85", "84"), 0),
        (RIGHT.replace("85", "84 85 86"), 0),  # a list of guesses
        (RIGHT.replace("85", "−85"), 0),  # a typographic minus
        (RIGHT.replace("85", "85²"), 0),
        ("85<|im_end|>", 0),  # inside the thought
        (RIGHT.removesuffix("<|im_end|>"), 0),  # cut off
    ],
)
def test_accuracy(text, earned):
    assert verifiers.accuracy(SUM, text) == earned


def test_a_reply_is_split_as_the_engines_split_it():
    for text in ("a\n</think>\n\n85", "a", "a</think> b </think> c", "<think>a</think>b", ""):
        assert tokenizer.split_reply(text + "<|im_end|>") in (
            split_thinking(text, opened=True),
            (text + "<|im_end|>", ""),  # still inside the thought
        )


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        (RIGHT, 1),
        ("</think>\n\n85<|im_end|>", 0),
        ("thought\n</think>\n\n<|im_end|>", 0),
        ("thought 85<|im_end|>", 0),
        ("a\n</think>\n\nb</think>85<|im_end|>", 0),
        ("a\n</think>\n\n85", 0),
    ],
)
def test_form(text, earned):
    assert verifiers.form(SUM, text) == earned


@pytest.mark.parametrize(
    ("answer", "earned"),
    [
        ("def f(x): return (x+3)*2", 1),
        ("f = lambda x: 2*x+6", 1),
        ("```python\ndef f(x):\n    return (x+3)*2\n```", 1),
        ("def f(x): return x+3*2", 0),
        ("def f(x): return 8", 0),  # right for the first test only
        ("def g(x): return (x+3)*2", 0),
        ("def f(x) return", 0),
        ("def f(x):\n    while True: pass", 0),
        ("", 0),
    ],
)
def test_code_earns_by_its_tests_alone(code, answer, earned):
    assert code(Programming(), reply(answer)) == earned


def test_a_program_is_run_once_for_each_problem(code):
    before = code.runs
    for _ in range(5):
        assert code(Programming(), reply("def f(x): return 6+2*x")) == 1
    assert code.runs == before + 1
    other = Programming("Write f(x): times 2, add 5.", cases=(Case((1,), 7),))
    assert code(other, reply("def f(x): return 6+2*x")) == 0
    assert code.runs == before + 2


def test_an_unfinished_program_earns_nothing(code):
    assert code(Programming(), reply("def f(x): return (x+3)*2").removesuffix("<|im_end|>")) == 0


@pytest.mark.parametrize(
    ("question", "language", "thought", "share"),
    [
        ("What is 1+2?", "en", "ones: 1+2=3", 1),
        ("1+2等于多少？", "zh", "个位：1+2=3", 1),
        ("1+2等于多少？", "zh", "个位： ones: 1+2=3", 2 / 3),
        ("What is 1+2?", "en", "个位：1+2=3", 0),
        ("1+2=?", "zh", "个位：3", 1),  # without words the problem says which language
        ("1+2=?", "en", "1+2=3", 1),
    ],
)
def test_language_consistency(question, language, thought, share):
    problem = Problem("addition", language, question, 1, "+", 2)
    assert verifiers.language_consistency(problem, reply("3", thought)) == pytest.approx(share)


def test_length_is_free_up_to_a_point_and_then_costs():
    shipped = tokenizer.load()
    long = len(shipped.encode(RIGHT).ids)
    assert verifiers.length_aware(shipped, free=long, limit=long + 10)(SUM, RIGHT) == 1
    assert verifiers.length_aware(shipped, free=long - 5, limit=long + 5)(SUM, RIGHT) == 0.5
    assert verifiers.length_aware(shipped, free=0, limit=long)(SUM, RIGHT) == 0
    with pytest.raises(OptionError, match="no room"):
        verifiers.length_aware(shipped, free=10, limit=10)


def test_rewards_combine_by_weight_or_by_product():
    wrong = RIGHT.replace("85", "84")
    mean = verifiers.weighted((3, verifiers.accuracy), (1, verifiers.form))
    assert mean(SUM, RIGHT) == 1
    assert mean(SUM, wrong) == pytest.approx(0.25)
    assert verifiers.product(verifiers.accuracy, verifiers.form)(SUM, wrong) == 0
    with pytest.raises(OptionError, match="weights"):
        verifiers.weighted((0, verifiers.form))
