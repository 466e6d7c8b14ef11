"""Which numbers fix a model's shape? Those of QwQ-32B or Qwen3-30B-A3B, made small.

A shape is one of three that llama.cpp knows: ``qwen2``, which QwQ-32B has; ``qwen3``, which has
norms on queries and keys in place of biases; ``qwen3moe``, Qwen3-30B-A3B's, in which each layer's
feed-forward is a router and its experts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from course_utils.errors import OptionError
from course_utils.model_files.architectures import (
    Architecture,
    GroupedQueryAttention,
    MixtureOfExperts,
)
from course_utils.nano import checks


@dataclass(frozen=True)
class Shape:
    """The numbers that fix a model's shape; QwQ-32B's stand behind each.

    ``width`` and ``ffn_width`` are multiples of 256, the block length of llama.cpp's K-quants.
    The switches of a block: ``biases`` on queries, keys and values, ``head_norms`` on each head's
    query and key, and ``experts``, of which ``used`` serve each token, each ``expert_width`` wide
    (Qwen3-30B-A3B's numbers stand behind these).  ``shared_width`` is the width of an expert that
    serves every token, 0 for none; llama.cpp's ``qwen3moe`` has none, so that a model with one
    lives in PyTorch only.  ``ffn_width`` counts where ``experts`` is 0.
    Raises OptionError for numbers that do not fit together.
    """

    vocabulary: int = 1024  # 152,064
    layers: int = 4  # 64
    width: int = 256  # 5,120
    heads: int = 4  # 40
    kv_heads: int = 2  # 8
    ffn_width: int = 512  # 27,648
    context: int = 1024  # 131,072
    rope_theta: float = 1e6  # 1e6
    norm_epsilon: float = 1e-5  # 1e-5
    biases: bool = True
    head_norms: bool = False
    experts: int = 0  # 128
    used: int = 0  # 8
    expert_width: int = 0  # 768
    shared_width: int = 0  # 0
    head_width: int = field(init=False, repr=False)  # 128

    def __post_init__(self):
        sizes = ("vocabulary", "layers", "width", "heads", "kv_heads", "ffn_width", "context")
        for name in sizes:
            checks.whole(name, getattr(self, name), 1)
        object.__setattr__(self, "head_width", self.width // self.heads)
        if self.width % (2 * self.heads) or self.heads % self.kv_heads:
            raise OptionError(
                f"width={self.width}, heads={self.heads} and kv_heads={self.kv_heads} do not fit "
                "together.",
                "Make the width an even multiple of the heads, and the heads a multiple of "
                "kv_heads.",
            )
        if self.experts and not (0 < self.used <= self.experts and self.expert_width > 0):
            raise OptionError(
                f"used={self.used} of experts={self.experts}, each expert_width="
                f"{self.expert_width} wide, cannot serve a token.",
                "For example experts=8, used=2, expert_width=128.",
            )

    @property
    def family(self) -> str:
        """llama.cpp's name of this architecture."""
        return "qwen2" if self.biases else "qwen3moe" if self.experts else "qwen3"

    @property
    def architecture(self) -> Architecture:
        """The same shape as ``model_files.architectures`` counts it: parameters and FLOPs."""
        experts = MixtureOfExperts(
            experts=self.experts,
            used=self.used,
            width=self.expert_width,
            shared=int(self.shared_width > 0),
            shared_width=self.shared_width,
        )
        return Architecture(
            family=self.family,
            layers=self.layers,
            hidden=self.width,
            feed_forward=self.ffn_width,
            vocabulary=self.vocabulary,
            attention=GroupedQueryAttention(
                self.heads,
                self.kv_heads,
                self.head_width,
                biases=self.biases,
                head_norms=self.head_norms,
            ),
            experts=experts if self.experts else None,
            context=self.context,
            rope_theta=self.rope_theta,
            norm_epsilon=self.norm_epsilon,
        )


def qwen3(**numbers) -> Shape:
    """A shape of Qwen3's kind, small: a mixture of 8 experts, or dense with ``experts=0``.

    Both differ in nothing but the experts.  ``numbers``: fields of ``Shape`` to set otherwise.
    """
    small = {"layers": 3, "width": 128, "ffn_width": 256, "biases": False, "head_norms": True}
    return Shape(**small | {"experts": 8, "used": 2, "expert_width": 128} | numbers)
