"""Do figures reach every reader: with alt text, in any theme and print, with every character?"""

import logging
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

import course_utils.teaching as teaching
from course_utils.engines.protocol import NextToken, ScoredToken, Token
from course_utils.errors import OptionError
from course_utils.intervals import wilson_interval
from course_utils.machine import Machine
from course_utils.model_files.capacity import plan
from course_utils.teaching import style
from course_utils.teaching.figures import inside
from course_utils.teaching.page import figure_on_page
from tests.bigram_engine import BigramEngine


@pytest.fixture
def attention():
    return BigramEngine().attention("a cat")


def _texts(figure):
    import matplotlib.text

    figure.draw_without_rendering()
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def test_importing_the_teaching_layer_is_cheap():
    code = (
        "import sys, course_utils.teaching;"
        "assert not {'torch', 'matplotlib', 'ipywidgets', 'llama_cpp', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_exists_and_is_documented():
    for name in teaching.__all__:
        assert getattr(teaching, name).__doc__, name
    with pytest.raises(AttributeError):
        teaching.no_such_name  # noqa: B018


def test_alt_text_and_caption_travel_with_the_figure():
    figure = teaching.next_token_chart([("a", 0.5), ("b", 0.5)])
    page = figure_on_page(figure, "Two <equal> tokens.", 'Bars "a" and b')
    assert '<img alt="Bars &quot;a&quot; and b"' in page._repr_html_()
    assert "<figcaption" in page._repr_html_() and "Two &lt;equal&gt; tokens." in page.html
    assert repr(page) == 'Figure: Two <equal> tokens.\n[Bars "a" and b]'


def test_alt_text_survives_an_export_to_html():
    nbformat = pytest.importorskip("nbformat")
    nbconvert = pytest.importorskip("nbconvert")
    page = figure_on_page(teaching.where_are_we(["a", "b"], "a"), "Where.", "Two steps")
    output = nbformat.v4.new_output(
        "display_data", {"text/html": page._repr_html_(), "text/plain": repr(page)}
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])
    exported, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    assert 'alt="Two steps"' in exported
    assert "No description has been provided" not in exported


@pytest.mark.parametrize(("caption", "alt"), [("", "x"), ("x", ""), ("  ", "x"), ("x", None)])
def test_a_figure_without_caption_or_alt_text_is_refused(caption, alt):
    with pytest.raises(OptionError):
        teaching.show(teaching.where_are_we(["a"], 0), caption=caption, alt=alt)


def test_the_same_figure_gives_the_same_bytes():
    def page():
        return figure_on_page(teaching.where_are_we(["a", "b"], 1), "c", "a").html

    assert page() == page()


def test_showing_a_pyplot_figure_closes_it(capsys):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    teaching.show(figure, caption="A line.", alt="A line that rises")
    assert plt.get_fignums() == []
    assert "Figure: A line." in capsys.readouterr().out


def test_whitespace_and_broken_characters_are_made_visible():
    assert style.visible(" the") == "␣the"
    assert style.visible("\n\n\t") == "⏎⏎⇥"
    assert style.visible(Token(1, "你".encode()[:2])) == "⟨E4 BD⟩"
    assert style.visible(NextToken(Token(1, "你".encode()), 0.5, None)) == "你"
    assert style.visible(ScoredToken(Token(7, b""), None)) == "⟨token 7⟩"
    assert style.visible("a\x03") == "a⟨U+0003⟩"


def test_without_a_chinese_font_characters_are_spelt_out_with_one_note(monkeypatch):
    monkeypatch.setattr(style, "_drawable", lambda: frozenset(range(32, 0x2600)) | {0x27E8, 0x27E9})
    texts = _texts(teaching.next_token_chart([("你好", 0.6), (" 再", 0.4)]))
    assert "⟨U+4F60⟩⟨U+597D⟩" in texts
    assert sum("no installed font" in text for text in texts) == 1
    assert not any("你" in text for text in texts)


