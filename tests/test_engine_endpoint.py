"""Servers as they are: what they get wrong is explained, what they leave out is done without."""

import math
import threading
import time

import pytest

from course_utils.engines import GREEDY, PLAIN, open_model
from course_utils.engines.server.address import choose_key
from course_utils.errors import NotSupportedError, OptionError, PromptError, ServerError
from tests.fake_server import KEY

# ---- a server that misbehaves ---------------------------------------------------------------


def chat_answer(fake, answer):
    """Let ``answer`` write the streamed reply to every chat, and open an engine on it."""

    def respond(request):
        request.start_stream()
        answer(request)

    fake.on["/v1/chat/completions"] = respond
    return open_model(fake.url, timeout=5)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_a_server_that_separates_thoughts_is_understood(fake, name):
    def answer(request):
        request.delta(**{name: "\nLet me"})
        request.delta(**{name: " see.\n"})
        request.delta(content="\n\n4")
        request.delta(content="2")
        request.delta(finish="stop")
        request.usage(prompt=11, completion=6)
        request.event("[DONE]")

    reply = chat_answer(fake, answer).chat("6 * 7?").finish()
    assert (reply.thinking, reply.answer) == ("Let me see.", "42")
    assert reply.prompt_tokens == 11
    assert reply.thinking_tokens == 2
    assert reply.tokens == 5, "the token that ends the text is not part of the reply"


@pytest.mark.parametrize("opening", ["", "<think>\n"])
def test_a_server_that_leaves_the_tags_in_is_understood(fake, opening):
    def answer(request):
        for text in (opening + "Let", " me.", "\n</th", "ink>\n\n", "42"):
            request.delta(content=text)
        request.delta(finish="stop")
        request.event("[DONE]")

    reply = chat_answer(fake, answer).chat("6 * 7?").finish()
    assert (reply.thinking, reply.answer) == ("Let me.", "42")


def test_an_answer_without_any_thought_is_an_answer(fake):
    def answer(request):
        request.delta(content="4")
        request.delta(content="2")
        request.delta(finish="stop")
        request.event("[DONE]")

    reply = chat_answer(fake, answer).chat("6 * 7?").finish()
    assert (reply.thinking, reply.answer) == ("", "42")
    assert (reply.thinking_tokens, reply.answer_tokens) == (0, 2)


def dies(request):
    request.start_stream(length=10_000)
    request.delta(content="4")
    request.cut()


def reports_an_error(request):
    request.start_stream()
    request.delta(content="4")
    request.event({"error": {"message": "CUDA out of memory", "code": 500}})


@pytest.mark.parametrize(
    "answer, fault", [(dies, "broke off"), (reports_an_error, "CUDA out of memory")]
)
def test_a_server_that_fails_while_answering_is_reported_and_the_text_kept(fake, answer, fault):
    fake.on["/v1/chat/completions"] = answer
    stream = open_model(fake.url, timeout=5).chat("6 * 7?")
    with pytest.raises(ServerError, match=fault) as error:
        stream.finish()
    assert stream.reply.thinking + stream.reply.answer == "4"
    assert stream.reply.stop_reason == "interrupted"
    assert error.value.reply is stream.reply and "this error's reply" in error.value.remedy


def test_a_server_that_falls_silent_is_given_up(fake):
    def answer(request):
        request.delta(content="4")
        request.stall()

    chat_answer(fake, answer)
    engine = open_model(fake.url, timeout=0.3)
    with pytest.raises(ServerError, match=r"nothing for 0\.3 seconds") as error:
        engine.chat("6 * 7?").finish()
    assert "timeout" in error.value.remedy


@pytest.mark.parametrize("stalled_before_the_first_word", [True, False])
def test_an_interrupt_ends_the_wait_for_a_silent_server(fake, stalled_before_the_first_word):
    def answer(request):
        if not stalled_before_the_first_word:
            request.delta(content="4")
        request.stall()

    engine = chat_answer(fake, answer)
    stream = engine.chat("6 * 7?")
    threading.Timer(0.2, stream.stop).start()
    started = time.perf_counter()
    assert stream.finish().stop_reason == "interrupted"
    assert time.perf_counter() - started < 4  # The server would be given up after 5 seconds.


