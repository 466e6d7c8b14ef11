"""How does a model read a text longer than those it was trained on? Its positions are stretched.

A layer tells how far apart two tokens are by rotating their keys and queries (RoPE, notebook 02).
Beyond the lengths of training the slow rotations reach angles that the model has never met.  YaRN
(Peng et al. 2023, arXiv 2309.00071) slows those down by a factor, leaves the fast ones, which tell
neighbours apart, as they are, and sharpens the attention a little.  The factor holds for every
text, short ones too, where nothing needed stretching.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from course_utils.model_files.catalogue import models
from course_utils.model_files.gguf_header import GgufHeader

UNKNOWN_LENGTH = 8192
"""What a file without any statement is taken to be trained on."""


class Yarn(NamedTuple):
    """Positions stretched by ``factor``, in a model trained on texts of ``trained`` tokens."""

    factor: float
    trained: int

    @property
    def reach(self) -> int:
        """The longest text in tokens that the positions are stretched to."""
        return math.floor(self.factor * self.trained)


def yarn_of(
    header: GgufHeader, name: str | None, factor: float | None, trained: int | None
) -> Yarn | None:
    """YaRN by this factor for a model; None where it is not asked for.

    trained: the length of its longest training texts; when None, what the catalogue says of the
    model of this ``name``, or else the file: about YaRN, or about its context.
    """
    if factor is None:
        return None
    known = models().get(name or "")
    stated = (
        trained,
        known and known.yarn_trained,
        header.get("rope.scaling.original_context_length"),
        header.get("context_length"),
    )
    lengths = [length for length in stated if isinstance(length, int) and length > 0]
    return Yarn(factor, lengths[0] if lengths else UNKNOWN_LENGTH)
