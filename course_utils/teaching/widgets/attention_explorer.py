"""Where does each head look? Sliders for layer and head over one attention map."""

from __future__ import annotations

import ipywidgets

from course_utils.engines.protocol import Attention, Engine
from course_utils.teaching.figures.tokens import attention_chart, describe_attention
from course_utils.teaching.page import image_html
from course_utils.teaching.widgets.panel import ErrorLine, Panel, text_box


def attention_explorer(
    engine: Engine, text: str, layer: int = 0, head: int = 0
) -> AttentionExplorer:
    """Sliders for layer and head, and a text box; end a cell with it.

    In code the same is ``attention_chart(engine.attention(text), layer, head)``.
    """
    return AttentionExplorer(engine, text, layer, head)


class AttentionExplorer(Panel):
    """The widget behind ``attention_explorer``. The model runs once per text."""

    def __init__(self, engine: Engine, text: str, layer: int = 0, head: int = 0):
        self.engine = engine
        self._attention: Attention | None = None
        self.text_box = text_box(text)
        self.layer = ipywidgets.IntSlider(value=layer, min=0, max=layer, description="Layer:")
        self.head = ipywidgets.IntSlider(value=head, min=0, max=head, description="Head:")
        self.chart = ipywidgets.HTML()
        self.error = ErrorLine()
        self.error.watch(self._redraw, self.layer, self.head)
        reread = self.error.watch(self._read_text, self.text_box)
        super().__init__(
            ipywidgets.VBox([self.text_box, self.layer, self.head, self.error, self.chart]),
            "Attention explorer (a widget): sliders for layer and head.\n"
            "In code: attention_chart(engine.attention(text), layer, head)",
        )
        reread()

    def _read_text(self) -> None:
        self._attention = self.engine.attention(self.text_box.value)
        layers, heads = self._attention.weights.shape[:2]
        self.layer.max, self.head.max = layers - 1, heads - 1
        self._redraw()

    def _redraw(self) -> None:
        if self._attention is None:
            return
        layer, head = self.layer.value, self.head.value
        figure = attention_chart(self._attention, layer, head)
        self.chart.value = image_html(figure, describe_attention(self._attention, layer, head))
