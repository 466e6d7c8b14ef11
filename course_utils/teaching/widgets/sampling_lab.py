"""What do temperature, top-k, top-p and min-p do to the next token? Sliders move one chart."""

from __future__ import annotations

import html

import ipywidgets
import numpy as np

from course_utils.engines.protocol import Engine, NextToken
from course_utils.engines.sampling import PLAIN, Sampling
from course_utils.teaching.distribution import apply_sampling, entropy_bits, logits_of
from course_utils.teaching.figures.tokens import describe_next_tokens, next_token_chart
from course_utils.teaching.page import image_html
from course_utils.teaching.widgets.panel import ErrorLine, Panel, text_box
from course_utils.teaching.widgets.sampling_sliders import SamplingSliders

# As many as OpenAI-compatible servers reveal, where the vocabulary's size is unknown.
_CANDIDATES_OF_A_SERVER = 20


def sampling_lab(
    engine: Engine, text: str, sampling: Sampling = PLAIN, *, bars: int = 12
) -> SamplingLab:
    """Sliders for the sampling settings over one next-token chart; end a cell with it.

    In code the same is::

        candidates = engine.next_tokens(text, engine.info.vocabulary)
        chances = apply_sampling(logits_of(candidates), Sampling(temperature=0.6, top_k=40))
        next_token_chart(candidates[:12], chances[:12])

    bars: how many of the likeliest tokens are drawn; the arithmetic uses all of them.
    """
    return SamplingLab(engine, text, sampling, bars)


class SamplingLab(Panel):
    """The widget behind ``sampling_lab``. The model runs once per text, not once per slider."""

    def __init__(self, engine: Engine, text: str, sampling: Sampling = PLAIN, bars: int = 12):
        self.engine = engine
        self.bars = bars
        self._candidates: list[NextToken] = []
        self.text_box = text_box(text)
        self.sliders = SamplingSliders(sampling)
        self.summary = ipywidgets.HTML()
        self.chart = ipywidgets.HTML()
        self.error = ErrorLine()
        self.sliders.on_change(self.error.guard(self._redraw))
        reread = self.error.watch(self._read_text, self.text_box)
        super().__init__(
            ipywidgets.VBox([self.text_box, self.sliders, self.error, self.summary, self.chart]),
            "Sampling lab (a widget): sliders for temperature, top-k, top-p and min-p.\n"
            "In code: next_token_chart(candidates[:12], "
            "apply_sampling(logits_of(candidates), Sampling(...))[:12])",
        )
        reread()

    @property
    def sampling(self) -> Sampling:
        """The settings that the sliders show."""
        return self.sliders.sampling

    @property
    def probabilities(self) -> np.ndarray:
        """What the next token is drawn from, the likeliest first; 0 for tokens cut off."""
        return apply_sampling(logits_of(self._candidates), self.sampling)

    def _read_text(self) -> None:
        count = self.engine.info.vocabulary or _CANDIDATES_OF_A_SERVER
        self._candidates = self.engine.next_tokens(self.text_box.value, count)
        self._redraw()

    def _redraw(self) -> None:
        if not self._candidates:
            return
        probabilities = self.probabilities
        top, shares = self._candidates[: self.bars], probabilities[: self.bars]
        kept = int((probabilities > 0).sum())
        line = (
            f"{kept:,} of {len(probabilities):,} tokens can be drawn; "
            f"undecided by {entropy_bits(probabilities):.2f} bits."
        )
        self.summary.value = html.escape(line)
        figure = next_token_chart(top, shares, title="Which token is drawn next?")
        self.chart.value = image_html(figure, describe_next_tokens(top, shares) + " " + line)
