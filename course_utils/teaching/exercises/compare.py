"""What is off about this answer? Comparisons that name the kind of mistake, not the answer.

Each returns None when the answer is right, otherwise a ``Mistake``: a short name and one or two
sentences for the learner.
"""

from __future__ import annotations

import json
import math
import numbers
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from course_utils.teaching.exercises.declaration import Mistake

_LOGARITHM = "off by the factor between log base 2 and the natural log."

# Slips that leave a recognisable factor between an answer and the truth: what the answer is
# multiplied by, the mistake's name, and what the learner is told after "It is".
_FACTORS = (
    (2, "twice", "twice too large. Is something counted twice?"),
    (1 / 2, "half", "half of what it should be. Is one of two parts missing?"),
    (100, "percent", "100 times too large. A share or a percentage?"),
    (1 / 100, "percent", "100 times too small. A share or a percentage?"),
    (10, "zeros", "ten times too large. Count the zeros."),
    (1 / 10, "zeros", "ten times too small. Count the zeros."),
    (8, "bits-or-bytes", "eight times too large. Bits or bytes?"),
    (1 / 8, "bits-or-bytes", "eight times too small. Bits or bytes?"),
    (1000, "unit", "1,000 times too large. Check the unit."),
    (1 / 1000, "unit", "1,000 times too small. Check the unit."),
    (1024, "unit", "1,024 times too large. Check the unit."),
    (1 / 1024, "unit", "1,024 times too small. Check the unit."),
    (1e6, "unit", "a million times too large. Check the unit."),
    (1e-6, "unit", "a million times too small. Check the unit."),
    (2**20, "unit", "2^20 times too large. Check the unit."),
    (2**-20, "unit", "2^20 times too small. Check the unit."),
    (1e9, "unit", "a billion times too large. Check the unit."),
    (1e-9, "unit", "a billion times too small. Check the unit."),
    (2**30, "unit", "2^30 times too large. Check the unit."),
    (2**-30, "unit", "2^30 times too small. Check the unit."),
    (1 / math.log(2), "log-base", _LOGARITHM),
    (math.log(2), "log-base", _LOGARITHM),
)


def compare_number(
    answer: object, expected: float, *, relative: float = 1e-3, absolute: float = 1e-9
) -> Mistake | None:
    """A number against the expected one, within ``relative`` of it or ``absolute``."""
    value = _as_number(answer)
    if value is None:
        return Mistake("no-number", f"A number is asked for, and this is {_describe(answer)}.")
    if not math.isfinite(value):
        return Mistake(
            "not-finite",
            "The answer is not a finite number. Is there a division by zero, or a log of zero?",
        )
    if math.isclose(value, expected, rel_tol=relative, abs_tol=absolute):
        return None
    if value and math.isclose(value, -expected, rel_tol=relative, abs_tol=absolute):
        return Mistake("sign", "The size is right, and the sign is wrong.")
    if value and expected:
        ratio = value / expected
        for factor, name, words in _FACTORS:
            if math.isclose(ratio, factor, rel_tol=min(relative, 1e-2)):
                return Mistake(name, f"It is {words}")
        if math.isclose(abs(value * expected), 1, rel_tol=relative):
            return Mistake(
                "upside-down",
                "It is one divided by what is asked for. Is the fraction upside down?",
            )
        if 0.97 < ratio < 1.03:
            return Mistake(
                "nearly",
                "Close, within 3 percent, but not exact. Is a small part missing or too much?",
            )
        if expected > 0 > value:
            return Mistake("negative", "The answer cannot be negative.")
    if value > expected:
        return Mistake("too-large", "It is too large.")
    return Mistake("too-small", "It is too small.")


def compare_probabilities(
    answer: object, expected: object, *, tolerance: float = 1e-6
) -> Mistake | None:
    """A list or array of probabilities against the expected one."""
    values, wanted = as_array(answer), np.asarray(expected, dtype=float)
    off = _compare_form(answer, values, wanted)
    if off:
        return off
    if np.allclose(values, wanted, rtol=0, atol=tolerance):
        return None
    if (values < -tolerance).any():
        words = "A probability cannot be negative, and at least one of these is."
        return Mistake("negative-probability", words)
    total = values.sum(axis=-1)
    if not np.allclose(total, 1, atol=1e-3):
        first_off = np.ravel(total)[np.argmax(~np.isclose(np.ravel(total), 1, atol=1e-3))]
        return Mistake(
            "sum-not-one",
            f"Probabilities must sum to 1, and these sum to {float(first_off):.3g}. "
            "Is a division by the sum missing?",
        )
    return Mistake("values", "They sum to 1, but " + _where_off(values, wanted, tolerance))


def compare_array(answer: object, expected: object, *, tolerance: float = 1e-6) -> Mistake | None:
    """A list or array of numbers against the expected one, within ``tolerance`` of each."""
    values, wanted = as_array(answer), np.asarray(expected, dtype=float)
    off = _compare_form(answer, values, wanted)
    if off:
        return off
    if np.allclose(values, wanted, rtol=tolerance, atol=tolerance):
        return None
    if np.allclose(values, -wanted, rtol=tolerance, atol=tolerance):
        return Mistake("sign", "The sizes are right, and the signs are wrong.")
    if values.ndim == 1 and values.size > 1:
        if np.allclose(values, wanted[::-1], rtol=tolerance, atol=tolerance):
            return Mistake("reversed", "The numbers are right, but in reverse order.")
        if np.allclose(np.sort(values), np.sort(wanted), rtol=tolerance, atol=tolerance):
            return Mistake("order", "The numbers are right, but not in the order asked for.")
    with np.errstate(all="ignore"):
        ratios = (values / wanted)[np.abs(wanted) > tolerance]
    if ratios.size > 1 and np.isfinite(ratios).all() and np.allclose(ratios, ratios[0], rtol=1e-3):
        return Mistake("scale", "All of them are off by the same factor. Is a scale missing?")
    return Mistake("values", "The form is right, but " + _where_off(values, wanted, tolerance))


