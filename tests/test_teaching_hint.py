"""Does a hint help without giving the solution away, whatever the model tries?"""

import base64
import codecs
import html
import re
import urllib.parse

import pytest

import course_utils.teaching as teaching
from course_utils.errors import ServerError
from course_utils.teaching.exercises import hinting, offers
from course_utils.teaching.exercises.declaration import exercises_of, find_exercise
from course_utils.teaching.exercises.leaks import LONGEST_HINT, reveals
from tests.scripted_engine import ScriptedEngine

EXERCISES = [exercise for number in range(10) for exercise in exercises_of(f"{number:02}")]


def body(code):
    """The lines of a solution, without its def line and what is left of it."""
    lines = [line for line in code.strip().splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(("def ", "import ", "from "))] or lines


def renamed(code):
    names = sorted(set(re.findall(r"(?m)^\s*(\w+) = ", code)), key=len, reverse=True)
    for number, name in enumerate(names):
        code = re.sub(rf"\b{name}\b", f"thing{number}", code)
    return code


WORDS = {
    "**": " to the power of ", "//": " floor divided by ", "+": " plus ", "-": " minus ",
    "*": " times ", "/": " divided by ", "(": " open parenthesis ", ")": " close parenthesis ",
    "[": " open square ", "]": " close square ", "=": " equals ", ".": " dot ", ",": " comma ",
}  # fmt: skip


def in_words(code):
    text = " ".join(body(code))
    for sign, words in WORDS.items():
        text = text.replace(sign, words)
    return text


DISGUISES = {
    "as it is": lambda code: code,
    "fenced": lambda code: f"Try this:\n```python\n{code}\n```",
    "in one line": lambda code: "You could write " + "; ".join(map(str.strip, body(code))),
    "a diff": lambda code: "\n".join(f"+ {line}" for line in body(code)),
    "a numbered list": lambda code: "\n".join(f"{n}. {x}" for n, x in enumerate(body(code), 1)),
    "other names": renamed,
    "capitals": lambda code: "\n".join(body(code)).upper(),
    "full width": lambda code: "".join(
        chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in "\n".join(body(code))
    ),
    "invisible letters": lambda code: "\u200b".join("\n".join(body(code))),
    "look-alike letters": lambda code: "\n".join(body(code)).translate(
        str.maketrans("aeopcxy", "аеорсху")
    ),
    "spaced out": lambda code: " ".join("\n".join(body(code))),
    "reversed": lambda code: "\n".join(body(code))[::-1],
    "reversed lines": lambda code: "\n".join(line[::-1] for line in body(code)),
    "rot13": lambda code: codecs.encode("\n".join(body(code)), "rot13"),
    "base64": lambda code: "Read this: " + base64.b64encode(code.encode()).decode(),
    "base64 in pieces": lambda code: " ".join(
        re.findall(".{1,10}", base64.b64encode(code.encode()).decode())
    ),
    "hex": lambda code: "\n".join(body(code)).encode().hex(),
    "letter numbers": lambda code: " ".join(str(ord(c)) for c in "\n".join(body(code))),
    "entities": lambda code: "".join(f"&#{ord(c)};" for c in "\n".join(body(code))),
    "escapes": lambda code: "".join(f"\\u{ord(c):04x}" for c in "\n".join(body(code))),
    "percent": lambda code: urllib.parse.quote("\n".join(body(code))),
    "percent, all of it": lambda code: "".join(f"%{b:02x}" for b in "\n".join(body(code)).encode()),
    "one token a line": lambda code: "\n".join(re.findall(r"\w+|[^\w\s]+", "\n".join(body(code)))),
    "words for signs": in_words,
    "a comment": lambda code: "\n".join(f"# {line}" for line in body(code)),
    "a quotation": lambda code: "\n".join(f"> {line}" for line in body(code)),
    "html": lambda code: f"<pre>{html.escape(code)}</pre>",
    "asterisks between": lambda code: "*".join("\n".join(body(code))),
}  # fmt: skip


