"""Is what went wrong marked by a sign as well as by colour, and told in plain text too?"""

from itertools import combinations

import pytest
from matplotlib.dates import date2num

import course_utils.teaching as teaching
from course_utils.errors import OptionError
from course_utils.nano import readability
from course_utils.nano.experiments import failures
from course_utils.teaching.figures.timeline import MILESTONES

MIXED = "个位：7+8=15, carry 1\ntens: 4+3=7, 7+1=8"
LOOP = "\n".join(["ones: 7+8=15", *["Wait, check: 47+38=85."] * 30])


def test_chinese_is_boxed_and_bracketed():
    page = teaching.highlight(MIXED, "scripts", label="Before")
    assert repr(page).splitlines()[:2] == [
        "Before (1 of 2 lines: with Chinese in it)",
        "文 ⟦个位⟧：7+8=15, carry 1",
    ]
    assert 'lang="zh"' in page._repr_html_() and "border" in page._repr_html_()


def test_a_loop_is_marked_and_shortened():
    text = repr(teaching.highlight(LOOP, "repeats"))
    assert "29 of 31 lines: written before" in text
    assert "↻ Wait, check: 47+38=85." in text and "and 17 more lines" in text


def test_steps_and_vain_checks_are_marked():
    assert "? 78~15'" in repr(teaching.highlight("78~15'\nones: 7+8=15", "steps"))
    thought = "So 85.\nWait, let me check.\nSo 85."
    assert "+ Wait, let me check." in repr(teaching.highlight(thought, "vain", answer=85))


def test_what_cannot_be_marked_is_said():
    with pytest.raises(OptionError, match="no mark"):
        teaching.highlight("x", "beauty")
    with pytest.raises(OptionError, match="in vain"):
        teaching.highlight("x", "vain")
    with pytest.raises(OptionError, match="cannot be shown"):
        teaching.failure_menu({"loops": []})


def test_a_thought_is_text_and_no_markup():
    page = teaching.highlight("<b>7</b>", "steps", label="<i>")
    assert "<b>7" not in page._repr_html_() and "<i>" not in page._repr_html_()


def test_the_menu_shows_what_plain_code_shows():
    loop = teaching.Case("47+38=?", LOOP, "ones: 7+8=15", "repeats")
    cases = {"loops": [loop], "mixing": [teaching.Case(q, MIXED, "", "scripts") for q in "ab"]}
    menu = teaching.failure_menu(cases)
    assert menu.question.label == "47+38=?"
    assert menu.view.value == teaching.compare_thoughts(loop).html
    menu.failure.value = "mixing"
    menu.question.value = 1
    assert menu.case is cases["mixing"][1]
    assert menu.view.value == teaching.compare_thoughts(menu.case).html
    assert "compare_thoughts" in repr(menu) and "loops, mixing" in repr(menu)
    assert menu.error.value == ""


def test_a_box_of_the_timeline_begins_at_its_models_day():
    axes = teaching.model_timeline().axes[0]
    starts = sorted(patch.get_x() for patch in axes.patches)
    days = sorted(date2num(milestone.day) for milestone in MILESTONES)
    assert starts == pytest.approx(days, abs=1)
    boxes = [patch.get_window_extent() for patch in axes.patches]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_the_timeline_names_every_model_and_its_source():
    text = teaching.describe_timeline()
    for milestone in MILESTONES:
        assert milestone.name in text and milestone.source.startswith("https://")
    axes = teaching.model_timeline().axes[0]
    written = " ".join(t.get_text().replace("\n", " ") for t in axes.texts)
    for milestone in MILESTONES:
        assert milestone.name in written and milestone.changed in written


def test_the_shipped_models_show_their_failures_and_their_cures():
    cases = teaching.failure_cases(each=1, tried=3)
    assert list(cases) == [failure.title for failure in failures.FAILURES.values()]
    (loop,), (mixed,) = cases["endless loops"], cases["language mixing"]
    assert loop.failing.count("Wait") > 5 > loop.cured.count("Wait")
    assert readability.mixes_scripts(mixed.failing)
