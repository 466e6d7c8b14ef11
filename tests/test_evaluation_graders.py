"""The graders agree with a person on 200 tricky answers, where comparing texts does not."""

import csv
import json
import time
from pathlib import Path

import pytest

from course_utils.engines.reply import Reply
from course_utils.engines.tool_calls import ToolCall
from course_utils.errors import OptionError
from course_utils.evaluation import function_calls, graders, instructions
from tests.fuzz.graders import fuzz

with open(Path(__file__).parent / "data" / "graded_answers.csv", encoding="utf-8") as file:
    ANSWERS = list(csv.DictReader(file))


def grade(row):
    reply, truth = row["reply"], row["truth"]
    match row["grader"]:
        case "math":
            return graders.grade_math(reply, truth).correct
        case "integer":
            return graders.grade_integer(reply, int(truth)).correct
        case "choice":
            return graders.grade_choice(reply, truth).correct
        case "instruction":
            wanted = []
            for item in json.loads(truth):
                kind = item.pop("kind")
                wanted.append(instructions.Instruction(kind, item))
            return all(instruction.followed(reply) for instruction in wanted)
        case "function call":
            expected = [ToolCall(**call) for call in json.loads(truth)]
            return function_calls.grade_function_calls(reply, expected).correct
    raise AssertionError(f"no grader called {row['grader']}")


@pytest.mark.parametrize("row", ANSWERS, ids=[f"{r['grader']}: {r['why']}" for r in ANSWERS])
def test_grader_agrees_with_the_hand_label(row):
    assert grade(row) == (row["correct"] == "yes"), row["reply"]


def test_there_are_two_hundred_answers_of_both_labels_for_each_grader():
    assert len(ANSWERS) >= 200
    for name in {row["grader"] for row in ANSWERS}:
        labels = [row["correct"] for row in ANSWERS if row["grader"] == name]
        assert min(labels.count("yes"), labels.count("no")) >= 4, name


def test_comparing_texts_misgrades_many_right_mathematical_answers():
    right = [r for r in ANSWERS if r["grader"] == "math" and r["correct"] == "yes"]
    missed = [r for r in right if not graders.string_equality(r["reply"], r["truth"])]
    assert len(missed) >= 20


def test_comparing_texts_accepts_an_answer_that_only_the_right_grader_refuses():
    # The truth appears word for word, but as the whole reply, not as the answer asked for.
    assert graders.string_equality("42", "42")
    assert not graders.grade_integer("42", 42)


def test_a_grade_says_what_was_read_and_why():
    grade = graders.grade_math("so \\boxed{\\frac{1}{3}}", "\\frac{1}{2}")
    assert not grade
    assert grade.extracted == "\\frac{1}{3}"
    assert "\\frac{1}{2}" in grade.reason


def test_boxes_nest_and_the_last_complete_one_counts():
    assert graders.extract_boxed("\\boxed{\\frac{1}{2}}") == "\\frac{1}{2}"
    assert graders.extract_boxed("\\boxed{a} \\boxed{\\{1\\}} \\boxed{open") == "\\{1\\}"
    assert graders.extract_boxed("\\boxed {7}") == "7"
    assert graders.extract_boxed("no box") is None


def test_without_the_box_requirement_the_last_expression_is_found():
    assert graders.grade_math("The answer is 12.", "12", require_box=False)


@pytest.mark.parametrize(
    ("reply", "chosen"),
    [
        ("B. 4", "B"),  # lm-evaluation-harness#4187: the letter with the option's text
        ("ANSWER: B", "B"),
        ("(B)", "B"),
        ('{"answer": "B. A cat"}', "B"),
        ('{"answer": "C. Vitamin B"}', "C"),
        ("정답: C", "C"),  # lm-evaluation-harness#3842
        ("答案：C", "C"),
        ("Ｃ", "C"),
        ('{"answer": ["C"]}', "C"),
        ('{"answer": "\\\\textbf{(C)}"}', "C"),
        ("\\boxed{C}\n\nLet me check the answer: yes.", "C"),
        ("\\boxed{A}, or rather \\boxed{C}", "C"),
        ('{"answer": "B. C."}', None),
        ('{"answer": "B (or C)"}', None),
        ("A. is tempting, but B.", None),
        ("Is it B?", None),
        ("A cat", None),
        ("", None),
    ],
)
def test_a_letter_is_read_where_it_is_sure(reply, chosen):
    assert [letter for letter in "ABCD" if graders.grade_choice(reply, letter)] == [*(chosen or "")]


