"""What a learner may rely on when a model runs in their own process."""

import itertools
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import numpy as np
import pytest

from course_utils.engines import GREEDY, PLAIN, QWQ, open_model
from course_utils.errors import NotSupportedError
from tests.tiny_models import ENDLESS, PLAIN_CHAT_TEMPLATE, markov_model, tiny_model

# Everything here holds for models of both sizes.
pytestmark = pytest.mark.usefixtures("size")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, size):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def markov(folder):
    """A model whose every probability is known."""
    return markov_model(folder / "markov.gguf")


@pytest.fixture(scope="module")
def thinker(markov):
    return open_model(markov.path)


@pytest.fixture(scope="module")
def endless(folder):
    return open_model(markov_model(folder / "endless.gguf", ENDLESS).path)


@pytest.fixture(scope="module")
def random_model(folder):
    return open_model(tiny_model(folder / "random.gguf"))


@pytest.fixture(scope="module")
def mixture(folder):
    return open_model(tiny_model(folder / "mixture.gguf", "qwen3moe"))


# ---- chat ------------------------------------------------------------------------------------


def test_a_reply_streams_thought_and_answer_apart(thinker):
    stream = thinker.chat("6*7?", GREEDY)
    pieces = list(stream)
    assert "".join(p.text for p in pieces if p.kind == "thinking") == "Let me check the answer."
    assert "".join(p.text for p in pieces if p.kind == "answer") == "42"
    assert stream.reply.thinking == "Let me check the answer."
    assert stream.reply.answer == "42"
    assert stream.reply.stop_reason == "end"


def test_token_counts_of_pieces_and_reply_agree_with_the_tokens(thinker):
    stream = thinker.chat("6*7?", GREEDY)
    shown = sum(piece.tokens for piece in stream)
    reply = stream.reply
    # Let| me| check| the| answer|.|</think> and \n\n|4|2, whatever layout was held back.
    assert (reply.thinking_tokens, reply.answer_tokens) == (7, 3)
    assert shown == reply.tokens == 10
    assert reply.prompt_tokens == len(thinker.tokenize(thinker.render("6*7?")))
    assert 0 < reply.seconds_to_first_token <= reply.seconds


def test_replies_follow_the_models_probabilities(thinker):
    answers = Counter(
        thinker.chat("6*7?", PLAIN.but(seed=seed)).finish().answer for seed in range(300)
    )
    assert set(answers) == {"42", "7"}
    # 300 draws at 0.75: four standard deviations are 30.
    assert abs(answers["42"] - 225) < 30


def test_the_same_seed_gives_the_same_reply(random_model):
    sampling = PLAIN.but(seed=7, max_tokens=50)
    first = random_model.chat("Hello", sampling).finish()
    again = random_model.chat("Hello", sampling).finish()
    other = random_model.chat("Hello", sampling.but(seed=8)).finish()
    assert first.thinking == again.thinking != other.thinking


def test_the_thinking_budget_ends_a_thought_and_still_gets_an_answer(endless):
    reply = endless.chat("6*7?", QWQ.but(seed=0), thinking_budget=20).finish()
    assert reply.thinking_tokens == 20
    assert reply.thinking_cut
    assert reply.thinking.split() == ["wait"] * 20
    assert reply.answer == "42"


def test_a_thinking_budget_of_zero_answers_at_once(endless):
    reply = endless.chat("6*7?", QWQ.but(seed=0), thinking_budget=0).finish()
    assert (reply.thinking, reply.thinking_tokens, reply.answer) == ("", 0, "42")


def test_a_thought_within_its_budget_is_left_alone(thinker):
    reply = thinker.chat("6*7?", GREEDY, thinking_budget=100).finish()
    assert reply.answer == "42"
    assert not reply.thinking_cut


def test_a_model_that_opens_its_thought_itself_is_understood_too(folder):
    script = {
        "\n": {"<think>": 1.0},
        "<think>": {" wait": 1.0},
        " wait": {"</think>": 1.0},
        "</think>": {"4": 1.0},
    }
    path = markov_model(folder / "opens.gguf", script, chat_template=PLAIN_CHAT_TEMPLATE).path
    reply = open_model(path).chat("6*7?", GREEDY).finish()
    assert (reply.thinking.strip(), reply.answer) == ("wait", "4")


def test_thoughts_are_kept_out_of_the_history(thinker):
    reply = thinker.chat("6*7?", GREEDY).finish()
    history = [
        {"role": "user", "content": "6*7?"},
        reply.message(),
        {"role": "assistant", "content": "<think>\nsecret\n</think>\n\n41"},
        {"role": "user", "content": "Sure?"},
    ]
    prompt = thinker.render(history)
    assert "check" not in prompt
    assert "secret" not in prompt
    assert "42<|im_end|>" in prompt
    assert "41<|im_end|>" in prompt


def test_a_user_cannot_end_the_message_by_typing_a_control_token(thinker):
    question = "a<|im_end|>b"
    reply = thinker.chat(question, GREEDY.but(max_tokens=1)).finish()
    with_control_token = len(thinker.tokenize(thinker.render(question)))
    assert reply.prompt_tokens > with_control_token


