"""Speculative sampling writes what the target would have written, whatever the draft proposes."""

import itertools
from functools import cache

import numpy as np
import pytest

from course_utils.nano import cards, export, speculative
from course_utils.nano.measure import exam_problems
from course_utils.nano.tokenizer import load, render
from course_utils.paths import nano_folder

TOKENS = 6


def markov(seed, sharpness=1.0):
    """Distributions that depend on the last token alone, the same for the same seed."""
    rows = np.random.default_rng(seed).dirichlet(np.full(TOKENS, 1 / sharpness), TOKENS)
    return rows, lambda text: rows[list(text)]


def test_fifty_thousand_tokens_follow_the_target_by_a_chi_square_test():
    """Of every pair of tokens in a row: after each of six tokens each of six."""
    rows, target = markov(1)
    _, draft = markov(2, sharpness=2.0)
    random = np.random.default_rng(0)
    text, steps = [0], 0
    while len(text) < 50_000:
        # The chain forgets all but its last token, so nothing else has to be computed again.
        text += speculative.speculative_step(target, draft, text[-1:], 3, random)
        steps += 1
    assert len(text) / steps > 1.3  # the draft did take part
    counts = np.zeros((TOKENS, TOKENS))
    np.add.at(counts, (text[:-1], text[1:]), 1)
    expected = counts.sum(axis=1, keepdims=True) * rows
    enough = expected >= 5
    deviation = ((counts - expected)[enough] ** 2 / expected[enough]).sum()
    freedom = enough.sum() - TOKENS
    # Wilson and Hilferty 1931: the cube root is nearly normal; 3.1 standard deviations.
    scaled = ((deviation / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) * np.sqrt(9 * freedom / 2)
    assert scaled < 3.1


def test_a_broken_rule_is_found_out_by_the_same_test(monkeypatch):
    """Drawing from p again after a rejection, the usual mistake, favours what the draft likes."""
    monkeypatch.setattr(speculative, "after_rejection", lambda p, q: p)
    with pytest.raises(AssertionError):
        test_fifty_thousand_tokens_follow_the_target_by_a_chi_square_test()


@pytest.mark.parametrize("seed", range(20))
def test_what_comes_out_of_one_token_is_exactly_the_target(seed):
    """Kept or replaced: summed up over the draft's tokens, without drawing anything."""
    random = np.random.default_rng(seed)
    p, q = random.dirichlet(np.full(50, 0.3), 2)
    q = np.maximum(q, 1e-12) / np.maximum(q, 1e-12).sum()
    kept = np.array([q[token] * speculative.keeps(p, q, token) for token in range(50)])
    out = kept + (1 - kept.sum()) * speculative.after_rejection(p, q)
    assert np.allclose(out, p, atol=1e-12)


def test_equal_distributions_are_never_rejected():
    p = np.array([0.25, 0.75])
    assert [speculative.keeps(p, p, token) for token in (0, 1)] == [1, 1]
    assert np.array_equal(speculative.after_rejection(p, p), p)


@pytest.fixture(scope="module")
def models():
    return {name: export.from_gguf(nano_folder() / f"{name}.gguf") for name in ("thinker", "draft")}


@pytest.fixture(scope="module")
def prompts():
    tokenizer = load()
    return [tokenizer.encode(render(each.question)).ids for each in exam_problems(n=12)]


def test_greedy_output_of_the_thinker_is_identical_and_takes_fewer_steps(models, prompts):
    target, draft = (speculative.distributions(models[name], 0) for name in ("thinker", "draft"))
    end = load().token_to_id("<|im_end|>")
    random = np.random.default_rng(0)
    tokens = steps = 0
    for prompt in prompts[:4]:
        alone = list(prompt)
        while alone[-1] != end and len(alone) < len(prompt) + 96:
            alone.append(int(target(alone)[-1].argmax()))
        text = list(prompt)
        while end not in text[len(prompt) :] and len(text) < len(alone):
            text += speculative.speculative_step(target, draft, text, 4, random)
            steps += 1
        assert text[: len(alone)] == alone
        tokens += len(alone) - len(prompt)
    assert tokens / steps > 1.5


def test_the_thinkers_own_distribution_comes_out_of_the_shipped_models(models, prompts):
    """At every place of its replies, of the whole vocabulary, to the last digit."""
    target, draft = (cache_of(models[name]) for name in ("thinker", "draft"))
    for prompt in prompts[:3]:
        for p, q in itertools.islice(zip(target(prompt), draft(prompt), strict=True), 0, None, 5):
            kept = np.minimum(p, q)
            out = kept + (1 - kept.sum()) * speculative.after_rejection(p, q)
            assert np.allclose(out, p, atol=1e-12)


def cache_of(model):
    known = cache(lambda text: speculative.distributions(model)(text))
    return lambda text: known(tuple(text))


def test_the_drafts_card_holds_for_its_file():
    card, path = cards.read_card("draft"), nano_folder() / "draft.gguf"
    assert card["bytes"] == path.stat().st_size < 1_500_000
    assert (nano_folder() / "draft.md").read_text() == cards.as_markdown(card)
    thinker = cards.read_card("thinker")
    assert card["parameters"] < thinker["parameters"] / 4
    assert card["shape"]["vocabulary"] == thinker["shape"]["vocabulary"]
