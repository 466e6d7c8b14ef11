"""Is this model file safe to hand to llama.cpp? Some damaged files make it end the whole process.

llama.cpp refuses most bad files politely, but on some it stops at an assertion (two tokens with the
same text, more experts used than there are), and that takes the notebook's kernel with it.
``check_gguf`` looks for those, and states everything it finds as a problem with a remedy.

The rules follow llama.cpp's ``llama_model_base::load_hparams``, ``llama_vocab::impl::load`` and the
assertions in its graph builders (commit 0c1e57098, as shipped in llama-cpp-python 0.3.36).
"""

from __future__ import annotations

import math
import os

from course_utils.architectures import Architecture
from course_utils.engines.gguf_header import (
    EXPORT_AGAIN,
    GgufHeader,
    GgufTensor,
    damaged,
    read_header,
)
from course_utils.errors import ModelFileError

__all__ = ["GgufHeader", "GgufTensor", "check_gguf"]

COUNTED_FAMILIES = ("qwen2", "qwen3", "qwen2moe", "qwen3moe", "deepseek2")
"""Families whose every tensor ``Architecture`` knows, so that shapes can be compared."""

TRANSFORMER_FAMILIES = (*COUNTED_FAMILIES, "llama")
"""Families whose settings are known to be needed; of others only the common ones are checked."""

# llama.cpp's own limits (llama-hparams.h).
MAX_LAYERS = 512
MAX_EXPERTS = 1024
# Ten times the longest context any model has been published with.
MAX_CONTEXT = 10**8

# Types that hold whole numbers or intermediate results: no matrix of weights is stored in them.
NOT_FOR_WEIGHTS = {"I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K"}

# Of the whole-number settings llama.cpp reads for every model: (key, smallest, largest).
_COUNTS = (
    ("context_length", 1, MAX_CONTEXT),
    ("embedding_length", 1, 2**20),
    ("block_count", 1, MAX_LAYERS),
    ("feed_forward_length", 1, 2**24),
    ("attention.head_count", 1, 2**12),
    ("attention.head_count_kv", 1, 2**12),
    ("attention.key_length", 2, 2**12),
    ("attention.value_length", 1, 2**12),
    ("attention.key_length_mla", 2, 2**12),
    ("attention.value_length_mla", 1, 2**12),
    ("attention.q_lora_rank", 1, 2**16),
    ("attention.kv_lora_rank", 1, 2**16),
    ("attention.sliding_window", 0, MAX_CONTEXT),
    ("rope.dimension_count", 2, 2**12),
    ("rope.scaling.original_context_length", 1, MAX_CONTEXT),
    ("vocab_size", 1, 2**24),
    ("expert_count", 0, MAX_EXPERTS),
    ("expert_used_count", 0, MAX_EXPERTS),
    ("expert_shared_count", 0, MAX_EXPERTS),
    ("expert_feed_forward_length", 1, 2**24),
    ("expert_shared_feed_forward_length", 1, 2**24),
    ("expert_group_count", 0, MAX_EXPERTS),
    ("expert_group_used_count", 0, MAX_EXPERTS),
    ("expert_gating_func", 0, 3),
    ("leading_dense_block_count", 0, MAX_LAYERS),
    ("nextn_predict_layers", 0, MAX_LAYERS),
)
# Settings that some families give as one number per layer.
_PER_LAYER = ("feed_forward_length", "attention.head_count", "attention.head_count_kv")
_FRACTIONS = (
    ("attention.layer_norm_rms_epsilon", 0.0, 0.1),
    ("attention.layer_norm_epsilon", 0.0, 0.1),
    ("rope.freq_base", 1.0, 1e12),
    ("rope.scaling.factor", 0.0, 1e6),
    ("rope.scaling.attn_factor", 0.0, 1e6),
    ("rope.scaling.yarn_log_multiplier", -1e6, 1e6),
    ("expert_weights_scale", 0.0, 1e6),
)
_REQUIRED = (
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
)
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")

