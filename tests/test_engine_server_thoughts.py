"""What a server calls thought or answer is that; and no text is sent or kept that cannot be."""

import pytest

from course_utils.engines import GREEDY, open_model
from course_utils.engines.server.reading import Sorter
from course_utils.engines.server.stream import Chunk
from course_utils.errors import PromptError


def replies(fake, *answers, model="qwq-32b"):
    """An engine on a server whose n-th chat is the n-th list of deltas."""
    waiting = list(answers)

    def respond(request):
        request.start_stream()
        for delta in waiting.pop(0):
            request.delta(**delta)
        request.delta(finish="stop")
        request.event("[DONE]")

    fake.on["/v1/chat/completions"] = respond
    fake.on["/v1/models"] = lambda request: request.json({"data": [{"id": model}]})
    return open_model(fake.url, timeout=5)


def thought(*parts, name="reasoning_content"):
    return [{name: part} for part in parts]


def answer(*parts):
    return [{"content": part} for part in parts]


@pytest.mark.parametrize("model", ["qwq-32b", "plain"])
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_tags_are_text_where_the_server_keeps_thought_and_answer_apart(fake, name, model):
    # llama.cpp#27661: the thought quotes the tag, and so does the answer.
    deltas = [
        *thought("The tag ", "</thi", "nk> ends", " a thought.", name=name),
        *answer("<think>", " opens", " one, ", "</think> closes it."),
    ]
    reply = replies(fake, deltas, model=model).chat("How do thoughts end?").finish()
    assert reply.thinking == "The tag </think> ends a thought."
    assert reply.answer == "<think> opens one, </think> closes it."
    assert (reply.thinking_tokens, reply.answer_tokens) == (4, 4)


def test_white_space_between_thought_and_answer_is_layout(fake):
    deltas = [*thought("\n\nHm", ".", "\n"), *answer("\n", "\n4", "2 \n")]
    stream = replies(fake, deltas).chat("6 * 7?")
    pieces = list(stream)
    assert (stream.reply.thinking, stream.reply.answer) == ("Hm.", "42 \n")
    for kind, text in (("thinking", "Hm."), ("answer", "42 \n")):
        assert "".join(piece.text for piece in pieces if piece.kind == kind) == text


def test_a_thought_that_goes_on_after_some_answer_is_thought():
    sorter = Sorter(False)
    found = []
    for chunk in (Chunk(thought="a"), Chunk(text="b"), Chunk(thought="c"), Chunk(text="d")):
        found += sorter.feed(chunk)
    assert found == [("thinking", "a"), ("answer", "b"), ("thinking", "c"), ("answer", "d")]


def test_one_chunk_may_hold_the_end_of_the_thought_and_the_start_of_the_answer():
    sorter = Sorter(True)
    assert sorter.feed(Chunk(thought="Hm.", text="42")) == [("thinking", "Hm."), ("answer", "42")]


@pytest.mark.parametrize("budget", [2, 0])
def test_a_server_that_ignores_where_to_go_on_leaves_no_tag_in_the_answer(fake, budget):
    # ollama#5775: it begins a reply of its own, whose template opens the thought.
    first = answer(*["wait "] * 9)
    second = answer("So 6 * 7", ".\n", "</think>", "\n\n", "4", "2")
    engine = replies(fake, *([first, second] if budget else [second]))
    reply = engine.chat("6 * 7?", GREEDY, thinking_budget=budget).finish()
    assert reply.answer == "42"
    assert reply.thinking == ("wait wait\n\nSo 6 * 7." if budget else "So 6 * 7.")
    assert not reply.thinking_cut, "the budget has not ended the thought"
    assert reply.thinking_tokens > budget and reply.tokens_estimated


def test_a_server_that_thinks_once_more_after_the_budget_is_shown_as_it_is(fake):
    first, second = thought(*["wait "] * 9), [*thought("Again."), *answer("42")]
    stream = replies(fake, first, second).chat("6 * 7?", GREEDY, thinking_budget=2)
    pieces = list(stream)
    assert (stream.reply.thinking, stream.reply.answer) == ("wait wait\n\nAgain.", "42")
    assert "".join(p.text for p in pieces if p.kind == "thinking") == stream.reply.thinking
    assert not stream.reply.thinking_cut


def test_an_answer_that_a_reasoning_parser_takes_for_thought_is_the_answer(fake):
    # vllm#38749: after a continued message the parser waits for a tag that has been.
    first, second = thought(*["wait "] * 9), thought("4", "2")
    reply = replies(fake, first, second).chat("6 * 7?", GREEDY, thinking_budget=2).finish()
    assert (reply.thinking, reply.answer) == ("wait wait", "42")
    assert reply.thinking_cut and reply.stop_reason == "end"


# ---- text that UTF-8 cannot hold -----------------------------------------------------------------


@pytest.mark.parametrize("ask", ["chat", "conversation", "complete", "sample_many", "next_tokens"])
def test_half_a_surrogate_pair_is_refused_before_it_is_sent(fake, ask):  # llm#768, aider#3693
    engine, text = replies(fake), "2+3 \ud83d"
    before = len(fake.requests)
    calls = {
        "chat": lambda: engine.chat(text),
        "conversation": lambda: engine.chat(
            [{"role": "system", "content": text}, {"role": "user", "content": "2+3"}]
        ),
        "complete": lambda: engine.complete(text),
        "sample_many": lambda: engine.sample_many(text, 2),
        "next_tokens": lambda: engine.next_tokens(text),
    }
    with pytest.raises(PromptError, match=r"half of a surrogate pair") as error:
        calls[ask]()
    assert r"\ud83d" in str(error.value) and "\ud83d" not in str(error.value)
    assert len(fake.requests) == before


def test_an_emoji_in_two_chunks_arrives_whole_and_can_be_saved(fake, tmp_path):
    deltas = [*thought("a \ud83d", "\ude00"), *answer("b \ud83d", "\ude00", " \ud83d")]
    reply = replies(fake, deltas).chat("An emoji?").finish()
    assert (reply.thinking, reply.answer) == ("a 😀", "b 😀 \ufffd")
    (tmp_path / "reply.txt").write_text(reply.answer, encoding="utf-8")
