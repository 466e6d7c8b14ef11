"""Is a conversation safe to show, easy to set, and whole again after a restart?"""

import json
import re
from html.parser import HTMLParser

import pytest

import course_utils.teaching as teaching
from course_utils.engines.local import LocalEngine
from course_utils.engines.sampling import QWQ, Sampling
from course_utils.errors import CourseError, MachineError, OptionError
from tests.bigram_engine import BigramEngine
from tests.tiny_models import tiny_model

HISTORY = [
    {"role": "user", "content": "What is 2+2? 猫"},
    {"role": "assistant", "content": "**4**, that is $2^2$."},
]

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "event handler": "<img src=x onerror=alert(1)>",
    "comment": "<!-- <b> --><svg onload=alert(1)>",
    "script in code": "```html\n<script>alert(1)</script>\n```",
    "name of a language": '```x" onclick="alert(1)\ncode\n```',
    "script link": "[a](javascript:alert(1))",
    "script link in capitals": "[a](JaVaScript:alert(1))",
    "script link as entities": "[a](&#106;avascript:alert(1))",
    "script link with a tab": "[a](java\tscript:alert(1))",
    "script autolink": "<javascript:alert(1)>",
    "script by reference": "[a]\n\n[a]: javascript:alert(1)",
    "data link": "[a](data:text/html,<script>alert(1)</script>)",
    "link into JupyterLab": "[a](/lab/tree/secret.ipynb) [b](//evil.example)",
    "quote in a link": '[a](http://a.example"onclick="alert(1))',
    "quote in a title": "[a](http://a.example '\"onclick=\"alert(1)')",
    "image": "![a](http://tracker.example/pixel.png)",
    "inline image": "![a](data:image/svg+xml;base64,PHN2Zy8+)",
    "image in a link": "[![a](http://tracker.example/p.png)](javascript:alert(1))",
    "link in a formula": r"$\href{javascript:alert(1)}{x}$",
    "link in a display": r"\[\href{javascript:alert(1)}{x}\]",
    "style in a formula": r"\(\bbox[background:url(http://tracker.example)]{x}\)",
    "definitions in a formula": "$$\n\\def\\a{\\b\\b}\\def\\b{\\c\\c}\\a\n$$",
    "link in an environment": r"\begin{align}\href{javascript:alert(1)}{x}\end{align}",
    "markup in a formula": "$</span><script>alert(1)</script>$",
    "a formula that is not closed": r"$\href{javascript:alert(1)}{x} \(",
}
TAGS = {"div", "p", "span", "strong", "em", "del", "code", "pre", "ul", "ol", "li", "a", "br", "hr"}
TAGS |= {"blockquote", "table", "thead", "tbody", "tr", "th", "td"}
TAGS |= {f"h{level}" for level in range(1, 7)}
ATTRIBUTES = {"class", "style", "href", "title", "target", "rel", "start"}


