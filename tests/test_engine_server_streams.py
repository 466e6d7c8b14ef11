"""A reply whose text arrived is kept, whatever its stream looks like."""

import json
import time

import pytest

from course_utils.engines import open_model
from course_utils.engines.server import receive
from course_utils.engines.server.stream import ToolCallPart, chunk_of, read_chunks
from course_utils.errors import PromptError, ServerError
from tests.fuzz import streams
from tests.fuzz.streams import USAGE, Case, chunk, read

WORDS = [chunk(content="4"), chunk(content="2")]
STOP = chunk(finish="stop")


def served(fake, body: str | bytes, kind: str = "text/event-stream", *, framed: bool = True):
    """The reply that a chat makes of this stream, through a real connection."""
    body = body.encode() if isinstance(body, str) else body
    fake.on["/v1/chat/completions"] = lambda request: request.stream(body, kind, framed=framed)
    return open_model(fake.url, model="plain", timeout=5).chat("6 * 7?")


def events(*chunks: object, end: str = "data: [DONE]\n\n") -> str:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + end


@pytest.fixture
def any_model(fake):
    fake.on["/v1/models"] = lambda request: request.json({"error": "none"}, 404)
    return fake


@pytest.mark.parametrize(
    "ending",
    [
        events(
            chunk(), {**STOP, "choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}
        ),
        events(),  # no reason, then [DONE]: GenieX#1246
        events(STOP, end=""),
        events({**STOP, "choices": []}, STOP, {"choices": []}, {"choices": None}, {}),
        events({"choices": [{"finish_reason": "stop"}]}),  # openai-python#3189: no delta
        events({"choices": [{"delta": {}, "finish_reason": "eos"}], "usage": None}),
        events(STOP, {"usage": USAGE}),  # ATOM#1711: no choices beside the counts
        events({"error": None, **STOP}),
        "data: {broken\n\n" + events(STOP),
        events(STOP, end="data: {cut off"),
        events(STOP, {"error": {"message": "too late to matter"}}),
    ],
)
def test_no_end_of_a_stream_costs_a_reply(any_model, ending):
    reply = served(any_model, events(*WORDS, end="") + ending).finish()
    assert (reply.answer, reply.stop_reason) == ("42", "end")


def test_a_stream_that_stays_open_after_its_end_is_left(any_model, monkeypatch):
    monkeypatch.setattr(receive, "AFTERWARDS_SECONDS", 0.2)

    def answer(request):
        request.start_stream()
        for each in (*WORDS, STOP):
            request.event(each)
        request.stall()

    any_model.on["/v1/chat/completions"] = answer
    started = time.perf_counter()
    reply = open_model(any_model.url, model="plain", timeout=60).chat("6 * 7?").finish()
    assert reply.answer == "42" and time.perf_counter() - started < 20


@pytest.mark.parametrize("framed", [True, False])
def test_a_stream_that_just_ends_is_whole_where_http_says_so_and_kept_in_any_case(
    any_model, framed
):
    reply = served(any_model, events(*WORDS, end=""), framed=framed).finish()
    assert reply.answer == "42"
    assert reply.stop_reason == ("end" if framed else "interrupted")


@pytest.mark.parametrize(
    "kind",
    ["Text/Event-Stream", "text/plain", "text/html", "application/x-ndjson", "application/json"],
)
def test_a_stream_is_known_by_its_form_and_not_by_its_label(any_model, kind):
    assert served(any_model, events(*WORDS, STOP), kind).finish().answer == "42"


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.replace("\n", "\r\n"),  # cc-switch#1787
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("data: ", "data:"),  # odysseus#1701
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text.replace("data: ", ": OPENROUTER PROCESSING\n\nevent: x\nid: 1\ndata: "),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("data: ", "").replace("[DONE]", ""),
        lambda text: text.replace(', "choices"', ',\ndata: "choices"'),  # several lines of data
    ],
)
def test_a_stream_may_be_written_in_many_ways(any_model, written):
    assert served(any_model, written(events(*WORDS, STOP))).finish().answer == "42"


