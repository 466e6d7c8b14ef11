"""A model behind a server answers like one in this process, and its faults are explained."""

import math
import threading
import time
from collections import Counter

import pytest

from course_utils.engines import GREEDY, PLAIN, QWQ, open_model
from course_utils.engines.server.address import choose_key
from course_utils.errors import NotSupportedError, OptionError, PromptError, ServerError
from tests.fake_server import FakeServer
from tests.tiny_models import ENDLESS, markov_model

KEY = "class-key-1234"


# ---- a real server: llama.cpp's own ---------------------------------------------------------


def start_llama_server(path, context):
    xllamacpp = pytest.importorskip("xllamacpp", reason="llama.cpp's server is not installed")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = context
    parameters.n_parallel = 4
    parameters.kv_unified = True
    parameters.cpuparams.n_threads = 1
    parameters.warmup = False
    parameters.use_jinja = True
    parameters.api_keys = [KEY]
    parameters.model_alias = {"markov"}
    return xllamacpp.Server(parameters)


@pytest.fixture(scope="module")
def thinker(tmp_path_factory):
    """(engine, model): thinks "Let me check the answer." or "Hmm.", answers "42" or "7"."""
    model = markov_model(tmp_path_factory.mktemp("models") / "thinker.gguf")
    server = start_llama_server(model.path, context=1024)
    with open_model(server.listening_address + "/v1", api_key=KEY) as engine:
        yield engine, model
    del server


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """An engine whose model thinks " wait" for ever, unless something ends its thought."""
    model = markov_model(tmp_path_factory.mktemp("models") / "endless.gguf", ENDLESS)
    server = start_llama_server(model.path, context=256)
    with open_model(server.listening_address, api_key=KEY) as engine:
        yield engine
    del server


def test_a_served_model_streams_thought_and_answer_apart(thinker):
    engine, _ = thinker
    stream = engine.chat("6 * 7?", PLAIN.but(seed=1))
    pieces = list(stream)
    reply = stream.reply
    assert reply.thinking in ("Let me check the answer.", "Hmm.")
    assert reply.answer in ("42", "7")
    for kind, text in (("thinking", reply.thinking), ("answer", reply.answer)):
        assert "".join(p.text for p in pieces if p.kind == kind) == text
    # The thought's words and </think>; the blank line and the digits.
    assert reply.thinking_tokens == {"Hmm.": 3}.get(reply.thinking, 7)
    assert reply.answer_tokens == 1 + len(reply.answer)
    assert sum(p.tokens for p in pieces) == reply.tokens
    assert reply.prompt_tokens == len(engine.tokenize(engine.render("6 * 7?")))
    assert reply.stop_reason == "end"
    assert 0 < reply.seconds_to_first_token <= reply.seconds


def test_a_served_model_is_described(thinker):
    engine, model = thinker
    assert engine.info.name == "markov"
    assert engine.info.vocabulary == len(model.tokens)
    assert engine.info.context == 1024
    assert engine.info.reasoning, "its chat template ends thoughts"
    assert engine.default_sampling == QWQ


def test_served_probabilities_are_the_models_own(thinker):
    engine, model = thinker
    four, seven, third = engine.next_tokens("\n\n", 3)
    assert (four.token.id, four.token.text, four.logit) == (model.id("4"), "4", None)
    assert four.probability == pytest.approx(model.probability("\n\n", "4"), rel=1e-4)
    assert seven.probability == pytest.approx(0.25, rel=1e-4)
    assert third.probability == pytest.approx(1e-6 / len(model.tokens), rel=1e-2)


