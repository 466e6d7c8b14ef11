"""The model that is meant is found under the names people type, and named with every request."""

from urllib.parse import parse_qs, urlsplit

import pytest

from course_utils.engines import PLAIN, open_model
from course_utils.engines.server.models import find_model
from course_utils.errors import OptionError, ServerError

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}<think>\n</think>"


@pytest.fixture
def router(fake):
    """A llama-server of several models, which refuses whatever does not name one of them."""
    names = ("first", "second")
    listed = [
        {"id": name, "owned_by": "llamacpp", "status": {"value": status}}
        for name, status in zip(names, ("unloaded", "loaded"), strict=True)
    ]
    fake.on["/v1/models"] = lambda request: request.json({"data": listed})

    def named(page):
        def answer(request):
            query = parse_qs(urlsplit(request.path).query)
            name = (request.body or {}).get("model") or query.get("model", [None])[0]
            if name not in names:
                request.json({"error": {"code": 400, "message": "model name is missing"}}, 400)
            else:
                page(request)

        return answer

    def completions(request):
        choice = {"index": 0, "text": "42", "finish_reason": "stop"}
        if not request.body.get("stream"):
            request.json({"choices": [choice], "usage": {"prompt_tokens": 3}})
            return
        request.start_stream()
        request.event({"choices": [choice]})
        request.event("[DONE]")

    def chat(request):
        request.start_stream()
        request.delta(content="42")
        request.delta(finish="stop")
        request.event("[DONE]")

    top = {"top_logprobs": [{"id": 5, "bytes": [52], "logprob": -0.5}]}
    pages = {
        "/props": lambda request: request.json(
            {
                "total_slots": 1,
                "chat_template": TEMPLATE,
                "default_generation_settings": {"n_ctx": 64},
            }
        ),
        "/apply-template": lambda request: request.json({"prompt": "6 * 7?<think>\n"}),
        "/tokenize": lambda request: request.json({"tokens": [{"id": 5, "piece": "4"}]}),
        "/detokenize": lambda request: request.json({"content": "4"}),
        "/completion": lambda request: request.json({"completion_probabilities": [top]}),
        "/v1/completions": completions,
        "/v1/chat/completions": chat,
    }
    fake.on |= {path: named(page) for path, page in pages.items()}
    return fake


def test_every_page_of_a_server_with_several_models_is_told_which(router):
    # SillyTavern#4962, localharness#141
    engine = open_model(router.url, model="first")
    assert engine.info.context == 64 and engine.info.reasoning
    assert engine.render("6 * 7?") == "6 * 7?<think>\n"
    assert engine.detokenize(engine.tokenize("4")) == "4"
    assert engine.next_tokens("6 * 7 =", 1)[0].token.text == "4"
    assert engine.complete("6 * 7 =").finish().answer == "42"
    assert [reply.answer for reply in engine.sample_many("6 * 7 =", 2, PLAIN)] == ["42", "42"]
    assert engine.chat("6 * 7?").finish().thinking == "42"
    assert engine.chat("6 * 7?", thinking_budget=0).finish().answer == "42"
    for request in router.requests[1:]:
        query = parse_qs(urlsplit(request.path).query)
        assert (request.body or {"model": query["model"][0]})["model"] == "first", request.path


def test_a_model_that_is_loaded_goes_before_one_that_would_have_to_be(router):
    assert open_model(router.url).info.name == "second"


def test_a_model_that_the_server_cannot_load_is_its_words(router):
    failed = {"error": {"code": 500, "message": "model first failed to load: out of memory"}}
    router.on["/apply-template"] = lambda request: request.json(failed, 500)
    with pytest.raises(ServerError, match="failed to load: out of memory"):
        open_model(router.url, model="first").chat("6 * 7?").finish()


@pytest.mark.parametrize("page", ["/apply-template", "/props"])
def test_an_old_llama_server_without_a_page_still_answers(router, page):
    router.on[page] = lambda request: request.json({"error": "no such page"}, 404)
    assert open_model(router.url, model="first").chat("6 * 7?").finish().tokens > 0


# ---- names as people type them -------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed, listed, sent",
    [
        ("qwq", ["llama3:latest", "qwq:latest"], "qwq:latest"),  # opensre#356
        ("QwQ", ["qwq:latest"], "qwq:latest"),
        ("qwq:latest", ["qwq:latest"], "qwq:latest"),
        ("qwq-32b:nitro", ["qwq-32b", "other"], "qwq-32b:nitro"),
        ("qwen/qwq-32b:free", ["qwen/qwq-32b"], "qwen/qwq-32b:free"),
        ("qwq-32b", ["Qwen/QwQ-32B", "Qwen/Qwen3"], "Qwen/QwQ-32B"),
        ("qwq-32b-q4_k_m", ["C:\\models\\QwQ-32B-Q4_K_M.gguf"], "C:\\models\\QwQ-32B-Q4_K_M.gguf"),
        ("qwq", ["qwq:32b-q8_0"], "qwq:32b-q8_0"),
        ("ggml-org/QwQ-GGUF", ["ggml-org/QwQ-GGUF:Q4_K_M"], "ggml-org/QwQ-GGUF:Q4_K_M"),
        ("gemini", ["models/gemini"], "models/gemini"),
        ("qwq", ["qwq:32b", "qwq:70b"], None),
        ("qwq:70b", ["qwq:latest"], None),
        ("qw", ["qwq:latest"], None),
        ("a/qwq", ["b/qwq"], None),
    ],
)
def test_a_model_is_found_under_the_name_that_people_type(typed, listed, sent):
    found = find_model(typed, {name: {} for name in listed})
    assert (found and found.name) == sent


def test_an_alias_is_a_name():
    assert find_model("short", {"long": {"aliases": ["short"]}, "x": {"aliases": 3}})[0] == "short"


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_a_server_that_shows_no_list_needs_none_where_the_model_is_named(fake, status):
    # conversion-to-TLV#23
    fake.on["/v1/models"] = lambda request: request.json({"detail": "not here"}, status)
    assert open_model(fake.url, model="any").info.name == "any"
    with pytest.raises(ServerError) as error:
        open_model(fake.url)
    assert status == 403 or "model=..." in error.value.remedy


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": [{"id": "one", "owned_by": None}, None, 3]},
        {"data": ["one", "two"]},
        [{"id": "one"}],
        {"models": [{"name": "one", "model": "one"}]},
        {"data": [{"id": "one", "max_model_len": "many", "meta": 3, "status": []}]},
    ],
)
def test_a_list_of_models_may_have_any_of_the_usual_forms(fake, body):
    fake.on["/v1/models"] = lambda request: request.json(body)
    assert open_model(fake.url).info.name == "one"


@pytest.mark.parametrize("body", [{"object": "list", "data": None}, {"data": []}])
def test_a_server_without_any_model_says_so(fake, body):
    fake.on["/v1/models"] = lambda request: request.json(body)
    with pytest.raises(ServerError, match="no models yet"):
        open_model(fake.url)


@pytest.mark.parametrize("body", ["nothing", {"data": 3}, {"data": [3]}, 3, {"status": "ok"}])
def test_what_is_no_list_of_models_is_no_api(fake, body):
    fake.on["/v1/models"] = lambda request: request.json(body)
    with pytest.raises(ServerError, match="not as an OpenAI-compatible API does"):
        open_model(fake.url)


@pytest.mark.parametrize("model", ["", " ", 7, ["qwq"]])
def test_what_cannot_be_the_name_of_a_model_is_refused(fake, model):
    with pytest.raises(OptionError, match="not the name of a model"):
        open_model(fake.url, model=model)
