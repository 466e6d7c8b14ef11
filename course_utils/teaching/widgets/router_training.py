"""How does a router learn? Its load, drawn anew whenever training has measured it."""

from __future__ import annotations

from collections.abc import Iterable

import ipywidgets
import numpy as np
from IPython.display import display

from course_utils.errors import OptionError
from course_utils.teaching.figures.routing import describe_load, load_chart
from course_utils.teaching.page import OnPage, image_html
from course_utils.teaching.stopping import uninterrupted, until_stopped
from course_utils.teaching.widgets.panel import Panel

TOP = 0.56
"""Where the axes end. With two experts for each token no load exceeds a half, so the scale stays
still while a run is watched, and two runs can be compared."""


def load_of(record: dict) -> np.ndarray:
    """(layers, experts): the load in a record of ``course_utils.nano.moe_training``.

    Raises OptionError for a record without one.
    """
    places = [name.split("_")[1:] for name in record if name.startswith("load_")]
    if not places:
        raise OptionError(
            "This record holds no load.", "Take one with a held-out loss, of a mixture."
        )
    load = np.zeros(np.array(places, dtype=int).max(0) + 1)
    for layer, expert in places:
        load[int(layer), int(expert)] = record[f"load_{layer}_{expert}"]
    return load


def watch_router(run: Iterable[dict], title: str = "How is the work shared out?") -> list[dict]:
    """Carry a training run to its end, drawing its load; gives the records that were measured.

    run: what ``course_utils.nano.moe_training.train`` yields.  In plain code the same is
    ``[record for record in run if "held_out_loss" in record]``, and ``load_chart`` of the last.
    The stop button of Jupyter ends it early, and what has come so far is given.  The last picture
    stays on the page when the widget is gone.
    """
    chart, measured = ipywidgets.HTML(), []
    Panel(
        chart,
        f"{title} (a picture that follows the training)\n"
        'In code: records = [r for r in run if "held_out_loss" in r]',
    ).show()
    with until_stopped(lambda: f"Stopped after {len(measured)} measurements."):
        for record in run:
            if "held_out_loss" not in record:
                continue
            measured.append(record)
            loads = {f"after {record['tokens']:,.0f} tokens": load_of(record)}
            chart.value = image_html(load_chart(loads, title=title, top=TOP), describe_load(loads))
    if measured:
        with uninterrupted():
            picture, chart.value = chart.value, ""
            display(OnPage(picture, describe_load(loads)))
    return measured
