"""Do the widgets show what a server really gives, and keep what it gave before it failed?"""

import pytest

import course_utils.teaching as teaching
from course_utils.engines import open_model
from course_utils.errors import ServerError


def served(fake, answer):
    def respond(request):
        request.start_stream()
        answer(request)

    fake.on["/v1/chat/completions"] = respond
    fake.on["/v1/models"] = lambda request: request.json({"data": ["plain"]})
    return open_model(fake.url, timeout=5)


def test_counts_that_a_server_does_not_give_are_called_estimates(fake, capsys):
    def answer(request):
        request.delta(reasoning="Hm.")
        request.delta(content="42")
        request.delta(finish="stop")
        if len(fake.requests) > 2:
            request.usage(prompt=1_200, completion=3)
        request.event("[DONE]")

    engine = served(fake, answer)
    teaching.stream_to_page(engine.chat("6 * 7?"), "6 * 7?")
    assert "Answer (about 1 tokens)" in capsys.readouterr().out
    talk = teaching.conversation(engine, "6 * 7?")
    talk.ask()
    assert "answer: 1 tokens" in talk.reply_pane.value and "about" not in talk.reply_pane.value
    assert (
        "1,200 prompt tokens" in talk.reply_pane.value and "KV cache" not in talk.reply_pane.value
    )


def test_a_conversation_keeps_what_had_arrived_when_the_server_failed(fake):
    def answer(request):
        request.delta(content="4")
        request.event({"error": {"message": "CUDA out of memory"}})

    talk = teaching.conversation(served(fake, answer), "6 * 7?")
    talk.ask_button.click()
    talk.wait(20)
    assert "CUDA out of memory" in talk.error.value
    assert [message["content"] for message in talk.history] == ["6 * 7?", "4"]
    with pytest.raises(ServerError):
        talk.ask("Go on.")
    assert "4" in talk.past.value and len(talk.history) == 4


def test_a_question_that_nothing_was_said_to_leaves_no_trace(fake):
    fake.on["/v1/chat/completions"] = lambda request: request.json({"error": "busy"}, 503)
    talk = teaching.conversation(open_model(fake.url), "6 * 7?")
    talk.ask_button.click()
    talk.wait(20)
    assert "busy" in talk.error.value and talk.history == []
