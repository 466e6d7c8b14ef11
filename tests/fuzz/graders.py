"""Random answers against slow oracles that share no code with the graders.

``fuzz(seed, seconds)`` draws answers whose meaning is known because they were built from it, and
texts without any meaning, of which only a bound is known: a number that is read must stand in the
text, alone.  A finding is an AssertionError that names seed and input.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from random import Random

from course_utils.engines.tool_calls import ToolCall
from course_utils.evaluation.function_calls import parse_function_calls
from course_utils.evaluation.graders import grade_choice, grade_integer
from course_utils.evaluation.mathematics import compare
from course_utils.evaluation.whole_numbers import read_whole_number


def fuzz(seed: int, seconds: float) -> dict[str, int]:
    """Draw answers for so many seconds; returns how often each outcome was met."""
    random = Random(seed)
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check = random.choices(list(_CHECKS), list(_CHECKS.values()))[0]
        counts[f"{check.__name__.strip('_')}: {check(random, seed)}"] += 1
    return dict(counts)


# ---- whole numbers, built from their meaning

_SCRIPTS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९"]
_UNITS = [r"\text{ cm}", r"\,\mathrm{m}", r"\text{ m/s}", r"~\text{kg}", " cm", r"\text{ ways}"]
_UNITS += [r"\text{ square units}", r"\mbox{ inches}", r"\ \mathrm{km}\,\mathrm{h}"]
_POWERS = ["", "^2", "^{3}", "^{-1}", "²"]
_AROUND = ["{}", r"\boxed{{{}}}", r"\mathbf{{{}}}", "${}$", "**{}**", r"\({}\)", "{{{}}}", " {} "]
_NAMES = ["x=", "n_1 = ", "m+n=", "f(3)=", "40+2=", r"6\cdot 7 = ", r"\text{Answer: }", "答案是"]
_POISON = ["^2", "!", r"\cdot 2", "+1", "/3", r"\pi", "x", r"\text{ or }7", ", 8", ";8", r"\quad 8"]
_POISON += [
    r"\text{ thousand}",
    "万",
    "_8",
    "e3",
    ":30",
    r"\text{ h }30\text{ min}",
    "...",
    r"\pm 1",
]
_POISON += [r"\frac{1}{2}", r"\\7", "(7)", "^{10}", "²", r"\text{ and a half}", r"\bmod 7", " 12 7"]
_SPOILT_NAMES = ["n^2=", "2x=", r"\text{not }", r"x\approx ", "x>", r"\sqrt{", "-x=", "7, ", "|x|="]


def _number(random: Random, value: int) -> str:
    digits = str(value)
    if value >= 1000 and random.random() < 0.7:
        mark = random.choice([",", "{,}", r"\,", r",\!", " ", r"\ ", "'", "\u202f"])
        digits = f"{value:,}".replace(",", mark)
    elif random.random() < 0.1:
        digits = " ".join(digits)
    script = random.choice(_SCRIPTS) if random.random() < 0.3 else _SCRIPTS[0]
    return digits.translate(str.maketrans(_SCRIPTS[0], script))


def _whole_number_that_is_one(random: Random, seed: int) -> str:
    value = random.choice([random.randint(0, 999), random.randint(1000, 9_999_999)])
    text = random.choice(["", "", "", "0", "+", r"\$"]) + _number(random, value)
    if text.startswith("0") and not re.fullmatch(r"0\d+", text):
        text = text[1:]
    text += random.choice(["", "", ".0", ".00", "."])
    if random.random() < 0.5 and not text.startswith("\\$"):
        text += random.choice(_UNITS) + random.choice(_POWERS)
    for _ in range(random.randint(0, 2)):
        text = random.choice(_AROUND).format(text)
    if random.random() < 0.3:
        text = random.choice(_NAMES) + text
        text = random.choice(_AROUND[:2]).format(text)
    read = read_whole_number(text)
    # A mark may be read too cautiously, never as another number.
    assert read in (value, None), f"seed {seed}: {text!r} was read as {read}"
    return "read" if read == value else "refused"


def _whole_number_that_is_none(random: Random, seed: int) -> str:
    value = random.randint(0, 999)
    if random.random() < 0.7:
        text = _number(random, value) + random.choice(_POISON)
    else:
        text = random.choice(_SPOILT_NAMES) + _number(random, value)
    for _ in range(random.randint(0, 2)):
        text = random.choice(_AROUND).format(text)
    read = read_whole_number(text)
    assert read is None, f"seed {seed}: {text!r} was read as {read}"
    for truth in (value, value * 10 + 2):
        wrong = truth <= 999 and grade_integer(f"\\boxed{{{text}}}", truth)
        assert not wrong, f"seed {seed}: {text!r} is right for {truth}"
    return "refused"


# ---- texts without a meaning

_PIECES = [
    "7",
    "42",
    "1,000",
    "0",
    ".",
    ",",
    "^",
    "_",
    "{",
    "}",
    "\\",
    "=",
    " ",
    "cm",
    "x",
    "-",
    "+",
]
_PIECES += [r"\text{", r"\,", r"\frac", r"\boxed{", "/", "!", "(", ")", "$", "%", r"\$", "²", "万"]
_PIECES += [
    r"\cdot",
    "or",
    "km",
    "７",
    r"\circ",
    "~",
    "|",
    "'",
    "\n",
    r"\mathrm{m}",
    r"\%",
    "*",
    "&",
]


def _soup(random: Random, seed: int) -> str:
    text = "".join(random.choices(_PIECES, k=random.randint(1, 9)))
    start = time.monotonic()
    read = read_whole_number(text)
    grade_choice(text, "A")
    parse_function_calls(text)
    assert time.monotonic() - start < 2, f"seed {seed}: {text!r} took too long"
    if read is None:
        return "refused"
    last = text.rpartition("=")[2].replace("７", "7")
    # Powers of units, and nothing else, may stand beside the number's own digits.
    last = re.sub(r"(?<=[a-z}])\s*\}?\s*\^\s*\{?\s*[-+]?\d", "", last)
    runs = re.findall(r"\d+", last.split(".")[0] if re.search(r"\.0*\D*$", last) else last)
    assert "".join(runs).lstrip("0") == str(abs(read)).lstrip("0"), (
        f"seed {seed}: {text!r} was read as {read}"
    )
    assert len(runs) == 1 or re.search(r"1(?:,|\{,\})000|7[ ~\n]+7|7 0|0 7", last) or " " in last, (
        f"seed {seed}: {text!r} joins {runs}"
    )
    return "read"


# ---- mathematics, evaluated in fractions


def _expression(random: Random, depth: int) -> tuple[str, Fraction]:
    if depth == 0 or random.random() < 0.3:
        value = random.randint(0, 12)
        return str(value), Fraction(value)
    (a, x), (b, y) = _expression(random, depth - 1), _expression(random, depth - 1)
    kind = random.choice("+-*/^") if y else random.choice("+-*")
    if kind == "/":
        return rf"\frac{{{a}}}{{{b}}}", x / y
    if kind == "^":
        power = random.randint(1, 3)
        return rf"\left({a}\right)^{{{power}}}", x**power
    if kind == "*":
        return rf"\left({a}\right)\cdot\left({b}\right)", x * y
    return rf"\left({a}{kind}{b}\right)", x + y if kind == "+" else x - y


def _mathematics(random: Random, seed: int) -> str:
    text, value = _expression(random, 2)
    truth = value if random.random() < 0.5 else value + Fraction(1, 10 ** random.randint(0, 9))
    written = rf"\frac{{{truth.numerator}}}{{{truth.denominator}}}"
    found = compare(written, text).verdict
    expected = "equal" if truth == value else "not equal"
    # The library may fail to read; it may not say the opposite.
    assert found in (expected, "unreadable answer", "too large"), (
        f"seed {seed}: {text} against {written}: {found}"
    )
    return found


# ---- choices and calls, built from their meaning

_LETTER_FORMS = [
    "{}",
    "({})",
    "**{}**",
    r"\textbf{{({})}}",
    "{}.",
    "{}. 42",
    r"\text{{{}}}",
    "Option {}",
]
_STATEMENTS = ['{{"answer": "{}"}}', r"\boxed{{{}}}", '"answer": "{}"', "It is so.\nAnswer: {}"]
_TWO = ["{} or {}", "{}, {}", "({}) and ({})", "{}/{}", "{} and {}"]


def _choice(random: Random, seed: int) -> str:
    truth, other = random.sample("ABCD", 2)
    statement = random.choice(_STATEMENTS)
    form = random.choice(_LETTER_FORMS)
    said = form.format(random.choice((truth, truth.lower())))
    if random.random() < 0.5 and '"' in statement:
        said = json.dumps(said)[1:-1]  # models write backslashes in JSON both ways
    reply = "Some words. " + statement.format(said)
    assert grade_choice(reply, truth), f"seed {seed}: {reply!r} does not choose {truth}"
    assert not grade_choice(reply, other), f"seed {seed}: {reply!r} chooses {other}"
    doubtful = statement.format(random.choice(_TWO).format(truth, other))
    assert not grade_choice(doubtful, truth), f"seed {seed}: {doubtful!r} chooses {truth}"
    return "read"


_TEXTS = ["a", "", "</tool_call>", "{", '"', "\n", "é", "\\", "'", "<tool_call>", "```", "}"]


def _call(random: Random, seed: int) -> str:
    arguments = {
        name: random.choice(
            [
                "".join(random.choices(_TEXTS, k=3)),
                random.randint(-9, 9),
                None,
                True,
                1.5,
                ["a", {}],
            ]
        )
        for name in random.sample("abc", random.randint(0, 3))
    }
    call = ToolCall("f", arguments)
    value = {"name": "f", "arguments": arguments}
    body = random.choice([json.dumps(value), json.dumps(value, indent=1), json.dumps([value])])
    if random.random() < 0.3:
        body = json.dumps({"name": "f", "arguments": json.dumps(arguments)})
    form = random.choice(["{}", "<tool_call>{}</tool_call>", "<tool_call>\n{}", "I call {} now."])
    found = parse_function_calls(form.replace("{}", body))
    assert found == [call], f"seed {seed}: {form.replace('{}', body)!r} was read as {found}"
    cut = form.partition("{}")[0] + body[: random.randrange(1, len(body))]
    found = parse_function_calls(cut)
    assert not found or body.startswith("["), f"seed {seed}: {cut!r} was read as {found}"
    return "read"


_CHECKS: dict[Callable[[Random, int], str], int] = {
    _whole_number_that_is_one: 10,
    _whole_number_that_is_none: 10,
    _soup: 20,
    _mathematics: 1,
    _choice: 4,
    _call: 4,
}