def known_mistake(
    answer: object,
    known: Iterable[tuple[object, str, str]],
    compare: Callable[..., Mistake | None] = compare_number,
    **tolerance: float,
) -> Mistake | None:
    """The mistake that leads to this answer, where it is a known one.

    known: wrong answers, each with the name of its mistake and what to say of it.
    """
    return first_mistake(
        (compare(answer, wrong, **tolerance) is None, name, words) for wrong, name, words in known
    )


def first_mistake(signs: Iterable[tuple[bool, str, str]]) -> Mistake | None:
    """The first mistake that shows: each with whether it does, its name, and what to say of it."""
    return next((Mistake(name, words) for shows, name, words in signs if shows), None)


def compare_choices(
    answer: object,
    expected: Mapping[object, tuple[str, str]],
    look_at: Mapping[object, str],
    *,
    choice: str,
    of: str,
) -> Mistake | None:
    """What is off in a dictionary of choices, one for each key of ``expected``, if anything is.

    expected: the right words, and the name of the mistake that other words are.
    look_at: what to say of it.  choice, of: what is chosen, and for what, as "diagnosis", "run".
    """
    first, second, *_ = keys = [json.dumps(key) for key in expected]
    if not isinstance(answer, Mapping):
        example = f'{{{first}: "...", {second}: "...", ...}}'
        return Mistake("no-dictionary", f"Give a dictionary: {example}.")
    given = {str(key).strip().upper(): str(words).strip().lower() for key, words in answer.items()}
    if set(given) != set(map(str, expected)):
        every = f"{', '.join(keys[:-1])} and {keys[-1]}".replace('"', "")
        return Mistake(f"not-all-{of}s", f"Give one {choice} for each of the {of}s {every}.")
    known = [words for words, _ in expected.values()]
    for words in given.values():
        if words not in known:
            return Mistake(f"unknown-{choice}", f"{words!r} is none of: {', '.join(known)}.")
    return first_mistake(
        (given[str(key)] != words, name, look_at[key]) for key, (words, name) in expected.items()
    )


def compare_choice(
    answer: object, expected: object, why_not: Mapping[object, Mistake | str]
) -> Mistake | None:
    """One of several given options; ``why_not`` says of each wrong one what speaks against it."""
    options = [expected, *why_not]
    if isinstance(answer, str):
        answer = answer.strip()
        by_name = {str(option).casefold(): option for option in options}
        answer = by_name.get(answer.casefold(), answer)
    if answer == expected:
        return None
    for option, words in why_not.items():
        if answer == option:
            return words if isinstance(words, Mistake) else Mistake(_hyphens(option), words)
    names = ", ".join(sorted(map(repr, options)))
    return Mistake("no-option", f"{answer!r} is not one of the options. Choose from {names}.")


def _hyphens(option: object) -> str:
    """An option as a mistake's name: ``thoughts-and-answers``."""
    return "-".join(re.findall(r"[a-z0-9]+", str(option).lower()))[:40]


def _compare_form(answer: object, values: np.ndarray | None, wanted: np.ndarray) -> Mistake | None:
    if values is None:
        words = f"A list or array of numbers is asked for, and this is {_describe(answer)}."
        return Mistake("no-array", words)
    if values.shape != wanted.shape:
        return Mistake(
            "shape",
            f"The shape should be {_shape(wanted)}, and it is {_shape(values)}. "
            "Along which dimension do you work?",
        )
    if not np.isfinite(values).all():
        return Mistake(
            "not-finite",
            "Not all of the numbers are finite. Is there a division by zero, or an overflow?",
        )
    return None


def _where_off(values: np.ndarray, wanted: np.ndarray, tolerance: float) -> str:
    wrong = ~np.isclose(values, wanted, rtol=0, atol=tolerance)
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = first[0] if len(first) == 1 else first
    return f"{int(wrong.sum())} of {wrong.size} are off, the first at position {place}."


def _shape(array: np.ndarray) -> str:
    return str(tuple(int(n) for n in array.shape)) if array.ndim else "a single number"


def _as_number(answer: object) -> float | None:
    if isinstance(answer, bool | str):
        return None
    if isinstance(answer, numbers.Real):
        return float(answer)
    array = as_array(answer)
    return float(array.reshape(())) if array is not None and array.size == 1 else None


def as_array(answer: object) -> np.ndarray | None:
    """An array or a tensor, or what makes one, as numbers; None for anything else."""
    if isinstance(answer, str | dict):
        return None
    if hasattr(answer, "detach"):  # a PyTorch tensor, without importing PyTorch
        answer = answer.detach().cpu()
    try:
        return np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        return None


def _describe(answer: object) -> str:
    if isinstance(answer, str):
        return "a text"
    if isinstance(answer, bool):
        return "True or False"
    name = type(answer).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
