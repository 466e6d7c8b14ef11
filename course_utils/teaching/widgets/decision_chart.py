"""Dense or mixture? Choose a machine, a benchmark and what a lesson needs; the chart follows."""

from __future__ import annotations

import html
from dataclasses import replace

import ipywidgets

from course_utils.errors import OptionError
from course_utils.evaluation.choice import MODELS, PLACES, Choice, Lesson, Place, choose, place_of
from course_utils.evaluation.published import find, load_benchmarks, load_results
from course_utils.machine import Machine, this_machine
from course_utils.teaching.figures.choice import choice_chart, describe_choice
from course_utils.teaching.page import image_html
from course_utils.teaching.widgets.panel import ErrorLine, Panel

HERE = "this machine"


def decision_chart(
    place: str = "laptop", *, benchmark: str = "AIME 2024", machine: Machine | None = None
) -> DecisionChart:
    """Quality, memory, speed and cost of three models on one kind of machine; end a cell with it.

    In code the same is ``[choose(name, PLACES["laptop"]) for name in MODELS]``, all three from
    ``course_utils.evaluation.choice``.

    machine: what stands behind "this machine", by default the one you sit at.
    Raises OptionError for an unknown place or benchmark.
    """
    if place not in (*PLACES, HERE):
        raise OptionError(
            f"{place!r} is not a place.", f"Use one of: {', '.join((*PLACES, HERE))}."
        )
    if benchmark not in load_benchmarks():
        raise OptionError(
            f"{benchmark!r} is not a benchmark of this course.",
            f"Use one of: {', '.join(load_benchmarks())}.",
        )
    return DecisionChart(place, benchmark, machine or this_machine())


def published_scores(benchmark: str, titles: list[str]) -> dict[str, float | None]:
    """The first published pass@1 score of each model, None where none was found."""
    found = {}
    for title in titles:
        rows = find(load_results(), model=title, benchmark=benchmark)
        rows = [row for row in rows if not row.metric.startswith("cons")]
        found[title] = rows[0].score if rows else None
    return found


class DecisionChart(Panel):
    """The widget behind ``decision_chart``. ``choices`` and ``chosen_place`` are what is shown."""

    def __init__(self, place: str, benchmark: str, machine: Machine):
        self._places = {**PLACES, HERE: place_of(machine)}
        wide = {"style": {"description_width": "13em"}, "layout": {"width": "36em"}}
        self.place = ipywidgets.Dropdown(
            options=list(self._places), value=place, description="Machine:", **wide
        )
        self.benchmark = ipywidgets.Dropdown(
            options=list(load_benchmarks()), value=benchmark, description="Quality by:", **wide
        )
        self.quantisation = ipywidgets.Dropdown(
            options=["Q2_K", "Q3_K_M", "Q4_K_M", "Q6_K", "Q8_0"],
            value="Q4_K_M",
            description="Quantisation:",
            **wide,
        )
        lesson, shown = Lesson(), self._places[place]
        numbers = {
            "learners": ("Learners:", lesson.learners, 1, 200, 1),
            "tokens": ("Tokens per answer:", lesson.tokens, 100, 8000, 100),
            "machines": ("Machines:", shown.machines, 1, 200, 1),
            "price": ("Price of one (euros):", shown.price, 0, 300_000, 100),
            "watts": ("Watts of one:", shown.watts, 5, 10_000, 5),
            "euros_per_kwh": ("Euros per kWh:", lesson.euros_per_kwh, 0, 2, 0.01),
        }
        self.numbers = {
            name: ipywidgets.BoundedFloatText(
                value=value, min=low, max=high, step=step, description=label, **wide
            )
            for name, (label, value, low, high, step) in numbers.items()
        }
        self.chart, self.words = ipywidgets.HTML(), ipywidgets.HTML()
        self.error = ErrorLine()
        self.place.observe(lambda _: self._take_place(), names="value")
        controls = (self.benchmark, self.quantisation, *self.numbers.values())
        self._redraw_safely = self.error.watch(self._redraw, *controls)
        super().__init__(
            ipywidgets.VBox(
                [
                    self.place,
                    self.benchmark,
                    self.quantisation,
                    *self.numbers.values(),
                    self.error,
                    self.chart,
                    self.words,
                ]
            ),
            "Decision chart (a widget): quality, memory, speed and cost of three models on a "
            f"{place}.\n"
            f"In code: [choose(name, {_code_of(place)}) for name in MODELS]",
        )
        self._redraw_safely()

    @property
    def chosen_place(self) -> Place:
        """The machines that are chosen, with the numbers in the fields."""
        return replace(
            self._places[self.place.value],
            machines=int(self.numbers["machines"].value),
            price=self.numbers["price"].value,
            watts=self.numbers["watts"].value,
        )

    @property
    def choices(self) -> list[Choice]:
        """One for each model, for what is chosen."""
        lesson = Lesson(
            learners=int(self.numbers["learners"].value),
            tokens=int(self.numbers["tokens"].value),
            euros_per_kwh=self.numbers["euros_per_kwh"].value,
        )
        return [choose(name, self.chosen_place, lesson, self.quantisation.value) for name in MODELS]

    def _take_place(self) -> None:
        place = self._places[self.place.value]
        for name in ("machines", "price", "watts"):
            self.numbers[name].value = getattr(place, name)
        self._redraw_safely()

    def _redraw(self) -> None:
        choices, place = self.choices, self.chosen_place
        scores = published_scores(self.benchmark.value, [c.title for c in choices])
        self.chart.value = image_html(
            choice_chart(choices, place, scores, benchmark=self.benchmark.value),
            describe_choice(choices, place, scores),
        )
        lines = [
            f"{c.title}: {c.sequences} at once on each machine, {c.speed_for_one:.1f} tokens per "
            f"second for one alone, {c.hours:.1f} hours for the lesson."
            if c.fits
            else f"{c.title} does not fit."
            for c in choices
        ]
        self.words.value = f'<p role="status">{"<br>".join(map(html.escape, lines))}</p>'


def _code_of(place: str) -> str:
    return "place_of(this_machine())" if place == HERE else f'PLACES["{place}"]'