def test_sampling_settings_reach_the_server(thinker):
    engine, _ = thinker
    prompt = engine.render("6 * 7?") + "Hmm.</think>\n\n"
    free = engine.sample_many(prompt, 40, PLAIN.but(seed=5, max_tokens=1))
    counts = Counter(reply.answer for reply in free)
    # 40 draws with p = 0.75: outside 18..39 twice in 100,000.
    assert set(counts) == {"4", "7"} and 18 <= counts["4"] <= 39
    assert all(reply.stop_reason == "length" for reply in free)
    for only_the_likeliest in (GREEDY, PLAIN.but(top_k=1), PLAIN.but(min_p=0.5)):
        sampling = only_the_likeliest.but(seed=5, max_tokens=1)
        assert {r.answer for r in engine.sample_many(prompt, 8, sampling)} == {"4"}


def test_the_same_seed_gives_the_same_served_reply(thinker):
    engine, _ = thinker
    replies = [engine.chat("hello", PLAIN.but(seed=3)).finish() for _ in range(2)]
    assert replies[0].thinking == replies[1].thinking
    assert replies[0].answer == replies[1].answer
    assert len({engine.chat("hello", PLAIN.but(seed=s)).finish().answer for s in range(12)}) == 2


def test_many_completions_come_split_and_counted(thinker):
    engine, _ = thinker
    replies = engine.sample_many(engine.render("6 * 7?"), 6, PLAIN.but(seed=1))
    assert len(replies) == 6
    for reply in replies:
        assert reply.thinking in ("Let me check the answer.", "Hmm.")
        assert reply.answer in ("42", "7")
        assert reply.thinking_tokens == {"Hmm.": 3}.get(reply.thinking, 7)
        assert reply.answer_tokens == 1 + len(reply.answer)


def test_raw_text_is_continued_as_it_is(thinker):
    engine, _ = thinker
    reply = engine.complete("Let me check the answer.").finish()
    assert reply.thinking == ""
    assert reply.answer in ("</think>\n\n42", "</think>\n\n7")


def test_text_survives_tokens_and_back(thinker):
    engine, model = thinker
    text = "<think>Let é 你好"
    tokens = engine.tokenize(text)
    assert tokens[0].id == model.id("<think>")
    assert b"".join(token.data for token in tokens).decode() == text
    assert engine.detokenize(tokens) == text
    assert engine.detokenize([token.id for token in tokens]) == text


def test_thoughts_are_kept_out_of_the_history(thinker):
    engine, _ = thinker
    prompt = engine.render(
        [
            {"role": "user", "content": "6 * 7?"},
            {"role": "assistant", "content": "<think>\nHmm.\n</think>\n\n42"},
            {"role": "user", "content": "Sure?"},
        ]
    )
    assert "Hmm" not in prompt and "42" in prompt
    assert prompt.endswith("<|im_start|>assistant\n<think>\n")


@pytest.mark.parametrize("budget", [0, 1, 5])
def test_a_thinking_budget_ends_the_thought_and_still_gets_an_answer(endless, budget):
    reply = endless.chat("6 * 7?", GREEDY, thinking_budget=budget).finish()
    assert reply.thinking_tokens == budget
    assert reply.thinking == " ".join(["wait"] * budget)
    assert reply.answer == "42"
    assert reply.thinking_cut
    assert reply.stop_reason == "end"


def test_a_budget_that_is_not_used_up_changes_nothing(thinker):
    engine, _ = thinker
    reply = engine.chat("6 * 7?", PLAIN.but(seed=1), thinking_budget=100).finish()
    assert not reply.thinking_cut and reply.answer in ("42", "7")


def test_a_served_reply_ends_at_a_limit_of_tokens_or_of_context(endless):
    short = endless.chat("hello", GREEDY.but(max_tokens=9)).finish()
    assert (short.stop_reason, short.tokens) == ("length", 9)
    full = endless.chat("hello", GREEDY).finish()
    assert full.stop_reason == "context"


def test_a_stop_button_ends_a_served_reply_and_the_engine_goes_on(endless):
    stream = endless.chat("hello", GREEDY)
    next(stream)
    # The button is pressed in another thread, before this one asks for more.
    button = threading.Thread(target=stream.stop)
    button.start()
    button.join()
    reply = stream.finish()
    assert reply.stop_reason == "interrupted" and reply.thinking.startswith("wait")
    assert endless.chat("hello", GREEDY.but(max_tokens=3)).finish().tokens == 3


