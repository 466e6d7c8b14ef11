"""Which tokens does QwQ-32B know? Its whole vocabulary, shipped with the course.

The file lists the tokens by rank: the 256 bytes first, then each token that byte-pair encoding
joined, in the order in which it did.  From the order alone follow the merges: a token's two parts
are what is left of it when every join that came before it has been made.  See
``models/tokenizer/README.md`` for the file's origin and licence.
"""

from __future__ import annotations

import base64
import lzma
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from gguf.constants import TokenType

from course_utils.errors import ModelFileError
from course_utils.paths import models_folder

# The tokens that were added by hand, from number 151,643 on. Source: added_tokens.json of
# https://huggingface.co/Qwen/QwQ-32B; those that llama.cpp shows in texts are USER_DEFINED.
_CONTROL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
    *("<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
_SHOWN = (
    *("<tool_call>", "</tool_call>"),
    *("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>"),
    *("<tool_response>", "</tool_response>", "<think>", "</think>"),
)


class Vocabulary(NamedTuple):
    """A vocabulary as GGUF files hold it.

    ``tokens``: each spelled with one visible letter for each byte; ``kinds``: NORMAL, CONTROL or
    USER_DEFINED for each; ``merges``: the two parts of each joined token, in the order of joining.
    """

    tokens: list[str]
    kinds: list[TokenType]
    merges: list[tuple[str, str]]


@cache
def qwen_vocabulary() -> Vocabulary:
    """QwQ-32B's vocabulary, 151,669 tokens. Takes about two seconds the first time.

    Raises ModelFileError where the shipped file is missing or damaged.
    """
    words = _ranked_tokens()
    letters = letter_of_byte()
    ranks = {word: rank for rank, word in enumerate(words)}
    merges = [_parts(word, rank, ranks) for rank, word in enumerate(words) if len(word) > 1]

    def spelled(word: bytes) -> str:
        return "".join(letters[byte] for byte in word)

    added = [*_CONTROL, *_SHOWN]
    kinds = [TokenType.NORMAL] * len(words)
    kinds += [TokenType.CONTROL] * len(_CONTROL) + [TokenType.USER_DEFINED] * len(_SHOWN)
    return Vocabulary(
        tokens=[spelled(word) for word in words] + added,
        kinds=kinds,
        merges=[(spelled(first), spelled(second)) for first, second in merges],
    )


def _ranked_tokens() -> list[bytes]:
    path = models_folder() / "tokenizer" / "qwen.tiktoken.xz"
    try:
        with lzma.open(path) as file:
            pairs = [line.split() for line in file]
        words = [base64.b64decode(word) for word, _ in pairs]
        if [int(rank) for _, rank in pairs] != list(range(len(pairs))):
            raise ValueError("the ranks are not in order")
    except (OSError, ValueError, lzma.LZMAError, EOFError) as error:
        raise ModelFileError(
            f"models/tokenizer/{path.name} cannot be read ({error}).",
            "'git checkout -- models/tokenizer' brings it back.",
        ) from error
    return words


def _parts(word: bytes, rank: int, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens that were joined to this one: join again all that was joined before it."""
    pieces = [word[place : place + 1] for place in range(len(word))]
    while len(pieces) > 2:
        joined = [ranks.get(a + b, rank) for a, b in pairwise(pieces)]
        earliest = min(joined)
        if earliest >= rank:
            raise ModelFileError(
                "models/tokenizer/qwen.tiktoken.xz is damaged: a token has no parts.",
                "'git checkout -- models/tokenizer' brings it back.",
            )
        place = joined.index(earliest)
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
    return pieces[0], pieces[1]


@cache
def letter_of_byte() -> dict[int, str]:
    """Byte-level vocabularies spell each byte as one visible letter: itself, or one from U+0100 on.

    Source: OpenAI's GPT-2, encoder.py, https://github.com/openai/gpt-2.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {
        byte: chr(0x100 + place) for place, byte in enumerate(hidden)
    }
