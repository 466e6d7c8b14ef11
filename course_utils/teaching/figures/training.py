"""How did training go, and how sure is an accuracy? Curves and bars that show their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from matplotlib.figure import Figure

from course_utils import logs
from course_utils.errors import OptionError
from course_utils.intervals import wilson_interval
from course_utils.teaching import style

Rows = Sequence[Mapping[str, object]]


def read_log(path: str | Path) -> list[dict[str, str | float]]:
    """The rows of a CSV log, numbers as numbers. Lines that start with ``#`` are comments.

    Raises OptionError when there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise OptionError(
            f"There is no training log {path}.",
            "Check the path; `make nano` re-makes the shipped logs.",
        )
    rows = logs.read_log(path)
    return [{k: float(v) if isinstance(v, int) else v for k, v in row.items()} for row in rows]


def training_curves(
    log: str | Path | Rows,
    x: str = "step",
    y: str = "loss",
    *,
    by: str | None = None,
    known: Sequence[str] = (),
    title: str | None = None,
    x_label: str | None = None,
    y_label: str | None = None,
    y_range: tuple[float, float] | None = None,
) -> Figure:
    """Lines of column ``y`` against column ``x``, with a band for what is uncertain.

    log: a CSV file (see ``read_log``) or its rows as dictionaries.
    by: a column that names the lines, such as a model's size; without it there is one line.
    known: all names in order, also of lines that other charts show, so that each name keeps its
    look from chart to chart.
    Rows that agree in ``by`` and ``x`` are repeats (seeds): the line is their mean, the band runs
    from the smallest to the largest.
    Raises OptionError for a column that the log lacks.
    """
    rows = read_log(log) if isinstance(log, str | Path) else list(log)
    if not rows:
        raise OptionError("The training log has no rows.", "Run the training that writes it.")
    for column in (x, y, by):
        if column is not None and column not in rows[0]:
            raise OptionError(
                f"The training log has no column {column!r}.",
                f"Its columns are: {', '.join(map(str, rows[0]))}.",
            )
    figure, axes = style.new_figure(7.2, 3.8)
    names = list(dict.fromkeys(row[by] for row in rows)) if by else [None]
    order = list(dict.fromkeys([*known, *names]))
    for name in names:
        mine = [row for row in rows if (by is None or row[by] == name) and row[y] != ""]
        look = style.series(order.index(name))
        points = sorted({row[x] for row in mine})
        at = {point: [row for row in mine if row[x] == point] for point in points}
        centre = [mean(row[y] for row in at[point]) for point in points]
        bottom = [min(row[y] for row in at[point]) for point in points]
        top = [max(row[y] for row in at[point]) for point in points]
        axes.plot(
            points,
            centre,
            **look.as_line,
            markevery=max(1, len(points) // 8),
            label=None if name is None else style.drawable(_plain(name)),
        )
        if bottom != top:
            axes.fill_between(points, bottom, top, color=look.colour, alpha=0.2, linewidth=0)
    if y_range:
        axes.set_ylim(*y_range)
    style.frame(
        axes,
        title=title or f"How does {y_label or y} change?",
        grid="both",
        xlabel=x_label or x,
        ylabel=y_label or y,
    )
    if by:
        axes.legend(title=by)
    return figure


def accuracy_bars(
    results: Mapping[str, tuple[int, int]],
    *,
    title: str = "How often is the answer right?",
    confidence: float = 0.95,
) -> Figure:
    """One bar for each name with Wilson's interval: ``{"base": (35, 100), "thinker": (95, 100)}``.

    results: name to (right answers, questions).
    """
    style.need(results, "There is no accuracy to draw.", 'Give some: {"base": (35, 100)}.')
    figure, axes = style.new_figure(7, 1.2 + 0.55 * len(results))
    for row, (right, n) in enumerate(results.values()):
        share = right / n
        low, high = wilson_interval(right, n, confidence)
        look = style.series(row)
        axes.barh(row, share, **look.as_bar, height=0.6)
        # A white edge keeps the interval visible on the bar.
        for colour, width in (("white", 4.5), (style.INK, 1.8)):
            axes.errorbar(
                share,
                row,
                xerr=[[share - low], [high - share]],
                color=colour,
                linewidth=width,
                capsize=5,
                capthick=width,
            )
        axes.text(
            max(high, share) + 0.02,
            row,
            f"{share * 100:.0f}%  ({low * 100:.0f} to {high * 100:.0f}%, n = {n})",
            va="center",
            fontsize=9.5,
        )
    style.frame(
        axes,
        title=title,
        rows=results,
        grid="x",
        percent="x",
        xlim=(0, 1.42),
        xticks=[0, 0.25, 0.5, 0.75, 1],
    )
    axes.spines["bottom"].set_bounds(0, 1)
    axes.set_xlabel(f"accuracy, with its {confidence * 100:.0f}% interval", loc="left")
    style.note_missing_fonts(figure, title, *results)
    return figure


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