# Token types (llama.h, enum llama_token_type).
_TOKEN_NORMAL, _TOKEN_BYTE = 1, 6
_TOKEN_TYPES = range(7)
_SPECIAL_IDS = tuple(
    f"tokenizer.ggml.{name}_token_id"
    for name in (
        *("bos", "eos", "eot", "eom", "unknown", "seperator", "padding", "mask"),
        *("fim_pre", "fim_suf", "fim_mid", "fim_pad", "fim_rep", "fim_sep"),
        *("prefix", "suffix", "middle"),
    )
)


def check_gguf(path: str | os.PathLike) -> GgufHeader:
    """Read a model file's header and make sure that llama.cpp can be trusted with it.

    Reads the header only, never the weights: two milliseconds for a nano model, 0.15 s for a
    vocabulary as large as QwQ-32B's.

    Raises ModelFileError, with the fault and its remedy, where the file is missing, is something
    else, ends too early, or contradicts itself.
    """
    header = read_header(path)
    family = header.architecture
    if not family:
        raise damaged(header.path, "it does not name its architecture (general.architecture)")
    if not family.isascii() or not family.isprintable():
        raise damaged(header.path, f"its architecture is named {family!r}")
    _check_whole(header)
    _check_settings(header)
    if family in TRANSFORMER_FAMILIES:
        _check_transformer(header)
    _check_weight_types(header)
    _check_vocabulary(header)
    if family in COUNTED_FAMILIES:
        _check_shapes(header)
    template = header.metadata.get("tokenizer.chat_template", "")
    if not isinstance(template, str) or not _is_text(template):
        raise damaged(header.path, "its chat template is not text")
    return header


def _check_whole(header: GgufHeader) -> None:
    """Is this a whole language model, rather than one part of one?"""
    parts = header.metadata.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        number = header.metadata.get("split.no", 0)
        raise ModelFileError(
            f"{header.path} is part {number + 1 if isinstance(number, int) else '?'} of a model "
            f"split into {parts} files.",
            "Join the parts with llama.cpp's 'llama-gguf-split --merge', or download the model "
            "as one file.",
        )
    kind = header.metadata.get("general.type", "model")
    if kind != "model":
        raise ModelFileError(
            f"{header.path} holds no model but something that belongs to one ({kind!r}).",
            "Choose the file of the model itself.",
        )
    if not header.tensors:
        raise ModelFileError(
            f"{header.path} holds a vocabulary or settings, but no weights.",
            "Choose the file of the model itself.",
        )
    if header.tensor("token_embd.weight") is None:
        raise ModelFileError(
            f"{header.path} is not a language model: it has no tensor token_embd.weight.",
            EXPORT_AGAIN,
        )


# ---- settings -----------------------------------------------------------------------------


def _check_settings(header: GgufHeader) -> None:
    """Every setting that llama.cpp computes with: of the right type, and of a possible size."""
    for key, low, high in _COUNTS:
        value = header.get(key)
        if value is None:
            continue
        if isinstance(value, list) and key in _PER_LAYER:
            if header.architecture in TRANSFORMER_FAMILIES:
                raise _setting(header, key, "differs from layer to layer", "one number")
            continue
        if header.types[f"{header.architecture}.{key}"] != "UINT32":
            raise _setting(header, key, f"is {value!r}", "a whole number of type UINT32")
        if not low <= value <= high:
            raise _setting(header, key, f"is {value:,}", f"a number from {low:,} to {high:,}")
    for key, low, high in _FRACTIONS:
        value = header.get(key)
        if value is None:
            continue
        if header.types[f"{header.architecture}.{key}"] != "FLOAT32":
            raise _setting(header, key, f"is {value!r}", "a number of type FLOAT32")
        if not (math.isfinite(value) and low <= value <= high):
            raise _setting(header, key, f"is {value:g}", f"a number from {low:g} to {high:g}")
    scaling = header.get("rope.scaling.type")
    if scaling is not None and scaling not in _ROPE_SCALINGS:
        raise _setting(header, "rope.scaling.type", f"is {scaling!r}", "/".join(_ROPE_SCALINGS))
    if header.get("attention.causal") not in (None, True):
        raise ModelFileError(
            f"{header.path} does not generate text: it sees the words to come (it is not causal).",
            "Choose a model that generates text; models for embeddings do not.",
        )
    _check_experts(header)


