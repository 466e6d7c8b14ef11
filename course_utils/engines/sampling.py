"""How is the next token picked from the probabilities? The settings, with QwQ's as default."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from course_utils.errors import OptionError


def _number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# For each setting: which values are allowed, and how to say so.
_RULES = {
    "temperature": (lambda v: _number(v) and 0 <= v <= 100, "a number from 0 to 100"),
    "top_k": (lambda v: _whole(v) and v >= 0, "a whole number from 0 up"),
    "top_p": (lambda v: _number(v) and 0 < v <= 1, "a number above 0 and at most 1"),
    "min_p": (lambda v: _number(v) and 0 <= v < 1, "a number from 0 to below 1"),
    "repetition_penalty": (lambda v: _number(v) and v > 0, "a number above 0"),
    "presence_penalty": (lambda v: _number(v) and -10 <= v <= 10, "a number from -10 to 10"),
    "max_tokens": (lambda v: v is None or (_whole(v) and v >= 1), "a whole number from 1, or None"),
    "seed": (
        lambda v: v is None or (_whole(v) and 0 <= v < 2**32 - 1),
        "a whole number from 0 to 4294967294, or None",
    ),
}


@dataclass(frozen=True)
class Sampling:
    """Sampling settings, applied in llama.cpp's order: penalties, top-k, top-p, min-p, temperature.

    The defaults are those recommended on QwQ-32B's model card
    (https://huggingface.co/Qwen/QwQ-32B, usage guidelines): temperature 0.6, top_p 0.95,
    top_k 20 to 40, min_p 0, and no greedy decoding, which leads to endless repetition.

    temperature: logits are divided by it; 0 always takes the likeliest token (greedy).
    top_k: keep only the k likeliest tokens; 0 keeps all.
    top_p: keep the fewest tokens whose probabilities sum to at least this; 1 keeps all.
    min_p: drop tokens less likely than this share of the likeliest; 0 drops none.
    repetition_penalty: divide the logits of tokens already seen; 1 leaves them alone.
    presence_penalty: subtract this from the logits of tokens already seen; 0 leaves them alone.
    max_tokens: stop after so many tokens; None goes on until the model or the context ends.
    seed: the same seed, prompt and settings give the same reply; None draws a new seed.
    """

    temperature: float = 0.6
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    max_tokens: int | None = None
    seed: int | None = None

    def __post_init__(self):
        for name, (allowed, expected) in _RULES.items():
            value = getattr(self, name)
            if not allowed(value):
                raise OptionError(f"{name}={value!r} is not a valid setting.", f"Give {expected}.")

    def but(self, **changes) -> Sampling:
        """The same settings with some of them changed: ``sampling.but(temperature=1.0)``."""
        unknown = sorted(set(changes) - set(self.__dataclass_fields__))
        if unknown:
            raise OptionError(
                f"There is no sampling setting called {unknown[0]!r}.",
                f"Use one of: {', '.join(self.__dataclass_fields__)}.",
            )
        return replace(self, **changes)


QWQ = Sampling()
"""What QwQ-32B's card recommends; the default for every reasoning model here."""

GREEDY = Sampling(temperature=0.0, top_k=1, top_p=1.0)
"""Always the likeliest token: repeatable, but prone to loops."""

PLAIN = Sampling(temperature=1.0, top_k=0, top_p=1.0)
"""The model's own distribution, nothing cut off: what training and pass@k assume."""