def test_separators_of_lines_inside_a_text_are_part_of_it(any_model):
    text = "one\u2028two\u2029three\x85\x0b\x0cfour"
    body = json.dumps(chunk(content=text), ensure_ascii=False)
    assert served(any_model, f"data: {body}\n\n{events(STOP)}").finish().answer == text


@pytest.mark.parametrize("indent", [None, 2])
def test_a_server_that_does_not_stream_is_read_all_the_same(any_model, indent):
    message = {"role": "assistant", "content": "42", "reasoning_content": "Hm </think>."}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    reply = served(any_model, json.dumps(body, indent=indent), "application/json").finish()
    assert (reply.thinking, reply.answer) == ("Hm </think>.", "42")
    assert reply.prompt_tokens == 11 and reply.tokens > 0


def test_the_whole_text_at_the_end_of_a_stream_is_not_told_twice(any_model):
    whole = {"choices": [{"message": {"content": "42"}, "finish_reason": "stop"}]}
    assert served(any_model, events(*WORDS, whole)).finish().answer == "42"


def test_of_several_choices_the_first_is_read(any_model):
    def both(first, second):
        choices = [
            {"index": number, "delta": {"content": text}}
            for number, text in ((1, second), (0, first))
        ]
        return {"choices": choices}

    apart = {"choices": [{"index": 1, "delta": {"content": "7"}}]}
    assert served(any_model, events(both("4", "x"), apart, both("2", "y"))).finish().answer == "42"


@pytest.mark.parametrize(
    "body",
    [
        'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", '
        '"delta": "42"}\n\n',  # OpenAI's newer API
        'data: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "42"}}\n\n',
        '{"message": {"role": "assistant", "content": "42"}, "done": false}\n',  # Ollama's own
    ],
)
def test_the_stream_of_another_api_is_named_as_such_with_its_own_words(any_model, body):
    with pytest.raises(ServerError, match=r"not as an OpenAI-compatible API does: .*42"):
        served(any_model, body).finish()


# ---- errors inside a stream ------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        events({"error": {"message": "Compute error."}, "message": "Compute error."}),  # goai#110
        events({"error": "Compute error."}),
        events({"object": "error", "message": "Compute error.", "code": 500}),
        events({"choices": [], "error": {"message": "Compute error.", "code": None}}),
        events({"choices": [{"error": {"message": "Compute error."}, "finish_reason": "error"}]}),
        'event: error\ndata: {"message": "Compute error."}\n\n',
        "event: error\ndata: Compute error.\n\n",
        'error: {"code": 500, "message": "Compute error."}\n\n',  # llama.cpp#16104
    ],
)
@pytest.mark.parametrize("before", [[], WORDS])
def test_an_error_in_a_stream_is_shown_in_its_own_words(any_model, error, before):
    stream = served(any_model, events(*before, end="") + error)
    with pytest.raises(ServerError, match=r"stopped with an error: Compute error\."):
        stream.finish()
    assert stream.reply.answer == ("42" if before else "")
    assert stream.reply.stop_reason == "interrupted"


def test_a_full_context_is_recognised_inside_a_stream(any_model):
    error = {"error": {"message": "the request exceeds the available context size"}}
    with pytest.raises(PromptError, match="too long for the server's context"):
        served(any_model, events(error)).finish()


@pytest.mark.parametrize("body", ["", "Internal Server Error", "null", "[1, 2]"])
def test_an_answer_that_says_nothing_is_an_error(any_model, body):
    with pytest.raises(ServerError):
        served(any_model, body).finish()


# ---- counts ------------------------------------------------------------------------------------


def counted(usage, *chunks):
    body = [*(chunks or WORDS), STOP, {"choices": [], "usage": usage}]
    return read(Case("", body, cuts=()))[0]


