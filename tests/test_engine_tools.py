"""A model that is offered tools calls them, in this process and behind a server alike."""

import pytest

from course_utils.agents import as_tool, loop
from course_utils.engines import GREEDY, PLAIN, open_model
from course_utils.engines.tool_calls import BrokenCall, ToolCall
from course_utils.errors import NotSupportedError, PromptError, ServerError
from tests.fake_server import KEY, FakeServer
from tests.test_engine_llama_server import as_any_other, start_llama_server
from tests.tiny_models import (
    CALLER,
    SIX_TIMES_SEVEN,
    TOOLS_CHAT_TEMPLATE,
    TWO_TIMES_THREE,
    markov_model,
)


def multiply(a: int, b: int) -> int:
    """Multiply two whole numbers."""
    return a * b


TOOLS = [as_tool(multiply).schema()]
CALL = ToolCall("multiply", {"a": 6, "b": 7})
TWO_CALLS = CALLER | {
    SIX_TIMES_SEVEN: {TWO_TIMES_THREE: 1.0},
    TWO_TIMES_THREE: {"</tool_call>": 1.0},
}


def caller(folder, script=CALLER):
    return markov_model(folder / "caller.gguf", script, chat_template=TOOLS_CHAT_TEMPLATE).path


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    with open_model(caller(tmp_path_factory.mktemp("models"))) as engine:
        yield engine


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = start_llama_server(caller(tmp_path_factory.mktemp("models")), context=1024)
    with open_model(server.listening_address + "/v1", api_key=KEY) as engine:
        yield engine
    del server


@pytest.fixture(scope="module", params=["local", "llama-server", "any server"])
def engine(request):
    if request.param == "local":
        return request.getfixturevalue("local")
    served = request.getfixturevalue("served")
    return served if request.param == "llama-server" else as_any_other(served)


def test_a_call_comes_apart_from_the_answer(engine):
    stream = engine.chat("6 * 7?", GREEDY, tools=TOOLS)
    pieces = list(stream)
    assert {piece.kind for piece in pieces} == {"call"}
    assert stream.reply.tool_calls == [CALL]
    assert (stream.reply.answer, stream.reply.stop_reason) == ("", "end")
    # Two tags and the call; some servers count the token that ends the text as well.
    assert stream.reply.tokens in (3, 4)
    (call,) = stream.reply.message()["tool_calls"]
    assert call["id"] and call["type"] == "function"


def test_the_loop_runs_the_calls_and_gets_the_answer(engine):
    trace = loop.run(engine, "6 * 7?", [multiply], sampling=GREEDY)
    assert [(event.kind, event.text) for event in trace.events] == [
        ("call", 'multiply({"a": 6, "b": 7})'),
        ("result", "42"),
        ("answer", "42"),
    ]
    assert trace.stopped == "answered"


def test_several_calls_of_one_reply_are_all_run(tmp_path):
    with open_model(caller(tmp_path, TWO_CALLS)) as engine:
        trace = loop.run(engine, "6 * 7? 2 * 3?", [multiply], sampling=GREEDY)
    assert [e.text for e in trace.events if e.kind == "result"] == ["42", "6"]
    answered = [m["tool_call_id"] for m in trace.messages if m["role"] == "tool"]
    assert answered == [call["id"] for call in trace.messages[1]["tool_calls"]]
    assert len(set(answered)) == 2


def test_without_tools_a_tag_is_text_like_any_other(local):
    reply = local.chat("6 * 7?", GREEDY).finish()
    assert (reply.tool_calls, reply.answer) == ([], f"<tool_call>{SIX_TIMES_SEVEN}</tool_call>")


def test_a_prompt_with_tools_can_be_looked_at(local, served):
    history = [
        {"role": "user", "content": "6 * 7?"},
        local.chat("6 * 7?", GREEDY, tools=TOOLS).finish().message(),
        {"role": "tool", "name": "multiply", "content": "42"},
    ]
    shown = local.render(history, TOOLS)
    assert '"description": "Multiply two whole numbers."' in shown and "42<|im_end|>" in shown
    assert served.render(history[:1], TOOLS) == local.render(history[:1], TOOLS)


