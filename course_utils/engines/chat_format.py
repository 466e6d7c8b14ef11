"""Chat templates: messages become the one text that a model continues.

The template is a small Jinja program stored in the GGUF.  It comes with the file, so it is
untrusted: it runs in a process of its own (``template_process``).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from course_utils.engines.protocol import Message, ToolSchema
from course_utils.engines.template_process import WITHOUT_TEMPLATE, render_template
from course_utils.engines.thinking import without_thinking
from course_utils.errors import CourseError, NotSupportedError, PromptError

ROLES = ("system", "user", "assistant", "tool")

# Unicode keeps these for a program's own use: no text that people exchange contains them.
_NONCHARACTERS = tuple(map(chr, range(0xFDD0, 0xFDF0)))


def as_messages(messages: str | Sequence[Message]) -> list[Message]:
    """Check a conversation; a plain string becomes one message from the user.

    An assistant's message may hold ``tool_calls`` beside or instead of its content, and what a tool
    returned has the role "tool", as in OpenAI's API.  Content that is left out becomes "".
    Raises PromptError where a role or text is missing, or there is nothing to answer.
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    example = 'Give a question as text, or messages such as {"role": "user", "content": "Hello"}.'
    if not isinstance(messages, Sequence) or not messages:
        raise PromptError("There is no message to answer.", example)
    checked = []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise PromptError(
                f"This is not a chat message with a role: {message!r}.",
                f"Use one of the roles {', '.join(ROLES)}. {example}",
            )
        if message.get("tool_calls"):
            _check_tool_calls(message)
            message = {**message, "content": message.get("content") or ""}
        if not isinstance(message.get("content"), str):
            raise PromptError(f"The content of this message is not text: {message!r}.", example)
        checked.append(message)
    last = checked[-1]
    # A tool may well have returned nothing, and that is worth knowing.
    if not (last["content"].strip() or last["role"] == "tool" or last.get("tool_calls")):
        raise PromptError("The last message is empty.", "Write a question into it.")
    return checked