class _Page(HTMLParser):
    """What a browser would find: tags, attributes, and the text that MathJax would typeset."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.formulas, self._classes = [], [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("br", "hr"):
            self._classes.append(dict(attrs).get("class") or "")

    def handle_endtag(self, tag):
        if tag not in ("br", "hr"):
            self._classes.pop()

    def handle_data(self, data):
        marks = [c for c in self._classes if "mathjax_" in c]
        if marks and "mathjax_process" in marks[-1]:
            self.formulas += data + "\n"


@pytest.fixture
def engine():
    return BigramEngine()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    return working


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_a_model_writes_can_neither_run_nor_load_anything(text):
    for written in (text, f"- {text}", f"> {text}", f"| a |\n|---|\n| {text} |", f"**{text}"):
        page = _Page(teaching.markdown_html(written))
        assert set(page.tags) <= TAGS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        for name, value in page.attributes:
            if name == "href":
                assert re.match(r"https?://", value)
            if name == "style":
                assert value in ("overflow-x: auto", *(f"text-align:{s}" for s in ("left",)))
        assert not re.search(r"href|bbox|def", page.formulas)


FORMULAS = [
    "$x^2$",
    r"\(a_1 * b * c_1\)",
    "$$a\n= b$$",
    "\\[\n\na < b\n\n- c\n\\]",
    "\\begin{align*}\na &= b \\\\\n- c &= d\n\\end{align*}",
    r"$$\boxed{42}$$",
]
PRICES_AND_CODE = ["It costs $5 and $6.", "`$x$`", "```\n$$x$$\n```", r"\$5 or $6$7"]


@pytest.mark.parametrize("source", FORMULAS)
def test_formulas_reach_the_typesetter_whole(source):
    for text in (source, f"Text\n\n{source}\n\nmore **text**"):
        assert _Page(teaching.markdown_html(text)).formulas.strip() == source


@pytest.mark.parametrize("text", PRICES_AND_CODE)
def test_prices_and_code_are_not_formulas(text):
    assert _Page(teaching.markdown_html(text)).formulas == ""


def test_markdown_gets_its_structure():
    page = teaching.markdown_html("# Title\n\n1. **one**\n2. two\n\n| a |\n|---|\n| 1 |\n\n`code`")
    for tag in ("h1", "ol", "li", "strong", "table", "code"):
        assert f"<{tag}>" in page


@pytest.mark.parametrize("unit", ["[", "$", "\\(", "\\[", "**a ", "> ", "- ", "![[", "|", "<", "`"])
def test_no_repetition_of_a_model_holds_the_page_up(unit):
    # A base model that loops writes such things; each of these takes milliseconds.
    assert teaching.markdown_html(unit * 2000).startswith("<div")


def test_the_answer_is_shown_as_markdown_and_the_thought_as_text(engine):
    talk = teaching.conversation(engine)
    reply = engine.chat("a cat?").finish()
    reply.thinking, reply.answer = "**so** <b>", "**4** <b>\n\nand $x$"
    talk.reply_pane.show("2+2?", reply, live=False)
    assert "**so** &lt;b&gt;" in talk.reply_pane.thought.value
    assert "<strong>4</strong> &lt;b&gt;" in talk.reply_pane.paragraphs.value
    assert "<b>" not in talk.reply_pane.value


def test_a_growing_answer_is_typeset_a_paragraph_at_a_time(engine):
    view = teaching.conversation(engine).reply_pane
    reply = engine.chat("a cat?").finish()
    reply.answer = "**one**\n\ntwo **th"
    view.show("2+2?", reply, live=True)
    typeset = view.paragraphs.value
    assert "<strong>one</strong>" in typeset and "two **th" in view.last_lines.value
    reply.answer += "ree**"
    view.show("2+2?", reply, live=True)
    assert view.paragraphs.value == typeset
    view.show("2+2?", reply, live=False)
    assert "<strong>three</strong>" in view.paragraphs.value and view.last_lines.value == ""


def test_the_thought_is_counted_and_nothing_but_the_reader_folds_it(engine):
    talk = teaching.conversation(engine)
    fold = talk.reply_pane.children[1].children[0].children[0]
    assert "<details open>" in fold.value
    changes = []
    fold.observe(changes.append, names="value")
    reply = talk.ask("a cat?")
    assert f"({reply.thinking_tokens} tokens)" in talk.reply_pane.counter.value
    talk.ask("a hat?")
    assert changes == []
    assert "<details><summary>Thought" in talk.past.value


def test_speed_and_cached_prompt_tokens_are_shown(engine):
    talk = teaching.conversation(engine)
    reply = engine.chat("a cat?").finish()
    reply.prompt_tokens, reply.cached_tokens = 1200, 1100
    talk.reply_pane.show("a cat?", reply, live=False)
    status = talk.reply_pane.status.value
    assert "1,100 of 1,200 prompt tokens from the KV cache" in status
    assert re.search(r'<span class="timing">.* tokens per second</span>', status)


def test_the_sliders_begin_with_qwqs_settings_and_find_back_to_them(engine):
    talk = teaching.conversation(engine)
    assert talk.sampling == QWQ
    talk.sliders.temperature.value, talk.sliders.top_k.value = 1.5, 3
    talk.sliders.top_p.value, talk.sliders.min_p.value = 0.5, 0.25
    assert talk.sampling == Sampling(temperature=1.5, top_k=3, top_p=0.5, min_p=0.25)
    talk.sliders.reset_button.click()
    assert talk.sampling == QWQ


def test_the_sliders_settings_are_those_of_the_reply(engine):
    given = Sampling(temperature=3, top_k=500, top_p=0.001, min_p=0.995, seed=3, max_tokens=7)
    talk = teaching.conversation(engine, sampling=given)
    assert talk.sampling == given
    talk.sliders.reset_button.click()
    assert talk.sampling == QWQ.but(seed=3, max_tokens=7)
    assert talk.ask("a cat?").tokens <= 7
    talk.sliders.top_k.value = 1
    greedy = engine.chat("a cat?", talk.sampling, thinking_budget=None).finish()
    again = teaching.conversation(engine, sampling=talk.sampling).ask("a cat?")
    assert (again.thinking, again.answer) == (greedy.thinking, greedy.answer)


def test_a_conversation_is_the_same_after_saving_and_loading(folder):
    teaching.save_conversation(HISTORY, folder / "talk.json")
    assert teaching.load_conversation("talk.json") == HISTORY
    assert [file.name for file in folder.iterdir()] == ["talk.json"]


def test_the_buttons_save_and_load_a_conversation(engine, folder):
    talk = teaching.conversation(engine)
    talk.ask("a cat?")
    talk.file.name.value = "talk"
    talk.file.save_button.click()
    assert "Saved 2 messages." in talk.file.notice.value and talk.error.value == ""
    other = teaching.conversation(engine)
    other.file.name.value = "talk.json"
    other.file.load_button.click()
    assert other.history == talk.history and "a cat?" in other.past.value
    other.ask("a hat?")
    assert len(other.history) == 4
    assert other.file.cache.layout.display == "none", "this engine has no KV cache to keep"


@pytest.mark.parametrize(
    "name", ["", "  ", "../talk.json", "/tmp/talk.json", "a/../../b.json", "notes.ipynb", "a\0b"]
)
def test_a_learner_cannot_leave_the_working_folder(engine, folder, name):
    talk = teaching.conversation(engine)
    talk.ask("a cat?")
    talk.file.name.value = name
    for button in (talk.file.save_button, talk.file.load_button):
        button.click()
        assert talk.error.value.count("✗") == 1 and "Error" not in talk.error.value
    assert list(folder.iterdir()) == [] and list(folder.parent.iterdir()) == [folder]


def test_a_link_does_not_lead_out_of_the_working_folder(engine, folder):
    outside = folder.parent / "outside.json"
    teaching.save_conversation(HISTORY, outside)
    (folder / "link.json").symlink_to(outside)
    talk = teaching.conversation(engine)
    talk.file.name.value = "link.json"
    talk.file.load_button.click()
    assert "not a file in the working folder" in talk.error.value and talk.history == []


DAMAGED = {
    "empty": b"",
    "cut": json.dumps({"kind": "course conversation", "messages": HISTORY}).encode()[:-9],
    "not text": b"\xff\xfe\x00\x01" * 50,
    "another JSON": b'{"messages": []}',
    "a list": b"[1, 2]",
    "nested": b"[" * 200_000,
    "wrong role": b'{"kind": "course conversation", "format": 1, "messages": [{"role": "x"}]}',
    "no text": b'{"kind": "course conversation", "format": 1, "messages": [{"role": "user"}]}',
    "half a letter": b'{"kind": "course conversation", "format": 1, '
    b'"messages": [{"role": "user", "content": "\\ud800"}]}',
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_one_clear_line_and_changes_nothing(engine, folder, data):
    (folder / "talk.json").write_bytes(data)
    with pytest.raises(CourseError, match=r"talk\.json is damaged, or is not a conversation"):
        teaching.load_conversation("talk.json")
    talk = teaching.conversation(engine)
    talk.ask("a cat?")
    before = list(talk.history), talk.reply_pane.value
    talk.file.name.value = "talk.json"
    talk.file.load_button.click()
    assert talk.error.value.count("✗") == 1 and "talk.json is damaged" in talk.error.value
    assert (talk.history, talk.reply_pane.value) == before


def test_only_a_saved_conversation_is_overwritten(folder):
    precious = folder / "results.json"
    precious.write_text('{"accuracy": 0.5}')
    with pytest.raises(OptionError, match="is there already"):
        teaching.save_conversation(HISTORY, precious)
    assert precious.read_text() == '{"accuracy": 0.5}'
    teaching.save_conversation(HISTORY, "talk.json")
    teaching.save_conversation(HISTORY[:1], "talk.json")
    assert teaching.load_conversation("talk.json") == HISTORY[:1]


def test_what_cannot_be_saved_or_found_is_said(folder):
    with pytest.raises(OptionError, match="not a list of messages"):
        teaching.save_conversation(["hello"], "talk.json")
    with pytest.raises(MachineError, match="could not be written"):
        teaching.save_conversation(HISTORY, folder / "absent" / "talk.json")
    for name in ("a" * 300, "a\0b"):
        with pytest.raises(MachineError, match="could not be written"):
            teaching.save_conversation(HISTORY, name)
        with pytest.raises(OptionError, match="There is no conversation"):
            teaching.load_conversation(name)
    for name in (3, None, b"talk.json"):
        with pytest.raises(OptionError, match="not a path"):
            teaching.save_conversation(HISTORY, name)
    with pytest.raises(OptionError, match="There is no conversation"):
        teaching.load_conversation("absent.json")


def test_nothing_is_saved_or_loaded_while_a_reply_is_being_written(folder):
    talk = teaching.conversation(
        BigramEngine(delay=0.02), "a cat?", Sampling(max_tokens=1000, top_k=0)
    )
    teaching.save_conversation(HISTORY, "conversation.json")
    talk.ask_button.click()
    for button in (talk.file.save_button, talk.file.load_button):
        button.click()
        assert "A reply is being written." in talk.error.value
    talk.new_button.click()
    assert not talk.ask_button.disabled and talk.history == [] and talk.reply_pane.value == ""


def test_a_long_conversation_survives_a_kernel_restart_with_its_kv_cache(folder):
    path = tiny_model(folder / "model.gguf")
    with LocalEngine(path) as engine:
        talk = teaching.conversation(engine, sampling=Sampling(seed=1, max_tokens=20))
        talk.ask("a cat " * 20)
        talk.file.cache.value = True
        talk.file.save_button.click()
        assert "KV cache of" in talk.file.notice.value and talk.error.value == ""
        history = list(talk.history)
    with LocalEngine(path) as restarted:
        talk = teaching.conversation(restarted, sampling=Sampling(seed=1, max_tokens=20))
        talk.file.load_button.click()
        assert talk.history == history and "KV cache of" in talk.file.notice.value
        reply = talk.ask("and a hat?")
        question = restarted.tokenize("a cat " * 20)
        assert reply.cached_tokens >= len(question)
        assert f"{reply.cached_tokens:,} of {reply.prompt_tokens:,}" in talk.reply_pane.value


def test_a_damaged_kv_cache_costs_only_time(folder):
    path = tiny_model(folder / "model.gguf")
    with LocalEngine(path) as engine:
        talk = teaching.conversation(engine, sampling=Sampling(seed=1, max_tokens=20))
        talk.ask("a cat?")
        talk.file.cache.value = True
        talk.file.save_button.click()
        (folder / "conversation.kvcache").write_bytes(b"damaged")
        talk.new_button.click()
        talk.file.load_button.click()
        assert "The conversation is loaded, its KV cache is not" in talk.error.value
        assert len(talk.history) == 2 and talk.ask("a hat?").tokens >= 1
