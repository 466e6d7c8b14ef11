"""Which exercises and questions does notebook 08, on agents, ask?

This module is long because an exercise is kept whole: its check, hints, solution and questions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from numbers import Integral, Real

import torch

from course_utils.agents.guessing import HIGHER, LOWER
from course_utils.agents.players import open_interval
from course_utils.teaching.exercises.compare import first_mistake, known_mistake
from course_utils.teaching.exercises.declaration import Exercise, Mistake, Option, Question

_CALL = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "47*38"}}\n</tool_call>'
_NESTED = '<tool_call>{"name": "find", "arguments": {"in": {"box": 3}, "open": true}}</tool_call>'
_FOUND = ("find", {"in": {"box": 3}, "open": True})


def _check_read(answer) -> Mistake | None:
    calculator = ("calculator", {"expression": "47*38"})
    cases = (
        (_CALL, calculator, "a call and nothing else", "not-read"),
        (f"I need a tool.\n{_CALL}", calculator, "words before the call", "words-before"),
        (_NESTED, _FOUND, "an object inside the arguments", "nested"),
        (_NESTED + _CALL, _FOUND, "two calls: give the first", "which-of-two"),
        ("It is 1786.", None, "no call at all", "no-call"),
        ("<tool_call>calculator(47*38)</tool_call>", None, "no JSON in the tags", "no-json"),
        ("<tool_call>[47, 38]</tool_call>", None, "JSON, but no object with a name", "no-name"),
    )
    for text, expected, words, name in cases:
        given = answer(text)
        if given is False and expected is None:
            continue
        given = tuple(given) if isinstance(given, list) else given
        if given == expected:
            continue
        if off := _form_of_call(given, expected):
            return off
        wanted = "False" if expected is None else "its name and its arguments"
        message = f"For {text!r} ({words}) you give {given!r}; {wanted} would be right."
        return Mistake(name, message)
    return None


def _form_of_call(given, expected) -> Mistake | None:
    """What is off about the form of an answer that has the right call in it."""
    if expected is None:
        return None
    name, arguments = expected
    signs = (
        (
            given == {"name": name, "arguments": arguments},
            "whole-object",
            "You give the whole JSON object. Take its two parts out.",
        ),
        (
            given == (arguments, name),
            "swapped",
            "Both parts are there, in the other order: the name first.",
        ),
        (
            given == (name, json.dumps(arguments)),
            "arguments-as-text",
            "The arguments are a dictionary, not a text.",
        ),
    )
    return first_mistake(signs)


def _check_halve(answer) -> Mistake | None:
    cases = (
        (1, 99, [], "first-guess"),
        (20, 61, [], "first-guess"),
        (1, 99, [(50, HIGHER)], "one-answer"),
        (1, 99, [(50, LOWER)], "one-answer"),
        (1, 99, [(50, HIGHER), (75, LOWER)], "several-answers"),
        (8, 95, [(51, HIGHER), (73, LOWER), (62, LOWER)], "several-answers"),
        (1, 99, [(90, LOWER), (95, LOWER)], "stale-answer"),
        (1, 99, [(20, HIGHER), (10, HIGHER)], "stale-answer"),
    )
    for low, high, turns, name in cases:
        told = [(guess, f"{way} {guess}") for guess, way in turns]
        given = answer(low, high, list(told))
        if isinstance(given, Real) and not isinstance(given, bool) and given == int(given):
            given = int(given)
        if isinstance(given, bool) or not isinstance(given, Integral):
            return Mistake("no-whole-number", f"A guess is a whole number, not {given!r}.")
        if given not in _middles(low, high, told):
            return _off_the_middle(low, high, told, int(given), name)
    return None


def _off_the_middle(low: int, high: int, told: list, given: int, name: str) -> Mistake | None:
    """What is off about a guess that is not in the middle."""
    bottom, top = _still_open(low, high, told)
    heard = ", ".join(said for _, said in told) or "nothing yet"
    case = f"Between {low} and {high}, told {heard}, you guess {given}"
    signs = (
        (
            told and given in _middles(low, high, []),
            "ignores-answers",
            f"{case}, as if nothing had been said.",
        ),
        (
            name == "several-answers" and given in _middles(low, high, told[-1:]),
            "only-the-last",
            f"{case}: the earlier answers count, too.",
        ),
        (not bottom <= given <= top, "ruled-out", f"{case}, which has been ruled out."),
        (
            told and abs(2 * given - bottom - top) <= 3,
            "next-to-the-middle",
            f"{case}, just beside the middle of what is left.",
        ),
        (
            name == "stale-answer",
            name,
            f"{case}. The last answer tells nothing new: it must not undo others.",
        ),
        (True, name, f"{case}, which is not in the middle of what is left."),
    )
    return first_mistake(signs)


def _still_open(low: int, high: int, told: list) -> tuple[int, int]:
    return open_interval(low, high, [guess for guess, _ in told], [said for _, said in told])


def _middles(low: int, high: int, told: list) -> set[int]:
    """The one middle of what is left, or both of them."""
    total = sum(_still_open(low, high, told))
    return {total // 2, (total + 1) // 2}


def _check_mask(answer) -> Mistake | None:
    surrogate = torch.tensor([[0.5, 9.0, 1.0, 7.0], [2.0, -4.0, 0.0, 0.0]])
    own = torch.tensor([[True, False, True, False], [True, False, False, False]])
    known = (
        (3.5 / 3, "sign", "The sign: an optimiser lowers the loss, and the surrogate is to rise."),
        (-15.5 / 8, "no-mask", "This is the mean over all tokens, the environment's included."),
        (-3.5 / 8, "counts-all", "The sum is right, and it is divided by too many tokens."),
        (-3.5, "sum", "The sum is right, and a mean is asked for."),
        (
            -(0.75 + 2.0) / 2,
            "mean-of-means",
            "Each token counts alike, whichever rollout it is in.",
        ),
        (-12.0 / 5, "wrong-tokens", "These are the environment's tokens. Take the others."),
    )
    given = answer(surrogate.clone(), own)
    if not isinstance(given, torch.Tensor):
        return Mistake("no-tensor", "Return a tensor: a plain number has lost its gradient.")
    if given.numel() != 1:
        return Mistake("one-number", "One number is asked for, over all rollouts together.")
    value = given.item()
    if off := known_mistake(value, known, relative=0, absolute=1e-5):
        return off
    if abs(value + 3.5 / 3) > 1e-5:
        words = f"Three of eight tokens are the policy's own, and {value:.4g} is not their loss."
        return Mistake("not-the-mean", words)
    if abs(answer(surrogate.clone(), torch.ones_like(own)).item() + 15.5 / 8) > 1e-5:
        words = "Where all tokens are the policy's own, it is the mean over all of them."
        return Mistake("all-own", words)
    traced = surrogate.clone().requires_grad_()
    loss = answer(traced, own)
    if not loss.requires_grad:
        return Mistake("detached", "The number is right, and no gradient can flow through it.")
    loss.backward()
    if traced.grad is None or (traced.grad[~own] != 0).any():
        return Mistake("leaks", "A token that the environment wrote has a gradient that is not 0.")
    return None


CONTROLS = ("prompted base", "noise", "binary search", "more seeds", "blind policy")
"""What a claim about a policy can be held against."""

_CLAIMS = {"A": "prompted base", "B": "noise", "C": "binary search"}

_WHY_NOT = {
    ("A", "noise"): "Noise says whether it listens, not who taught it to.",
    ("A", "binary search"): "Playing below the best says nothing about what it could do before.",
    ("A", "more seeds"): "Ten seeds may all bring out what the base could do when asked.",
    ("A", "blind policy"): "The base may beat a blind policy as well. What did *reward* add?",
    ("B", "prompted base"): "The base may fail because it does not listen, or for other reasons.",
    ("B", "binary search"): "A policy can be worse than the best, and listen all the same.",
    ("B", "more seeds"): "Many seeds may all have found the same trick.",
    ("B", "blind policy"): "The blind policy is another player. What would *this* one do without "
    "true answers?",
    ("C", "prompted base"): "Better than its base is not yet the best there is.",
    ("C", "noise"): "A policy that falls under noise has listened, well or badly.",
    ("C", "more seeds"): "All seeds may stop at the same place below the best.",
    ("C", "blind policy"): "Better than the blind policy is not yet the best there is.",
}


def named_controls(answer: object) -> dict[str, str] | None:
    """The control named for each claim, ``{"A": "noise", ...}``; None for what names none.

    answer: a dictionary, or a list in the order of the claims; capitals do not count.
    """
    if isinstance(answer, list | tuple) and len(answer) == len(_CLAIMS):
        answer = dict(zip(_CLAIMS, answer, strict=True))
    if not isinstance(answer, Mapping):
        return None
    return {str(key).strip().upper(): _plain(value) for key, value in answer.items()}


def _check_controls(answer) -> Mistake | None:
    given = named_controls(answer)
    if given is None:
        return Mistake("no-dictionary", 'Give a dictionary: {"A": ..., "B": ..., "C": ...}.')
    if set(given) != set(_CLAIMS):
        return Mistake("claims", f"Answer A, B and C, each once; yours: {', '.join(given)}.")
    for claim, control in _CLAIMS.items():
        chosen = given[claim]
        if chosen not in CONTROLS:
            names = ", ".join(map(repr, CONTROLS))
            return Mistake("no-control", f"{chosen!r} is no control. Choose from {names}.")
        if chosen != control:
            name = f"{claim.lower()}-{chosen.replace(' ', '-')}"
            return Mistake(name, f"Claim {claim}: {_WHY_NOT[claim, chosen]}")
    return None


def _plain(value: object) -> str:
    return " ".join(str(value).replace("_", " ").replace("-", " ").casefold().split())


EXERCISES = [
    Exercise(
        id="08.read",
        title="Which call does a reply make?",
        answer="read_call",
        check=_check_read,
        right="JSON ends where its brackets match, and a search for the next brace misses that.",
        hints=(
            '`text.partition("<tool_call>")` gives what comes before the tag, the tag itself, and '
            "what follows.",
            "`json.JSONDecoder().raw_decode(text.lstrip())` reads one JSON value from the start of "
            "a text, whatever follows, and raises ValueError where there is none.",
            "A value that is not a dictionary, or one without a name, is not a call.",
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
        minutes=15,
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
            "is at most 49. Use `max` and `min`, so that an answer that tells you nothing new "
            "does no harm.",
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
        difficulty=2,
        importance=4,
        minutes=8,
    ),
    Exercise(
        id="08.mask",
        title="Which tokens may a policy learn from?",
        answer="policy_loss",
        check=_check_mask,
        right="The policy reads what the environment says, and never learns to say it.",
        hints=(
            "`own` is a mask of True and False: as a number, True is 1 and False is 0.",
            "Sum the surrogate over the policy's own tokens, and divide by how many there are.",
            "The loss is minus that mean.",
        ),
        solution="""
