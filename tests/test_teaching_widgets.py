"""Do widgets move what they promise, by code as by hand, and show their errors in themselves?"""

import re
import threading
import time

import ipywidgets
import numpy as np
import pytest

import course_utils.teaching as teaching
from course_utils.engines.protocol import Reply, Stream
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.errors import OptionError, PromptError
from course_utils.teaching.distribution import apply_sampling, logits_of
from course_utils.teaching.widgets.chat import streaming
from tests.bigram_engine import BigramEngine

LABS = {
    "sampling lab": lambda engine: teaching.sampling_lab(engine, "a cat"),
    "stepper": lambda engine: teaching.next_token_stepper(engine, "a cat"),
    "attention": lambda engine: teaching.attention_explorer(engine, "a cat"),
    "conversation": lambda engine: teaching.conversation(engine, "a cat?"),
    "comparison": lambda engine: teaching.compare_models({"one": engine}, "a cat?"),
    "memory": lambda _: teaching.memory_explorer({"Q4": 20e9}, {"F16": 262144}, 24 * 2**30),
}


@pytest.fixture
def engine():
    return BigramEngine()


@pytest.fixture(params=LABS, ids=str)
def panel(request, engine):
    return LABS[request.param](engine)


def _all(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _all(child)


def test_every_control_has_a_description(panel):
    controls = [w for w in _all(panel.widget) if isinstance(w, ipywidgets.ValueWidget)]
    controls += [w for w in _all(panel.widget) if isinstance(w, ipywidgets.Button)]
    for control in controls:
        if not isinstance(control, ipywidgets.HTML | ipywidgets.HTMLMath):
            assert control.description, control


def test_every_picture_in_a_widget_has_alt_text(panel):
    pages = [w.value for w in _all(panel.widget) if isinstance(w, ipywidgets.HTML)]
    for image in re.findall(r"<img [^>]*>", "".join(pages)):
        assert re.search(r'alt="[^"]{20,}"', image)


def test_a_widgets_text_is_stable_and_names_its_plain_code(panel):
    bundle = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == repr(panel)
    assert "In code: " in repr(panel)
    assert "0x" not in repr(panel) and "base64" not in repr(panel)


def test_the_sampling_lab_moves_its_chart_without_asking_the_model_again(engine):
    lab = teaching.sampling_lab(engine, "a cat", QWQ)
    calls, before = engine.calls["next_tokens"], lab.chart.value
    lab.sliders.temperature.value = 1.5
    assert lab.chart.value != before
    lab.sliders.top_k.value = 2
    assert (lab.probabilities > 0).sum() == 2
    assert "2 of " in lab.summary.value
    assert engine.calls["next_tokens"] == calls
    lab.text_box.value = "a h"
    assert engine.calls["next_tokens"] == calls + 1


def test_the_sampling_labs_plain_code_gives_the_same_numbers(engine):
    lab = teaching.sampling_lab(engine, "a cat")
    lab.sliders.temperature.value, lab.sliders.top_p.value = 0.6, 0.9
    candidates = engine.next_tokens("a cat", engine.info.vocabulary)
    sampling = Sampling(temperature=0.6, top_k=0, top_p=0.9)
    assert np.array_equal(lab.probabilities, apply_sampling(logits_of(candidates), sampling))


def test_an_error_in_a_callback_is_one_line_in_the_widget_and_goes_away(engine):
    lab = teaching.sampling_lab(engine, "a cat")
    chart = lab.chart.value
    lab.text_box.value = ""
    assert "The prompt is empty. Write at least one letter." in lab.error.value
    assert lab.chart.value == chart
    lab.text_box.value = "a"
    assert lab.error.value == ""


def test_the_stepper_grows_and_shrinks_the_text(engine):
    stepper = teaching.next_token_stepper(engine, "a c")
    stepper.append_button.click()
    likeliest = engine.next_tokens("a c", 1)[0].token.text
    assert stepper.text == "a c" + likeliest
    stepper.draw_button.click()
    assert len(stepper.text) == 5
    stepper.undo_button.click()
    stepper.undo_button.click()
    assert stepper.text == "a c" and stepper.undo_button.disabled


def test_the_stepper_draws_the_same_with_the_same_seed(engine):
    def text(seed):
        stepper = teaching.next_token_stepper(engine, "a", seed=seed)
        for _ in range(5):
            stepper.append_drawn()
        return stepper.text

    assert text(1) == text(1) != text(2)


def test_the_attention_explorer_shows_the_head_that_is_chosen(engine):
    explorer = teaching.attention_explorer(engine, "a cat")
    assert (explorer.layer.max, explorer.head.max) == (1, 1)
    before = explorer.chart.value
    explorer.layer.value = 1
    assert explorer.chart.value != before and "layer 1, head 0" in explorer.chart.value
    assert engine.calls["attention"] == 1


def test_the_memory_explorer_adds_up_what_is_chosen():
    explorer = teaching.memory_explorer(
        {"Q4": 20e9, "Q8": 35e9}, {"F16": 262144, "Q8_0": 139264}, 24 * 2**30, tokens=8192
    )
    assert explorer.plan == {"weights": 20e9, "KV cache": 262144 * 8192}
    explorer.weights.value = 35e9
    explorer.cache.value = 139264
    explorer.tokens.value = 1024
    assert explorer.plan == {"weights": 35e9, "KV cache": 139264 * 1024}
    assert "does not fit" in explorer.chart.value


def test_a_streamed_reply_stays_on_the_page_without_its_times_in_the_text(engine, capsys):
    reply = teaching.stream_to_page(engine.chat("a cat?"), "a cat?")
    again = engine.chat("a cat?").finish()
    assert reply.thinking == again.thinking and reply.answer == again.answer
    page = teaching.reply_on_page(reply, "a cat?")
    out = capsys.readouterr().out
    assert repr(page) in out
    assert reply.thinking.strip() in out and reply.answer.strip() in out
    assert "second" not in out
    without_times = re.sub(r'<span class="timing">.*?</span>', "", page.html)
    assert "tokens per second" in page.html and "second" not in without_times


def test_thought_and_answer_stand_in_panes_that_are_named(engine):
    page = teaching.reply_on_page(engine.chat("a cat?", thinking_budget=3).finish())
    assert 'aria-label="Thought"' in page.html and 'aria-label="Answer"' in page.html
    assert "Thought (3 tokens):" in repr(page)
    assert "the thinking budget ended the thought" in repr(page)


def test_what_a_model_writes_cannot_become_markup(engine):
    reply = engine.chat("a cat?").finish()
    reply.thinking, reply.answer = "<script>x</script>", "<img src=x>"
    html = teaching.reply_on_page(reply, "<b>").html
    assert "<script>" not in html and "<img" not in html and "<b>" not in html


def test_interrupting_the_kernel_keeps_what_had_arrived(engine, capsys, monkeypatch):
    updates = iter([None, None, KeyboardInterrupt])

    def interrupted(*_arguments, **_options):
        if next(updates) is KeyboardInterrupt:
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(streaming, "SECONDS_BETWEEN_UPDATES", 0)
    stream = engine.chat("a cat?")
    reply = streaming.follow(stream, interrupted)
    assert reply.stop_reason == "interrupted" and reply.tokens == 3
    assert engine.chat("a cat?").finish().tokens > 3, "the engine is usable after"


def test_a_long_reply_is_shown_less_often_and_its_end_is_shown(monkeypatch):
    """Chainlit#2604, notebook-intelligence#39: a long reply, sent anew for each token."""
    now, sent = [100.0], []
    monkeypatch.setattr(streaming.time, "monotonic", lambda: now[0])

    def pieces(reply, letters):
        for _ in range(1000):  # a hundred pieces a second
            now[0] += 0.01
            reply.thinking += "x" * letters
            yield reply

    for letters in (1, 1000):
        reply = Reply(stop_reason="end", prompt_tokens=1, cached_tokens=0)
        stream, seen = Stream(pieces(reply, letters), reply, threading.Event()), []
        streaming.follow(stream, lambda reply, seen=seen: seen.append(len(reply.thinking)))
        sent.append(seen)
    assert 90 <= len(sent[0]) <= 101, "ten times a second"
    # Ten seconds of a million letters in all: not ten million letters a second.
    assert sum(sent[1]) < 10 * 250_000 and len(sent[1]) > 5


def test_replies_of_several_models_stand_under_their_names(engine):
    replies = {"base": engine.chat("a?").finish(), "thinker": engine.chat("b?").finish()}
    text = repr(teaching.compare_replies(replies, "a?"))
    assert text.index("Question: a?") < text.index("base\n") < text.index("thinker\n")


def test_a_conversation_sends_answers_back_and_no_thoughts(engine):
    talk = teaching.conversation(engine)
    first = talk.ask("a cat?")
    talk.ask("a hat?")
    assert [m["role"] for m in talk.history] == ["user", "assistant", "user", "assistant"]
    assert talk.history[1]["content"] == first.answer
    assert "a cat?" in talk.past.value and "a hat?" in talk.reply_pane.value
    talk.new_button.click()
    assert talk.history == [] and talk.past.value == talk.reply_pane.value == ""


def test_the_ask_button_streams_and_the_stop_button_ends_it():
    slow = BigramEngine(delay=0.02)
    talk = teaching.conversation(slow, "a cat?", Sampling(max_tokens=1000, top_k=0))
    talk.ask_button.click()
    assert talk.ask_button.disabled and not talk.stop_button.disabled
    time.sleep(0.1)
    talk.stop_button.click()
    talk.wait(5)
    assert not talk.ask_button.disabled and talk.stop_button.disabled
    assert "stopped before its end" in talk.reply_pane.value
    assert talk.error.value == ""


def test_the_budget_slider_ends_the_thought(engine):
    talk = teaching.conversation(engine, "a cat?", thinking_budget=5)
    assert talk.thinking_budget == 5
    assert talk.ask().thinking_tokens == 5
    talk.budget.value = talk.budget.options[-1][1]
    assert talk.budget.label == "no limit" and talk.thinking_budget is None
    assert talk.ask("a cat?").thinking_tokens > 5


def test_an_error_while_asking_is_shown_in_the_widget_and_raised_in_code(engine):
    talk = teaching.conversation(engine, " ")
    talk.ask_button.click()
    talk.wait(5)
    assert "The question is empty. Ask something." in talk.error.value
    with pytest.raises(PromptError):
        talk.ask(" ")
    assert talk.history == []


def test_the_same_question_goes_to_every_model(engine):
    other = BigramEngine("a hat. \x03", name="other")
    panel = teaching.compare_models({"base": engine, "thinker": other}, "a?")
    panel.ask_button.click()
    panel.wait(5)
    assert "base" in panel.panes["base"].value and "thinker" in panel.panes["thinker"].value
    replies = panel.ask("a?")
    assert list(replies) == ["base", "thinker"]
    with pytest.raises(OptionError):
        teaching.compare_models({}, "a?")


def test_stop_skips_the_models_that_have_not_begun():
    slow = BigramEngine(delay=0.02)
    panel = teaching.compare_models(
        {"base": slow, "thinker": BigramEngine()}, "a?", Sampling(max_tokens=1000, top_k=0)
    )
    panel.ask_button.click()
    time.sleep(0.1)
    panel.stop_button.click()
    panel.wait(5)
    assert "stopped before its end" in panel.panes["base"].value
    assert panel.panes["thinker"].value == ""
