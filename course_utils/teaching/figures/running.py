"""How fast does a model run here, and what do fewer bits cost? Charts for notebook 06."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from course_utils.intervals import wilson_interval
from course_utils.teaching import style


def batch_chart(
    speed_by_batch: Mapping[int, float], bytes_per_step: float, bandwidth: float
) -> Figure:
    """Prefill speed by tokens per step, beside the line that memory bandwidth allows.

    bytes_per_step: weights read once for each step; bandwidth in bytes per second.
    """
    batches, speeds = list(speed_by_batch), list(speed_by_batch.values())
    allowed = [batch * bandwidth / bytes_per_step for batch in batches]
    figure, axes = style.new_figure(7.4, 4)
    axes.plot(batches, speeds, marker="o", color=style.BLUE, label="measured")
    axes.plot(batches, allowed, "--", color=style.GREY, label="what memory bandwidth allows")
    style.frame(
        axes,
        title="When does arithmetic take over from memory?",
        grid="both",
        xscale="log",
        yscale="log",
        ylim=(0.5 * min(speeds), 4 * max(speeds)),
        xticks=batches,
        xticklabels=batches,
        xlabel="tokens per step (batch); each mark doubles",
        ylabel="tokens per second (log scale)",
    )
    # Powers of ten would be typeset as formulas, which the house style turns off.
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    for formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatter("{x:,.0f}")
    axes.tick_params(axis="y", which="minor", labelsize=8)
    axes.tick_params(axis="x", which="minor", bottom=False)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def quantisation_chart(
    divergence: Mapping[str, float],
    right: Mapping[str, tuple[int, int]],
    megabytes: Mapping[str, float],
) -> Figure:
    """KL divergence and accuracy of one model in several quantisations.

    All are keyed by the quantisation's name, from most bits to fewest; the first is the reference,
    whose divergence from itself is not drawn.  right: (right answers, questions).
    """
    kinds = list(divergence)
    shares = np.array([right[kind][0] / right[kind][1] for kind in kinds])
    ends = np.array([wilson_interval(*right[kind]) for kind in kinds]).T
    figure, (left, last) = style.new_figure(8.4, 3.8, 1, 2)
    left.plot(range(1, len(kinds)), [divergence[k] for k in kinds[1:]], "s-", color=style.VERMILION)
    left.set(
        title=f"KL divergence from {kinds[0]} (nats)", yscale="log", xlim=(-0.3, len(kinds) - 0.7)
    )
    left.yaxis.set_major_formatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-"))
    left.yaxis.set_minor_formatter("")
    last.errorbar(
        range(len(kinds)), shares, np.abs(ends - shares), marker="^", capsize=4, color=style.GREEN
    )
    last.set(title="Share of right answers", ylim=(0, 1.05))
    labels = [f"{kind}, {megabytes[kind]:.1f} MB" for kind in kinds]
    for axes in (left, last):
        axes.set_xticks(range(len(kinds)), labels, rotation=60, ha="right", fontsize=8)
        axes.grid()
    return figure


def describe_quantisations(
    divergence: Mapping[str, float],
    right: Mapping[str, tuple[int, int]],
    megabytes: Mapping[str, float],
) -> str:
    """Alt text for ``quantisation_chart``, with its arguments."""
    parts = (
        f"{kind}, {megabytes[kind]:.1f} MB: divergence {divergence[kind]:.1e}, "
        f"{right[kind][0]} of {right[kind][1]} right"
        for kind in divergence
    )
    return "; ".join(parts) + "."


def weights_chart(stored: np.ndarray, quantised: np.ndarray) -> Figure:
    """Weights of a row before and after they were quantised, in groups of 32."""
    places = range(len(stored))
    figure, axes = style.new_figure(7.4, 3.2)
    axes.step(places, quantised, where="mid", color=style.BLUE, label="Q4_K, 4.5 bits")
    axes.plot(places, stored, "o", color=style.VERMILION, label="stored with 16 bits")
    for edge in range(32, len(stored), 32):
        axes.axvline(edge - 0.5, color=style.GREY, linestyle=":")
    style.frame(
        axes,
        title="How far are 4-bit weights from the original?",
        xlabel="place in the row (groups of 32)",
        ylabel="weight",
    )
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def describe_weights(stored: np.ndarray, quantised: np.ndarray) -> str:
    """Alt text for ``weights_chart``: how alike the two rows are, as a correlation."""
    return (
        "Points for the original weights lie close to a stepped line for the 4-bit weights; the "
        f"correlation over the whole row is {np.corrcoef(stored, quantised)[0, 1]:.3f}."
    )