@pytest.mark.parametrize(
    "text", ["<|im_end|>", "a<|im_end|>b", "<|im_end|", "<think>", "<|x|>", ""]
)
def test_a_control_token_is_what_llama_cpp_reads_as_one(thinker, text):
    vocabulary = thinker._vocabulary
    assert vocabulary.controls == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
    read_as_one = vocabulary.tokenize(text, True) != vocabulary.tokenize(text, False)
    assert read_as_one == any(control in text for control in vocabulary.controls)


def test_a_second_turn_does_not_pay_for_the_first(random_model):
    first = [{"role": "user", "content": "Tell me a long story. " * 20}]
    reply = random_model.chat(first, PLAIN.but(seed=0, max_tokens=5)).finish()
    longer = [*first, {"role": "assistant", "content": "No."}, {"role": "user", "content": "Why?"}]
    second = random_model.chat(longer, PLAIN.but(seed=0, max_tokens=5)).finish()
    assert reply.cached_tokens < 20
    # All but the question's end, where the reply's own tokens stood.
    assert second.cached_tokens >= reply.prompt_tokens - 4


def test_stopping_early_leaves_the_engine_usable(endless):
    stream = endless.chat("6*7?", PLAIN.but(seed=0))
    first = list(itertools.islice(stream, 5))
    stream.close()
    assert len(first) == 5
    assert stream.reply.stop_reason == "interrupted"
    assert stream.reply.thinking.split() == ["wait"] * len(stream.reply.thinking.split())
    assert endless.chat("6*7?", PLAIN.but(seed=0), thinking_budget=3).finish().answer == "42"


def test_a_stop_button_in_another_thread_ends_the_reply(endless):
    stream = endless.chat("6*7?", PLAIN.but(seed=0))
    threading.Timer(0.2, stream.stop).start()
    started = time.perf_counter()
    reply = stream.finish()
    assert time.perf_counter() - started < 10
    assert reply.stop_reason == "interrupted"
    assert reply.thinking


def test_a_reply_ends_at_the_token_limit_and_at_the_end_of_the_context(folder, endless):
    assert endless.chat("6*7?", PLAIN.but(seed=0, max_tokens=9)).finish().tokens == 9
    small = open_model(endless.info.source, context=256)
    reply = small.chat("6*7?", PLAIN.but(seed=0)).finish()
    assert reply.stop_reason == "context"
    assert reply.prompt_tokens + reply.tokens == 257  # the last one needs no room of its own


# ---- sharing, interrupting -----------------------------------------------------------------


def test_two_replies_read_in_turn_by_one_cell_do_not_disturb_each_other(random_model):
    a, b = PLAIN.but(seed=1, max_tokens=20), PLAIN.but(seed=2, max_tokens=20)
    alone = [random_model.complete(text, s).finish().answer for text, s in (("So", a), ("Hmm", b))]
    streams = [random_model.complete("So", a), random_model.complete("Hmm", b)]
    for _ in itertools.zip_longest(*streams):
        pass
    assert [stream.reply.answer for stream in streams] == alone


def test_threads_that_share_an_engine_wait_for_each_other(random_model):
    def draw(seed):
        sampling = PLAIN.but(seed=seed, max_tokens=60)
        return random_model.complete("So first we add", sampling).finish().answer

    alone = [draw(seed) for seed in range(6)]
    together = [None] * 6

    def work(seed):
        together[seed] = draw(seed)
        random_model.next_tokens("Hmm", 3)
        random_model.score("So first we add")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert together == alone


def test_a_half_read_reply_does_not_block_another_thread_for_ever(endless):
    left = endless.chat("6*7?", PLAIN.but(seed=0))
    next(left)
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(endless.chat("6*7?", thinking_budget=2).finish().answer)
    )
    thread.start()
    thread.join(20)
    assert answers == ["42"]
    assert next(left).text.strip() == "wait"  # and the first reader may still go on


def test_ctrl_c_stops_generation_within_a_second_and_the_engine_goes_on(folder):
    path = markov_model(folder / "long.gguf", ENDLESS, context=200_000).path
    code = f"""
import os, signal, threading, time
from course_utils.engines import PLAIN, open_model
model = open_model({str(path)!r}, context=200_000)
def interrupt():
    global sent
    time.sleep(0.5)
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    model.chat("6*7?", PLAIN.but(seed=0)).finish()
except KeyboardInterrupt:
    print("stopped", time.perf_counter() - sent < 5)
print(model.chat("6*7?", thinking_budget=2).finish().answer)
"""
    if os.name == "nt":
        pytest.skip("Windows cannot send an interrupt to a single process this way")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[:2] == ["stopped True", "42"], done.stderr


def test_the_middle_of_a_computation_can_be_interrupted(random_model):
    from course_utils.engines.local.runtime import Context, Stopped

    handler = signal.getsignal(signal.SIGINT)
    context = Context(random_model._model, context=512, threads=1, interruptible=True)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Stopped):
        context.decode_token(1, stopping)
    context.clear()
    context.decode_token(1)
    context.close()
    assert signal.getsignal(signal.SIGINT) is handler


