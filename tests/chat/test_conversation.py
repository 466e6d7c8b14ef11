"""The terminal shows thought, answer, speed and budget, and survives whatever is typed."""

import io

import pytest

from course_utils.chat.conversation import DIM, Conversation, read_budget
from course_utils.engines import GREEDY, open_model
from course_utils.errors import OptionError


@pytest.fixture(scope="module")
def thinker():
    with open_model("nano-thinker") as engine:
        yield engine


def converse(engine, *lines: str, **options) -> str:
    """What a terminal shows when these lines are typed, one after the other."""
    typed = iter(lines)

    def read(prompt):
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    out = io.StringIO()
    Conversation(engine, GREEDY, out=out, **options).run(read)
    return out.getvalue()


def test_a_reply_shows_its_thought_its_answer_and_what_they_cost(thinker):
    shown = converse(thinker, "What is 347 + 285?")
    assert "nano-thinker is ready" in shown
    assert "Thought:\nones: 7+5=12, carry 1" in shown and "\nAnswer:\n632\n" in shown
    assert "54 tokens of thought, 4 of answer" in shown and "tokens per second" in shown


def test_the_conversation_goes_on_without_the_thoughts_until_a_new_one(thinker):
    talk = Conversation(thinker, GREEDY, out=io.StringIO())
    talk.ask("What is 347 + 285?")
    reply = talk.ask("What is 126 + 151?")
    assert [message["content"] for message in talk.messages][1] == "632"
    assert reply.answer == "277" and len(talk.messages) == 4
    typed = iter(["/new", "/quit", "What is 1 + 1?"])
    talk.run(lambda prompt: next(typed))
    assert talk.messages == [] and next(typed) == "What is 1 + 1?"


def test_a_budget_can_be_set_and_taken_away(thinker):
    shown = converse(
        thinker, "/budget 15", "What is 347 + 285?", "/budget off", "What is 347 + 285?"
    )
    assert "A thought ends after 15 tokens." in shown
    assert shown.count("the budget ended the thought") == 1 and "54 tokens of thought" in shown
    assert "not a thinking budget" in converse(thinker, "/budget soon")
    assert read_budget("OFF") is None and read_budget(" 0 ") == 0
    with pytest.raises(OptionError):
        read_budget("-3")


def test_a_line_that_ends_in_a_backslash_goes_on(thinker):
    talk = Conversation(thinker, GREEDY, out=io.StringIO())
    typed = iter(["What is\\", "347 + 285?"])

    def read(prompt):
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    talk.run(read)
    assert talk.messages[0]["content"] == "What is\n347 + 285?"


@pytest.mark.parametrize(
    "line, words",
    [
        ("/sing", "There is no command /sing"),
        ("/help", "Ctrl-C stops a reply"),
        ("half a pair: \ud83d", "What to do:"),
        ("much " * 3000, "What to do:"),
    ],
)
def test_nothing_that_is_typed_ends_the_conversation(thinker, line, words):
    shown = converse(thinker, line, "", "What is 347 + 285?")
    assert words in shown and "\n632\n" in shown


def test_an_interrupt_ends_the_reply_and_not_the_conversation(thinker):
    class Impatient(io.StringIO):
        pieces = 0

        def write(self, text):
            Impatient.pieces += 1
            if Impatient.pieces == 30:
                raise KeyboardInterrupt
            return super().write(text)

    talk = Conversation(thinker, GREEDY, out=Impatient())
    first = talk.ask("What is 347 + 285?")
    assert first.answer == "" and "(stopped)" in talk.out.getvalue() and talk.messages == []
    assert talk.ask("What is 126 + 151?").answer == "277"


def test_room_that_ends_inside_the_thought_is_explained(thinker):
    talk = Conversation(thinker, GREEDY.but(max_tokens=10), out=io.StringIO())
    assert talk.ask("What is 347 + 285?").answer == ""
    assert "used up inside the thought" in talk.out.getvalue()
    assert "/budget" in talk.out.getvalue()


def test_a_terminal_shows_thoughts_more_faintly_and_a_file_gets_plain_text(thinker):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    Conversation(thinker, GREEDY, out=out).ask("What is 347 + 285?")
    assert f"Thought:{DIM}\n" in out.getvalue()
    assert "\033" not in converse(thinker, "What is 347 + 285?")
