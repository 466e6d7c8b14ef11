"""The check of a GGUF file before llama.cpp, whose process some damaged files end, gets it.

llama.cpp refuses most bad files politely, but on some it stops at an assertion (two tokens with the
same text, more experts used than there are), and that takes the notebook's kernel with it.
``check_gguf`` looks for those, and states everything it finds as a problem with a remedy.  Of
families whose rules are not written down here, it lets llama.cpp open the file in another process.

The rules follow llama.cpp's ``llama_model_base::load_hparams`` and the assertions in its graph
builders (commit 0c1e57098, as shipped in llama-cpp-python 0.3.36).
"""

from __future__ import annotations

import math
import os

from course_utils.errors import ModelFileError
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.gguf_header import GgufHeader, GgufTensor, damaged, read_header
from course_utils.model_files.gguf_kinds import whole_model
from course_utils.model_files.gguf_vocabulary import check_vocabulary, is_usual
from course_utils.model_files.trial import try_loading

__all__ = ["GgufHeader", "GgufTensor", "check_gguf"]

COUNTED_FAMILIES = ("qwen2", "qwen3", "qwen2moe", "qwen3moe", "deepseek2")
"""Families whose every tensor ``Architecture`` knows, so that shapes can be compared."""

TRANSFORMER_FAMILIES = (*COUNTED_FAMILIES, "llama")
"""Families whose settings are known to be needed; files of others are opened on trial."""

# llama.cpp's own limits (llama-hparams.h).
MAX_LAYERS = 512
MAX_EXPERTS = 1024
# Ten times the longest context any model has been published with.
MAX_CONTEXT = 10**8

# Types that hold whole numbers or intermediate results: no matrix of weights is stored in them.
NOT_FOR_WEIGHTS = {"I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K"}

# Whole-number settings: (key, smallest, largest). Zero is what several families write for "none".
_COUNTS_OF_ALL = (
    ("context_length", 1, 2**32 - 1),
    ("embedding_length", 1, 2**20),
    ("block_count", 1, MAX_LAYERS),
    ("expert_count", 0, MAX_EXPERTS),
    ("expert_used_count", 0, MAX_EXPERTS),
    ("expert_group_count", 0, MAX_EXPERTS),
    ("expert_group_used_count", 0, MAX_EXPERTS),
    ("nextn_predict_layers", 0, MAX_LAYERS),
)
_COUNTS = (
    ("context_length", 1, MAX_CONTEXT),
    ("feed_forward_length", 0, 2**24),
    ("attention.head_count", 1, 2**12),
    ("attention.head_count_kv", 1, 2**12),
    ("attention.key_length", 2, 2**12),
    ("attention.value_length", 1, 2**12),
    ("attention.key_length_mla", 2, 2**12),
    ("attention.value_length_mla", 1, 2**12),
    ("attention.q_lora_rank", 0, 2**16),
    ("attention.kv_lora_rank", 1, 2**16),
    ("attention.sliding_window", 0, MAX_CONTEXT),
    ("rope.dimension_count", 2, 2**12),
    ("rope.scaling.original_context_length", 1, MAX_CONTEXT),
    ("vocab_size", 1, 2**24),
    ("expert_shared_count", 0, MAX_EXPERTS),
    ("expert_feed_forward_length", 0, 2**24),
    ("expert_shared_feed_forward_length", 0, 2**24),
    ("expert_gating_func", 0, 3),
    ("leading_dense_block_count", 0, MAX_LAYERS),
)
# Settings that may also be given as one number per layer.
_PER_LAYER = (
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "expert_used_count",
    "expert_feed_forward_length",
)
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
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
)
# Tensors in which some files join what ``Architecture`` lists apart.
_UNCOUNTED = (".attn_qkv.", ".attn_kv_b.", ".ffn_gate_up")
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")


def check_gguf(path: str | os.PathLike) -> GgufHeader:
    """Read a model file's header and make sure that llama.cpp can be trusted with it.

    Reads the header only: two milliseconds for a nano model, 0.15 s for a vocabulary as large as
    QwQ-32B's.  Files of other families than ``TRANSFORMER_FAMILIES``, or of an unusual layout, are
    opened on trial as well, in another process, which takes a second or two.  A split model is
    named by its first part; the header has the tensors of all parts.

    Raises ModelFileError, with the fault and its remedy, where the file is missing, is something
    else, ends too early, or contradicts itself; ModelLoadError where it ends the trial.
    """
    header = whole_model(read_header(path))
    family = header.architecture
    _check_settings(header)
    _check_experts(header)
    _check_weight_types(header)
    check_vocabulary(header)
    if not _is_known(header):
        try_loading(header.path, header.file_bytes)
        return header
    _check_transformer(header)
    if family in COUNTED_FAMILIES:
        _check_shapes(header)
    return header


