"""What does reinforcement learning buy, at which size? Accuracy against computing and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

import numpy as np
from matplotlib.figure import Figure

from course_utils.evaluation.statistics import Interval, pass_at_1, pass_at_k_per_problem
from course_utils.teaching import style

Rows = Sequence[Mapping]
HOW = {"right": "drawn at temperature 1", "greedy_right": "likeliest tokens"}


def shares(rows: Rows, column: str = "right") -> dict[tuple, list[float]]:
    """Accuracies by (model, RL step), one for each seed."""
    found: dict[tuple, list[float]] = {}
    for row in rows:
        found.setdefault((row["model"], row["rl_step"]), []).append(row[column] / row["asked"])
    return found


def compute_chart(rows: Rows) -> Figure:
    """Accuracy against the computing spent on RL: a line for each model, left the base models.

    rows: what ``scaling.read_runs`` gives.  Lines are means over the seeds, bands their range.
    """
    figure, panels = style.new_figure(8.6, 4.6, 1, 2, sharey=True)
    for axes, (column, how) in zip(panels, HOW.items(), strict=True):
        found = shares(rows, column)
        for index, model in enumerate(dict.fromkeys(row["model"] for row in rows)):
            look = style.series(index)
            steps = sorted(step for name, step in found if name == model)
            flops = [
                mean(r["rl_flops"] for r in rows if (r["model"], r["rl_step"]) == (model, step))
                for step in steps
            ]
            values = [found[model, step] for step in steps]
            flops[0] = flops[1] / 5  # nothing spent: a logarithmic axis has no place for it
            axes.plot(
                flops,
                [mean(v) for v in values],
                color=look.colour,
                linestyle=look.line,
                marker=look.marker,
                markevery=2,
                label=model,
            )
            axes.fill_between(
                flops,
                [min(v) for v in values],
                [max(v) for v in values],
                color=look.colour,
                alpha=0.15,
                linewidth=0,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0e}".replace("e+", "e"))
        axes.set_ylim(0, 1.03)
        axes.grid()
        axes.set_title(how, fontsize=10.5)
        axes.set_xlabel("floating-point operations of RL")
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    panels[0].set_ylabel("held-out sums solved")
    panels[1].legend(title="model", fontsize=9)
    figure.suptitle("What does computing spent on RL buy?", x=0.02, ha="left")
    return figure


def size_chart(rows: Rows, budgets: Sequence[int]) -> Figure:
    """Accuracy against parameters, without RL and after each budget of RL steps.

    Small dots are single seeds.  A mixture of experts stands at all its parameters, hollow.
    """
    figure, panels = style.new_figure(8.6, 4.6, 1, 2, sharey=True)
    for axes, (column, how) in zip(panels, HOW.items(), strict=True):
        found = shares(rows, column)
        size = {row["model"]: row["parameters"] for row in rows}
        dense = sorted((m for m in size if m != "moe"), key=size.get)
        for index, step in enumerate([0, *budgets]):
            look = style.series(index)
            label = "no RL" if step == 0 else f"{step} steps of RL"
            options = {"color": look.colour, "marker": look.marker}
            axes.plot(
                [size[m] for m in dense],
                [mean(found[m, step]) for m in dense],
                linestyle=look.line,
                label=label,
                **options,
            )
            for m in size:
                beside = size[m] * 1.06 ** (index - 1)  # so that no seed hides another's
                axes.plot([beside] * len(found[m, step]), found[m, step], ls="", ms=4, **options)
            if "moe" in size:
                axes.plot(
                    size["moe"], mean(found["moe", step]), ls="", ms=11, mfc="none", **options
                )
        axes.set_xscale("log")
        axes.set_xticks([size[m] for m in dense], dense)
        axes.minorticks_off()
        axes.set_ylim(0, 1.03)
        axes.grid()
        axes.set_title(how, fontsize=10.5)
        axes.set_xlabel("parameters")
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    panels[0].set_ylabel("held-out sums solved")
    panels[1].legend(fontsize=9)
    figure.suptitle("Does size do what RL does?", x=0.02, ha="left")
    return figure


def describe_scaling(rows: Rows, column: str = "right") -> str:
    """Alt text for both charts: each model's accuracy without RL and at the end."""
    found, last = shares(rows, column), max(row["rl_step"] for row in rows)
    parts = [
        f"{model} {100 * mean(found[model, 0]):.0f} % without RL, "
        f"{100 * mean(found[model, last]):.0f} % after {last:.0f} steps"
        for model in dict.fromkeys(row["model"] for row in rows)
    ]
    return f"Accuracy, {HOW[column]}, means over seeds: " + "; ".join(parts) + "."


def pass_at_k_curves(rows: Rows, ks: Sequence[int]) -> dict[str, list[Interval]]:
    """For each stage, pass@k with its interval over the problems, seeds averaged.

    rows: what ``elicit.read_runs`` gives for one model; right answers and replies per problem.
    """
    curves = {}
    for stage in dict.fromkeys(row["stage"] for row in rows):
        mine = [row for row in rows if row["stage"] == stage]
        curves[stage] = []
        correct = np.array([np.arange(row["replies"]) < row["right"] for row in mine])
        questions = [row["question"] for row in mine]
        for k in ks:
            values = pass_at_k_per_problem(correct, k)
            by_question: dict[str, list[float]] = {}
            for question, value in zip(questions, values, strict=True):
                by_question.setdefault(question, []).append(value)
            averaged = [min(1.0, mean(v)) for v in by_question.values()]
            curves[stage].append(pass_at_1(np.array(averaged)))
    return curves


def pass_at_k_chart(curves: Mapping[str, Sequence[Interval]], ks: Sequence[int]) -> Figure:
    """pass@k against k, a line with its band for each stage."""
    figure, axes = style.new_figure(7.2, 3.8)
    for index, (stage, values) in enumerate(curves.items()):
        look = style.series(index)
        options = {"color": look.colour, "linestyle": look.line, "marker": look.marker}
        axes.plot(ks, [v.estimate for v in values], label=stage, **options)
        low, high = [v.low for v in values], [v.high for v in values]
        axes.fill_between(ks, low, high, color=look.colour, alpha=0.2, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, ks)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.grid()
    axes.set_xlabel("k, replies to each problem")
    axes.set_ylabel("pass@k")
    axes.set_title("Does the base model get there with more tries?")
    axes.legend()
    return figure


def describe_pass_at_k(curves: Mapping[str, Sequence[Interval]], ks: Sequence[int]) -> str:
    """Alt text for ``pass_at_k_chart``."""
    parts = [
        f"{stage} from {values[0]} at k = {ks[0]} to {values[-1]} at k = {ks[-1]}"
        for stage, values in curves.items()
    ]
    return "pass@k: " + "; ".join(parts) + "."