def test_a_keyboard_interrupt_ends_a_served_reply(fake):
    import _thread

    engine = chat_answer(fake, lambda request: request.stall())
    threading.Timer(0.2, _thread.interrupt_main).start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        engine.chat("6 * 7?").finish()
    assert time.perf_counter() - started < 4  # The server would be given up after 5 seconds.
    assert engine.info.name == "qwq-32b"


@pytest.mark.parametrize(
    "status, body, kind, fault",
    [
        (401, {"error": {"message": f"Invalid key {KEY}"}}, ServerError, "refuses the API key"),
        (403, {"error": {"message": f"key {KEY} expired"}}, ServerError, "refuses the API key"),
        (403, {"error": {"message": "not for your country"}}, ServerError, "not for your country"),
        (404, {"error": {"message": "The model was not found"}}, ServerError, "no model called"),
        (404, {"detail": "Not Found"}, ServerError, "no such page"),
        (429, {"error": {"message": "Rate limit reached"}}, ServerError, "no more requests"),
        (503, {"error": {"message": "Loading model"}}, ServerError, r"not ready.*Loading model"),
        (500, {"error": {"message": f"oh no {KEY}"}}, ServerError, r"failed while.*oh no …"),
        (302, {}, ServerError, "sends you elsewhere"),
        (400, {"error": {"message": "unknown argument top_k"}}, ServerError, "top_k"),
        (
            400,
            {"error": {"message": "This model's maximum context length is 4096 tokens"}},
            PromptError,
            "too long for the server's context",
        ),
        (502, "<html><h1>Bad Gateway</h1></html>", ServerError, r"not ready.*Bad Gateway"),
    ],
)
def test_each_refusal_has_its_own_explanation(fake, status, body, kind, fault):
    fake.on["/v1/chat/completions"] = lambda request: (
        request.text(body, status) if isinstance(body, str) else request.json(body, status)
    )
    with pytest.raises(kind, match=fault) as error:
        open_model(fake.url, api_key=KEY).chat("6 * 7?").finish()
    assert error.value.remedy
    assert KEY not in str(error.value)


def test_a_web_page_in_place_of_an_api_is_recognised(fake):
    fake.on["/v1/models"] = lambda request: request.text("<!doctype html><title>Log in</title>")
    with pytest.raises(ServerError, match="a web page") as error:
        open_model(fake.url)
    assert "/v1" in error.value.remedy


def test_the_words_of_a_page_that_refuses_are_shown(fake):
    # coarse#183, gpt4all#1847: neither a proxy's page nor a provider's terms are about the key.
    page = "<!doctype html><style>p{}</style><h1>Access denied</h1><p>by\x1b[31m the firewall</p>"
    fake.on["/v1/models"] = lambda request: request.text(page, 403)
    with pytest.raises(
        ServerError, match=r"a web page \(403\).*Access denied by the firewall"
    ) as e:
        open_model(fake.url, model="qwq")
    assert "API key" not in str(e.value)
    terms = {"error": {"message": "This model is not offered in your region.", "code": 403}}
    fake.on["/v1/models"] = lambda request: request.json({"data": ["qwq"]})
    fake.on["/v1/chat/completions"] = lambda request: request.json(terms, 403)
    with pytest.raises(ServerError, match="not offered in your region") as e:
        open_model(fake.url).chat("6 * 7?").finish()
    assert "refuses the API key" not in str(e.value)


@pytest.mark.parametrize(
    "location, remedy",
    [("https://127.0.0.1:1/v1/models?token=abc", "https://"), ("http://login.example/", "browser")],
)
def test_a_redirect_says_where_it_leads_and_is_not_followed(fake, location, remedy):
    fake.on["/v1/models"] = lambda request: request.text("", 307, Location=location)
    with pytest.raises(ServerError, match="sends you elsewhere") as error:
        open_model(fake.url)
    assert location.partition("?")[0] in str(error.value) and "abc" not in str(error.value)
    assert remedy in error.value.remedy


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e12, "5", True, None])
def test_a_timeout_that_is_none_is_refused(fake, timeout):
    with pytest.raises(OptionError, match="timeout="):
        open_model(fake.url, timeout=timeout)


def test_a_json_answer_is_known_by_its_form_and_not_by_its_label(fake):
    fake.on["/v1/models"] = lambda request: request.text('{"data": [{"id": "one"}]}')
    assert open_model(fake.url).info.name == "one"