def test_counts_that_a_server_does_not_give_are_unknown_or_estimated():
    reply = counted(None)
    assert reply.prompt_tokens is None and reply.cached_tokens is None
    assert reply.tokens == 2 and reply.tokens_estimated


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},  # LocalAI#1609
        {"prompt_tokens": -1, "completion_tokens": -7},
        {"prompt_tokens": None, "completion_tokens": "many"},
        {"prompt_tokens": [], "completion_tokens": True},
        {},
    ],
)
def test_counts_that_cannot_be_are_no_counts(usage):
    reply = counted(usage)
    assert reply.prompt_tokens is None and reply.cached_tokens is None
    assert (reply.thinking_tokens, reply.answer_tokens) == (0, 2)
    assert reply.tokens_estimated


@pytest.mark.parametrize("thinking", [None, 5_000, -3, "all", 0])
def test_more_thinking_tokens_than_tokens_give_no_negative_answer(thinking):  # litellm#8349
    usage = {**USAGE, "completion_tokens_details": {"reasoning_tokens": thinking}}
    reply = counted(usage, chunk(reasoning="Hm"), chunk(reasoning="."), *WORDS)
    assert reply.tokens == 6
    assert reply.thinking_tokens == reply.answer_tokens == 3


def test_a_servers_own_counts_are_taken_where_they_can_be():
    reply = counted(USAGE, chunk(reasoning="Hm."), *WORDS)
    assert (reply.prompt_tokens, reply.cached_tokens) == (11, 3)
    # The seventh token ended the text.
    assert (reply.thinking_tokens, reply.answer_tokens) == (3, 3)
    assert not reply.tokens_estimated


def test_long_pieces_are_not_counted_as_one_token_each():
    reply = counted(None, chunk(content="word " * 400))
    assert 300 < reply.answer_tokens < 700 and reply.tokens_estimated


# ---- the forms of text -------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["42", ["4", "2"], {"text": "42"}, [{"text": "42"}]])
def test_content_may_be_a_list_of_parts(content):  # agent-framework#6978
    assert chunk_of(chunk(content=content)).text == "42"
    parts = [{"type": "thinking", "thinking": [{"text": "Hm"}]}, {"type": "text", "text": "42"}]
    both = chunk_of(chunk(content=parts))
    assert (both.thought, both.text) == ("Hm", "42")


@pytest.mark.parametrize(
    "odd, named",
    [
        (chunk(content=42), r"delta\.content is a number \(42\) where text should be"),
        (chunk(content=True), r"delta\.content is a truth value \(true\)"),
        (chunk(content={"a": 1}), r"delta\.content is an object \(.*\) where text"),
        (chunk(content=[4, 2]), r"delta\.content is a number"),
        (chunk(content=[{"type": "text", "text": 42}]), r"delta\.content is a number"),
        (chunk(reasoning_content=42), r"delta\.reasoning_content is a number"),
        (chunk(tool_calls={"function": {"name": "add"}}), r"delta\.tool_calls is an object"),
        ({"choices": [{"delta": [{"content": "x"}]}]}, r"delta is a list .* where an object"),
        ({"choices": [{"delta": 7}]}, r"delta is a number"),
        ({"choices": [{"text": 42}]}, r"text is a number"),
        ({"choices": ["42"]}, r"a choice is text .* where an object"),
        ({"choices": {"0": {"delta": {"content": "x"}}}}, r"choices is an object .* where a list"),
        ({"choices": "42"}, r"choices is text .* where a list"),
    ],
)
def test_a_text_of_another_type_is_one_message_and_costs_no_other_text(any_model, odd, named):
    stream = served(any_model, events(WORDS[0], odd, WORDS[1], STOP))
    with pytest.raises(ServerError, match=rf"could not be read: {named}") as error:
        stream.finish()
    assert stream.reply.answer == "42" and error.value.reply is stream.reply
    # Nothing but it came: then this is the fault, and not a connection that was cut.
    with pytest.raises(ServerError, match=named):
        served(any_model, events(odd, STOP)).finish()
    # Once the reply is over, nothing is missing from it.
    reply = served(any_model, events(*WORDS, STOP, odd)).finish()
    assert (reply.answer, reply.stop_reason) == ("42", "end")


