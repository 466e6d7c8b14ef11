"""Charts of notebook 05: loss by budget, and a mixture's lead as more people ask at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from course_utils.errors import OptionError
from course_utils.nano.experiments.moe import MODELS
from course_utils.teaching import style
from course_utils.teaching.figures.training import training_curves

_BUDGETS = {
    # budget: (unit, first value drawn, words on the axis)
    "tokens": (1e6, 0.2, "tokens read (millions)"),
    "flops": (1e12, 0.8, "compute spent on training (TFLOP)"),
}


def budget_chart(
    runs: Sequence[Mapping], models: Sequence[str], budget: str, *, title: str
) -> Figure:
    """Held-out loss against one budget, ``tokens`` or ``flops``, for some models of the logs.

    Lines are means of the seeds, bands run from the best to the worst.  Raises OptionError for
    another budget.
    """
    if budget not in _BUDGETS:
        raise OptionError(f"There is no budget {budget!r}.", f"Use one of: {', '.join(_BUDGETS)}.")
    unit, start, words = _BUDGETS[budget]
    rows = [
        {**row, "model": MODELS[row["model"]].label, budget: row[budget] / unit}
        for row in runs
        if row["model"] in models and row[budget] >= start * unit
    ]
    return training_curves(
        rows,
        x=budget,
        y="held_out_loss",
        by="model",
        known=[model.label for model in MODELS.values()],
        title=title,
        x_label=words,
        y_label="held-out loss (nats per token)",
    )


def rates_of(batches: Sequence[Mapping], name: str) -> dict[int, float]:
    """Tokens per second of all sequences together, by their number, from ``batching.csv``."""
    return {
        int(row["sequences"]): row["tokens_per_second"] for row in batches if row["model"] == name
    }


def lead_of(batches: Sequence[Mapping], sparse: str, dense: str) -> dict[int, tuple[float, float]]:
    """By sequences at once: how many times faster the mixture is, and by bytes read alone."""
    read = {(row["model"], int(row["sequences"])): row["gb_per_step"] for row in batches}
    fast, slow = rates_of(batches, sparse), rates_of(batches, dense)
    return {n: (fast[n] / slow[n], read[dense, n] / read[sparse, n]) for n in slow if n in fast}


def crowd_chart(
    rates: Mapping[str, Mapping[int, float]], leads: Mapping[int, tuple[float, float]]
) -> Figure:
    """Left: tokens per second by sequences at once. Right: the lead, measured and by bytes."""
    figure, (left, right) = style.new_figure(9, 3.8, columns=2)
    for index, (name, speeds) in enumerate(rates.items()):
        look = style.series(index)
        left.plot(
            *zip(*speeds.items(), strict=True),
            **look.as_line,
            label=style.drawable(name),
        )
    left.set(title="All sequences together", ylabel="tokens per second", ylim=(0, None))
    measured, by_bytes = zip(*leads.values(), strict=True)
    right.plot(list(leads), measured, "-o", label="measured", color=style.GREEN)
    right.plot(list(leads), by_bytes, ":", label="by bytes read alone", color=style.INK)
    right.axhline(1, color=style.GREY, linewidth=1)
    right.set(title="How many times faster is the mixture?", ylim=(0, None))
    for axes in (left, right):
        _by_crowd(axes, list(leads))
        axes.legend(fontsize=9)
    return figure


def describe_leads(leads: Mapping[int, tuple[float, float]]) -> str:
    """Alt text for ``crowd_chart``."""
    measured = ", ".join(f"{n}: {lead:.1f}" for n, (lead, _) in leads.items())
    by_bytes = ", ".join(f"{n}: {lead:.1f}" for n, (_, lead) in leads.items())
    return f"The mixture's lead by sequences at once: {measured}. By bytes alone: {by_bytes}."


def lead_chart(
    leads: Mapping[str, Mapping[int, float]], *, title: str = "Does the mixture keep its lead?"
) -> Figure:
    """A line for each machine: the mixture's lead against the sequences at once."""
    style.need(leads, "There is no lead to draw.", 'Give one: {"two cores": {1: 10.1}}.')
    figure, axes = style.new_figure(7.2, 3.4)
    for index, (machine, line) in enumerate(leads.items()):
        look = style.series(index)
        axes.plot(
            *zip(*line.items(), strict=True),
            **look.as_line,
            label=style.drawable(machine),
        )
    _by_crowd(axes, list(next(iter(leads.values())))[::2])
    style.frame(axes, title=title, ylim=(0, None), ylabel="mixture's lead (times)")
    axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return figure


def _by_crowd(axes, crowds: Sequence[int]) -> None:
    style.frame(
        axes,
        grid="both",
        xscale="log",
        xlabel="sequences at once",
        xticks=crowds,
        xticklabels=[f"{n:,}" for n in crowds],
    )
    axes.tick_params(axis="x", which="minor", bottom=False)
