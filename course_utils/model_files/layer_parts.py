"""The parts of a transformer layer: two kinds of attention, and a mixture of experts.

Each lists its weight tensors as (llama.cpp's name, shape as PyTorch prints it, the part it counts
as), and says what it costs to cache and to read a token.  ``Architecture`` puts them together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class GroupedQueryAttention:
    """Several query heads share one key/value head (Ainslie et al. 2023, arXiv 2305.13245).

    ``head_dimension``: numbers per head.  ``biases``: whether query, key and value add one, as
    in Qwen2.  ``head_norms``: whether query and key heads are normalised, as in Qwen3.
    """

    heads: int
    key_value_heads: int
    head_dimension: int
    biases: bool = False
    head_norms: bool = False

    def tensors(self, hidden: int) -> Iterator[tuple[str, tuple[int, ...], str]]:
        query = self.heads * self.head_dimension
        key_value = self.key_value_heads * self.head_dimension
        yield "attn_q.weight", (query, hidden), "attention query"
        yield "attn_k.weight", (key_value, hidden), "attention key"
        yield "attn_v.weight", (key_value, hidden), "attention value"
        yield "attn_output.weight", (hidden, query), "attention output"
        if self.biases:
            yield "attn_q.bias", (query,), "attention biases"
            yield "attn_k.bias", (key_value,), "attention biases"
            yield "attn_v.bias", (key_value,), "attention biases"
        if self.head_norms:
            yield "attn_q_norm.weight", (self.head_dimension,), "norms"
            yield "attn_k_norm.weight", (self.head_dimension,), "norms"

    @property
    def cached_keys(self) -> int:
        """Numbers that one layer caches per token as keys."""
        return self.key_value_heads * self.head_dimension

    @property
    def cached_values(self) -> int:
        """Numbers that one layer caches per token as values."""
        return self.key_value_heads * self.head_dimension

    @property
    def flops_per_cached_token(self) -> int:
        """Multiply-adds x 2 that one layer spends on one cached token: scores, then mixing.

        Source: Hoffmann et al. 2022 (arXiv 2203.15556), appendix F.
        """
        return 2 * 2 * self.heads * self.head_dimension


@dataclass(frozen=True)
class LatentAttention:
    """Keys and values follow from one small latent vector, and only that is cached.

    Multi-head latent attention, DeepSeek-V2 (arXiv 2405.04434, section 2.1): the cache holds
    ``key_value_rank`` numbers and one shared rotary key of ``rope_dimension`` per layer.
    """

    heads: int
    query_rank: int
    key_value_rank: int
    rope_dimension: int
    nope_dimension: int
    value_dimension: int

    def tensors(self, hidden: int) -> Iterator[tuple[str, tuple[int, ...], str]]:
        heads, rank = self.heads, self.key_value_rank
        query = heads * (self.nope_dimension + self.rope_dimension)
        yield "attn_q_a.weight", (self.query_rank, hidden), "attention query"
        yield "attn_q_a_norm.weight", (self.query_rank,), "norms"
        yield "attn_q_b.weight", (query, self.query_rank), "attention query"
        # The latent serves keys and values alike; it is counted with the keys.
        yield "attn_kv_a_mqa.weight", (rank + self.rope_dimension, hidden), "attention key"
        yield "attn_kv_a_norm.weight", (rank,), "norms"
        # llama.cpp stores the key half transposed, so that decoding can stay in the latent.
        yield "attn_k_b.weight", (heads, rank, self.nope_dimension), "attention key"
        yield "attn_v_b.weight", (heads, self.value_dimension, rank), "attention value"
        yield "attn_output.weight", (hidden, heads * self.value_dimension), "attention output"

    @property
    def cached_keys(self) -> int:
        """Numbers that one layer caches per token: the latent and the rotary key."""
        return self.key_value_rank + self.rope_dimension

    @property
    def cached_values(self) -> int:
        """None: llama.cpp reads the values out of the cached latent."""
        return 0

    @property
    def flops_per_cached_token(self) -> int:
        """Multiply-adds x 2 that one layer spends on one cached token, staying in the latent."""
        return 2 * self.heads * (self.cached_keys + self.key_value_rank)


@dataclass(frozen=True)
class MixtureOfExperts:
    """A router sends each token to a few of many small feed-forward networks.

    ``width``: rows of one expert's matrices.  ``shared``: experts that serve every token.
    ``dense_layers``: how many layers at the front stay dense.  ``router_bias``: whether a bias
    balances the load (DeepSeek-V3, arXiv 2412.19437).  ``shared_width``: rows of all shared
    experts together.  ``shared_gate``: whether a learned gate scales them (Qwen2-MoE).
    """

    experts: int
    used: int
    width: int
    shared: int = 0
    shared_width: int = 0
    dense_layers: int = 0
    router_bias: bool = False
    shared_gate: bool = False

    def tensors(self, hidden: int) -> Iterator[tuple[str, tuple[int, ...], str]]:
        experts, width = self.experts, self.width
        yield "ffn_gate_inp.weight", (experts, hidden), "router"
        if self.router_bias:
            yield "exp_probs_b.bias", (experts,), "router"
        yield "ffn_gate_exps.weight", (experts, width, hidden), "routed experts"
        yield "ffn_up_exps.weight", (experts, width, hidden), "routed experts"
        yield "ffn_down_exps.weight", (experts, hidden, width), "routed experts"
        if self.shared:
            shared = self.shared_width
            if self.shared_gate:
                yield "ffn_gate_inp_shexp.weight", (hidden,), "shared expert"
            yield "ffn_gate_shexp.weight", (shared, hidden), "shared expert"
            yield "ffn_up_shexp.weight", (shared, hidden), "shared expert"
            yield "ffn_down_shexp.weight", (hidden, shared), "shared expert"
