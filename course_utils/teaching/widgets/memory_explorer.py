"""How much memory will a conversation take? Choose weights, cache and context; see if it fits."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets

from course_utils.errors import OptionError
from course_utils.teaching.figures.memory import describe_memory, memory_bars
from course_utils.teaching.page import image_html
from course_utils.teaching.widgets.panel import ErrorLine, Panel


def memory_explorer(
    weights: Mapping[str, float],
    cache_bytes_per_token: Mapping[str, float],
    machine_bytes: float,
    *,
    other_bytes: float = 0,
    tokens: int = 8192,
    max_tokens: int = 131072,
) -> MemoryExplorer:
    """Choose a file, a cache type and a context; one bar shows what they take together.

    weights: file to bytes, ``{"Q4_K_M": 19.85e9}``; cache_bytes_per_token: cache type to bytes for
    one token, ``{"F16": 262144}``; machine_bytes: all memory; other_bytes: buffers and the like.
    In code the same is ``memory_bars({"plan": explorer.plan}, machine_bytes)``, with
    ``{"weights": 19.85e9, "KV cache": 262144 * tokens}`` for the plan.
    """
    return MemoryExplorer(
        weights, cache_bytes_per_token, machine_bytes, other_bytes, tokens, max_tokens
    )


class MemoryExplorer(Panel):
    """The widget behind ``memory_explorer``. ``plan`` holds what is drawn, in bytes."""

    def __init__(
        self,
        weights: Mapping[str, float],
        cache_bytes_per_token: Mapping[str, float],
        machine_bytes: float,
        other_bytes: float,
        tokens: int,
        max_tokens: int,
    ):
        if not weights or not cache_bytes_per_token:
            raise OptionError(
                "There are no weights or no cache to plan with.",
                'Give both: {"Q4_K_M": 19.85e9} and {"F16": 262144}.',
            )
        self.machine_bytes = machine_bytes
        self.other_bytes = other_bytes
        contexts = sorted({tokens, *(2**power for power in range(9, 31) if 2**power <= max_tokens)})
        label = {"style": {"description_width": "7em"}, "layout": {"width": "32em"}}
        self.weights = ipywidgets.Dropdown(
            options=list(weights.items()), description="Weights:", **label
        )
        self.cache = ipywidgets.Dropdown(
            options=list(cache_bytes_per_token.items()), description="KV cache:", **label
        )
        self.tokens = ipywidgets.SelectionSlider(
            options=[(f"{count:,} tokens", count) for count in contexts],
            value=tokens,
            description="Context:",
            **label,
        )
        self.chart = ipywidgets.HTML()
        self.error = ErrorLine()
        redraw = self.error.watch(self._redraw, self.weights, self.cache, self.tokens)
        super().__init__(
            ipywidgets.VBox([self.weights, self.cache, self.tokens, self.error, self.chart]),
            "Memory explorer (a widget): weights, KV cache and context against this machine.\n"
            'In code: memory_bars({"plan": {"weights": ..., "KV cache": ...}}, machine_bytes)',
        )
        redraw()

    @property
    def plan(self) -> dict[str, float]:
        """Bytes of each part, as chosen."""
        parts = {
            "weights": self.weights.value,
            "KV cache": self.cache.value * self.tokens.value,
            "other": self.other_bytes,
        }
        return {name: size for name, size in parts.items() if size}

    def _redraw(self) -> None:
        plans = {f"{self.weights.label}, {self.tokens.label}": self.plan}
        self.chart.value = image_html(
            memory_bars(plans, self.machine_bytes), describe_memory(plans, self.machine_bytes)
        )
