"""Do predictions stand beside results, and is a missing one met gently?"""

import ipywidgets
import pytest

from course_utils.errors import OptionError
from course_utils.teaching.exercises import predictions
from course_utils.teaching.exercises.predictions import predict, reveal


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(predictions, "_predictions", {})


def test_a_right_prediction_is_confirmed(capsys):
    predict("01.greedy", ["it loops", "it stops"], choice=1)
    reveal("01.greedy", 1, because="The likeliest token never changes.")
    out = capsys.readouterr().out
    assert "Your prediction: it loops" in out and "The result: it loops" in out
    assert "As you predicted. The likeliest token never changes." in out


def test_a_wrong_prediction_is_shown_beside_the_result(capsys):
    predict("01.greedy", ["it loops", "it stops"], choice=2)
    reveal("01.greedy", "it loops")
    out = capsys.readouterr().out
    assert "Your prediction: it stops" in out and "Not as predicted" in out


@pytest.mark.parametrize("asked", [True, False])
def test_without_a_prediction_the_result_stands_alone(capsys, asked):
    if asked:
        predict("01.greedy", ["it loops", "it stops"])
        capsys.readouterr()
    reveal("01.greedy", "it loops", "The likeliest token never changes.")
    out = capsys.readouterr().out
    assert out == "The result: it loops\nThe likeliest token never changes.\n"


def test_an_outcome_that_numpy_counted_names_its_option(capsys):
    import numpy as np

    predict("01.greedy", ["it loops", "it stops"], choice=2)
    reveal("01.greedy", np.int64(2))
    out = capsys.readouterr().out
    assert "The result: it stops" in out and "As you predicted." in out


def test_predictions_that_met_their_result_are_counted(capsys):
    for name, choice in (("01.a", 1), ("01.b", 2), ("01.c", None), ("02.a", 1)):
        predict(name, ["it loops", "it stops"], choice=choice)
        reveal(name, 1)
    predict("01.d", ["it loops", "it stops"], choice=1)
    assert predictions.predictions_made("01") == (2, 1)


def test_the_radio_buttons_record_the_choice(capsys, monkeypatch):
    made = []
    original = ipywidgets.RadioButtons.__init__

    def remember(self, *arguments, **keywords):
        made.append(self)
        original(self, *arguments, **keywords)

    monkeypatch.setattr(ipywidgets.RadioButtons, "__init__", remember)
    predict("01.greedy", ["it loops", "it stops"])
    assert made[0].description and made[0].value is None
    made[0].value = 2
    # Running the cell again keeps what was chosen.
    predict("01.greedy", ["it loops", "it stops"])
    assert made[1].value == 2
    reveal("01.greedy", 2)
    assert "Your prediction: it stops" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "choice"), [(["one"], None), (["a", "a"], None), (["a", "b"], 3)]
)
def test_an_impossible_question_or_choice_is_an_error_with_a_remedy(options, choice):
    with pytest.raises(OptionError):
        predict("01.greedy", options, choice=choice)
