"""What do you expect? A prediction before a result, and both side by side after it.

Predictions live in the running kernel only; nothing is saved or marked.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

from IPython.display import display

from course_utils.errors import OptionError
from course_utils.teaching.page import OnPage, prose_html


@dataclass
class _Prediction:
    options: tuple[str, ...]
    choice: int | None  # counted from 1
    came_true: bool | None = None  # None before the result


_predictions: dict[str, _Prediction] = {}


def predict(
    prediction_id: str,
    options: Sequence[str],
    *,
    question: str = "What do you expect?",
    choice: int | None = None,
) -> None:
    """Ask for a prediction with radio buttons; ``reveal`` shows it beside the result later.

    choice: the plain-code way: ``predict(..., choice=2)`` picks the second option.
    Raises OptionError for fewer than two options or a choice that is not among them.
    """
    options = tuple(str(option) for option in options)
    if len(options) < 2 or len(set(options)) < len(options):
        raise OptionError(
            "A prediction needs at least two different options.", 'Give them: options=["a", "b"].'
        )
    _check_choice(choice, options)
    # Running the cell again keeps a choice made before, as long as the options are the same.
    before = _predictions.get(prediction_id)
    if choice is None and before is not None and before.options == options:
        choice = before.choice
    prediction = _predictions[prediction_id] = _Prediction(options, choice)

    import ipywidgets

    from course_utils.teaching.widgets.panel import Panel

    buttons = ipywidgets.RadioButtons(
        options=[(f"{number}. {option}", number) for number, option in enumerate(options, 1)],
        value=choice,
        description="Prediction:",
        layout=ipywidgets.Layout(width="auto"),
    )

    def record(change) -> None:
        prediction.choice = change["new"]

    buttons.observe(record, names="value")
    heading = ipywidgets.HTML(f"<strong>{prose_html(question)}</strong>")
    numbered = "  ".join(f"({number}) {option}" for number, option in enumerate(options, 1))
    Panel(
        ipywidgets.VBox([heading, buttons]),
        f"Prediction: {question}  {numbered}\nIn code: predict({prediction_id!r}, [...], choice=1)",
    ).show()


def reveal(prediction_id: str, outcome: int | str, because: str = "") -> None:
    """Show what came out, beside what was predicted where a prediction was made.

    outcome: the number of the option that came true, from 1, or the result in words.
    because: one sentence of explanation, shown either way.
    """
    prediction = _predictions.get(prediction_id)
    if isinstance(outcome, Integral) and prediction is not None:
        _check_choice(outcome, prediction.options)
    chosen = prediction.choice if prediction is not None else None
    result = outcome
    if isinstance(outcome, Integral):
        result = prediction.options[outcome - 1] if prediction else f"option {outcome}"
    rows, remark = [], ""
    if chosen is not None:
        guess = prediction.options[chosen - 1]
        came_true = chosen == outcome if isinstance(outcome, Integral) else guess == outcome
        prediction.came_true = came_true
        remark = "As you predicted." if came_true else "Not as predicted: worth a second look."
        rows.append(("Your prediction", guess))
    rows.append(("The result", str(result)))
    sentences = " ".join(part for part in (remark, because) if part)
    table = "".join(
        f'<tr><th scope="row" style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(value)}</td></tr>'
        for name, value in rows
    )
    lines = [*(f"{name}: {value}" for name, value in rows), *([sentences] if sentences else [])]
    below = f"<p>{prose_html(sentences)}</p>" if sentences else ""
    display(OnPage(f"<table>{table}</table>{below}", "\n".join(lines)))


def predictions_made(number: str) -> tuple[int, int]:
    """How many predictions of notebook ``"01"`` met their result, and how many came true."""
    met = [
        prediction.came_true
        for name, prediction in _predictions.items()
        if name.startswith(f"{number}.") and prediction.came_true is not None
    ]
    return len(met), sum(met)


def _check_choice(choice: int | None, options: Sequence[str]) -> None:
    whole = isinstance(choice, Integral) and not isinstance(choice, bool)
    if choice is not None and not (whole and 1 <= choice <= len(options)):
        raise OptionError(
            f"There is no option number {choice!r}.", f"Choose a number from 1 to {len(options)}."
        )
