"""How does training go, while it goes? Two or four small charts that grow, and can be stopped.

A record that has a ``reply`` to one fixed question shows what the model makes of it by now, beside
what it made of it first.
"""

from __future__ import annotations

import html
import os
import time
from collections.abc import Iterable, Mapping, Sequence

import ipywidgets
from IPython.display import display
from matplotlib.figure import Figure

from course_utils.teaching import style
from course_utils.teaching.page import OnPage, image_html
from course_utils.teaching.stopping import uninterrupted, until_stopped
from course_utils.teaching.widgets.panel import Panel

PANELS = {
    "reward": "mean reward",
    "accuracy": "accuracy, held out",
    "length": "tokens per solution",
    "entropy": "entropy, nats",
}
"""Columns of a training record, and what they show. Values of those in ``SHARES`` are shares."""

SHARES = ("reward", "accuracy", "right", "failed", "success", "works")

SHORT_RUNS = "COURSE_SHORT_RUNS"
"""With this environment variable set, as in ``make notebook-tests``, live training is cut short."""


def run_length(steps: int, short: int = 3) -> int:
    """``steps``, or ``short`` where the environment variable COURSE_SHORT_RUNS is set."""
    return short if os.environ.get(SHORT_RUNS) else steps


def progress_chart(
    records: Sequence[dict],
    *,
    steps: int | None = None,
    title: str = "How does training go?",
    panels: Mapping[str, str] = PANELS,
) -> Figure:
    """Reward, held-out accuracy, length and entropy against the step, one small chart each.

    records: rows with ``step`` and the columns of ``panels``; an empty value is not drawn.
    steps: where the run is to end, so that the axis does not grow.
    panels: two or four columns and what they show.
    """
    rows = len(panels) // 2
    figure, axes = style.new_figure(
        7.6, 0.4 + 2.1 * rows, rows, 2, sharex=True, squeeze=False, title=title
    )
    for index, (axis, (column, label)) in enumerate(zip(axes.flat, panels.items(), strict=True)):
        points = [(r["step"], r[column]) for r in records if r.get(column, "") != ""]
        look = style.series(index)
        if points:
            axis.plot(*zip(*points, strict=True), color=look.colour, marker=look.marker)
        style.frame(axis, panel=label, grid="both")
        if column in SHARES:
            style.frame(axis, percent="y", ylim=(0, 1.03))
        else:
            axis.set_ylim(0, 1.1 * max([value for _, value in points if value > 0], default=1))
        if steps:
            axis.set_xlim(0, steps + 0.5)
    for axis in axes[-1]:
        axis.set_xlabel("step")
        axis.xaxis.get_major_locator().set_params(integer=True)
    return figure


def describe_progress(records: Sequence[dict], panels: Mapping[str, str] = PANELS) -> str:
    """Alt text for ``progress_chart``: where each line begins and ends."""
    parts = []
    for column, label in panels.items():
        values = [r[column] for r in records if r.get(column, "") != ""]
        if values:
            parts.append(f"{label} from {values[0]:.2f} to {values[-1]:.2f}")
    return f"{len(parts)} charts over {len(records)} steps: " + "; ".join(parts) + "."


def training_live(
    run: Iterable[dict],
    *,
    steps: int | None = None,
    title: str = "How does training go?",
    panels: Mapping[str, str] = PANELS,
) -> list[dict]:
    """Carry a training run to its end, drawing its records as they come; gives the records.

    run: what ``grpo.train`` or a generator of your own yields.  The stop button of Jupyter ends
    it early, and what has come so far is given.  The last picture stays on the page when the
    widget is gone.  In plain code: ``records = list(run)``, and ``progress_chart(records)``.
    """
    chart, records, drawn = ipywidgets.HTML(), [], 0.0
    Panel(chart, f"{title} (charts that grow)\nIn code: records = list(run)").show()
    with until_stopped(lambda: f"Stopped after {len(records)} steps. Run the cell again to go on."):
        for record in run:
            records.append(record)
            if time.monotonic() - drawn > 1.5:  # drawing takes time from training
                chart.value = _picture(records, steps, title, panels)
                drawn = time.monotonic()
    if records:
        with uninterrupted():
            chart.value = ""
            said = describe_progress(records, panels) + "".join(
                f"\nThe reply after step {record['step']}: {record['reply']}"
                for record in _first_and_last(records)
            )
            display(OnPage(_picture(records, steps, title, panels), said))
    return records


def _first_and_last(records: Sequence[dict]) -> list[dict]:
    """The first and the last record that have a reply."""
    replied = [record for record in records if record.get("reply")]
    return [replied[0], replied[-1]] if replied else []


def _picture(
    records: Sequence[dict], steps: int | None, title: str, panels: Mapping[str, str]
) -> str:
    figure = progress_chart(records, steps=steps, title=title, panels=panels)
    replies = "".join(
        '<pre style="flex: 1 1 12em; margin: 0.3em 0; padding: 0.4em; border: 1px solid #767676">'
        f"<strong>after step {record['step']}</strong>\n{html.escape(record['reply'])}</pre>"
        for record in _first_and_last(records)
    )
    picture = image_html(figure, describe_progress(records, panels))
    return picture + (f'<div style="display: flex; gap: 1em">{replies}</div>' if replies else "")
