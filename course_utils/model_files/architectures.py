"""Architectures: where a model's parameters live and what a token costs, from its config.

An ``Architecture`` lists every weight tensor by llama.cpp's name and shape; the counts below are
sums over that list, so that a count, a file size and a stand-in file can never disagree.

The block layouts follow the published model code of each family in Hugging Face's transformers
(``modeling_qwen2.py``, ``modeling_qwen3_moe.py``, ``modeling_qwen2_moe.py``,
``modeling_deepseek_v3.py``), the tensor names llama.cpp's ``llama-arch.cpp``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from course_utils.errors import ModelFileError, OptionError
from course_utils.model_files.gguf_header import read_header
from course_utils.model_files.layer_parts import (
    GroupedQueryAttention,
    LatentAttention,
    MixtureOfExperts,
)

PARTS = (
    "input embedding",
    "attention query",
    "attention key",
    "attention value",
    "attention output",
    "attention biases",
    "feed-forward",
    "router",
    "routed experts",
    "shared expert",
    "norms",
    "output",
)
"""The parts that every count is split into, in the order a token meets them."""

CACHE_BYTES_PER_VALUE = {"F32": 4.0, "F16": 2.0, "BF16": 2.0, "Q8_0": 34 / 32, "Q4_0": 18 / 32}
"""Bytes per cached number. A Q8_0 block holds 32 numbers in 34 bytes, a Q4_0 block in 18
(source: llama.cpp, ``ggml-common.h``, ``block_q8_0`` and ``block_q4_0``)."""


class Tensor(NamedTuple):
    """One weight tensor: llama.cpp's name, shape as PyTorch prints it, part, and layer.

    ``shape`` is (out, in) for a matrix and (experts, out, in) for stacked experts.  ``layer`` is
    None for the embedding, the last norm and the output matrix.
    """

    name: str
    shape: tuple[int, ...]
    part: str
    layer: int | None = None

    @property
    def parameters(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Architecture:
    """The shape of a decoder-only transformer, as its config states it.

    ``family`` is llama.cpp's name: qwen2, qwen3, qwen2moe, qwen3moe or deepseek2.
    ``hidden``: width of the residual stream.  ``feed_forward``: width of a dense block.
    ``vocabulary``: rows of the embedding matrix, padding included.  ``context``: the longest
    text, in tokens, the config allows for.  ``experts`` is None for a dense model.
    """

    family: str
    layers: int
    hidden: int
    feed_forward: int
    vocabulary: int
    attention: GroupedQueryAttention | LatentAttention
    experts: MixtureOfExperts | None = None
    tied_embeddings: bool = False
    context: int = 32768
    rope_theta: float = 1_000_000.0
    norm_epsilon: float = 1e-6

    def tensors(self) -> list[Tensor]:
        """Every weight tensor, in the order of the forward pass."""
        hidden = self.hidden
        found = [Tensor("token_embd.weight", (self.vocabulary, hidden), "input embedding")]
        for layer in range(self.layers):
            found += [
                Tensor(f"blk.{layer}.{name}", shape, part, layer)
                for name, shape, part in self._layer_tensors(layer)
            ]
        found.append(Tensor("output_norm.weight", (hidden,), "norms"))
        if not self.tied_embeddings:
            found.append(Tensor("output.weight", (self.vocabulary, hidden), "output"))
        return found

    def _layer_tensors(self, layer: int) -> Iterator[tuple[str, tuple[int, ...], str]]:
        yield "attn_norm.weight", (self.hidden,), "norms"
        yield from self.attention.tensors(self.hidden)
        yield "ffn_norm.weight", (self.hidden,), "norms"
        if self.experts is not None and layer >= self.experts.dense_layers:
            yield from self.experts.tensors(self.hidden)
        else:
            yield "ffn_gate.weight", (self.feed_forward, self.hidden), "feed-forward"
            yield "ffn_up.weight", (self.feed_forward, self.hidden), "feed-forward"
            yield "ffn_down.weight", (self.hidden, self.feed_forward), "feed-forward"

    def with_layers(self, layers: int) -> Architecture:
        """The same model with fewer (or more) layers. A mixture keeps at least one with experts.

        Raises OptionError for fewer than one layer.
        """
        if not isinstance(layers, int) or layers < 1:
            raise OptionError(
                f"layers={layers!r} is not a number of layers.", "Give a whole number from 1 up."
            )
        experts = self.experts
        if experts is not None:
            experts = replace(experts, dense_layers=min(experts.dense_layers, layers - 1))
        return replace(self, layers=layers, experts=experts)

    @property
    def expert_layers(self) -> int:
        """How many layers are mixtures of experts."""
        return 0 if self.experts is None else self.layers - self.experts.dense_layers

    # ---- counting ------------------------------------------------------------------------

    def parameters_by_part(self) -> dict[str, int]:
        """Parameters of each part that this model has, in the order of ``PARTS``."""
        counts = dict.fromkeys(PARTS, 0)
        for tensor in self.tensors():
            counts[tensor.part] += tensor.parameters
        return {part: count for part, count in counts.items() if count}

    def active_parameters_by_part(self) -> dict[str, int]:
        """Parameters that one token uses, per part: of the routed experts only those chosen.

        Both embedding matrices count in full here; ``active_parameters`` can leave out the
        input embedding, of which a token uses a single row.
        """
        return {
            part: count * self.experts.used // self.experts.experts
            if part == "routed experts"
            else count
            for part, count in self.parameters_by_part().items()
        }

    @property
    def parameters(self) -> int:
        """All parameters of the model."""
        return sum(self.parameters_by_part().values())

    @property
    def parameters_without_embeddings(self) -> int:
        """All parameters except the input embedding and the output matrix."""
        parts = self.parameters_by_part()
        return self.parameters - parts["input embedding"] - parts.get("output", 0)

    def active_parameters(self, *, input_embedding: bool = False) -> int:
        """Parameters at work for one token, with or without the whole input embedding."""
        parts = self.active_parameters_by_part()
        if not input_embedding and not self.tied_embeddings:
            parts.pop("input embedding")
        return sum(parts.values())

    # ---- what one token costs ------------------------------------------------------------

    def flops_per_token(self, context: int = 0) -> int:
        """Floating-point operations to generate one token after ``context`` tokens.

        Each weight of a matrix is one multiplication and one addition per token; attention adds
        its share per cached token.  Norms, biases and softmax are left out, as is usual.
        Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F.
        """
        parts = self.active_parameters_by_part()
        vector_parts = {"norms", "attention biases"}
        if not self.tied_embeddings:
            vector_parts.add("input embedding")
        matrices = sum(count for part, count in parts.items() if part not in vector_parts)
        attention = self.layers * self.attention.flops_per_cached_token * context
        return 2 * matrices + attention

    def cache_bytes_per_token(self, key_type: str = "F16", value_type: str | None = None) -> float:
        """Bytes that the KV cache grows by with each token.

        Grouped-query attention: layers x key/value heads x head dimension, twice (keys, values).
        Latent attention: layers x (latent rank + rotary dimension), once.
        ``key_type``, ``value_type``: F32, F16, BF16, Q8_0 or Q4_0; the second defaults to the
        first.  Raises OptionError for another type.
        """
        keys = self.attention.cached_keys * cache_bytes_per_value(key_type)
        values = self.attention.cached_values * cache_bytes_per_value(value_type or key_type)
        return self.layers * (keys + values)

    # ---- reading a shape from elsewhere ----------------------------------------------------

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> Architecture:
        """The architecture that a Hugging Face ``config.json`` describes.

        Knows the model types qwen2, qwen3, qwen2_moe, qwen3_moe and deepseek_v3.
        Raises OptionError when the model type is another one or a number is missing.
        """
        return _from_config(config)

    @classmethod
    def from_gguf(cls, path: str | Path) -> Architecture:
        """The architecture of a GGUF file, from its metadata and tensor list.

        Raises ModelFileError when the file cannot be read or is of another family.
        """
        header = read_header(path)
        return cls.from_metadata(header.metadata, header.shapes)

    @classmethod
    def from_metadata(
        cls, metadata: Mapping[str, object], shapes: Mapping[str, tuple[int, ...]]
    ) -> Architecture:
        """The architecture that GGUF metadata and tensor shapes (out, in) describe.

        Raises ModelFileError when the family is unknown or a key is missing.
        """
        return _from_metadata(metadata, shapes)


def cache_bytes_per_value(kind: str) -> float:
    """Bytes per cached number for a KV cache type. Raises OptionError for an unknown type."""
    try:
        return CACHE_BYTES_PER_VALUE[kind.upper()]
    except (KeyError, AttributeError):
        raise OptionError(
            f"{kind!r} is not a type for the KV cache.",
            f"Use one of: {', '.join(CACHE_BYTES_PER_VALUE)}.",
        ) from None


def _from_config(config: Mapping[str, object]) -> Architecture:
    def number(key: str):
        if key not in config:
            raise OptionError(
                f"The config has no {key!r}.", "Give the model's whole config.json as a dict."
            )
        return config[key]

    kind = config.get("model_type")
    common = dict(
        layers=number("num_hidden_layers"),
        hidden=number("hidden_size"),
        feed_forward=number("intermediate_size"),
        vocabulary=number("vocab_size"),
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        context=number("max_position_embeddings"),
        rope_theta=float(number("rope_theta")),
        norm_epsilon=float(number("rms_norm_eps")),
    )
    if kind == "deepseek_v3":
        attention = LatentAttention(
            heads=number("num_attention_heads"),
            query_rank=number("q_lora_rank"),
            key_value_rank=number("kv_lora_rank"),
            rope_dimension=number("qk_rope_head_dim"),
            nope_dimension=number("qk_nope_head_dim"),
            value_dimension=number("v_head_dim"),
        )
        experts = MixtureOfExperts(
            experts=number("n_routed_experts"),
            used=number("num_experts_per_tok"),
            width=number("moe_intermediate_size"),
            shared=number("n_shared_experts"),
            shared_width=number("n_shared_experts") * number("moe_intermediate_size"),
            dense_layers=number("first_k_dense_replace"),
            router_bias=config.get("topk_method") == "noaux_tc",
        )
        return Architecture(family="deepseek2", attention=attention, experts=experts, **common)
    families = {"qwen2": "qwen2", "qwen3": "qwen3"}
    families |= {"qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe"}
    if kind not in families:
        raise OptionError(
            f"The model type {kind!r} is not one this course can count.",
            f"Known types: {', '.join(families)}, deepseek_v3.",
        )
    family = families[kind]
    heads = number("num_attention_heads")
    attention = GroupedQueryAttention(
        heads=heads,
        key_value_heads=number("num_key_value_heads"),
        head_dimension=config.get("head_dim") or number("hidden_size") // heads,
        biases=family.startswith("qwen2"),
        head_norms=family.startswith("qwen3"),
    )
    experts = None
    if family.endswith("moe"):
        shared_width = config.get("shared_expert_intermediate_size", 0)
        experts = MixtureOfExperts(
            experts=number("num_experts"),
            used=number("num_experts_per_tok"),
            width=number("moe_intermediate_size"),
            shared=int(bool(shared_width)),
            shared_width=shared_width,
            shared_gate=bool(shared_width),
        )
    return Architecture(family=family, attention=attention, experts=experts, **common)


def _from_metadata(
    metadata: Mapping[str, object], shapes: Mapping[str, tuple[int, ...]]
) -> Architecture:
    family = metadata.get("general.architecture")
    if family not in ("qwen2", "qwen3", "qwen2moe", "qwen3moe", "deepseek2"):
        raise ModelFileError(
            f"The file holds a model of the family {family!r}, which this course cannot count.",
            "Use a qwen2, qwen3, qwen2moe, qwen3moe or deepseek2 file.",
        )

    def number(key: str, default=None):
        value = metadata.get(f"{family}.{key}", default)
        if value is None:
            raise ModelFileError(
                f"The file's metadata lacks {family}.{key}.", "Fetch or export the file again."
            )
        # Some exporters give one number for each layer.
        if isinstance(value, list):
            if len(set(value)) != 1:
                raise ModelFileError(
                    f"{family}.{key} differs from layer to layer, which this course cannot count.",
                    "Use a model whose layers are alike.",
                )
            return value[0]
        return value

    if "token_embd.weight" not in shapes:
        raise ModelFileError(
            "The file has no token_embd.weight tensor.", "Fetch or export the file again."
        )
    hidden, heads = number("embedding_length"), number("attention.head_count")
    if family == "deepseek2":
        rope = number("rope.dimension_count")
        attention = LatentAttention(
            heads=heads,
            query_rank=number("attention.q_lora_rank"),
            key_value_rank=number("attention.kv_lora_rank"),
            rope_dimension=rope,
            # Files made for latent decoding state the per-head sizes under *_mla.
            nope_dimension=number("attention.key_length_mla", number("attention.key_length"))
            - rope,
            value_dimension=number("attention.value_length_mla", number("attention.value_length")),
        )
    else:
        attention = GroupedQueryAttention(
            heads=heads,
            # llama.cpp's default: each query head has its own.
            key_value_heads=number("attention.head_count_kv", heads),
            head_dimension=number("attention.key_length", hidden // heads),
            biases="blk.0.attn_q.bias" in shapes,
            head_norms="blk.0.attn_q_norm.weight" in shapes,
        )
    experts = None
    if metadata.get(f"{family}.expert_count"):
        dense_layers = number("leading_dense_block_count", 0)
        shared = shapes.get(f"blk.{dense_layers}.ffn_gate_shexp.weight")
        experts = MixtureOfExperts(
            experts=number("expert_count"),
            used=number("expert_used_count"),
            # llama.cpp's default: the experts in use are as wide together as a dense block.
            width=number("expert_feed_forward_length", 0)
            or number("feed_forward_length") // number("expert_used_count"),
            shared=number("expert_shared_count", int(shared is not None)),
            shared_width=shared[0] if shared else 0,
            dense_layers=dense_layers,
            router_bias=f"blk.{dense_layers}.exp_probs_b.bias" in shapes,
            shared_gate=f"blk.{dense_layers}.ffn_gate_inp_shexp.weight" in shapes,
        )
    return Architecture(
        family=family,
        layers=number("block_count"),
        hidden=hidden,
        feed_forward=number("feed_forward_length", 0),
        vocabulary=shapes["token_embd.weight"][0],
        attention=attention,
        experts=experts,
        tied_embeddings="output.weight" not in shapes,
        context=number("context_length"),
        rope_theta=float(number("rope.freq_base", 10000.0)),
        # Stored in 32 bits, where 1e-5 reads back as 9.99999975e-06.
        norm_epsilon=float(f"{number('attention.layer_norm_rms_epsilon', 1e-6):.6g}"),
    )
