"""A model behind llama.cpp's own server answers like one in this process."""

import threading
from collections import Counter

import pytest

from course_utils.engines import GREEDY, PLAIN, QWQ, open_model
from course_utils.engines.server.connection import Connection
from course_utils.engines.server.endpoint import EndpointEngine
from course_utils.engines.server.models import ListedModel
from course_utils.errors import NotSupportedError, PromptError, ServerError
from tests.fake_server import KEY
from tests.tiny_models import ENDLESS, markov_model


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


def test_a_real_server_takes_the_models_name_with_every_request(thinker):
    engine, model = thinker
    typed = open_model(engine.info.source, api_key=KEY, model="Markov")
    assert typed.info.name == "markov" and typed.info.context == 1024
    assert typed.detokenize(typed.tokenize("Let me")) == "Let me"
    assert typed.next_tokens("\n\n", 1)[0].token.id == model.id("4")
    assert typed.chat("6 * 7?", PLAIN.but(seed=1)).finish().answer in ("42", "7")


# ---- the same server as any other that speaks OpenAI's API --------------------------------------


def as_any_other(engine, name="markov"):
    """The same server without the pages that only llama-server has."""
    return EndpointEngine(Connection(engine.info.source, KEY, None, 10), ListedModel(name, {}))


@pytest.mark.parametrize("name", ["markov", "qwq-32b"])
def test_a_real_servers_own_split_into_thought_and_answer_is_taken_as_it_is(thinker, name):
    engine = as_any_other(thinker[0], name)
    for seed in range(4):
        reply = engine.chat("6 * 7?", PLAIN.but(seed=seed)).finish()
        assert reply.thinking in ("Let me check the answer.", "Hmm.")
        assert reply.answer in ("42", "7")
        assert reply.stop_reason == "end" and reply.prompt_tokens > 0
        assert reply.tokens == {"Hmm.": 3}.get(reply.thinking, 7) + 1 + len(reply.answer)


def test_a_budget_on_a_real_server_goes_on_after_the_thought(endless):
    reply = as_any_other(endless, "qwq").chat("6 * 7?", GREEDY, thinking_budget=5).finish()
    assert (reply.thinking, reply.answer) == (" ".join(["wait"] * 5), "42")
    assert reply.thinking_cut and reply.thinking_tokens == 5


def test_a_real_servers_probabilities_come_in_the_newer_form_too(thinker):
    engine, model = thinker
    four, seven = as_any_other(engine).next_tokens("\n\n", 2)
    assert (four.token.text, seven.token.text) == ("4", "7")
    assert four.probability == pytest.approx(model.probability("\n\n", "4"), rel=1e-4)
