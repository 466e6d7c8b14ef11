"""Do the planner and the rehearsal button show what plan and rehearse give, for any machine?"""

import re

import ipywidgets
import pytest

import course_utils.teaching as teaching
from course_utils.engines.rehearsal import rehearse
from course_utils.errors import OptionError
from course_utils.machine import typical_laptop
from course_utils.model_files.capacity import plan
from course_utils.model_files.catalogue import find_model


@pytest.fixture(params=["planner", "button"])
def panel(request):
    if request.param == "planner":
        return teaching.capacity_planner(machine=typical_laptop(32))
    return teaching.rehearsal_button("qwq-32b", machine=typical_laptop(32))


def _all(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _all(child)


def test_controls_have_descriptions_pictures_alt_text_and_the_text_names_the_code(panel):
    for widget in _all(panel.widget):
        if isinstance(widget, ipywidgets.Button | ipywidgets.ValueWidget) and not isinstance(
            widget, ipywidgets.HTML
        ):
            assert widget.description, widget
    pages = [w.value for w in _all(panel.widget) if isinstance(w, ipywidgets.HTML)]
    for image in re.findall(r"<img [^>]*>", "".join(pages)):
        assert re.search(r'alt="[^"]{20,}"', image)
    assert "In code: print(" in repr(panel) and "0x" not in repr(panel)
    assert panel._repr_mimebundle_()["text/plain"] == repr(panel)


def test_the_planner_shows_what_plan_says_for_every_setting():
    here = typical_laptop(24)
    planner = teaching.capacity_planner(machine=here)
    assert planner.plan == plan("qwq-32b", machine=here)
    planner.quantisation.value, planner.context.value = "Q6_K", 32768
    planner.cache.value, planner.repack.value = "q8_0", True
    wanted = plan("qwq-32b", 32768, "q8_0", here, "Q6_K", repack=True)
    assert planner.plan == wanted
    assert wanted.verdict in planner.words.value and "Q6_K needs" in planner.chart.value
    assert planner.error.value == ""


@pytest.mark.parametrize(
    ("gib", "words"),
    [
        (8, "does not fit; DeepSeek-R1-Distill-Qwen-1.5B Q4_K_M would"),
        (16, "does not fit; QwQ-32B IQ3_XXS would"),
        (24, ": fits only with a Q8_0 cache."),
        (64, ": fits."),
    ],
)
def test_every_size_of_machine_gets_a_useful_plan_in_the_planner(gib, words):
    planner = teaching.capacity_planner(machine=typical_laptop(32))
    planner.machine.value = f"{gib} GiB"
    assert words in planner.words.value
    useful = planner.plan if planner.plan.fits else planner.plan.instead
    assert useful.fits and useful.tokens_per_second > 1


def test_the_planner_refuses_what_plan_does_not_know():
    with pytest.raises(OptionError, match="qwq-32b"):
        teaching.capacity_planner("qwq32", machine=typical_laptop(8))
    with pytest.raises(OptionError, match="Q4_K_M"):
        teaching.capacity_planner(quantisation="Q4", machine=typical_laptop(8))
    with pytest.raises(OptionError, match="context"):
        teaching.capacity_planner(context=0, machine=typical_laptop(8))


def test_the_button_rehearses_in_the_background_and_shows_the_result(small_model):
    button = teaching.rehearsal_button(small_model, context=512, machine=typical_laptop(8))
    assert button.rehearsal is None and button.result.value == ""
    seen = []
    button.bar.observe(lambda change: seen.append(change["new"]), names="value")
    button.button.click()
    assert button.button.disabled
    button.wait(60)
    assert button.error.value == "" and not button.button.disabled
    assert seen == sorted(seen) and seen[-1] > 60
    assert "decoding" in button.result.value
    assert button.rehearsal.decode_tokens_per_second > 0


def test_a_rehearsal_that_cannot_run_says_so_in_the_widget():
    button = teaching.rehearsal_button("deepseek-r1", machine=typical_laptop(4))
    button.button.click()
    button.wait(60)
    assert "Not even one layer" in button.error.value and "rehearse(" in button.error.value
    assert button.rehearsal is None and not button.button.disabled


def test_the_nano_model_can_be_rehearsed_like_any_other():
    found = rehearse("nano-thinker", context=512, machine=typical_laptop(8))
    assert (
        not found.extrapolated
        and found.all_layers == find_model("nano-thinker").architecture.layers
    )
    assert found.decode_tokens_per_second > 0


def test_no_chart_on_a_logarithmic_axis_shows_formula_source():
    charts = [
        teaching.batch_chart({1: 20.0, 2: 35.0, 32: 210.0}, 1e9, 20e9),
        teaching.quantisation_chart(
            {"F16": 0.0, "Q2_K": 0.03},
            {"F16": (90, 100), "Q2_K": (70, 100)},
            {"F16": 5.8, "Q2_K": 1.2},
        ),
    ]
    for figure in charts:
        figure.canvas.draw()
        for axes in figure.axes:
            ticks = axes.get_yticklabels() + axes.get_yticklabels(minor=True)
            assert not any("$" in tick.get_text() for tick in ticks)
