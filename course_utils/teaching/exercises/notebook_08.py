"""Which exercises does notebook 08, on agents, ask?"""

from __future__ import annotations

import torch

from course_utils.agents.guessing import HIGHER, LOWER
from course_utils.agents.players import binary_search
from course_utils.teaching.exercises.compare import compare_number
from course_utils.teaching.exercises.declaration import Exercise

_CALL = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "47*38"}}\n</tool_call>'
_NESTED = '<tool_call>{"name": "find", "arguments": {"where": {"box": 3}, "n": 2}}</tool_call>'


def _check_read(answer) -> str | None:
    cases = (
        (_CALL, ("calculator", {"expression": "47*38"}), "a call and nothing else"),
        (f"I need a tool.\n{_CALL}", ("calculator", {"expression": "47*38"}), "words before it"),
        (_NESTED, ("find", {"where": {"box": 3}, "n": 2}), "an object inside the arguments"),
        (_NESTED + _CALL, ("find", {"where": {"box": 3}, "n": 2}), "two calls: give the first"),
        ("It is 1786.", None, "no call at all"),
        ("<tool_call>calculator(47*38)</tool_call>", None, "no JSON between the tags"),
        ("<tool_call>[47, 38]</tool_call>", None, "JSON, but no object with a name"),
    )
    for text, expected, words in cases:
        # None would count as an answer that is still empty, so the check asks in its own way.
        given = answer(text)
        given = None if given is False else given
        if isinstance(given, list):
            given = tuple(given)
        if given != expected:
            wanted = "False" if expected is None else "its name and its arguments"
            return f"For {text!r} ({words}) you give {given!r}; {wanted} would be right."
    return None


def _check_halve(answer) -> str | None:
    cases = (
        (1, 99, [], "the first guess"),
        (20, 60, [], "the first guess in another interval"),
        (1, 99, [(50, f"{HIGHER} 50")], "after a first answer"),
        (1, 99, [(50, f"{LOWER} 50")], "after a first answer"),
        (1, 99, [(50, f"{HIGHER} 50"), (75, f"{LOWER} 75")], "after two answers"),
        (8, 95, [(51, f"{HIGHER} 51"), (73, f"{LOWER} 73"), (62, f"{LOWER} 62")], "after three"),
        (1, 99, [(90, f"{LOWER} 90"), (95, f"{LOWER} 95")], "the second answer tells nothing new"),
    )
    for low, high, turns, words in cases:
        guesses = [guess for guess, _ in turns]
        answers = [told for _, told in turns]
        expected = binary_search(None, low, high, guesses, answers)
        given = answer(low, high, list(turns))
        if isinstance(given, float) and given.is_integer():
            given = int(given)
        if isinstance(given, bool) or not isinstance(given, int):
            return f"A guess is a whole number, not {given!r}: divide with //."
        if given not in (expected, expected + 1):
            return (
                f"Between {low} and {high}, told {answers or 'nothing yet'} ({words}), "
                f"{given} is not in the middle of what is left."
            )
    return None


def _check_mask(answer) -> str | None:
    gain = torch.tensor([[0.5, 9.0, 1.0, 7.0], [2.0, -4.0, 0.0, 0.0]])
    own = torch.tensor([[True, False, True, False], [True, False, False, False]])
    off = _compare_loss(answer(gain, own), -3.5 / 3)
    if off:
        return f"Three of eight tokens are the policy's own. {off}"
    everything = torch.ones_like(own)
    off = _compare_loss(answer(gain, everything), -15.5 / 8)
    if off:
        return f"Where all tokens are the policy's own, it is the mean over all. {off}"
    traced = gain.clone().requires_grad_()
    answer(traced, own).backward()
    if traced.grad is None or (traced.grad[~own] != 0).any():
        return "A token that the environment wrote has a gradient that is not 0."
    return None


