"""The loop thinks, calls, returns and repeats; its limits hold, and its trace can be edited."""

import json

import pytest

from course_utils.agents import loop
from course_utils.agents.puppet import Puppet, written_call
from course_utils.agents.trace import Trace
from course_utils.engines.protocol import Reply
from course_utils.engines.sampling import GREEDY
from course_utils.errors import OptionError, PromptError
from tests.scripted_engine import ScriptedEngine


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def call(name="add", **arguments) -> str:
    return "<tool_call>" + json.dumps({"name": name, "arguments": arguments}) + "</tool_call>"


def test_a_run_from_the_question_to_the_answer():
    engine = ScriptedEngine([f"<think>I add.</think>{call(a=2, b=3)}", "It is 5."])
    trace = loop.run(engine, "2+3?", [add], sampling=GREEDY)
    assert [(e.turn, e.kind, e.text) for e in trace.events] == [
        (1, "thought", "I add."),
        (1, "call", 'add({"a": 2, "b": 3})'),
        (1, "result", "5"),
        (2, "answer", "It is 5."),
    ]
    assert (trace.answer, trace.stopped, trace.turns) == ("It is 5.", "answered", 2)


def test_the_model_is_told_of_the_tools_and_given_openais_messages():
    engine = ScriptedEngine([f"I add. {call(a=2, b=3)}{call(a=4, b=5)}", "5 and 9."])
    loop.run(engine, "2+3? 4+5?", [add])
    assert engine.asked[0]["tools"][0]["function"]["name"] == "add"
    calls = engine.asked[1]["messages"][1].pop("tool_calls")
    assert [json.loads(c["function"]["arguments"]) for c in calls] == [
        {"a": 2, "b": 3},
        {"a": 4, "b": 5},
    ]
    first, second = (c["id"] for c in calls)
    assert engine.asked[1]["messages"] == [
        {"role": "user", "content": "2+3? 4+5?"},
        {"role": "assistant", "content": "I add."},
        {"role": "tool", "tool_call_id": first, "name": "add", "content": "5"},
        {"role": "tool", "tool_call_id": second, "name": "add", "content": "9"},
    ]


def test_what_could_not_be_read_is_answered_as_a_user_would():
    engine = ScriptedEngine([f"<tool_call>oh</tool_call>{call(a=2, b=3)}", "5."])
    loop.run(engine, "2+3?", [add])
    reply, *answers = engine.asked[1]["messages"][1:]
    assert reply["content"] == "<tool_call>oh</tool_call>"
    assert [message["role"] for message in answers] == ["user", "tool"]


def test_without_tools_the_engine_is_not_bothered_with_any():
    engine = ScriptedEngine(["Hello."])
    assert loop.run(engine, "Hi", []).answer == "Hello."
    assert engine.asked[0]["tools"] is None


def test_the_limit_on_turns_ends_the_run():
    engine = ScriptedEngine([call(a=i, b=1) for i in range(9)])
    trace = loop.run(engine, "Go on.", [add], limits=loop.Limits(turns=4))
    assert (trace.stopped, trace.turns, len(engine.asked)) == ("turns", 4, 4)


def test_the_limit_on_tokens_holds_for_the_whole_run():
    long_call = "word " * 20 + call(a=1, b=1)
    engine = ScriptedEngine([long_call, "word " * 99])
    trace = loop.run(engine, "Go on.", [add], limits=loop.Limits(tokens=60))
    assert engine.asked[0]["sampling"].max_tokens == 60
    assert engine.asked[1]["sampling"].max_tokens == 60 - engine_tokens(long_call)
    assert (trace.stopped, trace.tokens) == ("tokens", 60)
    assert trace.answer == ""


def engine_tokens(text: str) -> int:
    return len(text.split(" "))


def test_the_limit_on_tokens_ends_a_run_between_replies():
    engine = ScriptedEngine([call(a=1, b=1)])
    tokens = engine_tokens(call(a=1, b=1))
    trace = loop.run(engine, "Go on.", [add], limits=loop.Limits(tokens=tokens))
    assert (trace.stopped, len(engine.asked)) == ("tokens", 1)


