"""The suite is the same for everyone, its keys are right, and its graders tell right from wrong."""

import inspect
import itertools
import json
import math
import re
from random import Random

import pytest

from course_utils.errors import OptionError
from course_utils.evaluation import suite
from course_utils.evaluation.instructions import Instruction
from course_utils.evaluation.questions import code, integers
from course_utils.sandbox import Case, Sandbox


@pytest.fixture(scope="module")
def questions():
    return suite.generate_suite(seed=0, per_level=10)


def test_the_same_seed_gives_the_same_suite_and_another_seed_another(questions):
    assert suite.generate_suite(seed=0, per_level=10) == questions
    other = suite.generate_suite(seed=1, per_level=10)
    shared = {q.prompt for q in other} & {q.prompt for q in questions}
    assert len(shared) < len(questions) / 5


def test_a_smaller_suite_is_part_of_a_larger_one(questions):
    small = suite.generate_suite(seed=0, per_level=3)
    assert set(q.id for q in small) <= {q.id for q in questions}
    assert all(q in questions for q in small)


def test_every_family_and_level_is_there_without_repetition(questions):
    assert len({q.id for q in questions}) == len({q.prompt for q in questions}) == len(questions)
    for family in suite.FAMILIES:
        found = {q.level for q in questions if q.family == family}
        assert found == set(range(1, suite.levels(family) + 1))


def test_keys_survive_a_log(questions):
    for question in questions:
        assert json.loads(json.dumps(question.key)) == question.key


def test_competition_answers_are_whole_numbers_from_0_to_999(questions):
    answers = [q.key["answer"] for q in questions if q.family == "integers" and q.level >= 3]
    assert all(0 <= answer <= 999 for answer in answers)
    assert len(set(answers)) > len(answers) / 2


def test_a_right_answer_passes_and_a_wrong_one_fails():
    for question in suite.generate_suite(0, 10, ["integers"]):
        answer = question.key["answer"]
        assert question.grade(f"<think>…</think>\\boxed{{{answer}}}")
        assert not question.grade(f"\\boxed{{{answer + 1}}}")
        assert not question.grade("I do not know.")


def test_a_nano_model_may_answer_with_a_bare_number_but_not_with_two():
    question = suite.generate_suite(0, 1, ["integers"], max_level=1)[0]
    answer = question.key["answer"]
    assert question.grade(f"ones: 7+1=8\n</think>\n\n{answer}")
    assert question.grade(f"The answer is {answer}.")
    assert not question.grade(f"{answer} or {answer + 1}")


def test_competition_keys_match_independent_solutions():
    """The same answers, worked out in another way than the generator does."""
    for seed in range(30):
        text, answer = integers._multiples(Random(seed))
        limit, a, b = map(int, re.findall(r"\d+", text))
        assert answer == limit // a + limit // b - 2 * (limit // math.lcm(a, b))

        text, answer = integers._words(Random(seed))
        length, run = map(int, re.findall(r"\d+", text)[:2])
        # Words without a long run of the letter, by how many of it stand at the end.
        ends = [1] + [0] * (run - 1)
        for _ in range(length):
            ends = [2 * sum(ends), *ends[:-1]]
        assert answer == sum(ends) % 1000

        text, answer = integers._paths(Random(seed))
        width, height, x, y = map(int, re.findall(r"\d+", text)[2:])
        ways = {(0, 0): 1}
        for i, j in itertools.product(range(width + 1), range(height + 1)):
            if (i, j) != (0, 0):
                ways[i, j] = ways.get((i - 1, j), 0) + ways.get((i, j - 1), 0)
            if (i, j) == (x, y):
                ways[i, j] = 0
        assert answer == ways[width, height]


def test_reference_solutions_pass_their_own_hidden_tests_in_the_sandbox():
    """The tests can be passed, in the sandbox, by code that does what the task says."""
    pairwise = "def pairwise(values):\n    return list(zip(values, values[1:]))\n"
    with Sandbox() as sandbox:
        for level, problems in code._PROBLEMS.items():
            for problem in problems:
                random = Random(level)
                numbers = problem.numbers(random)
                inputs = [problem.inputs(random) for _ in range(code.CASES)]
                source = pairwise + inspect.getsource(problem.solution)
                call = f"{problem.solution.__name__}(*arguments, *{numbers})"
                source += f"\ndef solve(*arguments):\n    return {call}\n"
                cases = [Case(i, problem.solution(*i, *numbers)) for i in inputs]
                result = sandbox.run(source, cases)
                assert result, (problem.solution.__name__, result.message)


