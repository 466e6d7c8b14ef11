"""Published benchmarks run on any engine, or say in one message what is missing."""

import sys
import types

import httpx
import pytest

from course_utils.engines.protocol import ModelInfo, Piece, Reply, Stream
from course_utils.errors import CourseError, DownloadError, NotSupportedError, OptionError
from course_utils.evaluation import __main__ as command
from course_utils.evaluation import online
from course_utils.evaluation.function_calls import offer_functions, parse_function_calls

CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo", "days": 3}}</tool_call>'


class Engine:
    """Answers every request with one text; keeps what it was asked."""

    info = ModelInfo("scripted", "test")

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def chat(self, messages, sampling=None, *, thinking_budget=None):
        self.asked.append((messages, sampling.seed))
        reply = Reply(answer=self.answer, answer_tokens=5, seconds=1.0)
        return Stream(iter([Piece("answer", self.answer, 5, 1.0)]), reply)


@pytest.fixture
def no_waiting(monkeypatch):
    monkeypatch.setattr(httpx, "head", lambda *_, **__: None)


def _task(make_scorer, samples, solver):
    from inspect_ai import Task
    from inspect_ai.dataset import MemoryDataset

    return Task(name="t", dataset=MemoryDataset(samples), solver=solver, scorer=make_scorer())


def test_a_missing_package_is_one_clear_message(monkeypatch):
    monkeypatch.setattr(online.importlib.util, "find_spec", lambda module: None)
    with pytest.raises(NotSupportedError) as error:
        online.load_task("aime2024")
    assert "inspect-evals" in error.value.problem and "pip install" in error.value.remedy


def test_a_missing_network_is_one_clear_message_and_no_long_wait(monkeypatch):
    def unreachable(*_, **__):
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(online.importlib.util, "find_spec", lambda module: object())
    monkeypatch.setattr(httpx, "head", unreachable)
    with pytest.raises(DownloadError) as error:
        online.load_task("bfcl")
    assert "github.com does not answer" in error.value.problem


def test_a_download_that_fails_half_way_is_one_clear_message(monkeypatch, no_waiting):
    def broken(**_):
        raise RuntimeError("connection\nreset")

    module = types.ModuleType("inspect_evals.aime2024")
    module.aime2024 = broken
    monkeypatch.setattr(online.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "inspect_evals", types.ModuleType("inspect_evals"))
    monkeypatch.setitem(sys.modules, "inspect_evals.aime2024", module)
    with pytest.raises(DownloadError, match="connection reset"):
        online.load_task("aime2024")


def test_an_unknown_benchmark_is_refused():
    with pytest.raises(OptionError, match="aime2024"):
        online.load_task("aime")


def test_the_command_says_what_is_missing_before_it_opens_a_model(monkeypatch, capsys):
    monkeypatch.setattr(online.importlib.util, "find_spec", lambda module: None)
    monkeypatch.setattr(command, "open_model", lambda model: pytest.fail("opened a model"))
    assert command.main(["qwq-32b", "--online", "aime2024"]) == 1
    shown = capsys.readouterr().err
    assert "What to do:" in shown and "Traceback" not in shown


def test_a_part_is_random_repeatable_and_never_larger_than_the_whole():
    part = online.pick(range(100), 10, seed=3)
    assert part == online.pick(range(100), 10, seed=3) == sorted(set(part))
    assert part != online.pick(range(100), 10, seed=4) and max(part) > 30
    assert online.pick(range(5), None) == online.pick(range(5), 9) == list(range(5))
    with pytest.raises(OptionError):
        online.pick(range(5), 0)


def test_a_benchmark_runs_on_an_engine_with_a_seed_for_each_answer(tmp_path):
    pytest.importorskip("inspect_ai")
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate, prompt_template

    samples = [Sample(id=n, input=f"What is {n} + 0?", target=str(n)) for n in range(6)]
    task = _task(match, samples, [prompt_template("Solve: {prompt}"), generate()])
    engine = Engine("ANSWER: 3")
    report = online.evaluate_online(engine, task, "aime2024", tmp_path, samples=2)
    assert report.correct.shape == (6, 2) and report.correct.sum() == 2
    assert report.whole == 6 and (report.tokens == 5).all()
    assert report.score().low < 1 / 6 < report.score().high
    assert len({seed for _, seed in engine.asked}) == 12
    assert engine.asked[0][0][-1]["content"].startswith("Solve: ")

    online.evaluate_online(engine, task, "aime2024", tmp_path, samples=2)
    assert len(engine.asked) == 12, "a finished evaluation was run again"


def test_functions_are_offered_and_calls_reach_the_grader_as_calls(tmp_path):
    pytest.importorskip("inspect_ai")
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import Score, accuracy, scorer
    from inspect_ai.solver import solver
    from inspect_ai.tool import ToolInfo, ToolParam, ToolParams

    tool = ToolInfo(
        name="weather",
        description="The forecast for a city.",
        parameters=ToolParams(properties={"city": ToolParam(type="string")}, required=["city"]),
    )

    @solver
    def offer():
        async def solve(state, generate):
            state.tools.append(tool)
            return await generate(state, tool_calls="none")

        return solve

    @scorer(metrics=[accuracy()])
    def called():
        async def score(state, target):
            calls = state.output.message.tool_calls or []
            return Score(value=int([c.arguments for c in calls] == [{"city": "Oslo", "days": 3}]))

        return score

    task = _task(called, [Sample(id=1, input="Oslo?")], offer())
    engine = Engine(CALL)
    report = online.evaluate_online(engine, task, "bfcl", tmp_path)
    assert report.correct.tolist() == [[1]]
    system = engine.asked[0][0][0]
    assert system["role"] == "system"
    assert '"name": "weather"' in system["content"] and "null" not in system["content"]


def test_an_offer_keeps_what_a_system_message_already_says():
    offered = offer_functions(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Oslo?"}],
        [{"name": "weather", "description": "d", "parameters": {"a": None, "b": [{"c": None}]}}],
    )
    assert [m["role"] for m in offered] == ["system", "user"]
    assert offered[0]["content"].startswith("Be brief.")
    assert '"parameters": {"b": [{}]}' in offered[0]["content"]
    assert parse_function_calls(CALL)[0].name == "weather"


def test_every_benchmark_says_how_to_get_what_it_needs():
    for name, benchmark in online.BENCHMARKS.items():
        assert name == benchmark.task
        assert all("pip install" in install for install in benchmark.modules.values())
    assert issubclass(NotSupportedError, CourseError)


def test_ifeval_counts_a_prompt_only_if_every_instruction_is_met():
    assert online._is_right({"prompt_level_strict": True, "inst_level_strict": 2})
    assert not online._is_right({"prompt_level_strict": False, "inst_level_strict": 1})
    assert online._is_right("C") and not online._is_right("I") and online._is_right(1)
