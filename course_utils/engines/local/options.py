"""The options of a local model, and the bounds that this machine and the model set."""

from __future__ import annotations

import os
from dataclasses import dataclass

from course_utils.engines.checks import as_path, finite_number, shown_short, whole_number
from course_utils.engines.local.runtime import KV_TYPES, QUANTISED_KV_TYPES
from course_utils.errors import OptionError
from course_utils.machine import usable_cores
from course_utils.model_files.capacity import DRAFTED

DEFAULT_CONTEXT = 8192

CONTEXT_FACTOR = 8
"""A context may be so many times what the model was trained on. Stretching its positions (YaRN)
is usual up to 4 times; far beyond that a model writes noise, and only the memory is real."""

THREADS_PER_CORE = 4
"""Already two threads for a core are slower than one; more than this only freezes the machine."""

MOST_THREADS = 512
"""llama.cpp's own limit, see GGML_MAX_N_THREADS."""

MOST_STRETCH = 64
"""A factor of YaRN above any that has been published to work (32 in its paper)."""

LOOKUP = "lookup"
"""The draft that looks up what followed the same words before, and needs no second model."""

MOST_DRAFTED = 64
"""Tokens drafted for one step; four to sixteen are usual."""

MOST_BATCH = 65_536
MOST_KERNELS = 1000


@dataclass(frozen=True)
class LocalOptions:
    """How a local model is opened. None lets the engine choose; ``info.settings`` says what.

    context: tokens that prompt and reply may have together.
    threads: processor threads; by default all cores this process may use, or 1 for small models.
    kv_type: how keys and values are stored: "f32", "f16", "q8_0" or "q4_0".
    flash_attention: compute attention in one fused step; needed for kv_type "q8_0" and "q4_0".
    repack: let llama.cpp copy the weights into a layout of its own (see ``loading``): faster
        to decode, and a private copy in memory.
    batch: prompt tokens per step; smaller steps report progress more often.
    kernels: how many notebooks will have this file open; they share it only where none repacks.
    gpu_layers: layers on the graphics card: as many as fit ("auto", also when left out), a number,
        or "all"; 0 keeps the model on the processor.
    yarn: stretch the positions so many times, for texts longer than those of training; QwQ's card
        asks for 4 above 8,192 tokens of prompt.  ``yarn_trained``: that length, if the file and the
        catalogue do not state it (see ``positions``).
    draft: speculative decoding: the name or file of a small model of the same vocabulary that
        proposes tokens, or "lookup" to propose what followed the same words before (see
        ``drafting``).  ``draft_tokens``: how many it proposes at most for a step.
    force: load the model even where memory cannot hold it.
    """

    context: int | None = None
    threads: int | None = None
    kv_type: str | None = None
    flash_attention: bool | None = None
    repack: bool | None = None
    batch: int | None = None
    kernels: int = 1
    gpu_layers: int | str | None = None
    yarn: float | None = None
    yarn_trained: int | None = None
    draft: str | os.PathLike[str] | None = None
    draft_tokens: int = DRAFTED
    force: bool = False

    def __post_init__(self):
        cores = os.cpu_count() or 1
        most_threads = min(MOST_THREADS, THREADS_PER_CORE * cores)
        bounds = {
            "context": {},
            "threads": {
                "most": most_threads,
                "limit": f"this machine has {cores} core{'' if cores == 1 else 's'}",
            },
            "batch": {"most": MOST_BATCH},
            "kernels": {"most": MOST_KERNELS},
            "yarn_trained": {"unit": "tokens"},
            "draft_tokens": {"most": MOST_DRAFTED, "unit": "tokens"},
        }
        for name, bound in bounds.items():
            value = getattr(self, name)
            if value is not None or name in ("kernels", "draft_tokens"):
                object.__setattr__(self, name, whole_number(name, value, 1, **bound))
        for name in ("flash_attention", "repack", "force"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (value is None and name != "force"):
                raise OptionError(
                    f"{name}={shown_short(value)} is not valid.", "Give True or False."
                )
        if self.kv_type is not None and (
            not isinstance(self.kv_type, str) or self.kv_type not in KV_TYPES
        ):
            raise OptionError(
                f"kv_type={shown_short(self.kv_type)} is not a type of KV cache.",
                f"Use one of: {', '.join(KV_TYPES)}.",
            )
        if self.gpu_layers not in (None, "auto", "all"):
            layers = whole_number("gpu_layers", self.gpu_layers, 0)
            object.__setattr__(self, "gpu_layers", layers)
        if self.yarn is not None:
            object.__setattr__(self, "yarn", _stretch(self.yarn))
        elif self.yarn_trained is not None:
            raise OptionError(
                "yarn_trained says from where YaRN stretches, and yarn is not set.",
                "Give both, as in yarn=4, yarn_trained=32768, or neither.",
            )
        if self.draft is not None:
            as_path(self.draft)
            object.__setattr__(self, "draft", os.fsdecode(self.draft))
        if self.kv_type in QUANTISED_KV_TYPES and self.flash_attention is False:
            raise OptionError(
                f"A {self.kv_type} KV cache works only with flash attention.",
                "Leave flash_attention out, or set it to True.",
            )

    def settings(self, *, small: bool) -> dict[str, object]:
        """Threads, batch and the kind of KV cache, chosen where they are left open.

        small: whether the model is so small that sharing out its work costs more than it gains.
        """
        kv_type = self.kv_type or ("f32" if small else "f16")
        flash_attention = self.flash_attention
        if flash_attention is None:
            flash_attention = kv_type in QUANTISED_KV_TYPES or not small
        return {
            "threads": self.threads or (1 if small else usable_cores()),
            "kv_type": kv_type,
            "flash_attention": flash_attention,
            "batch": self.batch or (512 if small else 64),
        }

    def context_for(self, trained: object) -> int:
        """The context to open a model with that was ``trained`` on texts of so many tokens.

        ``trained`` is what YaRN stretches it to, where that is asked for.
        Raises OptionError for one far beyond that.
        """
        if not isinstance(trained, int) or trained < 1:
            trained = DEFAULT_CONTEXT
        if self.context is None:
            return min(trained, DEFAULT_CONTEXT)
        return whole_number(
            "context",
            self.context,
            1,
            CONTEXT_FACTOR * trained,
            limit=f"{CONTEXT_FACTOR} times the texts that the model was trained on",
            unit="tokens",
        )


def _stretch(value: object) -> float:
    """A factor of YaRN. Raises OptionError for anything else."""
    factor = finite_number(value)
    if factor is None or not 1 <= factor <= MOST_STRETCH:
        raise OptionError(
            f"yarn={shown_short(value)} is not a factor to stretch positions by.",
            f"Give a number from 1 to {MOST_STRETCH}; QwQ-32B's card asks for 4.",
        )
    return factor
