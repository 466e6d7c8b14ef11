"""How many bytes does each weight take once llama.cpp has quantised a model?

A quantisation such as Q4_K_M is a recipe: most matrices get 4-bit blocks, the more sensitive ones
more bits.  Quantisations whose name begins with IQ ("i-quants") store groups of weights as entries
of a fixed list of patterns.  They are made with an importance matrix: for each column of a matrix,
how large the numbers were that it was multiplied with on sample texts, so that errors go where
they matter least.  The sizes here are those of files made with one.

The rules below follow ``llama_tensor_get_type`` and ``tensor_type_fallback`` in llama.cpp's
``src/llama-quant.cpp``; ``tests/test_foundations_quantisation.py`` compares them with what
llama.cpp itself writes.  Block sizes come from the ``gguf`` package.
"""

from __future__ import annotations

import functools
import math

from course_utils.errors import OptionError
from course_utils.model_files.architectures import Architecture, GroupedQueryAttention, Tensor
from course_utils.secret import without_keys

TENSOR_ALIGNMENT = 32
"""GGUF starts every tensor at a multiple of so many bytes (``general.alignment``'s default)."""

# The type that a quantisation gives to a matrix about which no rule says otherwise.
BASE_TYPE = {
    "F32": "F32",
    "F16": "F16",
    "BF16": "BF16",
    "Q8_0": "Q8_0",
    "Q6_K": "Q6_K",
    "Q5_K_M": "Q5_K",
    "Q5_K_S": "Q5_K",
    "Q5_0": "Q5_0",
    "Q4_K_M": "Q4_K",
    "Q4_K_S": "Q4_K",
    "Q4_0": "Q4_0",
    "IQ4_NL": "IQ4_NL",
    "IQ4_XS": "IQ4_XS",
    "Q3_K_L": "Q3_K",
    "Q3_K_M": "Q3_K",
    "IQ3_M": "IQ3_S",
    "IQ3_S": "IQ3_S",
    "Q3_K_S": "Q3_K",
    "IQ3_XS": "IQ3_S",
    "IQ3_XXS": "IQ3_XXS",
    "Q2_K": "Q2_K",
    "IQ2_M": "IQ2_S",
}
QUANTISATIONS = tuple(BASE_TYPE)
"""The quantisations whose files this course can predict, from most to fewest bits."""

