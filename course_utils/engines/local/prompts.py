"""Prompts: tokens that fit the context, of a text that is no longer than it can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from course_utils.engines.chat_format import Span
from course_utils.engines.local.vocabulary import Vocabulary
from course_utils.engines.messages import encoded, prompt_text, texts_in
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
        return self.of_spans([Span(text, plain=False)])

    def of_spans(self, spans: Sequence[Span]) -> list[int]:
        """The tokens of a text in spans, with the beginning-of-text token that the model may want.

        Raises PromptError unless they leave room for a reply.
        """
        tokens: list[int] = []
        for span in spans:
            tokens += self.vocabulary.tokenize(span.text, special=not span.plain)
        if not tokens:
            raise PromptError(
                "The text has no tokens: the model's tokenizer drops all of it.",
                "Give the model another text, or take another copy of the model.",
            )
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
        try:
            for text in texts_in(data):
                self.check_length(text)
        except RecursionError:
            raise PromptError(
                "The messages or tools are nested without end.",
                "Build them of texts, numbers, lists and dictionaries that do not hold themselves.",
            ) from None

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
