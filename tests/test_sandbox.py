"""Hostile code gets a clear verdict, and the notebook's process lives."""

import subprocess
import sys
import threading
import time

import psutil
import pytest

from course_utils.errors import OptionError
from course_utils.evaluation.graders import extract_code
from course_utils.sandbox import Case, Limits, Sandbox, run_code

FAST = Limits(seconds=0.5, memory_bytes=32 * 2**20, output_bytes=1000, recursion=100)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(FAST) as box:
        yield box


def test_good_code_passes_its_cases(sandbox):
    code = "import math\ndef solve(a, b):\n    return math.gcd(a, b)"
    result = sandbox.run(code, [Case((12, 18), 6), Case((7, 5), 1)])
    assert result
    assert (result.verdict, result.passed, result.cases, result.message) == ("passed", 2, 2, "")


def test_wrong_code_says_for_which_arguments_and_what_it_gave(sandbox):
    result = sandbox.run("def solve(x): return x + 1", [Case((1,), 2), Case((5,), 10)])
    assert result.verdict == "wrong answer"
    assert (result.passed, result.cases) == (1, 2)
    assert "solve(5) gave 6" in result.message


def test_without_cases_the_last_expression_is_the_value(sandbox):
    result = sandbox.run("print('hello')\nx + 1", inputs={"x": 41})
    assert (result.verdict, result.value, result.output) == ("passed", 42, "hello\n")