@pytest.mark.parametrize(
    "choices", [{"index": 0, "delta": {"content": "4"}}, [None, {"delta": {"content": "4"}}], {}]
)
def test_what_can_be_read_without_doubt_is_read(any_model, choices):
    stream = served(any_model, events({"choices": choices}, *WORDS, STOP))
    assert stream.finish().answer in ("442", "42")


def test_half_a_pair_in_each_of_two_chunks_is_joined_and_alone_it_is_replaced():
    halves = [chunk(content="a \ud83d"), chunk(content="\ude00 b \ud83d"), chunk(content=" c")]
    reply = counted(None, *halves, chunk(content="\ude00\ud83d"))
    assert reply.answer == "a 😀 b \ufffd c\ufffd\ufffd"
    reply.answer.encode("utf-8")


def test_fragments_of_tool_calls_are_read_and_are_no_text():
    start = {"index": 0, "id": "a", "type": "function", "function": {"name": "add"}}
    parts = [
        [start],
        [{"index": 0, "function": {"arguments": '{"a": '}}],
        [{"index": 1}],
        "x",
        None,
    ]
    read_ = [chunk_of(chunk(tool_calls=part)) for part in parts]
    assert read_[0].tool_calls == (ToolCallPart(0, "a", "add", ""),)
    assert read_[1].tool_calls == (ToolCallPart(0, "", "", '{"a": '),)
    assert not any(each.tool_calls for each in read_[2:]) and not any(each.text for each in read_)
    parsed = {"function": {"name": "add", "arguments": {"a": 1}}}
    assert chunk_of(chunk(tool_calls=[parsed])).tool_calls[0].arguments == '{"a": 1}'
    calls = [chunk(tool_calls=[start]), chunk(finish="tool_calls")]
    assert read(Case("", calls, cuts=()))[0].stop_reason == "end"


def test_a_page_without_end_does_not_fill_the_memory():
    def endless():
        yield b"<html>"
        for _ in range(1_000):
            yield b"x" * 100_000

    with pytest.raises(Exception, match="<html>"):
        list(read_chunks(endless()))


# ---- random streams ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", streams.streams(), ids=lambda case: case.style)
def test_a_stream_may_be_cut_at_every_byte(case):
    whole, _ = read(Case("", case.chunks, cuts=()))
    byte_by_byte, outcome = read(case)
    assert outcome == "ended"
    assert (byte_by_byte.thinking, byte_by_byte.answer) == (whole.thinking, whole.answer)
    body = Case("", case.chunks, newline="\r\n").body()
    expected = list(read_chunks([body]))
    for cut in range(1, len(body), 3):
        assert list(read_chunks([body[:cut], body[cut:]])) == expected, cut


def test_every_field_may_be_missing_null_or_of_another_type():
    changes = [(case, each) for case in streams.streams() for each in streams.field_changes(case)]
    assert len(changes) > 5_000
    optional = {"index", "finish_reason", "role", "id", "object", "created", "type", "usage"}
    for case, change in changes[::12]:
        mutation = streams.changed(case, *change)
        outcome, (_, path, value) = streams.check(mutation), change
        if outcome == streams.ODD:
            assert path[0] == "choices" and path[-1] not in optional and value, mutation.what
        else:
            assert outcome == "ended", mutation.what


def test_random_streams_lose_no_text():
    outcomes = streams.fuzz(seed=3, seconds=2)
    assert outcomes["ended"] > 20


def test_what_a_server_says_to_those_who_wait_is_passed_on_until_the_reply_begins(fake):
    def answer(request):
        request.start_stream()
        request._handler.wfile.write(b":\n\n: You are 4th in line.\n\n")
        request.delta(content="4")
        request._handler.wfile.write(b": ping\n\n")
        request.delta(content="2", finish="stop")
        request.event("[DONE]")

    fake.on["/v1/chat/completions"] = answer
    stream = open_model(fake.url).chat("6 * 7?")
    seen = [(piece.text, stream.reply.waiting) for piece in stream]
    assert seen == [("", "You are 4th in line."), ("4", ""), ("2", "")]
    assert stream.reply.answer == "42" and stream.reply.tokens == 2