def _compare_loss(given, expected: float) -> str | None:
    if not isinstance(given, torch.Tensor) or given.numel() != 1:
        return "Return one number, as a tensor: sums and quotients of tensors are tensors."
    if abs(given.item() + expected) < 1e-6:
        return "The sign: an optimiser makes a loss smaller, and the gain is to grow."
    return compare_number(given.item(), expected, relative=1e-5)


def _check_worth(answer) -> str | None:
    cases = (
        (True, 1, 0.9, 1.0, "found at once"),
        (True, 4, 0.9, 0.729, "found at the fourth guess"),
        (True, 7, 1.0, 1.0, "found late, and time costs nothing"),
        (False, 7, 0.9, 0.0, "not found"),
        (False, 1, 0.9, 0.0, "given up at once"),
    )
    for success, turns, discount, expected, words in cases:
        off = compare_number(
            answer(success, turns, discount), expected, relative=1e-6, absolute=1e-9
        )
        if off:
            return f"success={success}, turns={turns}, discount={discount} ({words}): {off}"
    return None


EXERCISES = [
    Exercise(
        id="08.read",
        title="Which call does a reply make?",
        answer="read_call",
        check=_check_read,
        right="JSON ends where its brackets say so, which no search for a brace finds out.",
        hints=(
            '`text.partition("<tool_call>")` gives what stands before, the tag, and what follows.',
            "`json.JSONDecoder().raw_decode(text.lstrip())` reads one JSON value from the start of "
            "a text, whatever follows, and raises ValueError where there is none.",
            "A value that is no dictionary, or one without a name, is no call.",
        ),
        solution="""
import json

def read_call(text):
    after = text.partition("<tool_call>")[2]
    try:
        call, _ = json.JSONDecoder().raw_decode(after.lstrip())
        return call["name"], call["arguments"]
    except (ValueError, TypeError, KeyError):
        return False
""",
        difficulty=4,
        importance=4,
        minutes=12,
    ),
    Exercise(
        id="08.halve",
        title="Which guess halves what is left?",
        answer="halve",
        check=_check_halve,
        right="Seven such guesses tell 127 numbers apart, so you never need an eighth.",
        hints=(
            "Keep two numbers: the lowest and the highest that are still possible. Each answer "
            "moves one of them.",
            'After "higher than 50" the lowest is at least 51; after "lower than 50" the highest '
            "is at most 49. Use `max` and `min`, so that an answer that tells nothing new does "
            "no harm.",
            "`(low + high) // 2` is the middle.",
        ),
        solution="""
def halve(low, high, turns):
    for guess, told in turns:
        if told.startswith("higher"):
            low = max(low, guess + 1)
        else:
            high = min(high, guess - 1)
    return (low + high) // 2
""",
        difficulty=3,
        importance=5,
        minutes=10,
    ),
    Exercise(
        id="08.worth",
        title="What is an episode worth?",
        answer="worth",
        check=_check_worth,
        right="A quick success is worth more than a late one; a failure is worth nothing.",
        hints=(
            "The first turn costs nothing; each later one multiplies by the discount.",
            "`discount ** (turns - 1)` for a success, 0 for a failure.",
        ),
        solution="""
def worth(success, turns, discount):
    return float(success) * discount ** (turns - 1)
""",
        difficulty=1,
        importance=4,
        minutes=4,
    ),
    Exercise(
        id="08.mask",
        title="Which tokens may a policy learn from?",
        answer="policy_loss",
        check=_check_mask,
        right="What the environment said is read, and never learnt to be said.",
        hints=(
            "`own` is a mask of True and False: as a number, True is 1 and False is 0.",
            "Sum the gain over the policy's own tokens, and divide by how many there are.",
            "The loss is minus that mean.",
        ),
        solution="""
def policy_loss(gain, own):
    return -(gain * own).sum() / own.sum()
""",
        difficulty=3,
        importance=5,
        minutes=8,
    ),
]
