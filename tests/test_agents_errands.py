"""The nano caller's errands: each has its right calls, and the shipped model makes them."""

from collections import Counter
from random import Random

import pytest

from course_utils.agents import as_tool, errands, loop
from course_utils.engines import GREEDY, open_model
from course_utils.engines.chat_format import ChatFormat
from course_utils.engines.protocol import Reply
from course_utils.engines.tool_calls import ToolCall
from course_utils.nano.tokenizer import END_OF_TEXT, load
from course_utils.paths import nano_folder

SCHEMAS = [as_tool(errands.weather).schema()]


def test_every_kind_of_errand_is_drawn_and_says_what_is_right():
    exam = errands.exam(30)
    assert Counter(errand.kind for errand in exam) == dict.fromkeys(errands.KINDS, 30)
    for errand in exam:
        assert bool(errand.towns) != bool(errand.answer)
        assert errand.is_met_by(Reply(answer=errand.answer, tool_calls=errand.calls))
        assert not errand.is_met_by(Reply(answer="Hm."))
        assert not errand.is_met_by(Reply(tool_calls=[ToolCall("weather", {})]))
        named = [town for town in errands.TOWNS if town in errand.request]
        assert sorted(errand.towns) == sorted(named)


def test_calls_in_another_order_are_other_calls():
    errand = errands.draw(Random(3), "two calls")
    assert not errand.is_met_by(Reply(tool_calls=errand.calls[::-1]))


def test_a_document_is_what_the_models_own_template_writes():
    chat_format = ChatFormat(errands.CHAT_TEMPLATE, {})
    calls = [ToolCall("weather", {"town": town}) for town in ("Oslo", "Lima")]
    messages = [
        {"role": "user", "content": "I am off to Oslo and Lima."},
        Reply(tool_calls=calls).message(),
        {"role": "tool", "content": "snow"},
        {"role": "tool", "content": "sun"},
    ]
    prompt = chat_format.render(messages, SCHEMAS)
    objects = [{"function": {"name": c.name, "arguments": c.arguments}} for c in calls]
    written = errands.conversation(
        [messages[0], {"role": "assistant", "content": "", "tool_calls": objects}, *messages[2:]]
    )
    assert prompt == f"{written}<|im_start|>assistant\n"
    assert prompt.count("<tool_response>") == 2 and prompt.count("<|im_start|>user") == 2


def test_documents_fit_the_model_and_end():
    random, pieces = Random(1), load()
    for _ in range(200):
        document = errands.document(random)
        assert document.endswith(END_OF_TEXT) and "&" not in document
        assert len(pieces.encode(document).ids) <= 512


@pytest.fixture(scope="module")
def caller():
    with open_model(nano_folder() / "caller.gguf") as engine:
        yield engine


def test_the_shipped_caller_makes_the_right_calls(caller):
    met = Counter()
    for errand in errands.exam(20):
        reply = caller.chat(errand.request, GREEDY, tools=SCHEMAS).finish()
        met[errand.kind] += errand.is_met_by(reply)
    assert all(met[kind] >= 17 for kind in errands.KINDS), met


def test_the_shipped_caller_acts_on_what_the_tool_returned(caller):
    trace = loop.run(caller, "What shall I wear in Oslo?", [errands.weather], sampling=GREEDY)
    assert trace.answer == errands.ADVICE["snow"]
    result = next(event for event in trace.events if event.kind == "result")
    for said, advice in errands.ADVICE.items():
        again = trace.edited(result, said)
        assert loop.run(caller, again, [errands.weather], sampling=GREEDY).answer == advice


def test_the_shipped_caller_says_that_a_tool_has_failed(caller):
    def weather(town: str) -> str:
        """Look up today's weather in a town."""
        raise OSError("no network")

    trace = loop.run(caller, "What shall I wear in Oslo?", [weather], sampling=GREEDY)
    assert (trace.outcomes, trace.answer) == (["failed"], errands.SORRY)