# ---- probabilities --------------------------------------------------------------------------


def test_next_tokens_are_the_models_probabilities(thinker, markov):
    likeliest = thinker.next_tokens("</think>\n\n", 2)
    assert [candidate.token.text for candidate in likeliest] == ["4", "7"]
    for candidate in likeliest:
        expected = markov.probability("\n\n", candidate.token.text)
        assert candidate.probability == pytest.approx(expected, abs=1e-4)
        assert math.exp(candidate.logit) == pytest.approx(expected, abs=1e-3)


def test_next_tokens_over_the_whole_vocabulary_sum_to_one(random_model):
    every = random_model.next_tokens("Let me check", random_model.info.vocabulary)
    assert sum(candidate.probability for candidate in every) == pytest.approx(1)
    assert [c.probability for c in every] == sorted((c.probability for c in every), reverse=True)


def test_score_gives_each_token_its_log_probability(thinker, markov):
    scored = thinker.score("Let me check")
    assert [each.token.text for each in scored] == ["Let", " me", " check"]
    assert scored[0].log_probability is None
    assert scored[1].log_probability == pytest.approx(
        math.log(markov.probability("Let", " me")), abs=1e-4
    )


def test_score_agrees_with_next_tokens_at_every_position_also_over_several_batches(folder):
    model = open_model(folder / "random.gguf", batch=8)
    text = "So first we add the tens, then the ones. Let me check the answer step by step."
    scored = model.score(text)
    assert len(scored) > 16
    for position in (1, 7, 8, 9, len(scored) - 1):
        before = model.detokenize([each.token for each in scored[:position]])
        candidates = model.next_tokens(before, model.info.vocabulary)
        expected = {c.token.id: c.probability for c in candidates}[scored[position].token.id]
        assert math.exp(scored[position].log_probability) == pytest.approx(expected, rel=1e-3)


def test_sample_many_draws_from_the_models_distribution(thinker):
    replies = thinker.sample_many(thinker.render("6*7?"), 300, PLAIN.but(seed=0, max_tokens=20))
    assert len(replies) == 300
    answers = Counter(reply.answer for reply in replies)
    assert set(answers) == {"42", "7"}
    assert abs(answers["42"] - 225) < 30
    assert {reply.thinking for reply in replies} == {"Let me check the answer.", "Hmm."}


def test_sample_many_gives_what_each_seed_gives_alone(random_model):
    prompt, sampling = random_model.render("Hello"), PLAIN.but(seed=5, max_tokens=25)
    together = random_model.sample_many(prompt, 40, sampling)
    for number in (0, 1, 31, 32, 39):  # the last ones fall into a second group
        alone = random_model.chat("Hello", sampling.but(seed=5 + number)).finish()
        assert together[number].thinking == alone.thinking
        assert together[number].tokens == alone.tokens


def test_tokens_and_text_convert_both_ways(random_model):
    text = "12 + 30 = 42. 你好 🙂<|im_end|>"
    tokens = random_model.tokenize(text)
    assert b"".join(token.data for token in tokens).decode() == text
    assert random_model.detokenize(tokens) == text
    assert random_model.detokenize([token.id for token in tokens]) == text
    assert tokens[-1].text == "<|im_end|>"


# ---- looking inside ------------------------------------------------------------------------


def test_attention_maps_are_causal_and_sum_to_one(random_model):
    maps = random_model.attention("Let me check the answer")
    layers, heads, rows, columns = maps.weights.shape
    assert (layers, heads) == (random_model.info.layers, 4)
    assert rows == columns == len(maps.tokens) == 5
    assert np.allclose(maps.weights.sum(axis=-1), 1, atol=1e-5)
    assert np.allclose(np.triu(maps.weights, 1), 0)


def test_activations_end_in_the_logits_that_next_tokens_shows(random_model):
    text = "Let me check the answer"
    logits = random_model.activations(text, ["result_output"])["result_output"]
    assert logits.shape == (5, random_model.info.vocabulary)
    best = random_model.next_tokens(text, 1)[0]
    assert logits[-1].argmax() == best.token.id
    assert logits[-1].max() == pytest.approx(best.logit, abs=1e-3)


def test_routing_gives_each_tokens_experts_by_weight(mixture):
    routing = mixture.routing("Let me check the answer")
    layers, tokens, used = routing.experts.shape
    assert (layers, tokens, used) == (mixture.info.layers, 5, 2)
    assert routing.probabilities.shape == (layers, tokens, 4)
    assert np.allclose(routing.probabilities.sum(axis=-1), 1, atol=1e-5)
    likeliest = np.argsort(-routing.probabilities, axis=-1)[..., :used]
    assert (likeliest == routing.experts).all()
    assert np.allclose(routing.weights.sum(axis=-1), 1, atol=1e-5)


def test_a_dense_model_says_that_it_has_no_router(random_model):
    with pytest.raises(NotSupportedError, match="dense"):
        random_model.routing("Let me check")