def test_no_figure_draws_a_box_in_place_of_a_character(recwarn, attention):
    strange = "你好 😀 \U0001f9ff ᚠ"
    figure_on_page(teaching.next_token_chart([(strange, 1.0)], title=strange), "c", "a")
    figure_on_page(teaching.accuracy_bars({strange: (1, 2)}), "c", "a")
    figure_on_page(teaching.attention_chart(attention, 0, 0, title=strange), "c", "a")
    assert not [w for w in recwarn if "missing from font" in str(w.message)]


def test_dollar_signs_in_a_token_are_not_typeset():
    figure_on_page(teaching.next_token_chart([("$x", 0.5), ("$\\frac$", 0.5)]), "c", "a")


def test_the_colours_stay_apart_for_every_series_also_in_grey():
    looks = style.SERIES
    assert len({look.colour for look in looks}) == len(looks)
    for field in ("line", "marker", "hatch"):
        assert len({getattr(look, field) for look in looks}) == len(looks), field


def test_the_background_is_solid_and_light_so_both_themes_read_alike():
    figure, axes = teaching.new_figure()
    for colour in (figure.get_facecolor(), axes.get_facecolor()):
        assert min(colour[:3]) > 0.95 and colour[3] == 1


def test_next_token_bars_show_the_probabilities_they_are_given():
    figure = teaching.next_token_chart([("a", 0.7), ("b", 0.3)])
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.7, 0.3]
    assert {"70.0%", "30.0%"} <= set(_texts(figure))


def test_tokens_cut_off_by_sampling_are_greyed_hatched_and_said():
    figure = teaching.next_token_chart([("a", 0.6), ("b", 0.3), ("c", 0.1)], [0.7, 0.3, 0.0])
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.7, 0.3, 0.1]
    assert bars[2].get_hatch() and not bars[0].get_hatch()
    assert "cut off" in _texts(figure)


def test_a_number_behind_a_far_tick_stands_inside_its_bar():
    candidates = [("a", 0.9), ("b", 0.06), ("c", 0.04)]
    (axes,) = teaching.next_token_chart(candidates, [0.5, 0.3, 0.2]).axes
    first, *others = axes.texts
    assert first.get_text() == "50.0%" and first.get_ha() == "right"
    assert first.get_position()[0] < 0.5
    assert all(label.get_ha() == "left" for label in others)


def test_next_token_chart_refuses_what_it_cannot_draw():
    with pytest.raises(OptionError):
        teaching.next_token_chart([])
    with pytest.raises(OptionError):
        teaching.next_token_chart([("a", 1.0)], [0.5, 0.5])


def test_attention_maps_show_the_chosen_heads_and_name_what_there_is(attention):
    figure = teaching.attention_chart(attention, 1, [0, 1])
    maps = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(maps) == 2 and np.array_equal(maps[0], np.eye(5))
    assert "␣" in _texts(figure)
    for layer, head in ((2, 0), (0, 2), (-1, 0)):
        with pytest.raises(OptionError, match="from 0 to 1"):
            teaching.attention_chart(attention, layer, head)
    assert "100% of its attention to t at position 4" in teaching.describe_attention(
        attention, 1, 0
    )


def test_training_curves_draw_the_mean_and_the_range_of_repeats(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "# made by a command\nsize,seed,step,accuracy\n"
        "1,0,0,0.1\n1,1,0,0.3\n1,0,10,0.6\n1,1,10,0.8\n2,0,0,0.5\n2,0,10,0.9\n"
    )
    figure = teaching.training_curves(path, y="accuracy", by="size")
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == ["1", "2"]
    assert list(lines[0].get_ydata()) == pytest.approx([0.2, 0.7])
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(0.1) and band.max() == pytest.approx(0.8)
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_a_line_keeps_its_look_where_another_chart_leaves_others_out():
    rows = [{"step": 0.0, "loss": 1.0, "model": name} for name in ("small", "large")]
    both, one = (
        teaching.training_curves(some, by="model", known=["small", "large"]).axes[0].lines
        for some in (rows, rows[1:])
    )
    assert one[0].get_color() == both[1].get_color() != both[0].get_color()
    assert one[0].get_marker() == both[1].get_marker()
    (new,) = teaching.training_curves(rows[:1], by="model", known=["large"]).axes[0].lines
    assert new.get_label() == "small" and new.get_color() == both[1].get_color()


