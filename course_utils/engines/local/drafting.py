"""Who proposes the tokens that a model checks several at a time?

A draft guesses how the text goes on: a small model of the same vocabulary, or a look at what came
after the same words earlier on.  It may guess badly, which costs time and changes nothing: what
becomes of its guesses stands in ``speculation``.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from course_utils.engines.checks import shown_path
from course_utils.engines.local.opening import Opened, open_file
from course_utils.engines.local.options import LOOKUP, LocalOptions
from course_utils.engines.local.vocabulary import Vocabulary
from course_utils.errors import NotSupportedError, OptionError

LEAST_PROBABILITY = 0.5
"""A draft model stops proposing where it gives its own best token less than this: the model would
reject such a token about as often as not, and checking it is not free on a processor."""

LONGEST_MATCH, SHORTEST_MATCH = 4, 2
"""So many last tokens are looked up in the text: the most first, since they say the most."""

SAME_TOKENS = 0.95
"""The share of two vocabularies that must agree. Qwen's models of one family differ in some hundred
special and padding tokens (llama.cpp's pull request 2926 allows as much)."""


class Draft(Protocol):
    """What proposes tokens."""

    def propose(
        self, text: list[int], most: int, stopping: threading.Event | None = None
    ) -> list[int]:
        """At most so many tokens that may follow the text; none where it has no idea."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...


class LookupDraft:
    """Proposes what followed the same few tokens the last time: for texts that repeat themselves.

    It needs no second model. Source: github.com/apoorvumang/prompt-lookup-decoding.
    """

    def propose(
        self, text: list[int], most: int, stopping: threading.Event | None = None
    ) -> list[int]:
        for length in range(LONGEST_MATCH, SHORTEST_MATCH - 1, -1):
            if len(text) <= length or most < 1:
                continue
            wanted, last = text[-length:], text[-1]
            for end in range(len(text) - 1, length - 1, -1):
                if text[end - 1] == last and text[end - length : end] == wanted:
                    return text[end : end + most]
        return []

    def close(self) -> None:
        pass


class ModelDraft:
    """Proposes what a small model would write, as long as that one is sure."""

    def __init__(self, path: Path, target: Opened, *, options: LocalOptions, small_bytes: int):
        # It reads what the target reads: the same context, and the same share of the machine.
        mine = replace(
            options, draft=None, yarn=None, yarn_trained=None, repack=None, gpu_layers=None
        )
        self._opened = open_file(
            path,
            name=None,
            options=mine,
            small_bytes=small_bytes,
            context=target.cache.context.size,
            in_use=target.loading.need.weights,
        )
        try:
            _refuse_other_vocabulary(target.model.vocabulary, self._opened.model.vocabulary, path)
        except BaseException:
            self._opened.close()
            raise
        self._cache = self._opened.cache
        self._known = self._opened.model.vocabulary.size

    def propose(
        self, text: list[int], most: int, stopping: threading.Event | None = None
    ) -> list[int]:
        cache, proposed = self._cache, []
        most = min(most, cache.context.size - len(text))
        if most < 1 or max(text) >= self._known:
            return []
        cache.read(text, stopping)
        while True:
            logits = cache.context.logits()
            token = int(logits.argmax())
            if 1 / np.exp(logits - logits[token]).sum() < LEAST_PROBABILITY:
                return proposed
            proposed.append(token)
            if len(proposed) == most:
                return proposed
            cache.append(token, stopping)

    def close(self) -> None:
        self._opened.close()


def open_draft(target: Opened, *, options: LocalOptions, small_bytes: int) -> Draft | None:
    """The draft that ``options`` ask for, beside a loaded model; None where they ask for none.

    Raises NotSupportedError for a model that cannot take back what it has read, OptionError for a
    draft of another vocabulary, and whatever opening its file raises.
    """
    if options.draft is None:
        return None
    if target.model.recurrent:
        raise NotSupportedError(
            "This model keeps a running summary of its text and cannot take back rejected tokens.",
            "Open it without a draft.",
        )
    if options.draft == LOOKUP:
        return LookupDraft()
    return ModelDraft(Path(options.draft), target, options=options, small_bytes=small_bytes)


def _refuse_other_vocabulary(target: Vocabulary, draft: Vocabulary, path: Path) -> None:
    size = min(target.size, draft.size)
    same = sum(target.bytes_of(token) == draft.bytes_of(token) for token in range(size))
    if same < SAME_TOKENS * target.size:
        raise OptionError(
            f"{shown_path(path.name)} cannot draft for this model: of its {target.size:,} tokens "
            f"they share {same:,}.",
            'Take a smaller model of the same family, or draft="lookup", which needs none.',
        )