def test_closing_an_engine_ends_the_reply_that_is_being_read_with_a_clear_error(fake):
    def answer(request):
        request.delta(content="4")
        request.stall()

    engine = chat_answer(fake, answer)
    stream = engine.chat("6 * 7?")
    next(stream)
    engine.close()
    stream.stop()
    assert stream.finish().tokens == 1


def test_a_page_in_place_of_a_reply_is_recognised(fake):
    fake.on["/v1/chat/completions"] = lambda request: request.text("<html>Log in</html>")
    with pytest.raises(ServerError, match="a web page"):
        open_model(fake.url).chat("6 * 7?").finish()


@pytest.mark.parametrize(
    "address, fault",
    [
        ("http://127.0.0.1:9/v1", "nothing is listening"),
        ("http://no-such-machine.invalid/v1", "cannot be reached"),
    ],
)
def test_an_unreachable_server_is_explained(address, fault):
    with pytest.raises(ServerError, match=fault) as error:
        open_model(address)
    assert "address" in error.value.remedy


def test_https_where_the_server_speaks_http_is_explained(fake):
    with pytest.raises(ServerError, match="cannot be reached"):
        open_model(fake.url.replace("http:", "https:"), timeout=2)


@pytest.mark.parametrize(
    "address",
    [
        *("http://", "http:///v1", "http://user:secret@host/v1", "HTTP://user:secret@host"),
        *("htp://user:secret@host/v1", "user:secret@host:8080", "localhost:8080", "[::1]:8080/v1"),
        *("http://fe80::1:8080/v1", "http://[::1", "http://localhost:port/v1", "http:/localhost"),
        *("http://local host:8080/v1", "http://localhost:8080/v1?key=secret", "qwq.example:80/v1"),
    ],
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(OptionError) as error:
        open_model(address)
    assert "secret" not in str(error.value)


def test_a_key_that_cannot_be_one_is_refused_without_showing_it(fake):
    with pytest.raises(OptionError) as error:
        open_model(fake.url, api_key="my key\nX-Evil: 1")
    assert "Evil" not in str(error.value)


def test_the_variable_with_a_key_that_cannot_be_one_is_named(fake, monkeypatch):
    monkeypatch.delenv("COURSE_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "two words")
    with pytest.raises(OptionError, match="OPENAI_API_KEY"):
        open_model(fake.url)
    assert open_model(fake.url, api_key="").info.name == "qwq-32b"


def test_the_openai_key_is_not_sent_unencrypted_to_another_machine(monkeypatch):
    monkeypatch.delenv("COURSE_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-private")
    assert choose_key(None, "http://classroom.example:8080/v1") == ""
    assert choose_key(None, "https://api.openai.com/v1") == "sk-private"
    assert choose_key(None, "http://localhost:8080/v1") == "sk-private"
    assert choose_key("given", "http://classroom.example:8080/v1") == "given"


def test_a_budget_continues_the_thought_where_the_server_can(fake):
    def answer(request):
        if "continue_final_message" in request.body:
            request.delta(content="42")
            request.delta(finish="stop")
        else:
            for _ in range(50):
                request.delta(content="wait ")
            request.delta(finish="length")
        request.event("[DONE]")

    reply = chat_answer(fake, answer).chat("6 * 7?", GREEDY, thinking_budget=3).finish()
    assert (reply.thinking, reply.answer) == ("wait wait wait", "42")
    assert reply.thinking_cut and reply.thinking_tokens == 3
    begun = fake.requests[-1].body["messages"][-1]
    assert begun == {
        "role": "assistant",
        "content": "<think>\nwait wait wait\n</think>\n\n",
    }


def test_a_budget_on_a_server_that_cannot_continue_is_not_supported(fake):
    def respond(request):
        if "continue_final_message" in request.body:
            request.json({"error": {"message": "unknown field continue_final_message"}}, 400)
            return
        request.start_stream()
        request.delta(content="wait")
        request.delta(content="wait")
        request.delta(finish="length")
        request.event("[DONE]")

    fake.on["/v1/chat/completions"] = respond
    with pytest.raises(NotSupportedError, match="thinking budget"):
        open_model(fake.url).chat("6 * 7?", GREEDY, thinking_budget=1).finish()


def completion(request, text="42", **extra):
    """A whole or streamed answer of the completion API."""
    choice = {"index": 0, "text": text, "finish_reason": "stop", **extra}
    if request.body.get("stream"):
        request.start_stream()
        request.event({"id": "1", "object": "text_completion", "choices": [choice]})
        request.event("[DONE]")
    else:
        request.json({"id": "1", "object": "text_completion", "choices": [choice]})


def test_many_completions_fall_back_to_many_requests(fake):
    fake.on["/v1/completions"] = lambda request: completion(request, str(request.body["seed"]))
    replies = open_model(fake.url).sample_many("6 * 7 =", 5, PLAIN.but(seed=10))
    assert [reply.answer for reply in replies] == ["10", "11", "12", "13", "14"]


def test_plain_openai_servers_get_no_settings_they_do_not_know(fake):
    fake.on["/v1/completions"] = completion
    open_model(fake.url).complete("6 * 7 =", PLAIN).finish()
    sent = fake.requests[-1].body
    assert sent["temperature"] == 1.0 and sent["top_p"] == 1.0
    assert not {"top_k", "min_p", "repetition_penalty", "timings_per_token"} & set(sent)


@pytest.mark.parametrize(
    "refused, words",
    [
        # hermes-agent#109143; openhab-addons#21459
        (("stream_options",), "Extra inputs are not permitted: stream_options"),
        (("max_tokens",), "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."),
        (("stream_options", "max_tokens"), "{}: use max_completion_tokens"),
    ],
)
def test_what_a_server_refuses_without_need_is_asked_otherwise(fake, refused, words):
    def respond(request):
        wrong = [name for name in refused if name in request.body]
        if wrong:
            request.json({"error": {"message": words.format(wrong[0])}}, 400)
            return
        request.start_stream()
        request.delta(content="42")
        request.delta(finish="length")
        request.event("[DONE]")

    fake.on["/v1/chat/completions"] = respond
    reply = open_model(fake.url).chat("6 * 7?", GREEDY.but(max_tokens=1)).finish()
    assert reply.stop_reason == "length" and reply.tokens == 1
    sent = fake.requests[-1].body
    assert sent.get("max_tokens", sent.get("max_completion_tokens")) == 1
    assert sent["temperature"] == 0, "what changes the reply is never left out"


def test_probabilities_come_from_any_server_that_reveals_them(fake):
    top = {" 42": math.log(0.6), " 7": math.log(0.3)}
    logprobs = {"tokens": [" 42"], "token_logprobs": [top[" 42"]], "top_logprobs": [top]}
    fake.on["/v1/completions"] = lambda request: completion(request, logprobs=logprobs)
    engine = open_model(fake.url)
    first, second = engine.next_tokens("6 * 7 =", 2)
    assert (first.token.text, second.token.text) == (" 42", " 7")
    assert first.probability == pytest.approx(0.6) and first.logit is None
    with pytest.raises(OptionError, match="2 next tokens at most"):
        engine.next_tokens("6 * 7 =", 10)


def test_probabilities_that_a_server_hides_or_limits_are_explained(fake):
    engine = open_model(fake.url)
    fake.on["/v1/completions"] = completion
    with pytest.raises(NotSupportedError, match="probabilities"):
        engine.next_tokens("6 * 7 =")
    fake.on["/v1/completions"] = lambda request: request.json(
        {"error": {"message": "logprobs must be at most 5"}}, 400
    )
    with pytest.raises(OptionError, match="at most 5"):
        engine.next_tokens("6 * 7 =", 50)


def test_texts_are_scored_where_the_server_echoes_them(fake):
    logprobs = {"tokens": ["6", " *"], "token_logprobs": [None, -1.5], "top_logprobs": [None, {}]}
    fake.on["/v1/completions"] = lambda request: completion(request, "6 *", logprobs=logprobs)
    first, second = open_model(fake.url).score("6 *")
    assert first.log_probability is None
    assert (second.token.text, second.log_probability) == (" *", -1.5)


def test_tokens_are_not_supported_where_the_server_hides_them(fake):
    engine = open_model(fake.url)
    for ask in (engine.tokenize, engine.render):
        with pytest.raises(NotSupportedError):
            ask("6 * 7")
    with pytest.raises(NotSupportedError):
        engine.detokenize([1])


def test_a_closed_engine_says_so(fake):
    engine = open_model(fake.url)
    engine.close()
    with pytest.raises(ServerError, match="closed"):
        engine.chat("hello").finish()
