"""Which model scores what, and how sure is that? Published scores, intervals, and their price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from course_utils.evaluation.published import (
    MODELS,
    NOT_STATED,
    Benchmark,
    PublishedResult,
    grid,
    interval,
    load_benchmarks,
)
from course_utils.evaluation.statistics import Interval
from course_utils.teaching import style


def published_chart(
    results: Sequence[PublishedResult],
    benchmarks: Sequence[str],
    models: Sequence[str] = MODELS,
    *,
    title: str = "What has been published, and how sure is it?",
) -> Figure:
    """One panel for each benchmark, one line for each model; hatched where no source was found.

    The filled dot is the maker's own first result, or where there is none the first of anybody,
    with the interval that the number of problems allows.  Hollow diamonds are what somebody else
    measured; crosses are further figures of the same party or company, and figures that do not say
    who measured.  Majority votes (cons@k) are left out.
    """
    known = load_benchmarks()
    cells = grid([r for r in results if not r.metric.startswith("cons")], models, benchmarks)
    figure, all_axes = style.new_figure(
        2.2 + max(4.8, 1.6 * len(benchmarks)),
        1.5 + 0.4 * len(models),
        columns=len(benchmarks),
        sharey=True,
    )
    for axes, benchmark in zip(_list(all_axes), benchmarks, strict=True):
        scores = [r.score for m in models for r in cells[m, benchmark] if r.score is not None]
        ends = [interval(r, known) for m in models for r in cells[m, benchmark][:1]]
        low = min([*scores, *(100 * e.low for e in ends if e)], default=0)
        high = max([*scores, *(100 * e.high for e in ends if e)], default=100)
        for row, model in enumerate(models):
            _draw_cell(axes, row, cells[model, benchmark], known)
        style.frame(axes, panel=benchmark, grid="x", xlim=(low - 4, high + 4))
        axes.set_xlabel(_size(known[benchmark]), fontsize=9)
        axes.tick_params(labelsize=9)
    first = _list(all_axes)[0]
    style.frame(first, rows=models, ylim=(len(models) - 0.5, -0.5))
    figure.suptitle(title, x=0.01, ha="left", fontsize=12.5)
    return figure


def describe_published(
    results: Sequence[PublishedResult], benchmarks: Sequence[str], models: Sequence[str] = MODELS
) -> str:
    """Alt text for ``published_chart``: every score, and where there is none."""
    cells = grid([r for r in results if not r.metric.startswith("cons")], models, benchmarks)
    sentences = []
    for benchmark in benchmarks:
        parts = []
        for model in models:
            scores = [f"{r.score:g}" for r in cells[model, benchmark] if r.score is not None]
            parts.append(f"{model} {' or '.join(dict.fromkeys(scores)) or 'none found'}")
        sentences.append(f"{benchmark}: {', '.join(parts)}.")
    return " ".join(sentences)


def interval_chart(
    intervals: Mapping[str, Interval],
    *,
    title: str = "Where may the true score lie?",
    x_label: str = "score, with its 95% interval",
    zero: bool = False,
) -> Figure:
    """A dot and its interval for each name. ``zero`` adds a line at 0, for differences."""
    style.need(intervals, "There is no interval to draw.", 'Give some: {"QwQ-32B": Interval(...)}.')
    figure, axes = style.new_figure(7, 1.2 + 0.45 * len(intervals))
    for row, (share, low, high) in enumerate(intervals.values()):
        look = style.series(row)
        whisker(axes, row, 100 * share, 100 * low, 100 * high, look.colour, look.marker)
        axes.text(
            1.02,
            row,
            f"{100 * share:.1f}  ({100 * low:.1f} to {100 * high:.1f})",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=9.5,
        )
    if zero:
        axes.axvline(0, color=style.INK, linewidth=1, linestyle="--")
    ends = (len(intervals) - 0.5, -0.5)
    style.frame(axes, title=title, rows=intervals, grid="x", ylim=ends, xlabel=x_label)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    return figure


def price_chart(
    lines: Mapping[str, Sequence[tuple[float, Interval]]],
    *,
    title: str = "What do more tokens buy?",
    x_label: str = "tokens written per question",
) -> Figure:
    """Accuracy against tokens per question, one line with its interval for each way to spend them.

    lines: name to its points, each a number of tokens per question and the accuracy.
    """
    style.need(
        lines and all(lines.values()),
        "There are no points to draw.",
        'Give some: {"one answer": [(45, Interval(...))]}.',
    )
    figure, axes = style.new_figure(7.2, 3.9)
    for index, (name, points) in enumerate(lines.items()):
        look = style.series(index)
        tokens = [point[0] for point in points]
        shares = [100 * point[1].estimate for point in points]
        axes.plot(tokens, shares, **look.as_line, label=name)
        axes.fill_between(
            tokens,
            [100 * point[1].low for point in points],
            [100 * point[1].high for point in points],
            color=look.colour,
            alpha=0.15,
            linewidth=0,
        )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    style.frame(
        axes,
        title=title,
        grid="both",
        ylim=(-3, 103),
        xlabel=f"{x_label} (each step doubles)",
        ylabel="right answers",
    )
    figure.legend(loc="outside lower left", ncols=2, fontsize=9)
    return figure


def _draw_cell(
    axes, row: int, results: Sequence[PublishedResult], known: Mapping[str, Benchmark]
) -> None:
    if not any(r.score is not None for r in results):
        axes.axhspan(
            row - 0.36,
            row + 0.36,
            facecolor="none",
            edgecolor=style.PALE,
            hatch="////",
            linewidth=0,
        )
        axes.text(
            0.5,
            row,
            "none found",
            transform=axes.get_yaxis_transform(),
            ha="center",
            va="center",
            fontsize=8.5,
            color=style.INK,
            bbox={"facecolor": style.BACKGROUND, "edgecolor": "none", "pad": 1.5},
        )
        return
    first, *others = results
    whole = interval(first, known)
    if whole is None:
        axes.plot(first.score, row, marker="o", color=style.BLUE, markersize=6, zorder=4)
    else:
        whisker(axes, row, first.score, 100 * whole.low, 100 * whole.high, style.BLUE, "o")
    for other in others:
        if other.score == first.score:
            continue
        house = {"maker", "same company"}
        elsewhere = (
            other.measured_by not in (NOT_STATED, first.measured_by)
            and not {other.relation, first.relation} <= house
        )
        axes.plot(
            other.score,
            row,
            marker="D" if elsewhere else "x",
            markersize=7 if elsewhere else 6,
            markerfacecolor=style.BACKGROUND,
            markeredgecolor=style.VERMILION if elsewhere else style.GREY,
            markeredgewidth=1.4,
            zorder=3,
        )


def whisker(
    axes, row: int, share: float, low: float, high: float, colour: str, marker: str
) -> None:
    """A dot in a row of a chart, and the line of its interval."""
    axes.errorbar(
        share,
        row,
        xerr=[[max(share - low, 0)], [max(high - share, 0)]],
        color=colour,
        marker=marker,
        markersize=6,
        zorder=4,  # The dot stays in sight where another measurement lies beside it.
        capsize=3.5,
        linewidth=1.8,
    )


def _size(benchmark: Benchmark) -> str:
    size = "no interval" if benchmark.problems is None else f"{benchmark.problems:,} problems"
    return f"score in percent\n{size}"


def _list(axes) -> list:
    return list(axes) if hasattr(axes, "__len__") else [axes]