def test_labels_stand_away_from_their_neighbours():
    alone, left, right = inside._label_sides(np.array([[0.5, 0.9], [0.10, 0.1], [0.12, 0.1]]))
    assert alone == (5, 3), "to the upper right"
    assert left[0] < 0 < right[0]
    spot = inside._label_sides(np.zeros((5, 2)))
    assert len(set(spot[:4])) == 4, "four sides for four of five in one spot"


def test_training_curves_name_the_columns_there_are(tmp_path):
    with pytest.raises(OptionError, match="step, loss"):
        teaching.training_curves([{"step": 1.0, "loss": 2.0}], y="accuracy")
    with pytest.raises(OptionError, match="no training log"):
        teaching.training_curves(tmp_path / "none.csv")
    with pytest.raises(OptionError, match="no rows"):
        teaching.training_curves([])


def test_accuracy_bars_carry_wilsons_interval():
    figure = teaching.accuracy_bars({"base": (35, 100), "thinker": (0, 20)})
    low, high = wilson_interval(35, 100)
    assert f"35%  ({low * 100:.0f} to {high * 100:.0f}%, n = 100)" in _texts(figure)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.35, 0.0]


def test_memory_bars_say_in_words_what_fits():
    plans = {"small": {"weights": 10 * 2**30}, "large": {"weights": 20 * 2**30, "KV": 8 * 2**30}}
    texts = _texts(teaching.memory_bars(plans, 24 * 2**30, available_bytes=8 * 2**30))
    assert "10.0 GiB, fits once\nother programs make room" in texts
    assert "28.0 GiB, does not fit" in texts
    words = teaching.describe_memory(plans, 24 * 2**30)
    assert "a machine with 24.0 GiB" in words and "large needs 28.0 GiB and does not fit" in words
    words = teaching.describe_memory(
        plans, 24 * 2**30, available_bytes=8 * 2**30, machine_name="free on a laptop"
    )
    assert "against 24.0 GiB (free on a laptop), 8.0 GiB of it free now" in words
    assert "small needs 10.0 GiB and fits once other programs make room" in words


def test_memory_parts_that_nobody_could_see_are_drawn_and_named_as_one():
    few = {"weights": 20 * 2**30, "KV": 2**30, "buffers": 40 * 2**20, "program": 200 * 2**20}
    figure = teaching.memory_bars({"a": few, "b": few | {"buffers": 10 * 2**20}}, 24 * 2**30)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["weights", "KV", "everything else"]
    drawn = [bar.get_width() for bar in figure.axes[0].patches]
    assert sum(drawn[:3]) * 2**30 == pytest.approx(sum(few.values()))


def test_bars_of_plans_say_what_the_plans_say_each_on_its_own_machine():
    def laptop(gib):
        return Machine(8, gib * 2**30, (gib - 3) * 2**30, 40e9, 10**12)

    plans = {f"{gib} GiB": plan("qwq-32b", machine=laptop(gib)) for gib in (16, 24, 64)}
    plans["24 GiB, less cache"] = plans["24 GiB"].instead
    words = teaching.describe_plans(plans)
    texts = _texts(teaching.plan_bars(plans))
    for name, planned in plans.items():
        room = planned.machine.available_memory_bytes / 2**30 - 0.5
        fits = "fits" if planned.fits else "does not fit"
        needs = planned.memory.total / 2**30
        assert f"{needs:.1f} of {room:.1f} GiB, {fits}" in texts
        assert f"{name} needs {needs:.1f} of {room:.1f} GiB and {fits}" in words
    assert [planned.fits for planned in plans.values()] == [False, False, True, True]
    with pytest.raises(OptionError):
        teaching.plan_bars({})