def test_a_call_that_was_cut_off_is_not_run(local):
    reply = local.chat("6 * 7?", GREEDY.but(max_tokens=2), tools=TOOLS).finish()
    assert (reply.stop_reason, reply.answer) == ("length", "")
    (call,) = reply.tool_calls
    assert isinstance(call, BrokenCall) and "cut off" in call.problem
    assert SIX_TIMES_SEVEN in reply.message()["content"]


def test_a_reply_that_is_left_early_keeps_what_had_arrived(local):
    stream = local.chat("6 * 7?", GREEDY, tools=TOOLS)
    next(stream)
    stream.close()
    assert isinstance(stream.reply.tool_calls[0], BrokenCall)


def test_a_template_without_tools_says_so_before_anything_is_computed(tmp_path):
    with open_model(markov_model(tmp_path / "thinker.gguf").path) as engine:
        for ask in (engine.chat, engine.render):
            with pytest.raises(NotSupportedError, match="does not tell the model of tools"):
                ask("6 * 7?", tools=TOOLS)
        assert engine.chat("6 * 7?", PLAIN.but(seed=1), tools=[]).finish().tool_calls == []


@pytest.mark.parametrize("tools", [multiply, [multiply], "multiply", [{"name": "multiply"}]])
def test_what_is_no_tool_is_refused(engine, tools):
    with pytest.raises(PromptError, match="tool"):
        engine.chat("6 * 7?", tools=tools)


def test_a_tool_that_outgrows_the_context_is_refused(local):
    function = {"name": "f", "description": "x" * 2**20, "parameters": {}}
    with pytest.raises(PromptError, match="context"):
        local.chat("Hi", tools=[{"type": "function", "function": function}])


# ---- servers that send calls in pieces ---------------------------------------------------------

WRITTEN = '{"a": 6, "b": 7}'


def part(index=None, identifier=None, name=None, arguments=None):
    function = {"name": name, "arguments": arguments}
    found = {"index": index, "id": identifier, "type": "function", "function": function}
    found["function"] = {key: value for key, value in function.items() if value is not None}
    return {key: value for key, value in found.items() if value is not None}


STREAMS = {
    "OpenAI": [
        [part(0, "a", "multiply", "")],
        *([part(0, arguments=letter)] for letter in WRITTEN),
        [part(1, "b", "multiply", "")],
        [part(1, arguments='{"a": 2,')],
        [part(1, arguments=' "b": 3}')],
    ],
    "both at once": [
        [part(0, "a", "multiply", WRITTEN), part(1, "b", "multiply", '{"a": 2, "b": 3}')]
    ],
    "in turns": [
        [part(0, "a", "multiply", '{"a"')],
        [part(1, "b", "multiply", '{"a": 2, ')],
        [part(0, arguments=': 6, "b": 7}')],
        [part(1, arguments='"b": 3}')],
    ],
    # ollama/ollama#7881
    "every call has the number 0": [
        [part(0, "a", "multiply", WRITTEN)],
        [part(0, "b", "multiply", '{"a": 2, "b": 3}')],
    ],
    "no numbers and no ids": [
        [part(name="multiply", arguments=WRITTEN)],
        [part(name="multiply", arguments='{"a": 2, "b": 3}')],
    ],
    "id and name again and again": [
        [part(0, "a", "multiply", WRITTEN[:4])],
        [part(0, "a", "multiply", WRITTEN[4:])],
        [part(1, "b", "multiply", '{"a": 2')],
        [part(1, "b", "multiply", ', "b": 3}')],
    ],
    "arguments as an object": [
        [part(0, "a", "multiply", {"a": 6, "b": 7}), part(1, "b", "multiply", {"a": 2, "b": 3})]
    ],
}


@pytest.fixture
def fake():
    server = FakeServer()
    yield server
    server.close()


