"""Chat templates: messages become the one text that a model continues.

The template is a small Jinja program stored in the GGUF.  It comes with the file, so it is
untrusted: it runs in a process of its own (``template_process``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from course_utils.engines.messages import Message, ToolSchema
from course_utils.engines.reply import without_thinking
from course_utils.engines.template_process import WITHOUT_TEMPLATE, render_template
from course_utils.errors import NotSupportedError, PromptError

# Unicode keeps these for a program's own use: no text that people exchange contains them.
_NONCHARACTERS = tuple(map(chr, range(0xFDD0, 0xFDF0)))


class Span(NamedTuple):
    """A part of a prompt. ``plain``: a control token written in it is ordinary text."""

    text: str
    plain: bool


def with_json_arguments(messages: Sequence[Message]) -> list[Message]:
    """The messages with the arguments of their tool calls as JSON text, as OpenAI's API has it."""
    return [_with_arguments(message, _as_json) for message in messages]


class ChatFormat:
    """A model's chat template, ready to use. It is first looked at when it is first needed.

    ``source``: the Jinja template; ``special``: names for the template such as ``eos_token``;
    ``controls``: the control tokens of the model's vocabulary, as they are written.

    Messages and tools come checked, see ``messages``.
    """

    def __init__(
        self, source: str, special: Mapping[str, str], controls: Collection[str] = frozenset()
    ):
        self.source = source
        self._special = special
        self._controls = controls
        self._parts: bool | None = None

    def render(self, messages: Sequence[Message], tools: Sequence[ToolSchema] | None = None) -> str:
        """The prompt for these messages, ending where the assistant's reply begins.

        Thoughts in earlier messages of the assistant are dropped.
        tools: what the model may call, in OpenAI's form.

        Raises PromptError where the template refuses or drops a message or fails on it,
        NotSupportedError where there are tools and it has no place for them, and ModelFileError
        where it cannot be read or does not come to an end.
        """
        return self._render(without_thinking(messages), tools)

    def prompt(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] | None = None
    ) -> list[Span]:
        """What ``render`` gives, in spans: control tokens count in the template's own text only.

        A user who types ``<|im_end|>`` must not end the message.  So where a message holds such a
        text, its borders are marked while the template runs, and what lies between the marks is
        plain.  Without any, the whole prompt is one span, which is what the model was trained on:
        several would cut words, and gain spaces, at their borders.

        Raises PromptError as ``render`` does, and where a template computes with a message that
        holds a control token, so that its borders are lost.
        """
        messages = without_thinking(messages)
        text = self._render(messages, tools)
        marks = [mark for mark in _NONCHARACTERS if mark not in text][:2]
        found = []

        def marked(leaf: str) -> str:
            if not any(control in leaf for control in self._controls):
                return leaf
            found.append(leaf)
            return _wrap(leaf, *marks) if len(marks) == 2 else leaf

        changed = _mapped([messages, tools], marked)
        if not found:
            return [Span(text, plain=False)]
        spans = _between(self._text(*changed), *marks) if len(marks) == 2 else []
        if "".join(span.text for span in spans) == text:
            return spans
        raise PromptError(
            "A message holds a control token, such as <|im_end|>, and this model's chat template "
            "computes with the text, so the token could end the message.",
            "Write the token in another way, for example with a space in it.",
        )

    def _render(self, messages: Sequence[Message], tools: Sequence[ToolSchema] | None) -> str:
        text = self._text(messages, tools)
        self._check_nothing_dropped(messages, tools, text)
        if tools and not self._tells_of(messages, tools):
            raise NotSupportedError(
                "This model's chat template does not tell the model of tools.",
                "Describe the tools in a system message, or take a model that was trained to "
                "call tools, such as QwQ-32B.",
            )
        return text

    def _text(self, messages: Sequence[Message], tools: Sequence[ToolSchema] | None) -> str:
        """What the template writes, given the messages in the first form that it can take.

        Templates differ in what they expect of a tool call's arguments and of missing tools.
        """
        if self._content_in_parts():
            messages = [{**message, "content": _as_parts(message)} for message in messages]
        forms = [([_with_arguments(message, _as_object) for message in messages], tools)]
        if any(message.get("tool_calls") for message in messages):
            forms.append(([_with_arguments(message, _as_json) for message in messages], tools))
        if tools is None:
            forms.append((forms[0][0], []))
        first_error = None
        for form in forms:
            try:
                return self._rendering(*form)
            except PromptError as error:
                first_error = first_error or error
        raise first_error

    def _tells_of(self, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> bool:
        """Does the prompt differ from the one without these tools?"""
        text = self._text(messages, tools)
        try:
            return text != self._text(messages, None)
        except PromptError:
            return True  # It works with tools only.

    def _content_in_parts(self) -> bool:
        """Does the template read contents as lists of parts only, as some for pictures do?"""
        if self._parts is None:
            question = {"role": "user", "content": "0123456789"}
            in_parts = {**question, "content": _as_parts(question)}
            self._parts = not self._shows(question) and self._shows(in_parts)
        return self._parts

    def _shows(self, question: Mapping[str, object]) -> bool:
        try:
            text = self._rendering([question], [])
        except PromptError:
            return False
        # A template for texts writes parts as Python would, quotation marks and all.
        return "0123456789" in text and "'text'" not in text

    def _rendering(self, messages: Sequence[Message], tools: Sequence[ToolSchema] | None) -> str:
        return render_template(
            self.source,
            {
                **self._special,
                "messages": messages,
                "tools": tools,
                "documents": None,
                "add_generation_prompt": True,
                # QwQ's template switches thinking off where this is missing.
                "enable_thinking": True,
            },
        )

    def _check_nothing_dropped(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] | None, text: str
    ) -> None:
        """Is what the user asks, and what comes last, in the prompt?"""
        if not text.strip():
            raise PromptError(
                "The model's chat template writes nothing for this conversation.", WITHOUT_TEMPLATE
            )
        asked = [
            number
            for number, message in enumerate(messages)
            if message["content"].strip()
            and (message["role"] == "user" or message is messages[-1])
            # A text this long does not stand in the template by chance.
            and not (len(message["content"]) > 40 and message["content"].strip() in text)
        ]
        if not asked:
            return
        mark = next((mark for mark in _NONCHARACTERS if mark not in text), "\ufffe")

        def with_contents(contents: Mapping[int, str]) -> str:
            changed = [
                {**message, "content": contents.get(number, message["content"])}
                for number, message in enumerate(messages)
            ]
            return self._text(changed, tools)

        marks = {number: f"{mark}{number}{mark}" for number in asked}
        marked = with_contents({n: messages[n]["content"].strip() + marks[n] for n in asked})
        for number in asked:
            # A template may also cut a message short; it drops what it gives for any text alike.
            if marks[number] not in marked and with_contents({number: marks[number]}) == text:
                message = messages[number]
                raise PromptError(
                    f"The model's chat template drops a message of the role {message['role']!r}: "
                    f"{message['content'].strip()[:60]!r}.",
                    f"The template knows no such role, or not at this place. {WITHOUT_TEMPLATE}",
                )


