"""What llama-server's own pages send is used where it is of the type that they promise."""

import pytest

from course_utils.engines import open_model
from course_utils.errors import ServerError

LISTED = {"data": [{"id": "qwq", "owned_by": "llamacpp", "meta": {"n_vocab": 9}}]}


@pytest.fixture
def engine(fake):
    fake.on["/v1/models"] = lambda request: request.json(LISTED)
    fake.on["/props"] = lambda request: request.json({"total_slots": "two", "chat_template": 7})
    return open_model(fake.url)


PAGES = {
    "/apply-template": lambda engine: engine.render("Hi"),
    "/tokenize": lambda engine: engine.tokenize("Hi"),
    "/detokenize": lambda engine: engine.detokenize([1]),
    "/completion": lambda engine: engine.next_tokens("Hi", 1),
}

TOKEN = {"id": 1, "bytes": [72], "logprob": -0.5}


def likeliest(**changes) -> dict:
    return {"completion_probabilities": [{"top_logprobs": [TOKEN | changes]}]}


@pytest.mark.parametrize(
    "page, answer, named",
    [
        ("/apply-template", {"prompt": 42}, "prompt is a number"),
        ("/apply-template", {}, "prompt is missing"),
        ("/tokenize", {"tokens": {"id": 1}}, "tokens is an object"),
        ("/tokenize", {"tokens": [7]}, "what holds id is a number"),
        ("/tokenize", {"tokens": [{"id": "1", "piece": "H"}]}, "id is text"),
        ("/tokenize", {"tokens": [{"id": 1, "piece": 10**10}]}, "piece is a number"),
        ("/tokenize", {"tokens": [{"id": 1, "piece": [1, 999]}]}, "piece is a list"),
        ("/detokenize", {"content": ["H"]}, "content is a list"),
        ("/completion", {"completion_probabilities": []}, "top_logprobs is missing"),
        ("/completion", likeliest(bytes=10**10), "bytes is a number"),
        ("/completion", likeliest(logprob="high"), "logprob is text"),
        ("/completion", likeliest(logprob=None), "logprob is missing"),
        ("/completion", likeliest(id=1.5), "id is a number"),
    ],
)
def test_a_field_of_another_type_is_one_message_that_names_it(fake, engine, page, answer, named):
    fake.on[page] = lambda request: request.json(answer)
    with pytest.raises(ServerError) as error:
        PAGES[page](engine)
    assert f"could not be read: {named}" in error.value.problem
    assert fake.url in error.value.problem


def test_sound_fields_are_used(fake, engine):
    tokens = {"tokens": [{"id": 1, "piece": "H"}, {"id": 2, "piece": [255]}]}
    fake.on["/tokenize"] = lambda request: request.json(tokens)
    assert [(token.id, token.data) for token in engine.tokenize("H")] == [(1, b"H"), (2, b"\xff")]
    fake.on["/completion"] = lambda request: request.json(likeliest(logprob=-3.4e38))
    assert engine.next_tokens("Hi", 1)[0].probability == 0