@pytest.mark.parametrize(
    "answer", ["42...", "42\\ldots", "\\dots 42", "42, \\ldots", "42?", "42=x"]
)
def test_a_number_that_goes_on_or_is_asked_is_no_answer(answer):
    assert not graders.grade_integer(f"\\boxed{{{answer}}}", 42)


@pytest.mark.parametrize("answer", ["1.5\\ldots", "1.5\\dots", "1.5...", "1.5…"])
def test_a_decimal_that_goes_on_is_not_the_decimal(answer):
    assert not graders.grade_math(f"\\boxed{{{answer}}}", "1.5")


def test_random_answers_agree_with_slow_oracles():
    counts = fuzz(seed=0, seconds=1)
    assert sum(counts.values()) > 0


def test_of_boxes_in_each_other_the_outer_one_counts_and_empty_ones_count_for_nothing():
    assert graders.extract_boxed("\\boxed{x = \\boxed{7}}") == "x = \\boxed{7}"
    assert graders.extract_boxed("\\boxed{7} stands in \\boxed{}") == "7"
    assert graders.extract_boxed("\\boxed{}") == ""
    assert graders.extract_boxed('{"answer": "\\\\boxed{7}"}') == "7"  # escaped for JSON


def test_a_tag_in_the_answer_of_an_engine_is_text_and_splits_nothing():
    reply = Reply(thinking="so \\boxed{1}", answer="\\boxed{2} ends with </think>, not <think>.")
    assert graders.final_part(reply) == reply.answer
    assert graders.grade_math(reply, "2")
    assert graders.final_part("a </think> b </think> c") == "b </think> c"


@pytest.mark.parametrize("mark", ["\\boxed{", "{", "}", 'answer:"', "*", "<think>", "```\n", "\n"])
def test_no_repetition_of_a_model_holds_a_grader_up(mark):
    start = time.process_time()
    text = mark * 10_000
    graders.grade_integer(text, 1)
    graders.grade_choice(text, "A")
    graders.extract_code(text)
    function_calls.parse_function_calls(text)
    for kind, parameters in (("sentences", {"n": 1}), ("bullet points", {"n": 1})):
        instructions.Instruction(kind, parameters).followed(text)
    assert time.process_time() - start < 5


def test_loose_accuracy_forgives_what_wraps_the_answer():
    three = instructions.Instruction("words exactly", {"n": 3})
    reply = "Sure, here you are:\n**one two three**"
    assert not three.followed(reply)
    assert three.followed(reply, loose=True)


def test_every_kind_of_instruction_says_what_it_wants_and_can_be_failed():
    parameters = {"n": 2, "word": "x", "letter": "x", "text": "x", "keys": ["x"]}
    for kind in instructions.kinds():
        needed = instructions._KINDS[kind].parameters
        instruction = instructions.Instruction(kind, {p: parameters[p] for p in needed})
        assert "{" not in str(instruction)
        assert not instruction.followed("")


@pytest.mark.parametrize(
    "call",
    [
        lambda: graders.grade_integer("\\boxed{1}", 1000),
        lambda: graders.grade_choice("", "E"),
        lambda: graders.grade_math("\\boxed{1}", ""),
        lambda: instructions.Instruction("rhymes", {}),
        lambda: instructions.Instruction("words exactly", {"m": 3}),
    ],
)
def test_a_wrong_answer_key_is_one_clear_error(call):
    with pytest.raises(OptionError):
        call()


def test_an_expected_argument_may_have_alternatives_or_be_left_out():
    expected = [
        ToolCall(
            "weather",
            {
                "city": function_calls.AnyOf("London", "London, UK"),
                "unit": function_calls.AnyOf("celsius", omitted=True),
            },
        )
    ]
    assert function_calls.grade_function_calls('weather(city="London, UK")', expected)
    assert function_calls.grade_function_calls('weather(city="London", unit="celsius")', expected)
    assert not function_calls.grade_function_calls('weather(unit="celsius")', expected)
    assert not function_calls.grade_function_calls(
        'weather(city="London", unit="kelvin")', expected
    )


@pytest.mark.parametrize(
    "reply",
    [
        '__import__("os").system("true")',
        "[" * 5000,
        '{"name": "f", "arguments": "not json"}',
        "f(*args)",
        "f(1)",
        "x = 1",
        "<tool_call>broken</tool_call>",
    ],
)
def test_a_reply_that_is_no_call_is_read_as_none_and_never_run(reply):
    assert function_calls.parse_function_calls(reply) == []
