"""Batches: what it costs to write several replies at once, with the weights read once for all.

A dense model reads the same bytes for 32 sequences as for one. A mixture of experts reads every
expert that at least one of them is sent to, and the more sequences, the more experts that are.
"""

from __future__ import annotations

import functools

from course_utils.errors import OptionError
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.quantisation import tensor_bytes


def experts_touched(experts: int, used: int, tokens: int) -> float:
    """How many of a layer's experts at least one of these tokens is sent to, on average.

    A token skips a given expert with probability 1 - used / experts; all of them skip it with that
    to the power of ``tokens``.  This holds where tokens choose independently and every expert is
    as likely as another, which is the most that can be touched on average.

    Raises OptionError unless 0 < used <= experts and tokens >= 0.
    """
    if not 0 < used <= experts or tokens < 0:
        raise OptionError(
            f"experts={experts}, used={used} and tokens={tokens} do not go together.",
            "Use from one to all experts for each token, and count tokens from 0.",
        )
    return experts * (1 - (1 - used / experts) ** tokens)


def bytes_read_per_step(architecture: Architecture, quantisation: str, sequences: int = 1) -> float:
    """Bytes of weights that one step of so many sequences reads, each of them once.

    For one sequence that is ``quantisation.bytes_read_per_token``.  The KV cache comes on top.
    """
    always, routed, row = _weights_at_work(architecture, quantisation)
    if not routed:
        return always + sequences * row
    experts = architecture.experts
    share = experts_touched(experts.experts, experts.used, sequences) / experts.experts
    return always + sequences * row + share * routed


@functools.cache
def _weights_at_work(architecture: Architecture, quantisation: str) -> tuple[float, float, float]:
    """Bytes that every step reads, bytes of all routed experts, and of one embedding row."""
    always = routed = row = 0.0
    for tensor in architecture.tensors():
        size = tensor_bytes(tensor, architecture, quantisation)
        if tensor.part == "routed experts":
            routed += size
        elif tensor.part == "input embedding" and not architecture.tied_embeddings:
            row = size / architecture.vocabulary
        else:
            always += size
    return always, routed, row
