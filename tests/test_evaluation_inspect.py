"""An evaluation can be killed and taken up again, repeats exactly, and reports what it cost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_utils.engines.protocol import ModelInfo, Piece, Reply, Stream
from course_utils.errors import OptionError
from course_utils.evaluation.suite import generate_suite

pytest.importorskip("inspect_ai")

ROOT = Path(__file__).parent.parent


class ScriptedEngine:
    """Answers sums, wrongly for every third seed; writes down each question it was asked."""

    def __init__(self, diary, seconds=0.0, name="scripted"):
        self.info = ModelInfo(name, "test")
        self.diary = Path(diary)
        self.seconds = seconds

    def chat(self, messages, sampling=None, *, thinking_budget=None):
        question = messages[-1]["content"]
        reply = Reply(prompt_tokens=3)

        def pieces():
            time.sleep(self.seconds)
            with open(self.diary, "a") as file:
                file.write(json.dumps([question, sampling.seed]) + "\n")
            yield Piece("thinking", "adding", 7, 0.0)
            numbers = [int(n) for n in "".join(c if c.isdigit() else " " for c in question).split()]
            reply.thinking, reply.thinking_tokens = "adding", 7
            reply.answer = str(sum(numbers) + (sampling.seed % 3 == 0))
            reply.answer_tokens = 2

        return Stream(pieces(), reply)

    def asked(self):
        if not self.diary.exists():
            return []
        return [tuple(json.loads(line)) for line in self.diary.read_text().splitlines()]


SUMS = generate_suite(seed=0, per_level=6, families=["integers"], max_level=1)

# The child of the tests below: the same evaluation, slow enough to be killed half way.
CHILD = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests"]
from test_evaluation_inspect import SUMS, ScriptedEngine
from course_utils.evaluation.inspect_tasks import evaluate
evaluate(ScriptedEngine(sys.argv[2], seconds=0.4), SUMS, sys.argv[3], samples=2)
"""


def run_until_half_way(engine, logs, stop_signal):
    """Start the evaluation in a child, send the signal after five answers, return its stderr."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(ROOT), str(engine.diary), str(logs)],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while len(engine.asked()) < 5 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(child.pid, stop_signal)
    return child.communicate(timeout=60)[1].decode()


@pytest.mark.parametrize("stop_signal", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_evaluation_goes_on_without_repeating_finished_answers(tmp_path, stop_signal):
    from course_utils.evaluation.inspect_tasks import evaluate

    engine = ScriptedEngine(tmp_path / "diary")
    stderr = run_until_half_way(engine, tmp_path / "logs", stop_signal)
    before = engine.asked()
    assert 5 <= len(before) < 12, stderr

    report = evaluate(engine, SUMS, tmp_path / "logs", samples=2)
    asked = engine.asked()
    assert len(set(asked)) == 12
    # The answer that was being written down when the child died may be asked once more.
    assert len(asked) <= 13
    assert report.correct.shape == (6, 2)

    again = evaluate(engine, SUMS, tmp_path / "logs", samples=2)
    assert engine.asked() == asked, "a finished evaluation was run again"
    assert Path(again.log) == Path(report.log)


def test_one_seed_gives_one_report_with_what_it_cost(tmp_path):
    from course_utils.evaluation.inspect_tasks import evaluate, read_report

    reports = [
        evaluate(ScriptedEngine(tmp_path / f"diary{n}"), SUMS, tmp_path / f"logs{n}", samples=2)
        for n in range(2)
    ]
    first, second = reports
    assert first.questions == second.questions
    assert (first.correct == second.correct).all()
    assert 0 < first.correct.mean() < 1
    assert (first.thinking_tokens == 7).all() and (first.answer_tokens == 2).all()
    assert first.score().low < first.score().estimate < first.score().high
    assert read_report(first.log).correct.tolist() == first.correct.tolist()
    seeds = [seed for _, seed in ScriptedEngine(tmp_path / "diary0").asked()]
    assert len(set(seeds)) == 12, "two answers were drawn with one seed"


def test_another_suite_or_setting_is_another_evaluation(tmp_path):
    from course_utils.engines.sampling import QWQ
    from course_utils.evaluation.inspect_tasks import evaluate

    engine = ScriptedEngine(tmp_path / "diary")
    evaluate(engine, SUMS[:2], tmp_path / "logs")
    evaluate(engine, SUMS[:2], tmp_path / "logs", sampling=QWQ.but(seed=1))
    assert len(engine.asked()) == 4


def test_it_runs_where_an_event_loop_is_already_running_as_in_a_notebook(tmp_path):
    import asyncio

    from course_utils.evaluation.inspect_tasks import evaluate

    async def cell():
        return evaluate(ScriptedEngine(tmp_path / "diary"), SUMS[:2], tmp_path / "logs")

    assert asyncio.run(cell()).correct.shape == (2, 1)


def test_importing_the_module_does_not_import_inspect():
    code = (
        "import sys, course_utils.evaluation.inspect_tasks\n"
        "print([m for m in ('inspect_ai', 'torch', 'llama_cpp') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "[]\n"


def test_bad_input_is_one_clear_error(tmp_path):
    from course_utils.evaluation.inspect_tasks import evaluate

    with pytest.raises(OptionError):
        evaluate(ScriptedEngine(tmp_path / "d"), [], tmp_path)
    with pytest.raises(OptionError):
        evaluate(ScriptedEngine(tmp_path / "d"), SUMS, tmp_path, samples=0)
