"""How does a long thought slow a model down, and when does a draft pay? Charts for notebook 06."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from course_utils.model_files.speculation import StepSeconds, pays_from, speculative_speed
from course_utils.teaching import style


def long_text_chart(
    measured: Mapping[str, Mapping[int, float]],
    planned: Mapping[str, Mapping[int, float]] | None = None,
    *,
    title: str = "How fast does it still write after a long thought?",
) -> Figure:
    """Tokens per second by the tokens written before, one line for each name.

    planned: the same from a plan, as crosses.
    """
    style.need(measured, "There is no speed to draw.", 'Give some: {"F16": {0: 1.5, 8192: 1.2}}.')
    figure, axes = style.new_figure(7.4, 4)
    for index, (name, speeds) in enumerate(measured.items()):
        look = style.series(index)
        axes.plot(
            list(speeds),
            list(speeds.values()),
            **look.as_line,
            label=style.drawable(name),
        )
        if planned:
            axes.plot(
                list(planned[name]),
                list(planned[name].values()),
                "x",
                color=look.colour,
                markersize=9,
                label="as planned" if index == len(measured) - 1 else None,
            )
    lengths = sorted({length for speeds in measured.values() for length in speeds})
    style.frame(
        axes,
        title=title,
        grid="both",
        xticks=lengths,
        xticklabels=[f"{length:,}" for length in lengths],
        ylim=(0, None),
        xlabel="tokens in the cache",
        ylabel="tokens per second",
    )
    figure.legend(loc="outside lower left", ncols=3)
    return figure


def describe_long_texts(measured: Mapping[str, Mapping[int, float]]) -> str:
    """Alt text for ``long_text_chart``."""
    parts = []
    for name, speeds in measured.items():
        values = ", ".join(f"{speed:.2f} after {length:,}" for length, speed in speeds.items())
        parts.append(f"{name}: {values}")
    return f"Lines of tokens per second by the tokens written before. {'; '.join(parts)}."


def speculation_chart(
    step_seconds: StepSeconds,
    drafted: Sequence[int],
    draft_seconds: float = 0.0,
    *,
    title: str = "Above what acceptance rate does a draft pay?",
) -> Figure:
    """Tokens per second against the acceptance rate, one line for each number of drafted tokens.

    step_seconds: seconds of a step of the model, by its tokens; for 1 and for each of ``drafted``
        and one more.  draft_seconds: what the draft takes for a token.
    """
    style.need(drafted, "There is no draft to draw.", "Give numbers of tokens, as in (1, 4, 8).")
    rates = np.linspace(0, 1, 101)
    alone = 1 / step_seconds(1)
    figure, axes = style.new_figure(7.4, 4.2)
    axes.axhline(alone, color=style.INK, linewidth=1.5, label="without a draft")
    for index, count in enumerate(drafted):
        look = style.series(index)
        speeds = [speculative_speed(rate, count, step_seconds, draft_seconds) for rate in rates]
        axes.plot(
            rates,
            speeds,
            color=look.colour,
            linestyle=look.line,
            label=f"{count} token{'s' if count > 1 else ''} drafted",
        )
        from_rate = pays_from(count, step_seconds, draft_seconds)
        if from_rate is not None:
            axes.plot([from_rate], [alone], marker=look.marker, color=look.colour, markersize=8)
    style.frame(
        axes,
        title=title,
        grid="both",
        xlim=(0, 1),
        xlabel="probability that a drafted token is accepted",
        ylim=(0, None),
        ylabel="tokens per second",
    )
    figure.legend(loc="outside lower left", ncols=3)
    return figure


def describe_speculation(
    step_seconds: StepSeconds, drafted: Sequence[int], draft_seconds: float = 0.0
) -> str:
    """Alt text for ``speculation_chart``: a sentence for each number of drafted tokens."""
    alone = 1 / step_seconds(1)
    parts = [f"Without a draft {alone:.2f} tokens per second."]
    for count in drafted:
        best = speculative_speed(1.0, count, step_seconds, draft_seconds)
        from_rate = pays_from(count, step_seconds, draft_seconds)
        pays = "never pays" if from_rate is None else f"pays from a rate of {from_rate:.2f}"
        parts.append(f"{count} drafted: {pays}, at most {best:.2f}.")
    return " ".join(parts)
