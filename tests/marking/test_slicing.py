"""Marking runs what an answer needs, and not the training beside it."""

import pytest

from course_utils.marking.slicing import slice_of

CELLS = {
    "an import": (["import numpy as np\ntrain()", "x = np.ones(3)"], "import numpy as np"),
    "a helper": (["def half(n):\n    return n / 2\nslow()", "x = half(3)"], "def half"),
    "what a helper needs": (["a = 3\nb = slow()", "def f():\n    return a", "x = f()"], "a = 3"),
    "the last value": (["a = 1", "a = 2", "x = a"], "a = 2"),
    "a changed list": (["a = []", "a.append(1)", "x = a"], "a.append(1)"),
    "a set item": (["a = {}", "a['k'] = 1", "x = a"], "a['k'] = 1"),
    "an increment": (["a = 1", "a += 1", "x = a"], "a = 1"),
    "a loop variable": (["for a in range(3):\n    pass", "x = a"], "for a in range"),
    "a magic above": (["%matplotlib inline\nimport math", "x = math.pi"], "import math"),
    "a cell that is no Python": (["a = 1", "def (", "x = a"], "a = 1"),
    "a tuple": (["a, b = 1, slow", "x = a"], "a, b = (1, slow)"),
    "a with block": (["with open(p) as f:\n    t = f.read()", "x = t"], "t = f.read()"),
}


@pytest.mark.parametrize("name", CELLS)
def test_what_an_answer_needs_is_kept(name):
    cells, needed = CELLS[name]
    plan = slice_of(cells, {len(cells) - 1})
    assert needed in "\n".join(plan.values())
    assert "slow()" not in "\n".join(plan.values()) and "train()" not in str(plan)
    assert plan[len(cells) - 1] == cells[-1]


def test_a_value_that_is_given_anew_needs_no_older_one():
    plan = slice_of(["a = slow()", "a = 2", "x = a"], {2})
    assert plan == {1: "a = 2", 2: "x = a"}


def test_an_answer_that_is_no_python_is_run_as_it_is():
    assert slice_of(["a = 1", "def ("], {1}) == {1: "def ("}


def test_an_earlier_answer_is_kept_whole_and_what_both_need_runs_once():
    plan = slice_of(["import re", "y = re.I", "x = re.M"], {1, 2})
    assert plan == {0: "import re", 1: "y = re.I", 2: "x = re.M"}