def test_the_words_of_a_memory_bar_do_not_cross_the_machines_line():
    plans = {"short": {"weights": 2e10}, "just": {"weights": 2.4e10}, "long": {"weights": 4e10}}
    figure = teaching.memory_bars(plans, 2.5e10)
    figure.canvas.draw()
    (axes,) = figure.axes
    line = axes.transData.transform((2.5e10 / 2**30, 0))[0]
    for text in axes.texts:
        if "GiB, " in text.get_text():
            box = text.get_window_extent()
            assert not box.x0 < line < box.x1, text.get_text()


def test_the_lit_box_is_told_by_its_frame_and_letters_not_by_colour_alone():
    figure = teaching.where_are_we(["tokens", "attention", "logits"], "attention")
    widths = [box.get_linewidth() for box in figure.axes[0].patches if hasattr(box, "get_boxstyle")]
    boxes = [width for width in widths if width != 1.2]
    assert boxes.index(max(boxes)) == 1
    texts = _texts(figure)
    assert "✓ tokens" in texts and "logits" in texts
    with pytest.raises(OptionError, match="tokens, attention, logits"):
        teaching.where_are_we(["tokens", "attention", "logits"], "atention")


def test_a_font_without_bold_letters_is_used_without_a_word(caplog):
    style.use_house_style()
    # It comes with matplotlib, in regular letters only.
    wanted = font_manager.FontProperties(family="DejaVu Sans Display", weight="bold")
    assert "DejaVuSansDisplay" in font_manager.findfont(wanted)
    assert not caplog.records
    # Another library may have raised the level for the whole process; Inspect does.
    with caplog.at_level(logging.WARNING):
        font_manager.findfont("No Such Font")
    assert "No Such Font" in caplog.text


@pytest.mark.parametrize("boxes", [3, 8])
def test_steps_that_repeat_have_an_arrow_back_to_the_first_inside_the_picture(boxes):
    steps = [f"step {number}" for number in range(boxes)]
    once = teaching.where_are_we(steps, 0)
    loop = teaching.where_are_we(steps, 0, again="and again")
    assert len(loop.axes[0].patches) == len(once.axes[0].patches) + 1
    assert "and again" in _texts(loop) and "and again" not in _texts(once)
    (axes,) = loop.axes
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for line in axes.lines:
        assert left < min(line.get_xdata()) and max(line.get_xdata()) < right
        assert top < min(line.get_ydata()) and max(line.get_ydata()) < bottom
    assert "back to the first: and again." in teaching.describe_pipeline(
        steps, 0, again="and again"
    )


def test_ready_made_figures_are_plain_figures_that_pyplot_does_not_know():
    assert isinstance(teaching.where_are_we(["a"], 0), Figure)
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_a_token_strip_reads_without_colour():
    strip = teaching.token_strip(["The", " cat", "\n"], label="English")
    assert repr(strip) == "English: 3 tokens\nThe│␣cat│⏎"
    assert strip.html.count("border: 1px solid") == 3


def test_a_token_strip_marks_thought_and_answer_in_words():
    kinds = ["thinking", "thinking", "answer"]
    strip = teaching.token_strip(["1+1", "=2", "2"], kinds)
    assert "thinking: 1+1│=2\nanswer: 2" in repr(strip)
    assert "<strong>thinking:</strong>" in strip.html and "<strong>answer:</strong>" in strip.html
    with pytest.raises(OptionError):
        teaching.token_strip(["a"], kinds)


def test_a_token_strip_can_carry_ids_and_probabilities():
    engine = BigramEngine()
    assert "a (" in repr(teaching.token_strip(engine.tokenize("a"), ids=True))
    scored = engine.score("at")
    share = round(np.exp(scored[1].log_probability) * 100)
    assert f"a (–)│t ({share}%)" in repr(teaching.token_strip(scored, probabilities=True))
    with pytest.raises(OptionError):
        teaching.token_strip(["a"], ids=True)


def test_a_token_cannot_become_markup_or_a_formula():
    strip = teaching.token_strip(["<b>", "$x$"])
    assert "<b>" not in strip.html and "mathjax_ignore" in strip.html
