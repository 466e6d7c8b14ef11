"""The check of a model file's vocabulary, which llama.cpp must be able to work with.

The rules follow llama.cpp's ``llama_vocab::impl::load`` and its tokenizers (commit 0c1e57098, as
shipped in llama-cpp-python 0.3.36).
"""

from __future__ import annotations

from course_utils.errors import ModelFileError
from course_utils.model_files.gguf_header import GgufHeader, damaged

# Token types (llama.h, enum llama_token_type).
_TOKEN_BYTE = 6
_TOKEN_TYPES = range(7)

# Tokenizers that llama.cpp has (the values of tokenizer.ggml.model) and that write text.
_BYTE_PAIR = ("gpt2", "gemma4", "hybriddna", "whitespace")
TOKENIZERS = (*_BYTE_PAIR, "llama", "rwkv", "plamo2")
# Without one of the first two, nothing would end a reply, or begin it; llama.cpp puts a default in
# the place of every number outside the vocabulary, and 2**32 - 1 (-1) means that there is none.
_NEEDED_IDS = ("bos", "eos")
_OTHER_IDS = (
    *("eot", "eom", "unknown", "seperator", "padding", "mask"),
    *("fim_pre", "fim_suf", "fim_mid", "fim_pad", "fim_rep", "fim_sep"),
    *("prefix", "suffix", "middle"),
)
_NO_TOKEN = 2**32 - 1


def check_vocabulary(header: GgufHeader) -> None:
    """Raise ModelFileError where the vocabulary contradicts itself, or is of an unknown kind."""
    metadata, path = header.metadata, header.path
    kind = metadata.get("tokenizer.ggml.model")
    if kind not in TOKENIZERS:
        raise ModelFileError(
            f"{path} has the tokenizer {kind!r}, which this course cannot use."
            if kind
            else f"{path} has no tokenizer (the key tokenizer.ggml.model is missing).",
            "Choose a model that writes text, such as Qwen's, Llama's or Gemma's, or download this "
            "one again.",
        )
    tokens = metadata.get("tokenizer.ggml.tokens")
    if header.types.get("tokenizer.ggml.tokens") != "ARRAY[STRING]" or not tokens:
        raise damaged(path, "it has no list of tokens (tokenizer.ggml.tokens)")
    _check_all_differ(header, tokens)
    rows = header.tensor("token_embd.weight").shape[0]
    if rows != len(tokens):
        raise damaged(path, f"it has {len(tokens):,} tokens, but an embedding matrix for {rows:,}")
    types = _token_list(header, "token_type", ("ARRAY[INT32]",), len(tokens))
    if types and not set(types) <= set(_TOKEN_TYPES):
        raise damaged(path, "one of its tokens has a type that does not exist")
    _token_list(header, "scores", ("ARRAY[FLOAT32]", "ARRAY[INT32]"), len(tokens))
    _check_token_texts(header, tokens, types)
    # Kimi-K2's tokenizer does without merges.
    if kind in _BYTE_PAIR and metadata.get("tokenizer.ggml.pre") != "kimi-k2":
        _check_merges(header)
    for name in (*_NEEDED_IDS, *_OTHER_IDS):
        key = f"tokenizer.ggml.{name}_token_id"
        number = metadata.get(key)
        if number is not None and (
            header.types[key] != "UINT32"
            or (name in _NEEDED_IDS and len(tokens) <= number != _NO_TOKEN)
        ):
            raise damaged(
                path, f"{key} is {number!r}, which is not one of its {len(tokens):,} tokens"
            )
    for key in ("add_bos_token", "add_eos_token", "add_sep_token", "add_space_prefix"):
        if header.types.get(f"tokenizer.ggml.{key}", "BOOL") != "BOOL":
            raise damaged(path, f"tokenizer.ggml.{key} is neither true nor false")


def _check_all_differ(header: GgufHeader, tokens: list[str]) -> None:
    """llama.cpp names an empty token after its number, and asserts that all tokens differ."""
    named = [token or f"[EMPTY_{number}]" for number, token in enumerate(tokens)]
    if len(set(named)) == len(named):
        return
    first_at: dict[str, int] = {}
    for number, token in enumerate(named):
        first = first_at.setdefault(token, number)
        if first != number:
            raise ModelFileError(
                f"{header.path} has two tokens with the same text: {token!r} is number {first:,} "
                f"and number {number:,} of {len(tokens):,}. llama.cpp ends at such a vocabulary.",
                "Take the model from another publisher, who has converted it anew. If this file "
                "worked before, it is damaged: download it again.",
            )


def is_usual(header: GgufHeader) -> bool:
    """Is it of the two kinds whose rules are known here in full?"""
    return header.metadata["tokenizer.ggml.model"] in ("gpt2", "llama")


def _token_list(
    header: GgufHeader, name: str, allowed: tuple[str, ...], length: int
) -> list | None:
    """The list that gives every token a type or score, if the file has it."""
    key = f"tokenizer.ggml.{name}"
    values = header.metadata.get(key)
    if values is not None and (header.types[key] not in allowed or len(values) < length):
        raise damaged(header.path, f"{key} does not have one number for each of {length:,} tokens")
    return values


def _check_token_texts(header: GgufHeader, tokens: list[str], types: list[int] | None) -> None:
    if not is_text("".join(tokens)):
        raise damaged(header.path, "the text of one of its tokens is not valid UTF-8")
    for token, kind in zip(tokens, types or (), strict=False):
        # llama.cpp reads the byte's number from the third character on.
        if kind == _TOKEN_BYTE and not (
            len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        ):
            raise damaged(header.path, f"the token {token!r} is said to be a byte, but names none")
    if header.metadata["tokenizer.ggml.model"] == "llama":
        # Text that no other token covers falls back to these; llama.cpp needs them all.
        missing = {f"<0x{byte:02X}>" for byte in range(256)} - set(tokens)
        if missing:
            raise damaged(header.path, f"its tokenizer lacks the byte {sorted(missing)[0]}")


def _check_merges(header: GgufHeader) -> None:
    """Byte-pair merges are pairs of texts, separated by the first space after the start."""
    key = "tokenizer.ggml.merges"
    if header.types.get(key) != "ARRAY[STRING]":
        raise damaged(header.path, f"it has no list of merges ({key})")
    for number, merge in enumerate(header.metadata[key]):
        if merge.find(" ", 1) < 1 or merge.endswith(" "):
            raise damaged(header.path, f"merge {number:,} of its tokenizer, {merge!r}, is no pair")


def is_text(text: str) -> bool:
    """Was this valid UTF-8? ``read_header`` keeps bytes that were not as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
