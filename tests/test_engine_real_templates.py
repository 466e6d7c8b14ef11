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

from course_utils.engines.chat_format import ChatFormat, as_messages
from course_utils.errors import CourseError, NotSupportedError, PromptError
from tests.llama_cpp_corpus import models_folder_or_skip

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


def test_no_user_can_end_a_message_in_any_of_them(templates):
    said = " a <|im_end|> b\n"
    for name, source in templates.items():
        chat_format = ChatFormat(source, SPECIAL)
        messages = [{"role": "user", "content": said}]
        try:
            text = chat_format.render(messages)
            pieces = chat_format.tokenize(messages, in_pieces)
        except PromptError:
            continue
        assert "".join(piece for piece, _ in pieces) == text
        assert all("a <|im_end|> b" not in piece for piece, special in pieces if special), name


def in_pieces(text, special):
    """A tokenizer that leaves texts whole where it may not split them."""
    if not special or "<|im_end|>" not in text:
        return [(text, special and "<|im_end|>" in text)]
    return [(text, True)]
