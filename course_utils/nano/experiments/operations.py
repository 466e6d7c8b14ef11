"""How much computing does a token take? Floating-point operations by the field's rule of thumb.

As in Kaplan et al., arXiv 2001.08361, section 2.1: 2 for each parameter that works on a token when
it is drawn or read, 6 when it is trained on.
"""

from __future__ import annotations

from course_utils.nano.model import Transformer


def working_parameters(model: Transformer) -> int:
    """How many parameters work on each token.

    All but the input embedding, which is looked up, and the experts that were not chosen.
    """
    shape, idle = model.shape, 0
    if shape.experts:
        expert = 3 * shape.width * shape.expert_width
        idle = shape.layers * (shape.experts - shape.used) * expert
    return model.parameter_count() - model.token_embd.weight.numel() - idle
