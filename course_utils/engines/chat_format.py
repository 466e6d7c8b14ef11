"""How do messages become the one text that a model continues? Through the file's chat template.

The template is a small Jinja program stored in the GGUF.  It comes with the file, so it is
untrusted: it runs in Jinja's sandbox, which gives it no access to Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from course_utils.engines.protocol import Message
from course_utils.engines.thinking import without_thinking
from course_utils.errors import ModelFileError, PromptError

ROLES = ("system", "user", "assistant")

# Stands for a message's text while the template runs. Private-use characters occur in no language.
_PLACEHOLDER = "\ue000{}\ue001"
_PLACEHOLDERS = re.compile("(\ue000\\d+\ue001)")


def as_messages(messages: str | Sequence[Message]) -> list[Message]:
    """Check a conversation; a plain string becomes one message from the user.

    Raises PromptError where a role or text is missing, or there is nothing to answer.
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    example = 'Give a question as text, or messages such as {"role": "user", "content": "Hello"}.'
    if not isinstance(messages, Sequence) or not messages:
        raise PromptError("There is no message to answer.", example)
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise PromptError(
                f"This is not a chat message with a role: {message!r}.",
                f"Use one of the roles {', '.join(ROLES)}. {example}",
            )
        if not isinstance(message.get("content"), str):
            raise PromptError(f"The content of this message is not text: {message!r}.", example)
    if not messages[-1]["content"].strip():
        raise PromptError("The last message is empty.", "Write a question into it.")
    return list(messages)


class ChatFormat:
    """A model's chat template, ready to use.

    ``source``: the Jinja template; ``special``: names for the template such as ``eos_token``.
    Raises ModelFileError where the template is broken.
    """

    def __init__(self, source: str, special: dict[str, str]):
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self.source = source
        self._special = special
        self._template_error = TemplateError
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise ModelFileError(
                f"The model's chat template cannot be read: {error}.",
                "Use complete() with a prompt of your own, or another copy of the model.",
            ) from None

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt for these messages, ending where the assistant's reply begins."""
        try:
            return self._template.render(
                messages=without_thinking(messages),
                add_generation_prompt=True,
                # QwQ's template switches thinking off where this is missing.
                enable_thinking=True,
                **self._special,
            )
        except (self._template_error, ValueError, TypeError) as error:
            raise PromptError(
                f"The model's chat template refuses this conversation: {error}.",
                "Most templates want at most one system message, first, and then user and "
                "assistant in turn.",
            ) from None

    def tokenize(
        self, messages: Sequence[Message], tokenize: Callable[[str, bool], list[int]]
    ) -> list[int]:
        """Tokens of the prompt, with control tokens recognised in the template's text only.

        A user who types ``<|im_end|>`` must not end the message.  So the template is rendered with
        placeholders, and what the messages say is tokenised as plain text.
        ``tokenize(text, special)`` gives token ids.
        """
        marked = [
            {**message, "content": _PLACEHOLDER.format(number)}
            for number, message in enumerate(messages)
        ]
        parts = _PLACEHOLDERS.split(self.render(marked))
        contents = {
            _PLACEHOLDER.format(number): message["content"]
            for number, message in enumerate(without_thinking(messages))
        }
        if sorted(parts[1::2]) != sorted(contents):
            # This template repeats, drops or computes with the texts, so only a plain rendering
            # is true to it.
            return tokenize(self.render(messages), True)
        return [
            token
            for part in parts
            if part
            for token in tokenize(contents.get(part, part), part not in contents)
        ]


def _refuse(message: str) -> None:
    raise ValueError(message)
