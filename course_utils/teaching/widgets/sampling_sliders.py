"""How is the next token of a reply picked? Four sliders, and a button back to QwQ's settings."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from course_utils.engines.sampling import QWQ, Sampling

_SETTINGS = ("temperature", "top_k", "top_p", "min_p")


class SamplingSliders(ipywidgets.VBox):
    """Sliders for temperature, top-k, top-p and min-p; ``sampling`` is what they show.

    What has no slider (penalties, seed, limit of tokens) stays as it was given.
    """

    def __init__(self, sampling: Sampling):
        self._given = sampling
        look = {
            "style": {"description_width": "8em"},
            "layout": {"width": "32em", "max_width": "95%"},
        }
        self.temperature = ipywidgets.FloatSlider(
            value=sampling.temperature,
            min=0,
            max=max(2, sampling.temperature),
            step=0.05,
            description="Temperature:",
            tooltip="Logits are divided by it; 0 always takes the likeliest token",
            **look,
        )
        self.top_k = ipywidgets.IntSlider(
            value=sampling.top_k,
            min=0,
            max=max(100, sampling.top_k),
            description="Top-k (0: all):",
            tooltip="Keep only so many of the likeliest tokens",
            **look,
        )
        self.top_p = ipywidgets.FloatSlider(
            value=sampling.top_p,
            min=min(0.01, sampling.top_p),
            max=1,
            step=0.01,
            description="Top-p (1: all):",
            tooltip="Keep the fewest tokens whose probabilities sum to at least this",
            **look,
        )
        self.min_p = ipywidgets.FloatSlider(
            value=sampling.min_p,
            min=0,
            max=max(0.99, sampling.min_p),
            step=0.01,
            description="Min-p (0: all):",
            tooltip="Drop tokens less likely than this share of the likeliest",
            **look,
        )
        self.reset_button = ipywidgets.Button(
            description="QwQ's recommended settings",
            icon="undo",
            tooltip="Temperature 0.6, top-k 40, top-p 0.95, min-p 0, from QwQ-32B's model card",
            layout={"width": "auto"},
        )
        self.reset_button.on_click(lambda _: self.show(QWQ))
        super().__init__(
            [self.temperature, self.top_k, self.top_p, self.min_p, self.reset_button],
            layout={"align_items": "flex-start"},
        )

    @property
    def sampling(self) -> Sampling:
        """The settings that the sliders show, with what was given besides."""
        return self._given.but(**{name: getattr(self, name).value for name in _SETTINGS})

    def on_change(self, do: Callable[[], None]) -> None:
        """Call ``do`` whenever a slider has moved."""
        for name in _SETTINGS:
            getattr(self, name).observe(lambda _: do(), names="value")

    def show(self, sampling: Sampling) -> None:
        """Move the sliders to these settings."""
        for name in _SETTINGS:
            getattr(self, name).value = getattr(sampling, name)
