"""What to run where a model does not fit? Less cache, a smaller file, a smaller model, in order.

Four bits per weight keep nearly all that a reasoning model can do, fewer cost more and more
(arXiv 2504.04823, which measured QwQ-32B among others, down to three bits).  So everything is tried
at four bits, the KV cache down to 4 bits too, before a coarser file is.  Below three bits nobody
has measured it, to our knowledge: a smaller model at four bits comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from course_utils.model_files.catalogue import Model, find_model

SMALL_CONTEXT = 4096
"""The shortest context worth running a reasoning model with."""

FALLBACK_MODELS = ("qwq-32b", *(f"r1-distill-qwen-{size}" for size in ("14b", "7b", "1.5b")))
"""Reasoning models to take when the one asked for does not fit, the larger first. Below the last
one there is the shipped nano thinker, which runs anywhere."""

BETTER_OF_ITS_SIZE = {"Q2_K": "IQ3_XXS", "Q3_K_S": "IQ3_XS", "Q3_K_M": "IQ3_M", "Q3_K_L": "IQ3_M"}
"""A file to prefer to one of about its size, or larger. Who makes such files notes it beside each
of them, as "IQ3_XXS probably better" beside Q2_K (mradermacher's tables of 32 B models, such as
huggingface.co/mradermacher/Matter-0.2-32B-i1-GGUF; there also "IQ3_S" beside Q3_K_M)."""

_COARSE, _COARSEST = ("Q3", "IQ3"), ("Q2", "IQ2")


class Alternative(NamedTuple):
    """One thing to try: a file of a model, and how it is opened."""

    model: Model
    quantisation: str
    context: int
    kv_type: str


def alternatives(
    model: Model, quantisation: str, context: int, weights: int
) -> Iterator[Alternative]:
    """What to try in place of a file with so many bytes of ``weights``, the best first."""
    yield from _of_model(model, {quantisation: weights} | _smaller_files(model, weights), context)
    for other in map(find_model, FALLBACK_MODELS):
        if other.name != model.name:
            yield from _of_model(other, _smaller_files(other, weights), context)


def _smaller_files(model: Model, weights: int) -> dict[str, int]:
    """The lengths of the offered files below ``weights`` that are worth a download."""
    return {
        quantisation: file.size_bytes
        for quantisation, file in model.files.items()
        if file.size_bytes < weights
        and not quantisation.startswith(_COARSEST)
        and BETTER_OF_ITS_SIZE.get(quantisation) not in model.files
    }


def _of_model(model: Model, files: dict[str, int], context: int) -> Iterator[Alternative]:
    short = min(context, SMALL_CONTEXT)
    by_size = sorted(files, key=files.get, reverse=True)
    fine = [quantisation for quantisation in by_size if not quantisation.startswith(_COARSE)]
    coarse = [[quantisation] for quantisation in by_size if quantisation.startswith(_COARSE)]
    for group in (fine, *coarse):
        for quantisation in group:
            yield Alternative(model, quantisation, context, "f16")
            yield Alternative(model, quantisation, context, "q8_0")
            yield Alternative(model, quantisation, short, "q8_0")
        for quantisation in group:
            yield Alternative(model, quantisation, short, "q4_0")