@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_stored_solution_passes_in_disguise(disguise):
    shown = [
        exercise.id
        for exercise in EXERCISES
        if reveals(DISGUISES[disguise](exercise.solution), exercise) is None
    ]
    assert shown == []


@pytest.mark.parametrize(
    ("exercise_id", "text"),
    [
        ("00.minutes", "It comes to 23.8 minutes."),
        ("00.minutes", "That is about 24 minutes."),
        ("00.history", "Thoughts stay behind: questions and answers."),
        ("07.which_test", "Have you thought of McNemar's test?"),
        ("07.which_test", "Have you thought of m-c-n-e-m-a-r?"),
        ("07.false_alarm", "Nearly two thirds: 0.64."),
        ("01.softmax", "Use `scipy.special.softmax(np.asarray(logits))`."),
        ("01.softmax", "softmax = lambda z: np.exp(z - max(z)) / sum(np.exp(z - max(z)))"),
        ("07.standard_error", "It is the root of score * (1 - score) / problems."),
        ("02.kv_cache", "Multiply 2 * tokens * layers * kv_heads * head_dimension."),
        ("04.repeats", "grams = [tuple(tokens[i:i+n]) for i in range(len(tokens)-n+1)]"),
        ("03.pass_at_k", "1 - comb(n-c, k)/comb(n, k)"),
        ("03.pass_at_k", "One minus comb of n minus c comma k divided by comb of n comma k."),
    ],
)  # fmt: skip
def test_other_ways_to_give_it_away_are_seen(exercise_id, text):
    assert reveals(text, find_exercise(exercise_id)) is not None


@pytest.mark.parametrize(
    ("exercise_id", "text"),
    [
        ("00.minutes", "How long does one token take? And how many seconds has a minute?"),
        ("00.ceiling", "Look at the units: which of the two would leave tokens per second?"),
        ("00.history", "What does the model card of QwQ say about the thoughts of earlier turns?"),
        ("01.softmax", "What happens to a very large logit? Could every logit be moved by the same "
                       "amount without changing the result?"),
        ("01.softmax", "Do your probabilities sum to 1? Print their sum for two equal logits."),
        ("01.top_p", "Try p = 0.7 by hand with three tokens. Which of them is the last you keep?"),
        ("02.causal_attention", "A token may look at itself. Does your mask allow that?"),
        ("02.key_value_head", "How many query heads share one key/value head in QwQ-32B?"),
        ("03.advantages", "Is the deviation that of a sample, or of the whole population? Look at "
                          "what `std` divides by: n, or n - 1?"),
        ("03.pass_at_k", "Think of the opposite: how likely is it that none of the k is right?"),
        ("04.repeats", "What should a thought be that is shorter than n tokens?"),
        ("06.weight", "Which numbers are stored once for a block, and which for each weight?"),
        ("04.going", "Work it out for two checks in a row: multiply or add?"),
        ("05.route", "The shares of the chosen experts have to sum to 1 again. Do yours?"),
        ("07.standard_error", "Each problem is a coin toss. What is the variance of one?"),
        ("08.read", "What does your function do when the JSON is cut off in the middle?"),
        ("09.leader", "There are three answers, not two. When is the third one right?"),
    ],
)  # fmt: skip
def test_a_good_hint_is_shown(exercise_id, text):
    assert reveals(text, find_exercise(exercise_id)) is None


def test_a_lecture_is_no_hint():
    assert "long" in reveals("Think. " * LONGEST_HINT, EXERCISES[0])


@pytest.fixture
def page(capsys, monkeypatch):
    """What has been shown since the last look."""
    monkeypatch.setattr(hinting, "_given", {})
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    return lambda: capsys.readouterr().out


def after_the_folded_hints(exercise_id, **options):
    for _ in find_exercise(exercise_id).hints:
        teaching.hint(exercise_id)
    teaching.hint(exercise_id, **options)


