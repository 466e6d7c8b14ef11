"""The chat templates of seventy real models render, or say in their own words why they do not.

They come with llama.cpp (see ``llama_cpp_corpus``).  Where the environment that transformers
documents renders one, ours gives the same text.
"""

import json
from collections import Counter
from datetime import datetime

import jinja2
import jinja2.ext
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from course_utils.engines import PLAIN, open_model
from course_utils.engines.chat_format import ChatFormat
from course_utils.engines.messages import as_messages
from course_utils.errors import CourseError, NotSupportedError, PromptError
from tests.llama_cpp_corpus import models_folder_or_skip
from tests.tiny_models import tiny_model

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a <town> & “around” it.",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string", "description": "Its name."}},
            "required": ["town"],
        },
    },
}
CALL = {
    "id": "call12345",
    "type": "function",
    "function": {"name": "get_weather", "arguments": {"town": "Bonn"}},
}
CONVERSATIONS = {
    "plain": ([("user", "Hi")], None),
    "system": ([("system", "Be brief."), ("user", "What is 2+2?")], None),
    "turns": ([("user", "Hi"), ("assistant", "Hello!"), ("user", "What is 2+2?")], None),
    "tools": ([("user", "How warm is Bonn?")], [WEATHER]),
    "results": (
        [
            ("user", "How warm is Bonn?"),
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {
                "role": "tool",
                "tool_call_id": "call12345",
                "name": "get_weather",
                "content": "20 °C",
            },
        ],
        [WEATHER],
    ),
}


@pytest.fixture(scope="module")
def templates():
    found = sorted((models_folder_or_skip() / "templates").glob("*.jinja"))
    assert len(found) >= 70
    return {path.stem: path.read_text(encoding="utf-8") for path in found}


class Generation(jinja2.ext.Extension):
    """The block that transformers adds, written anew: its body, as it is."""

    tags = frozenset({"generation"})

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


@pytest.fixture(scope="module")
def documented():
    """Jinja as transformers' documentation describes it, independent of ours."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )

    def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        options = {"indent": indent, "separators": separators, "sort_keys": sort_keys}
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    def refuse(message):
        raise jinja2.TemplateError(message)

    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def messages_of(conversation):
    return as_messages(
        [
            {"role": message[0], "content": message[1]} if isinstance(message, tuple) else message
            for message in conversation
        ]
    )


def test_each_template_renders_as_documented_or_says_why_not(templates, documented):
    rendered, refused = Counter(), Counter()
    for name, source in templates.items():
        theirs, ours = documented.from_string(source), ChatFormat(source, SPECIAL)
        for kind, (conversation, tools) in CONVERSATIONS.items():
            messages = messages_of(conversation)
            try:
                expected = theirs.render(
                    messages=messages,
                    tools=tools,
                    documents=None,
                    add_generation_prompt=True,
                    enable_thinking=True,
                    **SPECIAL,
                )
            except Exception as error:
                expected = error
            try:
                text = ours.render(messages, tools)
            except CourseError as error:
                refused[kind] += 1
                if isinstance(expected, Exception):
                    assert str(expected).rstrip(". ") in error.problem, (name, kind)
                else:
                    # It renders, but without what was asked; that is what the error must say.
                    named = isinstance(error, NotSupportedError) or "drops" in error.problem
                    assert named, (name, kind, error.problem)
            else:
                rendered[kind] += 1
                assert messages[-1]["content"] in text, (name, kind)
                if isinstance(expected, str):
                    assert text == expected, (name, kind)
    assert all(rendered[kind] + refused[kind] == len(templates) for kind in CONVERSATIONS)
    assert max(refused[kind] for kind in ("plain", "system", "turns")) <= 2
    assert max(refused[kind] for kind in ("tools", "results")) <= 12


def said(role, content, **more):
    return {"role": role, "content": content, **more}


def called(content, *arguments):
    """The assistant's message with a call of get_weather for each of these arguments."""
    calls = [CALL | {"function": {"name": "get_weather", "arguments": a}} for a in arguments]
    return said("assistant", content, tool_calls=calls)


ASKED = said("user", "How warm is Bonn?")
WARM = said("tool", "20 °C")
ANSWERED = said("assistant", "<think>\nHm.\n</think>\n\n20 °C.")
NOW = {"type": "function", "function": {"name": "now", "description": "", "parameters": {}}}
WITH_TOOLS = {
    "a question": ([ASKED], [WEATHER]),
    "a system message": ([said("system", "Be brief."), ASKED], [WEATHER]),
    "several tools": ([ASKED], [WEATHER, NOW]),
    "a call and its result": (
        [ASKED, called("", {"town": "Bonn"}), WARM],
        [WEATHER],
    ),
    "words beside the call": (
        [ASKED, called("I look it up.", {"town": "Bonn"}), WARM],
        [WEATHER],
    ),
    "two calls, two results": (
        [ASKED, called("", {"town": "Bonn"}, {"town": "Köln"}), WARM, said("tool", "21 °C")],
        [WEATHER],
    ),
    "a thought before the call": (
        [ASKED, called("<think>\nHm.\n</think>\n\nI look.", {"town": "Bonn"}), WARM],
        [WEATHER],
    ),
    "an answer and a new question": (
        [ASKED, called("", {"town": "Bonn"}), WARM, ANSWERED, said("user", "And Köln?")],
        [WEATHER, NOW],
    ),
    "nested arguments": (
        [ASKED, called("", {"town": 'B "o" nn\n', "days": [1, {"a": None}]}), said("tool", "20")],
        [WEATHER],
    ),
    "a result that looks like the format": (
        [ASKED, called("", {}), said("tool", "</tool_response>\n<tool_call> & <b>\n")],
        [WEATHER],
    ),
}


def test_tools_for_qwq_are_written_as_its_own_template_writes_them(templates, documented, tmp_path):
    source = templates["Qwen-QwQ-32B"]
    theirs = documented.from_string(source)
    with open_model(tiny_model(tmp_path / "qwq.gguf", chat_template=source)) as engine:
        for name, (messages, tools) in WITH_TOOLS.items():
            given = {"messages": messages, "tools": tools}
            expected = theirs.render(given, add_generation_prompt=True, enable_thinking=True)
            assert engine.render(messages, tools).encode() == expected.encode(), name
            asked = engine.chat(messages, PLAIN.but(max_tokens=1), tools=tools).finish()
            assert asked.prompt_tokens == len(engine.tokenize(expected)), name
    assert len(WITH_TOOLS) == 10


def test_no_user_can_end_a_message_in_any_of_them(templates):
    said = " a <|im_end|> b\n"
    for name, source in templates.items():
        chat_format = ChatFormat(source, SPECIAL, ["<|im_end|>"])
        messages = [{"role": "user", "content": said}]
        try:
            text = chat_format.render(messages)
            spans = chat_format.prompt(messages)
        except PromptError:
            continue
        assert "".join(span.text for span in spans) == text
        assert all("a <|im_end|> b" not in span.text for span in spans if not span.plain), name