def as_tools(tools: Sequence[ToolSchema] | None) -> list[dict] | None:
    """Check a list of tools in OpenAI's form; None or an empty list means none.

    Raises PromptError for anything else.
    """
    example = (
        'Describe each as in OpenAI\'s API: {"type": "function", "function": {"name": "add", '
        '"description": "...", "parameters": {a JSON schema}}}.'
    )
    if tools is None:
        return None
    if isinstance(tools, str | Mapping) or not isinstance(tools, Sequence):
        raise PromptError(f"The tools are not a list: {tools!r}.", example)
    for tool in tools:
        function = tool.get("function") if isinstance(tool, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(name, str) or not name:
            raise PromptError(f"This is not a tool with a name: {tool!r}.", example)
    return [dict(tool) for tool in tools] or None


def with_json_arguments(messages: Sequence[Message]) -> list[Message]:
    """The messages with the arguments of their tool calls as JSON text, as OpenAI's API has it."""
    return [_with_arguments(message, _as_json) for message in messages]


class ChatFormat:
    """A model's chat template, ready to use. It is first looked at when it is first needed.

    ``source``: the Jinja template; ``special``: names for the template such as ``eos_token``.
    """

    def __init__(self, source: str, special: dict[str, str]):
        self.source = source
        self._special = special
        self._parts: bool | None = None
        self._supports_tools: bool | None = None

    @property
    def supports_tools(self) -> bool:
        """Does the template tell the model of tools? Found out by showing it one."""
        if self._supports_tools is None:
            question = [{"role": "user", "content": "Hello"}]
            try:
                self._supports_tools = self._tells_of(question, _EXAMPLE)
            except CourseError:
                self._supports_tools = False
        return self._supports_tools

    def render(self, messages: Sequence[Message], tools: Sequence[ToolSchema] | None = None) -> str:
        """The prompt for these messages, ending where the assistant's reply begins.

        tools: what the model may call, in OpenAI's form.

        Raises PromptError where the template refuses or drops a message or fails on it,
        NotSupportedError where there are tools and it has no place for them, and ModelFileError
        where it cannot be read or does not come to an end.
        """
        messages, tools = without_thinking(as_messages(messages)), as_tools(tools)
        text = self._text(messages, tools)
        self._check_nothing_dropped(messages, tools, text)
        if tools and not self._tells_of(messages, tools):
            raise NotSupportedError(
                "This model's chat template does not tell the model of tools.",
                "Describe the tools in a system message, or take a model that was trained to "
                "call tools, such as QwQ-32B.",
            )
        return text

    def tokenize(
        self,
        messages: Sequence[Message],
        tokenize: Callable[[str, bool], list[int]],
        tools: Sequence[ToolSchema] | None = None,
        *,
        text: str | None = None,
    ) -> list[int]:
        """Tokens of exactly what ``render`` gives, with control tokens in the template's text only.

        text: what ``render`` has given for these messages and tools, if that is at hand.

        A user who types ``<|im_end|>`` must not end the message.  So where a message holds such a
        text, its borders are marked while the template runs, and what lies between the marks is
        tokenised as plain text.  ``tokenize(text, special)`` gives token ids.

        Raises PromptError as ``render`` does, and where a template computes with a message that
        holds a control token, so that its borders are lost.
        """
        if text is None:
            text = self.render(messages, tools)
        messages, tools = as_messages(messages), as_tools(tools)
        # Control tokens in a message are rare.  Without any, the whole text in one piece is what
        # the model was trained on: pieces would cut words, and gain spaces, at their borders.
        if not _has_control("\n".join(texts_in([messages, tools])), tokenize):
            return tokenize(text, True)
        marks = [mark for mark in _NONCHARACTERS if mark not in text][:2]
        if len(marks) == 2:
            start, end = marks
            messages = without_thinking(messages)

            def mark(leaf: str) -> str:
                return _wrap(leaf, start, end) if _has_control(leaf, tokenize) else leaf

            marked = self._text(_mapped(messages, mark), _mapped(tools, mark))
            pieces = _between(marked, start, end)
            if pieces is not None and "".join(piece for piece, _ in pieces) == text:
                return [
                    token
                    for piece, plain in pieces
                    if piece
                    for token in tokenize(piece, not plain)
                ]
        raise PromptError(
            "A message holds a control token, such as <|im_end|>, and this model's chat template "
            "computes with the text, so the token could end the message.",
            "Write the token in another way, for example with a space in it.",
        )

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


_EXAMPLE = [
    {
        "type": "function",
        "function": {
            "name": "look_up_word",
            "description": "Look a word up.",
            "parameters": {
                "type": "object",
                "properties": {"word": {"type": "string", "description": "The word."}},
                "required": ["word"],
            },
        },
    }
]


def _check_tool_calls(message: Message) -> None:
    calls = message["tool_calls"]
    functions = [
        call.get("function", call) if isinstance(call, Mapping) else None
        for call in (calls if isinstance(calls, list | tuple) else [None])
    ]
    for function in functions:
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise PromptError(
                f"These are not tool calls: {calls!r}.",
                'Give a list such as [{"type": "function", "function": {"name": "add", '
                '"arguments": {"a": 1}}}].',
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


def texts_in(data: object) -> Iterator[str]:
    """All texts in nested plain data, keys included."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        yield from itertools.chain.from_iterable(map(texts_in, itertools.chain(*data.items())))
    elif isinstance(data, list | tuple):
        yield from itertools.chain.from_iterable(map(texts_in, data))


def _mapped(data, change: Callable[[str], str]):
    """Nested plain data with each of its texts changed."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, Mapping):
        return {_mapped(key, change): _mapped(value, change) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_mapped(value, change) for value in data]
    return data


def _has_control(text: str, tokenize: Callable[[str, bool], list[int]]) -> bool:
    return bool(text) and tokenize(text, True) != tokenize(text, False)


def _wrap(text: str, start: str, end: str) -> str:
    """The text between marks, which stand inside its outer white space: templates often trim."""
    core = text.strip()
    left = text.index(core)
    return f"{text[:left]}{start}{core}{end}{text[left + len(core) :]}"


def _between(marked: str, start: str, end: str) -> list[tuple[str, bool]] | None:
    """The pieces outside (False) and inside (True) pairs of marks; None where they do not pair."""
    first, *rest = marked.split(start)
    pieces = [(first, False)]
    for part in rest:
        inside, found, outside = part.partition(end)
        if not found:
            return None
        pieces += [(inside, True), (outside, False)]
    return None if any(end in piece for piece, _ in pieces) else pieces