def _as_parts(message: Mapping[str, object]) -> list[dict]:
    return [{"type": "text", "text": message["content"]}]


def _with_arguments(message: Message, form: Callable[[object], object]) -> Message:
    """The message with the arguments of its tool calls as an object, or as JSON text.

    OpenAI's API writes JSON text; transformers' templates expect an object, a few others text.
    """
    calls = message.get("tool_calls")
    if not calls:
        return message
    return {**message, "tool_calls": [_mapped_arguments(call, form) for call in calls]}


def _mapped_arguments(call: Mapping, form: Callable[[object], object]) -> dict:
    if "function" in call:
        return {**call, "function": _mapped_arguments(call["function"], form)}
    return {**call, "arguments": form(call["arguments"])} if "arguments" in call else dict(call)


def _as_object(arguments: object) -> object:
    if not isinstance(arguments, str):
        return arguments
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return value if isinstance(value, dict) else arguments


def _as_json(arguments: object) -> object:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


# ---- texts inside messages -------------------------------------------------------------------


def _mapped(data, change: Callable[[str], str]):
    """Nested plain data with each of its texts changed."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, Mapping):
        return {_mapped(key, change): _mapped(value, change) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_mapped(value, change) for value in data]
    return data


def _wrap(text: str, start: str, end: str) -> str:
    """The text between marks, which stand inside its outer white space: templates often trim."""
    core = text.strip()
    left = text.index(core)
    return f"{text[:left]}{start}{core}{end}{text[left + len(core) :]}"


def _between(marked: str, start: str, end: str) -> list[Span]:
    """The spans outside and, plain, inside of pairs of marks; none where these do not pair."""
    first, *rest = marked.split(start)
    spans = [Span(first, plain=False)]
    for part in rest:
        inside, closed, outside = part.partition(end)
        if not closed:
            return []
        spans += [Span(inside, plain=True), Span(outside, plain=False)]
    return [] if any(end in span.text for span in spans) else [span for span in spans if span.text]