HOSTILE = {
    "infinite loop": ("while True: pass", "time limit"),
    "infinite loop that catches everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "time limit",
    ),
    "catastrophic work in one step": ("x = 3\nfor i in range(10**9): x = x * x", None),
    "memory bomb": ("x = [0] * 10**10", "memory limit"),
    "slow memory bomb": ("x = []\nwhile True: x.append('a' * 10**6)", "memory limit"),
    "huge text": ("x = 'a' * 10**7 * 1000", "memory limit"),
    "endless output": ("while True: print('a' * 100)", "output limit"),
    "one huge line": ("print('a' * 10**6)", "output limit"),
    "output that survives an except": (
        "try:\n    while True: print('a' * 99)\nexcept BaseException: pass\nwhile True: print('b')",
        "output limit",
    ),
    "endless recursion": ("def f(): return f()\nf()", "error"),
    "read a file": ("open('/etc/passwd').read()", "error"),
    "write a file": ("open('/tmp/sandbox_escape', 'w').write('x')", "error"),
    "list a folder": ("import os\nos.listdir('/')", "error"),
    "environment": ("import os\nos.environ['HOME']", "error"),
    "run a command": ("import os\nos.system('true')", "error"),
    "fork": ("import os\nos.fork()", "error"),
    "kill": ("import os\nos.kill(1, 9)", "error"),
    "subprocess": ("import subprocess", "unsupported"),
    "network": ("import socket", "unsupported"),
    "native code": ("import ctypes", "unsupported"),
    "import by name": ("__import__('os').system('true')", "error"),
    "import by importlib": ("import importlib", "unsupported"),
    "climb the class tree": ("().__class__.__bases__[0].__subclasses__()", "error"),
    "eval in eval": ("eval('__import__(\"os\")')", "error"),
    "exit": ("import sys\nsys.exit(0)", "error"),
    "exception": ("raise ValueError('on purpose')", "error"),
    "syntax error": ("def f(:", "syntax error"),
    "generator": ("def f():\n    yield 1", "unsupported"),
    "nothing at all": ("", "passed"),
    "null byte": ("x = '\\0'\n\0", "syntax error"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_code_gets_a_clear_verdict(sandbox, name):
    code, verdict = HOSTILE[name]
    start = time.monotonic()
    result = sandbox.run(code)
    assert time.monotonic() - start < 10
    if verdict is None:
        assert result.verdict in ("time limit", "memory limit")
    else:
        assert result.verdict == verdict, result.message
    assert bool(result.message) == (result.verdict != "passed")
    assert len(result.output) <= FAST.output_bytes


def test_the_sandbox_works_on_after_every_attack(sandbox):
    for code, _ in HOSTILE.values():
        sandbox.run(code)
    assert sandbox.run("1 + 1").value == 2


def test_no_file_escapes(sandbox, tmp_path):
    target = tmp_path / "escape"
    sandbox.run(f"open({str(target)!r}, 'w').write('x')")
    assert not target.exists()


def test_nothing_survives_from_run_to_run_or_case_to_case(sandbox):
    sandbox.run("secret = 1\nimport math\nmath.pi = 3")
    assert sandbox.run("secret").verdict == "error"
    counter = "calls = []\ndef solve():\n    calls.append(1)\n    return len(calls)"
    assert sandbox.run(counter, [Case((), 1)] * 3).passed == 3


def test_the_expected_value_cannot_be_looked_up(sandbox):
    code = "def solve(x):\n    return sorted(globals())"
    names = sandbox.run(code, [Case((1,), "hidden-answer")])
    assert names.verdict in ("wrong answer", "error")
    assert "hidden-answer" not in str(names.value)


def test_an_object_that_claims_to_equal_everything_fools_nobody(sandbox):
    code = "class Yes:\n    def __eq__(self, other): return True\ndef solve(x): return Yes()"
    assert sandbox.run(code, [Case((1,), 1)]).verdict == "wrong answer"


def test_a_value_too_large_to_show_is_no_crash(sandbox):
    assert sandbox.run("def solve(): return 10**5000", [Case((), 1)]).verdict == "wrong answer"
    deep = "def solve():\n    r = []\n    for i in range(50000): r = [r]\n    return r"
    assert sandbox.run(deep, [Case((), [[]])]).verdict != "passed"


LAUGHS = "x = 1\nfor i in range(60): x = [x, x]\n"


def test_a_value_that_is_endless_when_written_out_reaches_nobody(sandbox):
    # Sixty lists in memory, but 2**60 numbers for whoever prints them.
    result = sandbox.run(LAUGHS + "x")
    assert (result.verdict, result.value) == ("output limit", None)
    wrong = sandbox.run(
        "def solve():\n    " + LAUGHS.replace("\n", "\n    ") + "return x", [Case((), 1)]
    )
    assert (wrong.verdict, wrong.value) == ("wrong answer", None)
    assert len(repr(result)) < 2000 and len(repr(wrong)) < 2000
    assert len(repr(sandbox.run("10**4200"))) < 500
    assert sandbox.run("10**5000").verdict == "output limit"


def test_a_message_holds_no_escape_sequences(sandbox):
    message = sandbox.run("raise ValueError('\\x1b[2J\\x07 gone')").message
    assert message.isprintable() and "gone" in message


def test_true_is_not_one_and_a_tuple_is_a_list(sandbox):
    assert sandbox.run("def solve(): return True", [Case((), 1)]).verdict == "wrong answer"
    assert sandbox.run("def solve(): return (1, [2])", [Case((), [1, (2,)])])
    assert sandbox.run("def solve(): return 0.1 + 0.2", [Case((), 0.3)])


def test_sleeping_costs_no_time(sandbox):
    start = time.monotonic()
    assert sandbox.run("import time\ntime.sleep(30)\n1").value in (1, None)
    assert time.monotonic() - start < 10


def test_random_numbers_repeat(sandbox):
    code = "import random\nrandom.random()"
    assert sandbox.run(code).value == sandbox.run(code).value


def children():
    return {c.pid: c for c in psutil.Process().children() if "monty" in c.name()}


def test_killing_the_child_is_a_verdict_and_the_next_run_works():
    before = children()
    with Sandbox(Limits(seconds=20)) as box:
        assert box.run("1").value == 1
        (new,) = children().keys() - before.keys()
        threading.Timer(0.3, children()[new].kill).start()
        start = time.monotonic()
        result = box.run("while True: pass")
        assert result.verdict == "crashed"
        assert time.monotonic() - start < 10
        assert box.run("2").value == 2


def test_closing_leaves_no_child_behind():
    before = children().keys()
    run_code("1")
    assert children().keys() <= before


def test_breaking_a_limit_writes_nothing_to_the_terminal():
    script = (
        "from course_utils.sandbox import run_code\nprint(run_code(\"'a' * (10**8) * 2\").verdict)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("memory limit\n", "")


def test_a_thousand_runs_take_seconds():
    with Sandbox() as box:
        start = time.monotonic()
        for n in range(1000):
            assert box.run("def solve(x): return x * 2", [Case((n,), 2 * n)])
        assert time.monotonic() - start < 30


def test_the_code_block_is_taken_from_the_answer_not_the_thought():
    reply = (
        "<think>\n```python\nbad()\n```\n</think>\nHere:\n```python\nfirst()\n```\n"
        "or better\n```py\ndef solve():\n    return 1\n```\nDone."
    )
    assert extract_code(reply) == "def solve():\n    return 1\n"
    assert extract_code("no code") is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: Limits(seconds=0),
        lambda: Limits(memory_bytes=float("inf")),
        lambda: run_code("1", function="not a name"),
        lambda: run_code("1", function="lambda"),
        lambda: run_code("1", inputs={"x": object()}),
    ],
)
def test_bad_input_is_one_clear_error(call):
    with pytest.raises(OptionError):
        call()