def test_the_limit_on_seconds_stops_a_reply_under_way():
    engine = ScriptedEngine([f"<think>hm</think>{call(a=1, b=1)}"], delay=0.2)
    trace = loop.run(engine, "Go on.", [add], limits=loop.Limits(seconds=0.1))
    assert trace.stopped == "seconds"
    assert trace.seconds < 0.4


def test_an_engine_that_cannot_go_on_ends_the_run_with_its_own_words():
    full = PromptError("The conversation is too long.", "Start a new one.")
    trace = loop.run(ScriptedEngine([call(a=1, b=2), full]), "1+2?", [add])
    assert (trace.stopped, trace.outcomes) == ("engine", ["ran"])
    assert "too long" in trace.why and "Start a new one." in str(trace)


@pytest.mark.parametrize("reason", ["length", "context", "interrupted"])
def test_an_answer_that_was_cut_off_is_no_answer(reason):
    trace = loop.run(ScriptedEngine([Reply("", "It is", stop_reason=reason)]), "2+3?", [add])
    assert trace.stopped == ("tokens" if reason == "length" else "engine")
    assert (trace.answer, trace.events[-1].text) == ("", "It is")


def test_the_steps_can_be_watched_and_left_at_any_time():
    engine, trace = ScriptedEngine([call(a=1, b=2), "3."]), Trace([])
    trace.messages.append({"role": "user", "content": "1+2?"})
    for event in loop.steps(engine, trace, [add]):
        if event.kind == "result":
            break
    assert trace.stopped is None and str(trace).endswith("goes on")
    list(loop.steps(engine, trace, [add]))
    assert trace.answer == "3."


def test_an_edited_result_takes_the_run_elsewhere():
    engine = ScriptedEngine([call(a=1, b=2), "3."])
    trace = loop.run(engine, "1+2?", [add])
    messages = trace.edited(trace.events[1], "7")
    assert [message["content"] for message in messages] == ["1+2?", "", "7"]
    assert trace.messages[2]["content"] == "3"  # what happened stays as it was
    again = loop.run(ScriptedEngine(["7."]), messages, [add])
    assert again.answer == "7."


def test_only_a_result_can_be_edited():
    trace = loop.run(ScriptedEngine(["3."]), "1+2?", [add])
    with pytest.raises(OptionError, match="answer cannot be edited"):
        trace.edited(trace.events[0], "4")


@pytest.mark.parametrize(
    "limits", [{"turns": 0}, {"turns": 2.5}, {"seconds": -1}, {"tokens": None}, {"calls": "8"}]
)
def test_a_limit_that_is_none_is_refused(limits):
    with pytest.raises(OptionError, match="is not a limit"):
        loop.Limits(**limits)


def test_a_trace_can_be_printed_whatever_it_holds():
    engine = ScriptedEngine([call("add", a="\u001b[2J\u202e")])
    trace = loop.run(engine, "Go on.", [add], limits=loop.Limits(turns=1))
    assert "\u001b" not in str(trace) and "\u202e" not in str(trace)


def test_a_run_may_be_given_all_the_time_in_the_world():
    engine = ScriptedEngine([call(a=1, b=2), "3."])
    limits = loop.Limits(seconds=float("inf"), tool_seconds=1e12)
    assert loop.run(engine, "1+2?", [add], limits=limits).answer == "3."


def test_a_puppet_says_its_lines_to_the_loop_and_the_last_for_ever():
    puppet = Puppet(f"<think>I add.</think>{written_call('add', a=2, b=3)}", "It is 5.")
    trace = loop.run(puppet, "2+3?", [add])
    assert [event.text for event in trace.events] == [
        "I add.",
        'add({"a": 2, "b": 3})',
        "5",
        "It is 5.",
    ]
    assert loop.run(puppet, "And again?", [add]).answer == "It is 5."
    assert loop.run(Puppet("Hello."), "Hi", []).answer == "Hello."