def _is_known(header: GgufHeader) -> bool:
    """Are all of llama.cpp's rules for such a file written down here?"""
    if header.architecture not in TRANSFORMER_FAMILIES or not is_usual(header):
        return False
    if header.get("nextn_predict_layers", 0):
        return False
    if header.architecture == "deepseek2" and not header.get("attention.q_lora_rank"):
        return False  # DeepSeek-V2-Lite and its like have no query rank.
    return not any(part in tensor.name for tensor in header.tensors for part in _UNCOUNTED)


# ---- settings -----------------------------------------------------------------------------


def _check_settings(header: GgufHeader) -> None:
    """What llama.cpp reads for every model: of the right type, and of a possible size."""
    _check_counts(header, _COUNTS_OF_ALL)
    scaling = header.get("rope.scaling.type")
    if scaling is not None and scaling not in _ROPE_SCALINGS:
        raise _setting(header, "rope.scaling.type", f"is {scaling!r}", "/".join(_ROPE_SCALINGS))
    if header.get("attention.causal") not in (None, True):
        raise ModelFileError(
            f"{header.path} does not generate text: it sees the words to come (it is not causal).",
            "Choose a model that generates text; models for embeddings do not.",
        )


def _check_counts(header: GgufHeader, counts: tuple[tuple[str, int, int], ...]) -> None:
    for key, low, high in counts:
        value = header.get(key)
        if value is None:
            continue
        kind = header.types[f"{header.architecture}.{key}"]
        if isinstance(value, list) and key in _PER_LAYER:
            if kind not in ("ARRAY[UINT32]", "ARRAY[INT32]"):
                raise _setting(header, key, f"has the type {kind}", "numbers of type UINT32")
        elif kind != "UINT32":
            raise _setting(header, key, f"is {value!r}", "a whole number of type UINT32")
        for number in value if isinstance(value, list) else [value]:
            if not low <= number <= high:
                raise _setting(header, key, f"is {number:,}", f"a number from {low:,} to {high:,}")


def _check_fractions(header: GgufHeader) -> None:
    for key, low, high in _FRACTIONS:
        value = header.get(key)
        if value is None:
            continue
        if header.types[f"{header.architecture}.{key}"] != "FLOAT32":
            raise _setting(header, key, f"is {value!r}", "a number of type FLOAT32")
        if not (math.isfinite(value) and low <= value <= high):
            raise _setting(header, key, f"is {value:g}", f"a number from {low:g} to {high:g}")


def _same_everywhere(header: GgufHeader, key: str, default=None) -> int | None:
    """A setting that may be given for each layer, but must be the same for all of them."""
    value = header.get(key, default)
    if not isinstance(value, list):
        return value
    if len(value) != header.get("block_count") or len(set(value)) != 1:
        raise _setting(header, key, "differs from layer to layer", "one number for all layers")
    return value[0]


def _check_experts(header: GgufHeader) -> None:
    experts, used = header.get("expert_count", 0), header.get("expert_used_count", 0)
    used = max(used, default=0) if isinstance(used, list) else used
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
    _check_counts(header, _COUNTS)
    _check_fractions(header)
    missing = [key for key in _REQUIRED if header.get(key) is None]
    # A mixture of experts may have no dense layer.
    if not family.endswith("moe") and header.get("feed_forward_length") is None:
        missing.append("feed_forward_length")
    if family.endswith("moe"):
        missing += [k for k in ("expert_count", "expert_used_count") if not header.get(k)]
    if missing:
        raise damaged(header.path, f"it lacks the setting {family}.{missing[0]}")
    if header.get("attention.layer_norm_rms_epsilon") <= 0:
        raise _setting(header, "attention.layer_norm_rms_epsilon", "is 0", "a number above 0")
    for key in _PER_LAYER:
        _same_everywhere(header, key)
    width, heads = header.get("embedding_length"), _same_everywhere(header, "attention.head_count")
    shared = _same_everywhere(header, "attention.head_count_kv", heads)
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
            # Some newer families look whole numbers up; the trial tells whether llama.cpp can.
            if header.architecture not in TRANSFORMER_FAMILIES:
                continue
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