# K-quants pack 256 weights of a row; rows of another length fall back to blocks of 32.
FALLBACK = {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
FALLBACK |= dict.fromkeys(("IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS"), "IQ4_NL")


def quantisation_name(name: str) -> str:
    """The quantisation's name in its usual spelling. Raises OptionError for an unknown one."""
    known = {quantisation.lower(): quantisation for quantisation in QUANTISATIONS}
    try:
        return known[name.lower()]
    except (KeyError, AttributeError):
        raise OptionError(
            f"{without_keys(repr(name))} is not a quantisation this course knows.",
            f"Use one of: {', '.join(QUANTISATIONS)}.",
        ) from None


def tensor_type(tensor: Tensor, architecture: Architecture, quantisation: str) -> str:
    """The type llama.cpp stores this tensor in under this quantisation, for example "Q6_K".

    Vectors and the router stay in F32, since they are small and matter much.
    """
    quantisation = quantisation_name(quantisation)
    base = BASE_TYPE[quantisation]
    if len(tensor.shape) < 2 or tensor.part in ("norms", "router"):
        return "F32"
    if base in ("F32", "F16", "BF16"):
        return base
    return _fitting_type(
        _preferred_type(tensor, architecture, quantisation, base), tensor.shape[-1]
    )


def _preferred_type(
    tensor: Tensor, architecture: Architecture, quantisation: str, base: str
) -> str:
    """What the quantisation wants for this tensor, before its row length is looked at."""
    name = tensor.name.split(".")[-2]
    layer, layers = tensor.layer, architecture.layers
    experts = architecture.experts.experts if architecture.experts else 0
    eight_experts = experts == 8  # Mixtral's number, for which llama.cpp has rules of its own
    shared_heads = (
        isinstance(architecture.attention, GroupedQueryAttention)
        and architecture.attention.heads >= 4 * architecture.attention.key_value_heads
    )
    if name == "output" or (name == "token_embd" and architecture.tied_embeddings):
        row_fits = tensor.shape[-1] % block_weights(base) == 0
        if not row_fits or base == "Q8_0":
            return "Q8_0"
        return "Q5_K" if quantisation in ("IQ3_XXS", "IQ2_M") else "Q6_K"
    if name == "token_embd":
        return "IQ3_S" if quantisation in ("IQ3_XXS", "IQ2_M") else base
    if quantisation == "IQ2_M":
        return _preferred_by_iq2_m(name, tensor, architecture, shared_heads)
    if name == "attn_v":
        if eight_experts:
            return "Q8_0"
        if quantisation in ("IQ3_XXS", "IQ3_XS", "IQ3_S") and shared_heads:
            return "Q4_K"
        if quantisation == "IQ3_M":
            return "Q4_K"
        if quantisation in ("IQ4_NL", "IQ4_XS") and shared_heads:
            return "Q5_K"
        if quantisation == "Q2_K":
            return "Q4_K" if shared_heads else "Q3_K"
        if quantisation == "Q3_K_M":
            return "Q5_K" if layer < 2 else "Q4_K"
        if quantisation == "Q3_K_L" or (quantisation == "Q4_K_S" and layer < 4):
            return "Q5_K"
        if quantisation in ("Q4_K_M", "Q5_K_M") and _gets_more_bits(layer, layers):
            return "Q6_K"
    elif name == "attn_k" and eight_experts:
        return "Q8_0"
    elif name in ("attn_q", "attn_k"):
        return {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(quantisation, base)
    elif name.startswith(("ffn_gate", "ffn_up")):
        if quantisation == "IQ3_XS" and layers // 8 <= layer < 7 * layers // 8:
            return "IQ3_XXS"
    elif name.startswith("ffn_down"):
        if quantisation == "IQ3_M" and (
            layer < layers // 8 or (eight_experts and _gets_more_bits(layer, layers))
        ):
            return "Q4_K"
        if quantisation == "Q2_K":
            return "Q3_K"
        if quantisation == "Q3_K_M":
            return "Q5_K" if layer < layers // 16 else "Q4_K"
        if quantisation == "Q3_K_L" or (quantisation == "Q4_K_S" and layer < layers // 8):
            return "Q5_K"
        if quantisation in ("Q4_K_M", "Q5_K_M") and _gets_more_bits(layer, layers):
            return "Q6_K"
    elif name == "attn_output":
        if eight_experts:
            return "Q5_K" if quantisation in EIGHT_EXPERT_OUTPUT_QUANTISATIONS else base
        return ATTENTION_OUTPUT_TYPES.get(quantisation, base)
    return base


def _preferred_by_iq2_m(
    name: str, tensor: Tensor, architecture: Architecture, shared_heads: bool
) -> str:
    """The rules of IQ2_M, which has a branch of its own in llama.cpp."""
    experts = architecture.experts.experts if architecture.experts else 0
    if name == "attn_v":
        return "Q4_K" if shared_heads or experts >= 4 else "IQ3_S"
    if name == "attn_k" and experts == 8:
        return "Q4_K"
    if name == "attn_output":
        return "Q5_K" if experts == 8 else "IQ3_S"
    if name.startswith("ffn_down"):
        # llama.cpp counts these tensors here, in the order of the file, and not the layers.
        downs = [t.name for t in architecture.tensors() if ".ffn_down" in t.name]
        if downs.index(tensor.name) < architecture.layers // 8:
            return "IQ3_S"
    return BASE_TYPE["IQ2_M"]


ATTENTION_OUTPUT_TYPES = {
    **{"Q2_K": "Q3_K", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K"},
    **{"IQ3_XXS": "IQ3_S", "IQ3_M": "Q4_K"},
}
EIGHT_EXPERT_OUTPUT_QUANTISATIONS = (
    *("Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M"),
    *("IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "IQ4_NL", "IQ4_XS"),
)


def _gets_more_bits(layer: int, layers: int) -> bool:
    """The first and last eighth of the layers, and every third of those between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _fitting_type(wanted: str, row: int) -> str:
    """The wanted type, or the one llama.cpp falls back to when a row does not fill its blocks."""
    if row % block_weights(wanted) == 0:
        return wanted
    fallback = FALLBACK.get(wanted, "F16")
    return fallback if row % block_weights(fallback) == 0 else "F16"


def block_weights(kind: str) -> int:
    """How many weights of a row share one block of this type."""
    return _block(kind)[0]


def block_bytes(kind: str) -> int:
    """How many bytes one block of this type takes."""
    return _block(kind)[1]


@functools.cache
def _block(kind: str) -> tuple[int, int]:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    return GGML_QUANT_SIZES[GGMLQuantizationType[kind]]


def stored_bytes(shape: tuple[int, ...], kind: str) -> int:
    """Bytes of a tensor of this shape stored in this type, without padding."""
    return math.prod(shape) // block_weights(kind) * block_bytes(kind)


def tensor_bytes(tensor: Tensor, architecture: Architecture, quantisation: str) -> int:
    """Bytes of this tensor under this quantisation, without padding."""
    return stored_bytes(tensor.shape, tensor_type(tensor, architecture, quantisation))


def padded(count: int) -> int:
    """The next multiple of GGUF's alignment."""
    return -(-count // TENSOR_ALIGNMENT) * TENSOR_ALIGNMENT


@functools.cache
def weight_bytes(architecture: Architecture, quantisation: str) -> int:
    """Bytes of all tensors of a quantised file, each padded to GGUF's alignment.

    The header (metadata, vocabulary, tensor list) comes on top: a few MB.
    """
    return sum(padded(tensor_bytes(t, architecture, quantisation)) for t in architecture.tensors())


def weight_bytes_by_part(architecture: Architecture, quantisation: str) -> dict[str, int]:
    """The same bytes, split into the parts of ``Architecture.parameters_by_part``."""
    found: dict[str, int] = {}
    for tensor in architecture.tensors():
        size = padded(tensor_bytes(tensor, architecture, quantisation))
        found[tensor.part] = found.get(tensor.part, 0) + size
    return found


def weight_of_quant(d, dmin, scale, minimum, quant):
    """The weight that a quant of a Q4_K block stands for; numbers, or arrays of quants.

    ``d``, ``dmin``: the steps of the block's scales and minima.  ``scale``, ``minimum``: whole
    numbers from 0 to 63, one of each for a group of 32.  Source: llama.cpp, ``ggml-quants.c``,
    ``dequantize_row_q4_K``.
    """
    return d * scale * quant - dmin * minimum


def bytes_read_per_token(
    architecture: Architecture,
    quantisation: str,
    *,
    context: int = 0,
    key_type: str = "F16",
    value_type: str | None = None,
) -> int:
    """Bytes of memory that one token needs: each weight at work once, and the KV cache so far.

    Of the input embedding one row is read, of the routed experts only those chosen.  A computer
    that reads B bytes per second can therefore not write more than B / this tokens per second.
    """
    cache = context * architecture.cache_bytes_per_token(key_type, value_type)
    return round(_weight_bytes_at_work(architecture, quantisation) + cache)


@functools.cache
def _weight_bytes_at_work(architecture: Architecture, quantisation: str) -> float:
    total = 0.0
    for tensor in architecture.tensors():
        size = tensor_bytes(tensor, architecture, quantisation)
        if tensor.part == "input embedding" and not architecture.tied_embeddings:
            size = size / architecture.vocabulary
        elif tensor.part == "routed experts":
            size = size * architecture.experts.used / architecture.experts.experts
        total += size
    return total
