"""Sampling settings, by which the next token is picked; QwQ's are the default."""

from __future__ import annotations

from dataclasses import dataclass, replace

from course_utils.engines.checks import MOST, finite_number, shown, shown_short, whole_number
from course_utils.errors import OptionError

# For each setting that is a number with a point: the least and the most it may be.
_RANGES = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "repetition_penalty": (0.01, 100),
    "presence_penalty": (-10, 10),
}

# For each setting that is a whole number: the least, the most, and whether None is allowed.
_COUNTS = {
    "top_k": (0, MOST, False),
    "max_tokens": (1, MOST, True),
    "seed": (0, 2**32 - 2, True),
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
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            number = finite_number(value)
            # A top_p of 0 would keep no token, a min_p of 1 none but the likeliest.
            excluded = {"top_p": 0, "min_p": 1}.get(name)
            if number is None or not least <= number <= most or number == excluded:
                but = "" if excluded is None else f", but not {excluded}"
                raise OptionError(
                    f"{name}={shown_short(value)} is not a valid setting.",
                    f"Give a number from {least} to {most}{but}.",
                )
        for name, (least, most, optional) in _COUNTS.items():
            value = getattr(self, name)
            if value is not None or not optional:
                object.__setattr__(self, name, whole_number(name, value, least, most))

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


def chosen(sampling: object, default: Sampling | None) -> Sampling | None:
    """The settings given, or the engine's own for None. Raises OptionError for anything else."""
    if sampling is None:
        return default
    if not isinstance(sampling, Sampling):
        raise OptionError(
            f"sampling={shown(sampling)} is not a set of sampling settings.",
            "Make one with Sampling(temperature=..., top_p=...), or from one: QWQ.but(seed=1).",
        )
    return sampling
