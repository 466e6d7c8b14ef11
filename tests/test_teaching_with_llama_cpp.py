"""Do figures and widgets work on what llama.cpp really gives, and on the shipped nano thinker?"""

import pytest

import course_utils.teaching as teaching
from course_utils.engines import Sampling, open_model
from course_utils.paths import nano_folder
from tests.tiny_models import tiny_model

THINKER = nano_folder() / "thinker.gguf"
needs_thinker = pytest.mark.skipif(
    not THINKER.exists(), reason="models/nano/thinker.gguf is absent"
)


@pytest.fixture(params=["tiny", pytest.param("nano thinker", marks=needs_thinker)], scope="module")
def engine(request, tmp_path_factory):
    path = THINKER
    if request.param == "tiny":
        path = tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")
    with open_model(str(path)) as engine:
        yield engine


def test_the_sampling_lab_covers_the_whole_vocabulary(engine):
    lab = teaching.sampling_lab(engine, "the cat")
    assert lab.error.value == ""
    assert len(lab.probabilities) == engine.info.vocabulary
    assert lab.probabilities.sum() == pytest.approx(1)
    before = lab.chart.value
    lab.sliders.temperature.value = 0.3
    assert lab.chart.value != before


def test_the_attention_explorer_reaches_the_last_layer_and_head(engine):
    explorer = teaching.attention_explorer(engine, "the cat sat")
    explorer.layer.value, explorer.head.value = explorer.layer.max, explorer.head.max
    assert explorer.error.value == ""
    assert explorer.layer.max == engine.info.layers - 1
    assert f"layer {explorer.layer.max}, head {explorer.head.max}" in explorer.chart.value


def test_the_plain_form_of_a_streamed_reply_is_the_same_every_time(engine, capsys):
    pages = []
    for _ in range(2):
        teaching.stream_to_page(engine.chat("2+3?", Sampling(seed=1, max_tokens=20)), "2+3?")
        pages.append(capsys.readouterr().out)
    assert pages[0] == pages[1] and "Thought (" in pages[0]


def test_a_conversation_runs_in_the_background_and_leaves_the_engine_usable(engine):
    talk = teaching.conversation(engine, "2+3?", Sampling(seed=1, max_tokens=20))
    talk.ask_button.click()
    talk.wait(60)
    assert talk.error.value == "" and len(talk.history) == 2
    assert talk.ask("and 4+5?").tokens >= 1


def test_an_empty_text_is_one_line_in_the_widget(engine):
    lab = teaching.sampling_lab(engine, "the cat")
    lab.text_box.value = ""
    assert lab.error.value.count("✗") == 1


def test_strips_show_every_byte_of_a_text(engine):
    strip = teaching.token_strip(engine.tokenize("a cat 猫\n"), ids=True)
    assert repr(strip).count("│") + 1 == len(engine.tokenize("a cat 猫\n"))
    assert "⏎" in repr(strip)