def test_leaving_a_served_reply_early_keeps_what_had_arrived(endless):
    stream = endless.chat("hello", GREEDY)
    for piece in stream:
        if piece.seconds and stream.reply.tokens >= 4:
            break
    stream.close()
    assert stream.reply.thinking.startswith("wait wait")
    assert stream.reply.stop_reason == "interrupted"


def test_threads_share_a_served_engine(thinker):
    engine, _ = thinker
    replies = []

    def ask(seed):
        replies.append(engine.chat("hello", PLAIN.but(seed=seed)).finish())

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(replies) == 8
    assert all(reply.answer in ("42", "7") and reply.stop_reason == "end" for reply in replies)


def test_too_long_and_empty_prompts_are_refused(thinker):
    engine, _ = thinker
    with pytest.raises(PromptError, match=r"too long.*1024"):
        engine.chat("4" * 2000).finish()
    for empty in ("", []):
        with pytest.raises(PromptError):
            engine.chat(empty)
    with pytest.raises(PromptError, match="empty"):
        engine.complete("")


def test_a_wrong_key_and_an_unknown_model_are_named(thinker):
    engine, _ = thinker
    address = engine.info.source
    with pytest.raises(ServerError, match="refuses the API key") as wrong_key:
        open_model(address, api_key="not-the-key")
    assert "COURSE_API_KEY" in str(wrong_key.value)
    assert "not-the-key" not in str(wrong_key.value)
    with pytest.raises(ServerError, match="no model called 'gpt'") as unknown:
        open_model(address, api_key=KEY, model="gpt")
    assert "markov" in str(unknown.value)


def test_the_key_comes_from_the_environment(thinker, monkeypatch):
    engine, _ = thinker
    monkeypatch.setenv("COURSE_API_KEY", KEY)
    with open_model(engine.info.source) as another:
        assert another.info.name == "markov"


def test_what_no_server_shows_names_the_engine_that_does(thinker):
    engine, _ = thinker
    for ask in (engine.attention, engine.routing, engine.score):
        with pytest.raises(NotSupportedError, match="open_model"):
            ask("Let me")


# ---- a server that misbehaves ---------------------------------------------------------------


@pytest.fixture
def fake():
    server = FakeServer()
    yield server
    server.close()


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
    request.delta(content="4")
    request.cut()


def ends_without_a_reason(request):
    request.delta(content="4")


def reports_an_error(request):
    request.delta(content="4")
    request.event({"error": {"message": "CUDA out of memory", "code": 500}})


@pytest.mark.parametrize(
    "answer, fault",
    [
        (dies, "broke off"),
        (ends_without_a_reason, "broke off"),
        (reports_an_error, "CUDA out of memory"),
    ],
)
def test_a_server_that_fails_while_answering_is_reported_and_the_text_kept(fake, answer, fault):
    stream = chat_answer(fake, answer).chat("6 * 7?")
    with pytest.raises(ServerError, match=fault):
        stream.finish()
    assert stream.reply.thinking + stream.reply.answer == "4"
    assert stream.reply.stop_reason == "interrupted"


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
    assert time.perf_counter() - started < 1


def test_a_keyboard_interrupt_ends_a_served_reply(fake):
    import _thread

    engine = chat_answer(fake, lambda request: request.stall())
    threading.Timer(0.2, _thread.interrupt_main).start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        engine.chat("6 * 7?").finish()
    assert time.perf_counter() - started < 1
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


@pytest.mark.parametrize("address", ["http://", "http:///v1", "http://user:secret@host/v1"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(OptionError) as error:
        open_model(address)
    assert "secret" not in str(error.value)


def test_a_key_that_cannot_be_one_is_refused_without_showing_it(fake):
    with pytest.raises(OptionError) as error:
        open_model(fake.url, api_key="my key\nX-Evil: 1")
    assert "Evil" not in str(error.value)


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