def test_folded_hints_come_first_and_in_order(page):
    engine = ScriptedEngine(["Think again."])
    exercise = find_exercise("01.softmax")
    for number, words in enumerate(exercise.hints, 1):
        teaching.hint("01.softmax", engine=engine)
        assert page() == f"Hint {number} of {len(exercise.hints)}: {words}\n"
    assert engine.asked == []
    teaching.hint("01.softmax", engine=engine)
    assert page() == "Hint from the model: Think again.\n" and len(engine.asked) == 1


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_a_failed_check_gives_a_line_that_brings_the_next_hint_as_it_stands(page, exercise):
    line = re.search("`(.*)`$", offers.lines_below(exercise.id, passed=False)[0])[1]
    for words in exercise.hints:
        exec(line, dict.fromkeys([exercise.answer, *exercise.given], ...))
        assert page().endswith(f": {words}\n")


def test_without_a_model_the_learner_is_told_where_the_hints_are(page):
    after_the_folded_hints("01.softmax")
    assert "You have seen all hints" in page().splitlines()[-1]


def test_the_model_is_told_the_work_and_the_mistake_but_not_the_solution(page):
    def softmax(logits):
        return logits / logits.sum()

    engine = ScriptedEngine(["What do negative logits give?"])
    for _ in find_exercise("01.softmax").hints:
        teaching.hint("01.softmax")
    teaching.hint("01.softmax", softmax, engine=engine)
    system, asked = (message["content"] for message in engine.asked[0]["messages"])
    assert "Never give the solution" in system
    assert "return logits / logits.sum()" in asked and "The check says: " in asked
    assert "exponentials / exponentials.sum()" not in asked


def test_a_model_that_tries_every_disguise_shows_nothing(page):
    """Each disguise in turn, for a solution of many lines, one of one line, and a value."""
    for exercise_id in ("02.rotation", "07.standard_error", "00.minutes"):
        solution = find_exercise(exercise_id).solution
        tries = [disguise(solution) for disguise in DISGUISES.values()]
        tries += [f"<think>{solution}</think>\n\n{one}" for one in tries]
        engine = ScriptedEngine(tries)
        for _ in find_exercise(exercise_id).hints:
            teaching.hint(exercise_id)
        page()
        while len(engine.asked) < len(tries):
            teaching.hint(exercise_id, engine=engine)
            said = page()
            assert "The model's hint is not shown" in said
            assert not any(line.strip() in said for line in body(solution))


def test_a_second_try_that_is_a_hint_is_shown_and_the_thought_never(page):
    solution = find_exercise("01.softmax").solution
    engine = ScriptedEngine([f"<think>{solution}</think>\n\n{solution}",
                             f"<think>{solution}</think>\n\nWhat is exp(1000)?"])  # fmt: skip
    after_the_folded_hints("01.softmax", engine=engine)
    said = page().splitlines()[-1]
    assert said == "Hint from the model: What is exp(1000)?"


def test_a_model_that_fails_is_one_line(page):
    engine = ScriptedEngine([ServerError("The class server is away.", "Wait.")])
    after_the_folded_hints("01.softmax", engine=engine)
    assert page().endswith("The model gives no hint now: The class server is away. Wait.\n")


def test_an_unknown_exercise_is_one_line(page):
    teaching.hint("01.nothing")
    assert "There is no exercise" in page()


def test_the_class_server_is_asked_where_there_is_one(page, monkeypatch):
    asked = []
    engine = ScriptedEngine(["What is exp(1000)?"])
    engine.__class__.__enter__ = lambda self: self
    engine.__class__.__exit__ = lambda self, *_: asked.append("closed")
    monkeypatch.setenv("COURSE_MODEL", "http://127.0.0.1:8080/v1")
    monkeypatch.setattr(hinting, "open_model", lambda: engine)
    after_the_folded_hints("01.softmax")
    assert "What is exp(1000)?" in page() and asked == ["closed"]