def test_code_is_graded_by_running_it():
    question = suite.generate_suite(0, 1, ["code"], max_level=1)[0]
    wrong = question.grade("```python\ndef solve(*x):\n    return None\n```")
    assert not wrong and "gave" in wrong.reason
    assert "no code block" in question.grade("def solve(x): return x").reason
    loop = question.grade("```python\ndef solve(*x):\n    while True: pass\n```")
    assert not loop and "time limit" in loop.reason


def test_hidden_tests_tell_a_solution_from_one_that_ignores_the_numbers():
    for question in suite.generate_suite(0, 5, ["code"]):
        expected = [str(case[1]) for case in question.key["cases"]]
        assert len(set(expected)) > 1, question.prompt


def test_instructions_can_all_be_followed_together():
    """A reply written to fit passes; so no combination contradicts itself."""
    for question in suite.generate_suite(0, 40, ["instructions"]):
        reply = _obedient_reply(question.key["instructions"])
        grade = question.grade(reply)
        assert grade, (question.prompt, grade.reason, reply)
        assert not question.grade("")


def _obedient_reply(instructions):
    asked = dict((kind, parameters) for kind, parameters in instructions)
    words = []
    if "word times" in asked:
        words += [asked["word times"]["word"]] * asked["word times"]["n"]
    if "include word" in asked:
        words.append(asked["include word"]["word"])
    target = asked.get("words at least", {}).get("n", 20)
    words += ["on"] * max(0, target - len(words))
    parts = asked.get("sentences", asked.get("bullet points", {"n": 2}))["n"]
    chunks = [words[i::parts] for i in range(parts)]
    if "bullet points" in asked:
        reply = "\n".join("- " + " ".join(chunk) for chunk in chunks)
    else:
        reply = " ".join(" ".join(chunk).capitalize() + "." for chunk in chunks)
    if "lower case" in asked:
        reply = reply.lower()
    if "capital letters" in asked:
        reply = reply.upper()
    return reply


def test_instruction_prompts_say_what_is_checked(questions):
    for question in questions:
        if question.family == "instructions":
            for kind, parameters in question.key["instructions"]:
                assert str(Instruction(kind, parameters)) in question.prompt


def test_function_calls_are_graded_by_structure(questions):
    for question in questions:
        if question.family != "function calls" or "ask" in question.key:
            continue
        calls = [
            {"name": name, "arguments": arguments} for name, arguments in question.key["calls"]
        ]
        assert question.grade(json.dumps(calls))
        assert not question.grade("Here is what I would do.")
        assert not question.grade(json.dumps([*calls, {"name": "weather", "arguments": {}}]))
        if calls:
            assert not question.grade("[]")


ASKED = {
    "over the next days": "For how many days?",
    "Forecast": "For which city?",
    "worth?": "In which currency?",
    "How much is that": "What amount do you mean, and in which currency?",
    "Ring later": "After how many minutes?",
    "A table at": "At what time?",
    "Book us": "How many people are you?",
    "A table for": "In which restaurant?",
}


def test_a_missing_parameter_is_to_be_asked_for_and_not_guessed():
    drawn = suite.generate_suite(0, 60, ["function calls"])
    drawn = [question for question in drawn if question.level == 5]
    missing = [question for question in drawn if "ask" in question.key]
    assert len(drawn) / 3 < len(missing) < len(drawn), "asking every time must not pass"
    for question in missing:
        request = question.prompt.rpartition("Request: ")[2]
        right = next(asked for part, asked in ASKED.items() if part in request)
        assert question.grade(f"<think>A guess?</think>{right}"), request
        guess = {"name": "weather", "arguments": {"city": "Rome", "days": 3}}
        for wrong in ("[]", json.dumps([guess]), f"{right} {json.dumps(guess)}", right[:-1]):
            assert not question.grade(wrong), (request, wrong)
        assert not question.grade("What is your favourite colour?")


def test_scores_come_with_intervals_by_family_and_level(questions):
    table = suite.scores(questions, [q.level == 1 for q in questions])
    assert table["code", 1].estimate == 1.0 and table["code", 1].low < 0.8
    assert table["code", 2].estimate == 0.0 and table["code", 2].high > 0.2


@pytest.mark.parametrize(
    "call",
    [
        lambda: suite.generate_suite(per_level=0),
        lambda: suite.generate_suite(families=["poetry"]),
        lambda: suite.levels("poetry"),
        lambda: suite.scores([], [True]),
    ],
)
def test_bad_input_is_one_clear_error(call):
    with pytest.raises(OptionError):
        call()
