"""Is a function right on cases that nobody has seen? New ones are drawn for every class.

Each exercise that asks for a function has a line below that draws its arguments.  The learner's
function is compared with the declared solution on a handful of draws.  Who reads this file learns
how cases are drawn; which ones are, depends on a seed that only the teacher's version holds.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from course_utils.teaching.exercises.attempt import (
    Attempt,
    AttemptFailed,
    BlankResult,
    is_function,
)
from course_utils.teaching.exercises.declaration import Exercise, Mistake
from course_utils.teaching.exercises.guarded import run_guarded

CASES = 8
LONGEST_SHOWN = 160


def _array(draw: random.Random, *shape: int) -> np.ndarray:
    return np.random.default_rng(draw.getrandbits(32)).normal(size=shape)


def _shares(draw: random.Random, count: int) -> np.ndarray:
    weights = np.exp(_array(draw, count))
    return weights / weights.sum()


def _distinct_shares(draw: random.Random) -> tuple:
    """Shares and a limit that no running sum comes near: rounding must not decide."""
    while True:
        shares, limit = _shares(draw, draw.randint(3, 9)), draw.uniform(0.2, 0.95)
        if np.abs(np.cumsum(np.sort(shares)[::-1]) - limit).min() > 1e-6:
            return shares, limit


def _two_distributions(draw: random.Random) -> tuple:
    count = draw.randint(2, 8)
    return _shares(draw, count), _shares(draw, count)


def _tries(draw: random.Random) -> tuple:
    n = draw.randint(4, 200)
    return n, draw.randint(0, n), draw.randint(1, n)


def _heads(draw: random.Random) -> tuple:
    kv, group = draw.randint(1, 8), draw.randint(1, 8)
    return draw.randrange(kv * group), kv * group, kv


def _rewards(draw: random.Random) -> tuple:
    shape = draw.randint(2, 6), draw.randint(3, 8)
    return ((np.abs(_array(draw, *shape)) > 0.7).astype(float),)


def _thought(draw: random.Random) -> tuple:
    words = draw.choice((["carry", "7"], ["个位", "3"], ["ones", "进", "1"], ["4", "+", "5"]))
    return (" ".join(draw.sample(words, len(words))),)


def _one_call(draw: random.Random) -> tuple:
    import json

    call = {"name": f"tool_{draw.randint(1, 99)}", "arguments": {"n": draw.randint(0, 9)}}
    body = draw.choice((json.dumps(call), "no call", "[1, 2]"))
    before = draw.choice(("", "Let me see.\n"))
    return (f"{before}<tool_call>\n{body}\n</tool_call>",)


def _game(draw: random.Random) -> tuple:
    """An interval and the answers of an honest game so far."""
    low = draw.randint(1, 40)
    high = low + draw.randint(20, 80)
    secret, turns, bottom, top = draw.randint(low, high), [], low, high
    for _ in range(draw.randint(0, 3)):
        guess = draw.randint(bottom, top)
        if guess == secret or top - bottom < 6:
            break
        turns.append((guess, f"{'higher' if guess < secret else 'lower'} than {guess}"))
        bottom, top = (guess + 1, top) if guess < secret else (bottom, guess - 1)
    if (top - bottom) % 2:  # an even count has two middles, and either is right
        return _game(draw)
    return low, high, turns


def _rule(draw: random.Random) -> tuple:
    """A reward that falls from ``free`` to ``limit`` tokens."""
    free = draw.randint(10, 50)
    limit = free + draw.randint(10, 90)
    return draw.random() < 0.8, draw.randint(1, limit + 20), free, limit


def _policy_gain(draw: random.Random) -> tuple:
    import torch

    shape = draw.randint(2, 4), draw.randint(3, 7)
    own = torch.as_tensor(_array(draw, *shape) > -0.4)
    own[0, 0] = True
    return torch.as_tensor(_array(draw, *shape), dtype=torch.float32), own


def _whole(draw: random.Random, *ranges: tuple[int, int]) -> tuple:
    return tuple(draw.randint(*each) for each in ranges)


DRAWS: dict[str, Callable[[random.Random], tuple]] = {
    "00.ceiling": lambda d: (d.uniform(1e9, 7e10), d.uniform(2, 16), d.uniform(20, 900)),
    "01.softmax": lambda d: (3 * _array(d, d.randint(2, 9)),),
    "01.top_p": _distinct_shares,
    "01.perplexity": lambda d: (-np.abs(_array(d, d.randint(2, 12))),),
    "02.rotation": lambda d: (_array(d, 2), d.randint(0, 500), d.uniform(0.001, 1)),
    "02.key_value_head": _heads,
    "02.causal_attention": lambda d: (_array(d, *[d.randint(2, 7)] * 2),),
    "02.kv_cache": lambda d: (
        *_whole(d, (1, 9999), (2, 80), (1, 16), (16, 256)),
        d.choice((1, 2, 4, 8)),
    ),
    "02.attention_parameters": lambda d: _whole(d, (64, 8192), (2, 64), (1, 16), (16, 256)),
    "03.advantages": _rewards,
    "03.pass_at_k": _tries,
    "04.mixes": _thought,
    "04.repeats": lambda d: ([d.randint(1, 4) for _ in range(d.randint(5, 30))], d.randint(1, 4)),
    "04.short": _rule,
    "04.going": lambda d: (d.uniform(0.55, 0.95), d.choice((0, 0.3, 0.6, 1.0)), d.randint(1, 9)),
    "05.mixture_layer": lambda d: _whole(d, (16, 4096), (16, 4096), (4, 128), (1, 4)),
    "05.effective_experts": lambda d: (_shares(d, d.randint(2, 16)),),
    "05.mutual_information": lambda d: (np.floor(9 * np.abs(_array(d, 3, 4))) + np.eye(3, 4),),
    "05.touched": lambda d: _whole(d, (8, 128), (1, 8), (1, 300)),
    "06.longest_context": lambda d: _whole(d, (10**9, 9 * 10**10), (10**8, 10**9), (10**3, 10**6)),
    "06.weight": lambda d: (*_array(d, 2), *_whole(d, (0, 63), (0, 63), (0, 15))),
    "06.after_rejection": _two_distributions,
    "06.tokens_per_step": lambda d: (d.uniform(0.05, 0.95), d.randint(1, 9)),
    "07.standard_error": lambda d: (d.uniform(0.05, 0.95), d.randint(10, 2000)),
    "07.split": lambda d: _whole(d, (1, 40), (0, 40)),
    "08.read": _one_call,
    "08.halve": _game,
    "08.worth": lambda d: (d.random() < 0.7, d.randint(1, 9), d.uniform(0.5, 1)),
    "08.mask": _policy_gain,
    "09.apart": lambda d: (d.uniform(5, 95), d.uniform(5, 95), d.randint(20, 500)),
    "09.stored": lambda d: (d.uniform(1e9, 7e11), d.uniform(1e9, 4e10), d.choice((4, 8, 16))),
}


def hidden_mistake(exercise: Exercise, answer: object, seed: int) -> Mistake | None:
    """The mistake that drawn cases bring to light, None where there is none or nothing to draw."""
    if exercise.id not in DRAWS or not is_function(answer):
        return None
    solution, _ = exercise.answer_of(exercise.solution)
    outcome = run_guarded(lambda: _first_difference(exercise.id, answer, solution, seed))
    if outcome.failure:
        return Mistake(f"hidden-{outcome.failure}", "On a case that was not shown, it never ends.")
    return outcome.value


def _first_difference(exercise_id: str, answer, solution, seed: int) -> Mistake | None:
    draw = random.Random(f"{exercise_id} {seed}")
    for _ in range(CASES):
        state = draw.getstate()
        wanted = solution(*DRAWS[exercise_id](draw))
        draw.setstate(state)
        arguments = DRAWS[exercise_id](draw)
        shown = ", ".join(" ".join(repr(value).split()) for value in arguments)[:LONGEST_SHOWN]
        try:
            given = Attempt(answer)(*arguments)
        except AttemptFailed as failure:
            return Mistake(
                f"hidden-{failure.mistake.name}",
                f"On a case that was not shown ({shown}): {failure.mistake.message}",
            )
        except BlankResult:
            given = None
        if not _same(given, wanted):
            return Mistake(
                "hidden-case",
                f"It is right on the cases shown, and not on another one: {exercise_id} ({shown}).",
            )
    return None


def _same(given: object, wanted: object) -> bool:
    """Equal up to a thousandth: numbers, arrays, tensors, and tuples or lists of them.

    Terms that keep a division defined, such as GRPO's 1e-4, differ between right answers.
    """
    if isinstance(wanted, tuple | list):
        return (
            not isinstance(given, str)
            and hasattr(given, "__len__")
            and len(given) == len(wanted)
            and all(map(_same, given, wanted))
        )
    if isinstance(wanted, str | dict):
        return given == wanted
    try:
        here, there = (np.asarray(value, dtype=float) for value in (given, wanted))
        return here.shape == there.shape and bool(np.allclose(here, there, rtol=1e-3, atol=1e-6))
    except (TypeError, ValueError, RuntimeError):
        return False
