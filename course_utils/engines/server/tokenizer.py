"""QwQ-32B's tokenizer, without the 20 GB of its weights: its vocabulary comes with the course.

It gives the same numbers as llama.cpp does with the whole file.  Unlike Qwen's own, it does not
apply Unicode's NFC first, since llama.cpp does not either.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from gguf.constants import TokenType
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from course_utils.engines.protocol import Token
from course_utils.engines.word_splitting import QWEN2_SPLIT
from course_utils.model_files.qwen_vocabulary import letter_of_byte, qwen_vocabulary


@cache
def qwq_tokenizer() -> Tokenizer:
    """QwQ-32B's own tokenizer, from the vocabulary that comes with the course: no network needed.

    Qwen3's models share it. Raises ModelFileError where the shipped file is missing or damaged.
    """
    vocabulary = qwen_vocabulary()
    numbers = {token: number for number, token in enumerate(vocabulary.tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=list(vocabulary.merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    added = {
        wanted: [
            AddedToken(token, special=wanted == TokenType.CONTROL, normalized=False)
            for token, kind in zip(vocabulary.tokens, vocabulary.kinds, strict=True)
            if kind == wanted
        ]
        for wanted in (TokenType.CONTROL, TokenType.USER_DEFINED)
    }
    tokenizer.add_special_tokens(added[TokenType.CONTROL])
    tokenizer.add_tokens(added[TokenType.USER_DEFINED])
    return tokenizer


def tokenize(tokenizer: Tokenizer, text: str) -> list[Token]:
    """The tokens of a text, as an engine's ``tokenize`` gives them."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    added = tokenizer.get_added_tokens_decoder()
    return [
        Token(number, spelling.encode() if number in added else _bytes_of(spelling))
        for number, spelling in zip(encoding.ids, encoding.tokens, strict=True)
    ]


def _bytes_of(spelling: str) -> bytes:
    letters = _byte_of_letter()
    return bytes(letters[letter] for letter in spelling)


@cache
def _byte_of_letter() -> Mapping[str, int]:
    return {letter: byte for byte, letter in letter_of_byte().items()}
