"""Does this model fit here, and how fast will it be? Move context and weights; the plan follows."""

from __future__ import annotations

import html
from dataclasses import replace

import ipywidgets

from course_utils.errors import OptionError
from course_utils.machine import Machine, this_machine
from course_utils.model_files.capacity import DEFAULT_CONTEXT, Plan, plan
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.quantisation import QUANTISATIONS, quantisation_name
from course_utils.teaching.figures.memory import describe_memory, memory_bars
from course_utils.teaching.page import image_html
from course_utils.teaching.widgets.panel import ErrorLine, Panel
from course_utils.units import GIB

LONGEST_CONTEXT = 131072

# From the fewest bits to the most, the quantisations that people really use.
_COMMON_QUANTISATIONS = (
    *("IQ2_M", "Q2_K", "IQ3_XXS", "IQ3_M", "Q3_K_M", "IQ4_XS"),
    *("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"),
)

_SIZES_GIB = (8, 16, 24, 32, 64)
_MEMORY_IN_USE = 3 * GIB
"""What a system, a browser and JupyterLab usually take of a learner's memory."""


def capacity_planner(
    model: str = "qwq-32b",
    *,
    context: int = DEFAULT_CONTEXT,
    quantisation: str | None = None,
    machine: Machine | None = None,
) -> CapacityPlanner:
    """Sliders for context and quantisation over one memory bar and its plan; end a cell with it.

    In code the same is::

        planned = plan("qwq-32b", context=8192, quantisation="Q4_K_M")
        print(planned)
        memory_bars({"QwQ-32B": planned.memory.parts()}, planned.machine.total_memory_bytes)

    model: a name of the catalogue; machine: by default this one, whose figures are taken once.
    Raises OptionError for a model, quantisation or context that ``plan`` does not take.
    """
    return CapacityPlanner(model, context, quantisation, machine or this_machine())


class CapacityPlanner(Panel):
    """The widget behind ``capacity_planner``. ``plan`` is what is shown."""

    def __init__(self, model: str, context: int, quantisation: str | None, machine: Machine):
        entry = find_model(model)
        chosen = quantisation_name(quantisation or entry.quantisation)
        if not isinstance(context, int) or not 1 <= context <= LONGEST_CONTEXT:
            raise OptionError(
                f"context={context!r} is not valid.",
                f"Give a whole number of tokens from 1 to {LONGEST_CONTEXT:,}.",
            )
        self.model = model
        self._machines = {"this machine": machine} | {
            f"{size} GiB": _machine_of(size, machine) for size in _SIZES_GIB
        }
        contexts = sorted({context, *(2**power for power in range(10, 18))})
        quantisations = [
            quantisation
            for quantisation in reversed(QUANTISATIONS)
            if quantisation in {*_COMMON_QUANTISATIONS, chosen}
        ]
        label = {"style": {"description_width": "7em"}, "layout": {"width": "34em"}}
        self.quantisation = ipywidgets.SelectionSlider(
            options=quantisations, value=chosen, description="Quantisation:", **label
        )
        self.context = ipywidgets.SelectionSlider(
            options=[(f"{tokens:,} tokens", tokens) for tokens in contexts],
            value=context,
            description="Context:",
            **label,
        )
        self.cache = ipywidgets.Dropdown(
            options=[
                ("16 bits (F16)", "f16"),
                ("8 bits (Q8_0)", "q8_0"),
                ("4 bits (Q4_0)", "q4_0"),
            ],
            description="KV cache:",
            **label,
        )
        self.repack = ipywidgets.Checkbox(
            value=False, description="Repacked copy of the weights", **label
        )
        self.machine = ipywidgets.Dropdown(
            options=list(self._machines), description="Memory:", **label
        )
        self.chart = ipywidgets.HTML()
        self.words = ipywidgets.HTML()
        self.error = ErrorLine()
        controls = [self.quantisation, self.context, self.cache, self.repack, self.machine]
        redraw = self.error.watch(self._redraw, *controls)
        super().__init__(
            ipywidgets.VBox([*controls, self.error, self.chart, self.words]),
            f"Capacity planner for {entry.title} (a widget): quantisation, context and KV cache "
            "against a machine's memory.\n"
            f'In code: print(plan("{model}", context={context}, quantisation="{chosen}"))',
        )
        redraw()

    @property
    def plan(self) -> Plan:
        """The plan for what is chosen."""
        return plan(
            self.model,
            self.context.value,
            self.cache.value,
            self._machines[self.machine.value],
            self.quantisation.value,
            repack=self.repack.value,
        )

    def _redraw(self) -> None:
        planned = self.plan
        bars = {f"{planned.title} {planned.quantisation}": planned.memory.parts()}
        total = planned.machine.total_memory_bytes
        free = planned.machine.available_memory_bytes
        self.chart.value = image_html(
            memory_bars(bars, total, available_bytes=free),
            describe_memory(bars, total, available_bytes=free),
        )
        lines = html.escape(str(planned)).splitlines()
        self.words.value = f'<p role="status">{"<br>".join(lines)}</p>'


def _machine_of(size_gib: int, here: Machine) -> Machine:
    """A machine like this one, with another amount of memory, of which some is in use."""
    return replace(
        here,
        total_memory_bytes=size_gib * GIB,
        available_memory_bytes=size_gib * GIB - _MEMORY_IN_USE,
        card=None,
    )
