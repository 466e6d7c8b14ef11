"""The command says what an evaluation costs before it starts, and offers less."""

import pytest

from course_utils.engines.protocol import ModelInfo, Piece, Reply, Stream
from course_utils.errors import OptionError
from course_utils.evaluation import __main__ as command
from course_utils.evaluation import cost


class SlowEngine:
    """Writes 1.4 tokens per second, as QwQ-32B does on a small machine, but takes no time."""

    info = ModelInfo("slow", "test")

    def chat(self, messages, sampling=None, *, thinking_budget=None):
        reply = Reply(answer="7", answer_tokens=15, seconds_to_first_token=2.0, seconds=12.0)
        return Stream(iter([Piece("answer", "7", 15, 12.0)]), reply)


def test_the_speed_is_that_of_decoding():
    assert cost.measure_speed(SlowEngine()) == pytest.approx(1.4)


def test_hours_follow_from_tokens_and_speed():
    estimate = cost.estimate_cost(85, 2, 1.4, 2000)
    assert estimate.answers == 170
    assert estimate.hours == pytest.approx(170 * 2000 / 1.4 / 3600)
    assert 9 < estimate.points < 12
    assert "hours" in str(estimate) and "within 10 points" in str(estimate)


def test_a_long_evaluation_does_not_start_unasked_and_smaller_ones_are_offered(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(command, "open_model", lambda model: SlowEngine())
    status = command.main(["slow", "--per-level", "4", "--logs", str(tmp_path / "logs")])
    shown = capsys.readouterr().out
    assert status == 2
    assert shown.count("--per-level") == 4 and "--yes" in shown
    assert not (tmp_path / "logs").exists()


def test_a_wrong_choice_is_one_clear_error_not_a_traceback(capsys):
    assert command.main(["no-such-model", "--per-level", "1"]) == 1
    shown = capsys.readouterr().err
    assert "What to do:" in shown and "Traceback" not in shown


@pytest.mark.parametrize("bad", [(0, 1, 1.0, 1.0), (1, 1, 0.0, 1.0), (1, 1, 1.0, float("inf"))])
def test_an_impossible_cost_is_refused(bad):
    with pytest.raises(OptionError):
        cost.estimate_cost(*bad)