def policy_loss(surrogate, own):
    return -(surrogate * own).sum() / own.sum()
""",
        difficulty=2,
        importance=5,
        minutes=6,
    ),
    Exercise(
        id="08.controls",
        title="Which comparison could prove the claim wrong?",
        answer="controls",
        check=_check_controls,
        right="A claim is as strong as the comparison that could have proved it wrong.",
        hints=(
            "For each claim ask: what else could give the same number? Then look for the "
            "comparison that tells the two apart.",
            "Claim A says that *reward* did it. What might have been there before?",
            "Claim B says what this policy would do without true answers. Which comparison takes "
            "them away?",
        ),
        solution="""
# A survives its control here. A harder one, what the base had read, comes at the end.
controls = {"A": "prompted base", "B": "noise", "C": "binary search"}
""",
        difficulty=3,
        importance=5,
        minutes=5,
    ),
]

QUESTIONS = [
    Question(
        id="08.who",
        asks="A model writes a tool call. Who runs the tool?",
        options=(
            Option(
                "The model, inside its forward pass.",
                "A forward pass gives probabilities for the next token, and nothing else happens.",
            ),
            Option(
                "The program around the model, if it decides to.",
                "The call is text. The loop reads it, checks it, and may refuse.",
            ),
            Option(
                "The tokenizer, when it meets the closing tag.",
                "A tokenizer turns text into numbers and back. It runs nothing.",
            ),
        ),
        right=2,
    ),
    Question(
        id="08.believes",
        asks="A tool returns something wrong. What protects you?",
        options=(
            Option(
                "The model checks each result against what it knows.",
                "You saw it recommend a hat in the snow: the result is one more piece of text to "
                "go on from.",
            ),
            Option(
                "A filter that removes the marks of the chat format.",
                "That stops a result from posing as the system. Plain words still get through.",
            ),
            Option(
                "Limits on what the tools can do, and a person's consent.",
                "Whatever the model is talked into, it can only do what you gave it tools for.",
            ),
        ),
        right=3,
    ),
    Question(
        id="08.masked",
        asks="Why are the environment's tokens masked from the loss?",
        options=(
            Option(
                "They would make the gradient too large.",
                "Their number is not the point: even one of them would teach the wrong thing.",
            ),
            Option(
                "The policy did not choose them, so it can take no credit for them.",
                "A policy gradient asks how likely the policy's own choices were. These are not.",
            ),
            Option(
                "The policy cannot see them.",
                "It reads every one of them: that is how it knows what it was told.",
            ),
        ),
        right=2,
    ),
    Question(
        id="08.luck",
        asks="Given 32 tries, the base nearly always finds the number. Can it halve the interval?",
        options=(
            Option(
                "Yes: pass@32 shows what it can do.",
                "Thirty-two tries of seven guesses would find most numbers even blindfold.",
            ),
            Option(
                "No: its pass@1 is low.",
                "pass@1 says how often a single try succeeds, not what it can do at all.",
            ),
            Option(
                "You cannot tell from that: count only games in which every guess narrows.",
                "Luck finds numbers. It narrows the interval at every guess far less often.",
            ),
        ),
        right=3,
    ),
]
