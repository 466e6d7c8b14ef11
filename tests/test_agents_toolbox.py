"""The real tools do what they say, and what a model writes cannot harm the host."""

import pytest

from course_utils.agents.run_tool import run_call
from course_utils.agents.toolbox import calculator, python, search_course
from course_utils.agents.tools import as_tools
from course_utils.engines.tool_calls import ToolCall

TOOLS = as_tools([calculator, python, search_course])


def used(name: str, **arguments):
    return run_call(ToolCall(name, arguments), TOOLS)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("17+25", "42"),
        ("(17 + 25) * 3", "126"),
        ("12345678+87654321", "99999999"),
        ("2^10", "1024"),
        ("7 ÷ 2", "3.5"),
        ("99999999999*99999999999", "9999999999800000000001"),
    ],
)
def test_the_calculator_is_exact(expression, value):
    assert (used("calculator", expression=expression).text) == value


@pytest.mark.parametrize(
    "expression", ["1/0", "9**9**9", "__import__('os')", "open", "", "(" * 300, "1+", "2 apples"]
)
def test_the_calculator_complains_and_lives(expression):
    assert used("calculator", expression=expression).outcome == "failed"
    assert used("calculator", expression="1+1").text == "2"


def test_programs_run_in_the_sandbox():
    assert used("python", code="print('a')\n[i * i for i in range(3)]").text == "a\n[0, 1, 4]"
    assert used("python", code="x = 1").text == "(nothing was printed)"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("while True: pass", "time limit"),
        ("open('/etc/passwd').read()", "error"),
        ("import os; os.system('true')", "failed"),
        ("1 +", "syntax error"),
    ],
)
def test_programs_that_go_wrong_are_told_so(code, told):
    result = used("python", code=code)
    assert result.outcome == "failed"
    assert told in result.text


def test_the_search_finds_what_the_course_says():
    found = search_course("How many parameters does attention have?", 2)
    assert len(found) == 2
    assert all(set(passage) == {"notebook", "heading", "text"} for passage in found)
    best = search_course("mixture of experts router", 1)[0]
    assert best["notebook"].startswith("05")
    assert search_course("xyzzy") == []
    assert used("search_course", query="KV cache").outcome == "ran"