def _check_experts(header: GgufHeader) -> None:
    experts, used = header.get("expert_count", 0), header.get("expert_used_count", 0)
    if used > experts or (experts and not used):
        raise _setting(header, "expert_used_count", f"is {used}", f"from 1 to {experts}")
    groups, groups_used = header.get("expert_group_count", 0), header.get("expert_group_used_count")
    if groups and groups >= experts:
        raise _setting(header, "expert_group_count", f"is {groups}", f"below {experts}")
    if groups > 1 and (experts % groups or not 0 < (groups_used or 0) < groups):
        raise damaged(
            header.path,
            f"{experts} experts in {groups} groups, of which {groups_used} are used, do not add up",
        )
    if header.get("nextn_predict_layers", 0) >= header.get("block_count", MAX_LAYERS):
        raise _setting(header, "nextn_predict_layers", "is too large", "less than block_count")


def _check_transformer(header: GgufHeader) -> None:
    """What the graph builders of the qwen, llama and deepseek2 families assert."""
    family = header.architecture
    missing = [key for key in _REQUIRED if header.get(key) is None]
    if family.endswith("moe"):
        missing += [k for k in ("expert_count", "expert_used_count") if not header.get(k)]
    if missing:
        raise damaged(header.path, f"it lacks the setting {family}.{missing[0]}")
    if header.get("attention.layer_norm_rms_epsilon") <= 0:
        raise _setting(header, "attention.layer_norm_rms_epsilon", "is 0", "a number above 0")
    width, heads = header.get("embedding_length"), header.get("attention.head_count")
    shared = header.get("attention.head_count_kv", heads)
    if heads % shared:
        raise damaged(
            header.path, f"{heads} query heads cannot share {shared} key/value heads evenly"
        )
    if family == "deepseek2":
        _check_latent_attention(header)
        return
    if header.get("attention.key_length") is None and width % heads:
        raise damaged(header.path, f"{heads} heads cannot share a width of {width} evenly")
    head = header.get("attention.key_length", width // heads)
    if family.startswith("qwen2") and head * heads != width:
        raise damaged(
            header.path, f"{heads} heads of {head} numbers do not make a width of {width}"
        )
    if header.get("attention.value_length", width // heads) != head:
        raise damaged(header.path, "its keys and values differ in length")
    if header.get("rope.dimension_count", head) != head or head % 2:
        raise damaged(
            header.path,
            f"it rotates {header.get('rope.dimension_count', head)} numbers of heads that have "
            f"{head}; all of an even number must be rotated",
        )


def _check_latent_attention(header: GgufHeader) -> None:
    """DeepSeek's heads: part of each key is rotated, the rest must have at least one number."""
    rotated = header.get("rope.dimension_count")
    key = header.get("attention.key_length_mla", header.get("attention.key_length"))
    if rotated is None or key is None or header.get("attention.kv_lora_rank") is None:
        raise damaged(header.path, "it lacks the sizes of its latent attention")
    if rotated >= key or rotated % 2:
        raise damaged(header.path, f"it rotates {rotated} numbers of keys that have {key}")


def _setting(header: GgufHeader, key: str, found: str, expected: str) -> ModelFileError:
    return damaged(
        header.path, f"its setting {header.architecture}.{key} {found}, but must be {expected}"
    )


# ---- tensors ------------------------------------------------------------------------------


def _check_weight_types(header: GgufHeader) -> None:
    for tensor in header.tensors:
        if tensor.type in NOT_FOR_WEIGHTS:
            raise damaged(
                header.path, f"the weights {tensor.name!r} are stored as {tensor.type} numbers"
            )
        # llama.cpp adds and multiplies by vectors without unpacking them.
        if len(tensor.shape) == 1 and tensor.type not in ("F32", "F16", "BF16"):
            raise damaged(header.path, f"the vector {tensor.name!r} is stored as {tensor.type}")
        if tensor.name.endswith(("norm.weight", ".bias")) and tensor.type != "F32":
            raise damaged(header.path, f"the vector {tensor.name!r} is stored as {tensor.type}")


def _check_shapes(header: GgufHeader) -> None:
    """Is every tensor there that the settings imply, in the shape that they imply?"""
    for expected in Architecture.from_metadata(header.metadata, header.shapes).tensors():
        found = header.tensor(expected.name)
        if found is None:
            raise damaged(header.path, f"the tensor {expected.name!r} is missing")
        if found.shape != expected.shape:
            raise damaged(
                header.path,
                f"the tensor {expected.name!r} has the shape {found.shape}, but the model's "
                f"settings ask for {expected.shape}",
            )


# ---- vocabulary ---------------------------------------------------------------------------


def _check_vocabulary(header: GgufHeader) -> None:
    metadata, path = header.metadata, header.path
    kind = metadata.get("tokenizer.ggml.model")
    if kind not in ("gpt2", "llama"):
        raise ModelFileError(
            f"{path} has the tokenizer {kind!r}, which this course cannot use."
            if kind
            else f"{path} has no tokenizer (the key tokenizer.ggml.model is missing).",
            "Choose a model with a byte-pair or SentencePiece tokenizer, such as Qwen's or "
            "Llama's, or download this one again.",
        )
    tokens = metadata.get("tokenizer.ggml.tokens")
    if header.types.get("tokenizer.ggml.tokens") != "ARRAY[STRING]" or not tokens:
        raise damaged(path, "it has no list of tokens (tokenizer.ggml.tokens)")
    # llama.cpp names an empty token after its number, and asserts that all tokens differ.
    if len({token or f"[EMPTY_{n}]" for n, token in enumerate(tokens)}) < len(tokens):
        raise damaged(path, f"two of its {len(tokens):,} tokens have the same text")
    rows = header.tensor("token_embd.weight").shape[0]
    if rows != len(tokens):
        raise damaged(path, f"it has {len(tokens):,} tokens, but an embedding matrix for {rows:,}")
    types = _token_list(header, "token_type", ("ARRAY[INT32]",), len(tokens))
    if types and not set(types) <= set(_TOKEN_TYPES):
        raise damaged(path, "one of its tokens has a type that does not exist")
    _token_list(header, "scores", ("ARRAY[FLOAT32]", "ARRAY[INT32]"), len(tokens))
    _check_token_texts(header, tokens, types)
    if kind == "gpt2":
        _check_merges(header)
    for key in _SPECIAL_IDS:
        number = metadata.get(key)
        if number is not None and (header.types[key] != "UINT32" or not 0 <= number < len(tokens)):
            raise damaged(
                path, f"{key} is {number!r}, which is not one of its {len(tokens):,} tokens"
            )
    for key in ("add_bos_token", "add_eos_token", "add_space_prefix"):
        if header.types.get(f"tokenizer.ggml.{key}", "BOOL") != "BOOL":
            raise damaged(path, f"tokenizer.ggml.{key} is neither true nor false")


def _token_list(
    header: GgufHeader, name: str, allowed: tuple[str, ...], length: int
) -> list | None:
    """The list that gives every token a type or score, if the file has it."""
    key = f"tokenizer.ggml.{name}"
    values = header.metadata.get(key)
    if values is not None and (header.types[key] not in allowed or len(values) != length):
        raise damaged(header.path, f"{key} does not have one number for each of {length:,} tokens")
    return values


def _check_token_texts(header: GgufHeader, tokens: list[str], types: list[int] | None) -> None:
    if not _is_text("".join(tokens)):
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


def _is_text(text: str) -> bool:
    """Was this valid UTF-8? ``read_header`` keeps bytes that were not as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