def replying(fake, *deltas, finish="tool_calls"):
    def answer(request):
        request.start_stream()
        for delta in deltas:
            request.delta(**delta)
        request.delta(finish)
        request.usage(20, 30)
        request.event("[DONE]")

    fake.on["/v1/chat/completions"] = answer


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_fragments_become_calls_however_a_server_cuts_them(fake, stream):
    replying(fake, {"content": "I multiply."}, *({"tool_calls": parts} for parts in stream))
    with open_model(fake.url) as engine:
        pieces = list(running := engine.chat("6 * 7? 2 * 3?", tools=TOOLS))
    reply = running.reply
    assert reply.tool_calls == [CALL, ToolCall("multiply", {"a": 2, "b": 3})]
    assert (reply.answer, reply.stop_reason) == ("I multiply.", "end")
    ids = [call.id for call in reply.tool_calls]
    assert ids == ["a", "b"] or (len(set(ids)) == 2 and all(ids))
    assert sum(piece.tokens for piece in pieces) > 0
    assert fake.requests[-1].body["tools"] == TOOLS


@pytest.mark.parametrize("again", [True, False])
def test_calls_that_a_server_leaves_in_the_text_are_read_once(fake, again):
    written = f"<tool_call>\n{SIX_TIMES_SEVEN}\n</tool_call>"
    deltas = [{"content": written[:6]}, {"content": written[6:]}]
    if again:
        deltas.append({"tool_calls": [part(0, "a", "multiply", WRITTEN)]})
    replying(fake, *deltas, finish="stop")
    with open_model(fake.url) as engine:
        reply = engine.chat("6 * 7?", tools=TOOLS).finish()
    assert (reply.tool_calls, reply.answer) == ([CALL], "")


@pytest.mark.parametrize(
    ("arguments", "finish", "problem"),
    [(WRITTEN, "length", "cut off"), ('{"a": 6,, "b"}', "tool_calls", "not JSON")],
)
def test_arguments_that_cannot_be_read_make_a_broken_call(fake, arguments, finish, problem):
    replying(fake, {"tool_calls": [part(0, "a", "multiply", arguments)]}, finish=finish)
    with open_model(fake.url) as engine:
        (call,) = engine.chat("6 * 7?", tools=TOOLS).finish().tool_calls
    assert isinstance(call, BrokenCall) and problem in call.problem


def test_a_server_is_sent_the_history_in_openais_form(fake):
    replying(fake, {"content": "42"}, finish="stop")
    call = {"id": "a", "type": "function", "function": {"name": "multiply"}}
    call["function"]["arguments"] = {"a": 6, "b": 7}
    history = [
        {"role": "user", "content": "6 * 7?"},
        {"role": "assistant", "content": "<think>Hm.</think>", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "42"},
    ]
    with open_model(fake.url) as engine:
        engine.chat(history, tools=TOOLS).finish()
    _, assistant, result = fake.requests[-1].body["messages"]
    assert assistant["content"] == "" and result == history[2]
    assert assistant["tool_calls"][0]["function"]["arguments"] == WRITTEN


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "tools param requires --jinja flag"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser'),
        (400, "registry.ollama.ai/library/tinyllama:latest does not support tools"),
    ],
)
def test_a_server_without_tools_says_how_to_start_it(fake, status, words):
    refusal = {"error": {"message": words, "code": status}}
    fake.on["/v1/chat/completions"] = lambda request: request.json(refusal, status)
    with open_model(fake.url) as engine:
        with pytest.raises(NotSupportedError, match="--jinja") as error:
            engine.chat("6 * 7?", tools=TOOLS).finish()
        assert words[:30] in error.value.problem
        with pytest.raises(ServerError):  # without tools, it is no matter of tools
            engine.chat("6 * 7?").finish()


def test_a_tool_that_holds_itself_is_refused(local):
    function = {"name": "f", "parameters": {}}
    function["parameters"]["again"] = function
    with pytest.raises(PromptError, match="nested without end"):
        local.chat("Hi", tools=[{"type": "function", "function": function}])
