"""Which tokens does QwQ-32B know? Its whole vocabulary, shipped with the course.

The file lists the tokens by rank: the 256 bytes first, then each token that byte-pair encoding
joined, in the order in which it did.  From the order alone follow the merges: a token's two parts
are what is left of it when every join that came before it has been made.  Working that out takes
seconds, so a second file says where each token is joined; this module, run as a program, writes it.
See ``models/tokenizer/README.md`` for their origin and licence.
"""

from __future__ import annotations

import base64
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from gguf.constants import TokenType

from course_utils import command_line
from course_utils.errors import ModelFileError
from course_utils.paths import models_folder

WORDS, PLACES = "qwen.tiktoken.xz", "qwen.places.xz"

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
    """QwQ-32B's vocabulary, 151,669 tokens. Takes about a second the first time.

    Raises ModelFileError where a shipped file is missing or damaged.
    """
    words = _ranked_tokens()
    # Latin-1 gives each byte one letter, and ``translate`` the visible one.
    spelled = [word.decode("latin-1").translate(letter_of_byte()) for word in words]
    joined = [word for word in spelled if len(word) > 1]
    places = _shipped_places(len(joined))
    kinds = [TokenType.NORMAL] * len(words)
    kinds += [TokenType.CONTROL] * len(_CONTROL) + [TokenType.USER_DEFINED] * len(_SHOWN)
    return Vocabulary(
        tokens=[*spelled, *_CONTROL, *_SHOWN],
        kinds=kinds,
        merges=[(word[:at], word[at:]) for word, at in zip(joined, places, strict=True)],
    )


def joining_places() -> bytes:
    """Worked out from the order of the tokens: how long the first part of each joined one is."""
    words = _ranked_tokens()
    ranks = {word: rank for rank, word in enumerate(words)}
    return bytes(
        len(_parts(word, rank, ranks)[0]) for rank, word in enumerate(words) if len(word) > 1
    )


def _ranked_tokens() -> list[bytes]:
    with _shipped(WORDS) as file:
        pairs = [line.split() for line in file]
        words = [base64.b64decode(word) for word, _ in pairs]
        if [int(rank) for _, rank in pairs] != list(range(len(pairs))):
            raise ValueError("the ranks are not in order")
    return words


def _shipped_places(count: int) -> bytes:
    with _shipped(PLACES) as file:
        places = file.read()
        if len(places) != count or 0 in places:
            raise ValueError("it does not belong to these tokens")
    return places


@contextmanager
def _shipped(name: str) -> Iterator[lzma.LZMAFile]:
    """A file of ``models/tokenizer``; whatever is wrong with it becomes one ModelFileError."""
    try:
        with lzma.open(models_folder() / "tokenizer" / name) as file:
            yield file
    except (OSError, ValueError, lzma.LZMAError, EOFError) as error:
        raise ModelFileError(
            f"models/tokenizer/{name} cannot be read ({error}).",
            "'git checkout -- models/tokenizer' brings it back.",
        ) from error


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


def main() -> None:
    command_line.refuse_arguments(__doc__)
    (models_folder() / "tokenizer" / PLACES).write_bytes(lzma.compress(joining_places()))


if __name__ == "__main__":
    command_line.start(main)
