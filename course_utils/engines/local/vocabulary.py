"""The vocabulary of a local model: text to tokens, once the text is one that it can take.

This is the one place where text enters llama.cpp, and so where it is checked: it must be text that
UTF-8 can write, and no longer than the tokenizer and the context can hold.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

import llama_cpp.llama_cpp as C

from course_utils.engines.checks import token_list, whole_number
from course_utils.engines.local.library import Handle
from course_utils.engines.messages import encoded
from course_utils.engines.protocol import Token
from course_utils.errors import MachineError, PromptError
from course_utils.units import MIB

LONGEST_TEXT = 1_000_000
"""Characters that are split into tokens at once. The longest novels have more, no prompt does."""

# Many pre-tokenizers of llama.cpp ("tekken", "gpt-4o", "deepseek-llm" ...) run std::regex, which
# calls itself once for each character of a run without a break: 320 to 404 bytes of stack each,
# measured for letters, Chinese, points and blanks alike; past the stack's end the process ends
# (llama.cpp's issues 15594, 21919, 26965 and 27783).
_STACK_BYTES_PER_CHARACTER = 1024
_STACK_BYTES_TO_SPARE = MIB

LONGEST_PREAMBLE = 64
"""Tokens at a prompt's start among which a template's own beginning-of-text token may stand."""

# So much text fits the stack that any thread has, with a factor of more than ten.
_SHORT_TEXT = 1000

_stack_size = threading.Lock()

Result = TypeVar("Result")


class Vocabulary:
    """The tokens of an open model. ``model``: the handle that keeps its pointer alive."""

    def __init__(self, model: Handle):
        self._model = model
        with model as pointer:
            self._pointer = C.llama_model_get_vocab(pointer)
            self.size = C.llama_vocab_n_tokens(self._pointer)
            adds = C.llama_vocab_get_add_bos(self._pointer)
            guesses = {C.llama_vocab_bos(self._pointer), C.llama_vocab_eos(self._pointer)}
            beginning = self._meant(pointer, "bos", C.llama_vocab_bos(self._pointer))
            end = self._meant(pointer, "eos", C.llama_vocab_eos(self._pointer))
            self.end_tokens = frozenset(
                token
                for token in range(self.size)
                if C.llama_vocab_is_eog(self._pointer, token)
                and (token not in guesses or token in (beginning, end))
            )
        self.beginning = beginning if adds else None
        self._look_up = functools.partial(_bytes_of, model, self._pointer)
        self.bytes_of = functools.cache(self._look_up)
        """The bytes that a token stands for; control tokens give their name."""
        self.special = {"bos_token": self._name(beginning), "eos_token": self._name(end)}
        """The special tokens that chat templates use, by the names they use."""

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Token ids of a text; with ``special``, control tokens written in it are recognised.

        Raises PromptError for a text that is too long or that UTF-8 cannot write.
        """
        if len(text) > LONGEST_TEXT:
            raise PromptError(
                f"The text has {len(text):,} characters, too many to split into tokens at once.",
                f"Give it in parts of at most {LONGEST_TEXT:,} characters.",
            )
        data = encoded(text)
        if len(text) <= _SHORT_TEXT:
            return self._tokenize(data, special)
        stack = _STACK_BYTES_TO_SPARE + _STACK_BYTES_PER_CHARACTER * len(text)
        return _on_a_stack_of(stack, lambda: self._tokenize(data, special))

    def _tokenize(self, data: bytes, special: bool) -> list[int]:
        room = len(data) + 8
        while True:
            ids = (C.llama_token * room)()
            with self._model:
                count = C.llama_tokenize(self._pointer, data, len(data), ids, room, False, special)
            if count >= 0:
                return ids[:count]
            room = -count

    def with_beginning(self, tokens: list[int]) -> list[int]:
        """A prompt as the model expects it: one beginning-of-text token first, if it wants one.

        Chat templates often write it themselves, some twice, some after a blank line or the mark
        that editors put before a file; a second one would spoil the prompt.
        """
        if self.beginning is None:
            return tokens
        start = 0
        for place, token in enumerate(tokens[:LONGEST_PREAMBLE]):
            if token == self.beginning and self._is_blank(tokens[start:place]):
                start = place + 1
        return [self.beginning, *tokens[start:]]

    def _is_blank(self, tokens: list[int]) -> bool:
        text = b"".join(map(self.bytes_of, tokens)).decode("utf-8", errors="replace")
        return not text.replace("\ufeff", "").strip()

    @functools.cached_property
    def controls(self) -> frozenset[str]:
        """The control tokens, as they are written: what no text of a user may be read as."""
        hidden = C.LLAMA_TOKEN_ATTR_CONTROL | C.LLAMA_TOKEN_ATTR_UNKNOWN
        with self._model:
            tokens = [
                token
                for token in range(self.size)
                if C.llama_vocab_get_attr(self._pointer, token) & hidden
            ]
        return frozenset(filter(None, map(self._name, tokens)))

    @functools.cached_property
    def longest(self) -> int:
        """The most bytes that one token stands for."""
        return max(len(self._look_up(token)) for token in range(self.size))

    def text_of(self, tokens: Iterable[Token | int]) -> str:
        """The text of these tokens. Raises OptionError for one outside the vocabulary."""
        limit = {"most": self.size - 1, "limit": "the numbers of this model's tokens"}
        numbers = [t.id if isinstance(t, Token) else t for t in token_list(tokens)]
        ids = [whole_number("token", number, 0, **limit) for number in numbers]
        return b"".join(map(self.bytes_of, ids)).decode("utf-8", errors="replace")

    def _meant(self, model: C.llama_model_p, name: str, token: int) -> int | None:
        """A special token by llama.cpp's word, unless that is a guess about a file without one.

        The guess is the number that Falcon's vocabulary has for it, a comma in Qwen's.
        """
        if not 0 <= token < self.size:
            return None
        written = ctypes.create_string_buffer(16)
        key = f"tokenizer.ggml.{name}_token_id".encode()
        C.llama_model_meta_val_str(model, key, written, len(written))
        named = written.value == str(token).encode()
        return token if named or C.llama_vocab_is_control(self._pointer, token) else None

    def _name(self, token: int | None) -> str:
        return "" if token is None else self.bytes_of(token).decode("utf-8", errors="replace")


def _bytes_of(model: Handle, vocabulary: C.llama_vocab_p, token: int) -> bytes:
    room = 64
    while True:
        buffer = ctypes.create_string_buffer(room)
        with model:
            count = C.llama_token_to_piece(vocabulary, token, buffer, room, 0, True)
        if count >= 0:
            return buffer.raw[:count]
        room = -count


def _on_a_stack_of(size: int, work: Callable[[], Result]) -> Result:
    """Do some work in a thread with so many bytes of stack, which cost nothing until used."""
    results: list[Result] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=run, daemon=True)
    with _stack_size:  # the size is a setting of the whole process
        before = threading.stack_size(size)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            raise MachineError(
                f"This machine has no {size / MIB:.0f} MiB for splitting so long a text.",
                "Close other programs, or give a shorter text.",
            ) from None
        finally:
            threading.stack_size(before)
    thread.join()
    if problems:
        raise problems[0]
    return results[0]
