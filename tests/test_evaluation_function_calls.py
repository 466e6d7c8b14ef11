"""Calls are read in every way whose meaning is certain, and never guessed at."""

import pytest

from course_utils.engines.protocol import Reply
from course_utils.engines.tool_calls import BrokenCall, ToolCall
from course_utils.evaluation.function_calls import grade_function_calls, parse_function_calls

ROME = ToolCall("time", {"city": "Rome"})
JSON = '{"name": "time", "arguments": {"city": "Rome"}}'


@pytest.mark.parametrize(
    "reply",
    [
        f"<tool_call>{JSON}</tool_call>",
        f"<tool_call>\n{JSON}\n",  # no closing tag
        f"I look it up.\n<tool_call>\n```json\n{JSON}\n```\n</tool_call> Done.",
        f"Let me see: {JSON} That should do.",
        f"```json\n{JSON}\n```",
        f"```JSON\r\n{JSON}\r\n```",
        f"[{JSON}]",
        f"I call\n\n~~~\n[{JSON}]\n~~~",
        "{'name': 'time', 'arguments': {'city': 'Rome'}}",
        "<tool_call>{'name': 'time', 'arguments': {'city': 'Rome',}}</tool_call>",
        '{"name": "time", "arguments": "{\\"city\\": \\"Rome\\"}"}',
        '{"name": "time", "parameters": {"city": "Rome"}}',
        f'{{"type": "function", "function": {JSON}}}',
        f'{{"id": "call_1", "type": "function", "function": {JSON}}}',
        "time(city='Rome')",
        "```Python\ntime(city='Rome')\n```",
    ],
)
def test_a_call_whose_meaning_is_certain_is_read(reply):
    assert parse_function_calls(reply) == [ROME]
    assert grade_function_calls(f"<think>or none</think>{reply}", [ROME])


@pytest.mark.parametrize(
    "text", ["</tool_call>", "<tool_call>", 'a "b" c', "a\nb", "{", "}", '{"name": "x"}', "```"]
)
def test_a_text_in_a_call_may_hold_anything(text):
    inside = text.replace('"', '\\"')  # a raw line end stays: models write it so
    reply = f'<tool_call>{{"name": "say", "arguments": {{"text": "{inside}"}}}}</tool_call>'
    assert parse_function_calls(reply) == [ToolCall("say", {"text": text})]
    without_tags = reply.removeprefix("<tool_call>").removesuffix("</tool_call>")
    assert parse_function_calls(f"So: {without_tags}") == parse_function_calls(reply)


@pytest.mark.parametrize("between", ["</tool_call>\n<tool_call>", "\n<tool_call>", "\n", ",\n"])
def test_several_calls_are_read_in_order(between):
    other = ToolCall("time", {"city": "Oslo"})
    reply = f"<tool_call>{JSON}{between}{JSON.replace('Rome', 'Oslo')}</tool_call>"
    assert parse_function_calls(reply) == [ROME, other]


@pytest.mark.parametrize(
    "reply",
    [
        JSON[:-1],
        f"<tool_call>{JSON[:-1]}",
        f"<tool_call>{JSON}</tool_call><tool_call>broken</tool_call>",
        f"<tool_call>{JSON}{{</tool_call>",
        f"<tool_call>{JSON.replace('Rome', 'Oslo')}</tool_call>",
        f"{JSON}\n{JSON}",
        JSON.replace('"Rome"', "NaN"),
        "time('Rome')",
        "I would call time for Rome.",
    ],
)
def test_a_call_that_is_broken_doubled_or_another_is_wrong(reply):
    assert not grade_function_calls(reply, [ROME])


def test_a_broken_call_is_not_the_same_as_none():
    assert grade_function_calls("No function fits.", [])
    assert not grade_function_calls("<tool_call>time in Rome</tool_call>", [])
    assert not grade_function_calls(JSON[:-1], [])


def test_feet_are_not_inches_but_curly_quotation_marks_are_quotation_marks():
    wanted = [ToolCall("say", {"text": '5\' "tall"'})]
    assert grade_function_calls(Reply(answer="say(text='5\u2019 \u201ctall\u201d')"), wanted)
    assert not grade_function_calls('say(text="5\\" \\"tall\\"")', wanted)


@pytest.mark.parametrize(
    "reply", ["say(x={(1, 2): 3})", "say(x=" + "-" * 9999 + "1)", "say(x=1" + "0" * 5000 + ")"]
)
def test_whatever_a_model_calls_with_is_a_verdict(reply):
    assert not grade_function_calls(reply, [ROME])


def test_calls_that_an_engine_has_read_count_as_they_are():
    assert grade_function_calls(Reply(tool_calls=[ToolCall("time", {"city": "Rome"})]), [ROME])
    broken = [ToolCall("time", {"city": "Rome"}), BrokenCall("{", "it is not JSON")]
    assert not grade_function_calls(Reply(tool_calls=broken), [ROME])
