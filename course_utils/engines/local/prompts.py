"""Prompts: tokens that fit the context, of a text that is no longer than it can be."""

from __future__ import annotations

from dataclasses import dataclass

from course_utils.engines.chat_format import ChatFormat, texts_in
from course_utils.engines.checks import encoded, prompt_text
from course_utils.engines.local.vocabulary import Vocabulary
from course_utils.engines.protocol import Message
from course_utils.errors import PromptError

# Texts of fewer bytes for each token of the context are simply split and counted.
_BYTES_PER_TOKEN_AT_FIRST = 16


@dataclass(frozen=True)
class Prompts:
    """Makes prompts for one vocabulary, of at most ``context`` tokens with the reply."""

    vocabulary: Vocabulary
    context: int

    def of_text(self, text: str) -> list[int]:
        """The tokens of a raw text. Raises PromptError if it is empty, no text, or too long."""
        self.check_length(prompt_text(text))
        return self.fitting(self.vocabulary.tokenize(text, special=True))

    def of_messages(
        self,
        chat_format: ChatFormat,
        messages: list[Message],
        tools: list[dict] | None,
        text: str,
    ) -> list[int]:
        """The tokens of a conversation, which ``text`` renders. Raises PromptError likewise."""
        tokens = chat_format.tokenize(messages, self.vocabulary.tokenize, tools, text=text)
        if not tokens:
            raise PromptError(
                "The model's chat template drops the message: it writes nothing for it.",
                "Use complete() with a prompt of your own, or another copy of the model.",
            )
        return self.fitting(tokens)

    def fitting(self, tokens: list[int]) -> list[int]:
        """The tokens with the beginning-of-text token that the model may want.

        Raises PromptError unless they leave room for a reply.
        """
        prompt = self.vocabulary.with_beginning(tokens)
        if len(prompt) > self.context - 1:
            raise PromptError(
                f"The prompt has {len(prompt):,} tokens, but the context holds "
                f"{self.context:,}, reply included.",
                "Shorten the prompt, or open the model with a larger context: "
                f"open_model(..., context={2 * len(prompt)}).",
            )
        return prompt

    def check_lengths(self, *data: object) -> None:
        """``check_length`` for every text in nested plain data."""
        for text in texts_in(data):
            self.check_length(text)

    def check_length(self, text: str) -> None:
        """Refuse, before it is split, a text that has too many bytes whatever its tokens are.

        Raises PromptError.
        """
        size = len(encoded(text))
        if size <= self.context * _BYTES_PER_TOKEN_AT_FIRST:
            return
        if size > self.context * self.vocabulary.longest:
            raise PromptError(
                f"The text has {len(text):,} characters, more than the context of "
                f"{self.context:,} tokens can hold.",
                "Shorten it, or open the model with a larger context.",
            )
