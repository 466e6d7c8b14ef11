"""QwQ-32B's tokenizer, without the 20 GB of its weights.

Its vocabulary comes with the course: ``qwq_tokenizer``.  For other models, a GGUF file begins with
its header, and the header holds the vocabulary and the merges.  So the first megabytes of the file,
read over the network, are enough to rebuild the tokenizer with the ``tokenizers`` library.  It
gives the same numbers as llama.cpp does with the whole file.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache, partial

from gguf.constants import TokenType
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from course_utils.download import RetryPolicy, describe_remote, find_downloaded, read_range
from course_utils.engines.protocol import Token
from course_utils.engines.word_splitting import QWEN2_SPLIT
from course_utils.errors import ModelFileError, NotSupportedError
from course_utils.model_files.catalogue import find_file
from course_utils.model_files.gguf_header import GgufHeader, damaged, parse_header, read_header
from course_utils.model_files.qwen_vocabulary import letter_of_byte, qwen_vocabulary
from course_utils.units import MIB

READ_AT_ONCE = 4 * MIB
"""Bytes per request. A header with QwQ's vocabulary takes between one and two of these."""

IMPATIENT = RetryPolicy(attempts=2, timeout_seconds=10.0)
"""For a notebook: without a network, say so after seconds rather than minutes."""

# QwQ, and the Qwen models distilled from DeepSeek-R1, which llama.cpp cuts by the same expression.
_QWEN2_NAMES = ("qwen2", "deepseek-r1-qwen")


@cache
def qwq_tokenizer() -> Tokenizer:
    """QwQ-32B's own tokenizer, from the vocabulary that comes with the course: no network needed.

    Qwen3's models share it. Raises ModelFileError where the shipped file is missing or damaged.
    """
    vocabulary = qwen_vocabulary()
    return _build(vocabulary.tokens, vocabulary.kinds, vocabulary.merges)


def fetch_tokenizer(model: str = "qwq-32b", *, retry: RetryPolicy = IMPATIENT) -> Tokenizer:
    """The tokenizer of a model in the catalogue, from its file on the hub or on this machine.

    Raises DownloadError if the hub cannot be reached, ModelFileError if what it sends is damaged,
    OptionError for a name that the catalogue lacks, and NotSupportedError for other tokenizers.
    """
    return tokenizer_from_header(fetch_header(model, retry=retry))


def fetch_header(model: str = "qwq-32b", *, retry: RetryPolicy = IMPATIENT) -> GgufHeader:
    """The GGUF header of a model in the catalogue, read without its weights. Raises as above."""
    file = find_file(model)
    here = find_downloaded(file.repository, file.name, revision=file.revision, sha256=file.sha256)
    if here is not None:
        return read_header(here)
    remote = describe_remote(file.repository, file.name, revision=file.revision, retry=retry)
    # The commit is fixed, so that two requests cannot read from two versions of the file.
    commit = remote.commit or file.revision
    read = partial(read_range, file.repository, file.name, revision=commit, retry=retry)
    with io.BufferedReader(_RemoteBytes(read, remote.size), READ_AT_ONCE) as start:
        return parse_header(start, file.name, remote.size)


def tokenizer_from_header(header: GgufHeader) -> Tokenizer:
    """Rebuild the tokenizer that a GGUF header describes.

    Unlike Qwen's own, it does not apply Unicode's NFC first, since llama.cpp does not either.
    Raises NotSupportedError unless it cuts texts as QwQ's does, ModelFileError for a damaged one.
    """
    metadata = header.metadata
    kind, split = (metadata.get(f"tokenizer.ggml.{key}") for key in ("model", "pre"))
    if kind != "gpt2" or split not in _QWEN2_NAMES:
        raise NotSupportedError(
            f"{header.path} has a tokenizer of another kind ({kind}, {split}) than QwQ's.",
            "Open the whole model with open_model() and use its tokenize().",
        )
    tokens = _list_of(header, "tokens", str)
    kinds = _list_of(header, "token_type", int)
    merges = [tuple(merge.split(" ", 1)) for merge in _list_of(header, "merges", str)]
    if len(kinds) != len(tokens) or len(set(tokens)) != len(tokens):
        raise damaged(header.path, "its list of tokens is not a vocabulary")
    try:
        return _build(tokens, kinds, merges)
    except Exception as error:  # the library raises a bare Exception for merges of unknown tokens
        raise damaged(header.path, f"its merges do not fit its tokens ({error})") from None


def _build(
    tokens: Sequence[str], kinds: Sequence[int], merges: Sequence[tuple[str, str]]
) -> Tokenizer:
    numbers = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(_added(tokens, kinds, TokenType.CONTROL))
    tokenizer.add_tokens(_added(tokens, kinds, TokenType.USER_DEFINED))
    return tokenizer


def tokenize(tokenizer: Tokenizer, text: str) -> list[Token]:
    """The tokens of a text, as an engine's ``tokenize`` gives them."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    added = tokenizer.get_added_tokens_decoder()
    return [
        Token(number, spelling.encode() if number in added else _bytes_of(spelling))
        for number, spelling in zip(encoding.ids, encoding.tokens, strict=True)
    ]


class _RemoteBytes(io.RawIOBase):
    """A file on the hub as a stream that asks for bytes only when they are read."""

    def __init__(self, read, size: int):
        self._read = read  # (start, length) -> bytes
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = (0, self._position, self._size)[whence] + offset
        return self._position

    def readinto(self, buffer) -> int:
        length = min(len(buffer), self._size - self._position)
        data = self._read(self._position, length) if length > 0 else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _list_of(header: GgufHeader, key: str, kind: type) -> list:
    values = header.metadata.get(f"tokenizer.ggml.{key}")
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise ModelFileError(
            f"{header.path} holds no tokenizer: its list of {key} is missing.",
            "Choose a file that was made for llama.cpp, such as those in models/catalogue.toml.",
        )
    return values


def _added(tokens: Sequence[str], kinds: Sequence[int], wanted: TokenType) -> list[AddedToken]:
    return [
        AddedToken(token, special=wanted == TokenType.CONTROL, normalized=False)
        for token, kind in zip(tokens, kinds, strict=True)
        if kind == wanted
    ]


def _bytes_of(spelling: str) -> bytes:
    letters = _byte_of_letter()
    return bytes(letters[letter] for letter in spelling)


@cache
def _byte_of_letter() -> Mapping[str, int]:
    return {letter: byte for byte, letter in letter_of_byte().items()}
