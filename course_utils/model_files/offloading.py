"""Which layers of a model lie on a graphics card, and what is left in main memory?

llama.cpp puts whole layers on the card, each with its part of the KV cache, from the last one
backwards (its option ``n_gpu_layers``); the output matrix counts as one layer more and goes first.
What lies on the card need not lie in main memory.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from course_utils.errors import OptionError
from course_utils.machine import GraphicsCard
from course_utils.model_files.architectures import Architecture
from course_utils.model_files.memory import MemoryNeed
from course_utils.model_files.quantisation import tensor_bytes
from course_utils.units import MIB, readable_memory

CARD_RESERVE_BYTES = 768 * MIB
"""Left free on a card for its driver, the screen and llama.cpp's work there: an assumption, which
this course could not measure."""


@dataclass(frozen=True)
class OnCard:
    """What lies on a card, in bytes: ``layers`` of ``all_layers`` (the output counts as one).

    ``share``: how much of the bytes that a token reads lies there.
    """

    layers: int
    all_layers: int
    weights: int
    cache: int
    share: float

    @property
    def total(self) -> int:
        return self.weights + self.cache

    def parts(self) -> dict[str, int]:
        """Bytes by label, for a stacked bar."""
        return {"weights on the card": self.weights, "KV cache on the card": self.cache}

    def left_in(self, memory: MemoryNeed) -> MemoryNeed:
        """What main memory still holds of a model's whole need."""
        return replace(
            memory,
            weights=max(0, memory.weights - self.weights),
            cache=max(0, memory.cache - self.cache),
        )


def layers_that_fit(
    architecture: Architecture,
    quantisation: str,
    memory: MemoryNeed,
    card: GraphicsCard | None,
    gpu_layers: int | str,
) -> int:
    """How many layers go on the card. ``gpu_layers``: "auto", "all" or a number.

    Raises OptionError for anything else, for layers without a card, and for more than fit.
    """
    every = architecture.layers + 1
    if gpu_layers == "auto":
        wanted = None
    elif gpu_layers == "all":
        wanted = every
    elif isinstance(gpu_layers, int) and not isinstance(gpu_layers, bool) and gpu_layers >= 0:
        wanted = min(gpu_layers, every)
    else:
        raise OptionError(
            f"gpu_layers={gpu_layers!r} is not valid.", 'Give "auto", "all" or a whole number.'
        )
    if wanted == 0 or (card is None and wanted is None):
        return 0
    if card is None:
        raise OptionError(
            "This machine has no graphics card that the course can use.",
            "Leave gpu_layers out; or install llama-cpp-python with Metal, CUDA or Vulkan "
            "(notebook 06 says how).",
        )
    room = card.free_memory_bytes - CARD_RESERVE_BYTES
    fitting = 0
    while (
        fitting < every and on_card(architecture, quantisation, memory, fitting + 1).total <= room
    ):
        fitting += 1
    if wanted is not None and wanted > fitting:
        raise OptionError(
            f"{wanted} layers do not fit on the card, which has "
            f"{readable_memory(card.free_memory_bytes)} free; {fitting} do.",
            f'Give gpu_layers={fitting}, or "auto".',
        )
    return fitting if wanted is None else wanted


def on_card(
    architecture: Architecture, quantisation: str, memory: MemoryNeed, layers: int
) -> OnCard:
    """What so many layers take on the card, the output first and then the last layers.

    ``memory``: the whole model's need, whose KV cache is shared out evenly.
    """
    by_layer = _bytes_from_the_last(architecture, quantisation)
    weights = sum(stored for stored, _ in by_layer[:layers])
    read = sum(at_work for _, at_work in by_layer[:layers])
    all_read = sum(at_work for _, at_work in by_layer)
    blocks = max(0, layers - 1)
    return OnCard(
        layers=layers,
        all_layers=architecture.layers + 1,
        weights=weights,
        cache=memory.cache * blocks // architecture.layers,
        share=read / all_read,
    )


@functools.cache
def _bytes_from_the_last(
    architecture: Architecture, quantisation: str
) -> tuple[tuple[int, float], ...]:
    """The output, each layer from the last to the first, and the input embedding.

    For each, its bytes as they are stored, and those that a token reads of them.
    """
    layers = architecture.layers
    stored, at_work = [0] * (layers + 2), [0.0] * (layers + 2)
    for tensor in architecture.tensors():
        count = tensor_bytes(tensor, architecture, quantisation)
        read = count
        place = 0 if tensor.layer is None else layers - tensor.layer
        if tensor.part == "input embedding":
            place = layers + 1
            read = count if architecture.tied_embeddings else 0
        elif tensor.part == "routed experts":
            read = count * architecture.experts.used / architecture.experts.experts
        stored[place] += count
        at_work[place] += read
    return tuple(zip(stored, at_work, strict=True))
