"""Code is found in every way that models write a fence."""

import pytest

from course_utils.code_blocks import code_blocks, python_blocks
from course_utils.evaluation.graders import extract_code
from course_utils.nano.verifiers import code_of


@pytest.mark.parametrize(
    "written",
    [
        "```python\nx = 1\n```",
        "```Python\nx = 1\n```",
        "```python3\nx = 1\n```",  # can-ai-code#5
        "```python3.11\nx = 1\n```",
        "```py\nx = 1\n```",
        "```\nx = 1\n```",
        "``` python title='a.py'\nx = 1\n```",
        "```{.python}\nx = 1\n```",
        "~~~python\nx = 1\n~~~",
        "````python\nx = 1\n````",
        "```python\r\nx = 1\r\n```\r\n",  # llm#1644
        "```python\nx = 1\n",  # cut off, or never closed
        "```python:main.py\nx = 1\n```",
        "- ```python\n  x = 1\n  ```",
        "1. ```python\n   x = 1\n   ```",
        "> ```python\n> x = 1\n> ```",
        "1. So:\n   ```python\n   x = 1\n   ```",
        "```python\nx = 1\n```  \n\nIt prints:\n\n```\n1\n```",
        "```bash\npip install x\n```\n\n```python\nx = 1\n```\n\n```text\n1\n```",
        "```python\nx = 0\n```\nor rather\n```python\nx = 1\n```",
    ],
)
def test_a_fence_is_found_however_it_is_written(written):
    assert extract_code(written) == "x = 1\n"
    assert extract_code(f"Here it is.\n\n{written}") == "x = 1\n"


@pytest.mark.parametrize("written", ["no code", "`x = 1`", "```x = 1```", "```json\n{}\n```", ""])
def test_what_is_no_python_block_is_none(written):
    assert extract_code(written) is None


def test_a_block_keeps_what_looks_like_a_shorter_fence_and_its_inner_indentation():
    code = 'def f():\n    return """\n~~~\n```\n"""\n'
    block = code_blocks(f"~~~~ python\n{code}~~~~\n")[0]
    assert block == ("python", code)
    assert block.is_python


def test_a_line_that_only_python_would_call_a_line_end_stays_in_the_code():
    assert python_blocks("```python\nx = 'a\u2028b\x0c'\n```") == ["x = 'a\u2028b\x0c'\n"]


def test_a_quotation_loses_its_marks_and_no_others():
    assert extract_code("> > ```python\n> > x = 2 > 1\ny = 1 > 2\n> > ```") == (
        "x = 2 > 1\ny = 1 > 2\n"
    )
    assert extract_code("\ufeff```python\nx = 1\n```") == "x = 1\n"


def test_a_nano_reply_is_its_first_block_or_all_of_it():
    assert code_of("```python\nf = 1\n```\n```python\nf = 2\n```") == "f = 1"
    assert code_of("def f(x): return x") == "def f(x): return x"
