"""Does our sampling arithmetic agree with llama.cpp's own samplers?"""

import ctypes

import numpy as np
import pytest

from course_utils.engines.protocol import NextToken
from course_utils.engines.sampling import GREEDY, PLAIN, QWQ, Sampling
from course_utils.errors import OptionError
from course_utils.teaching.distribution import (
    apply_sampling,
    entropy_bits,
    keep_top_p,
    logits_of,
    perplexity,
    softmax,
)
from tests.bigram_engine import BigramEngine


def _llama_cpp_probabilities(logits, sampling: Sampling) -> np.ndarray:
    """What is left of the candidates after llama.cpp's own chain, as probabilities."""
    import llama_cpp as C

    n = len(logits)
    data = (C.llama_token_data * n)(
        *[C.llama_token_data(i, float(x), 0) for i, x in enumerate(logits)]
    )
    array = C.llama_token_data_array(data=data, size=n, selected=-1, sorted=False)
    steps = [
        C.llama_sampler_init_top_k(sampling.top_k),
        C.llama_sampler_init_top_p(sampling.top_p, 1),
        C.llama_sampler_init_min_p(sampling.min_p, 1),
        C.llama_sampler_init_temp(sampling.temperature),
    ]
    for step in steps:
        C.llama_sampler_apply(step, ctypes.byref(array))
        C.llama_sampler_free(step)
    left = [(array.data[i].id, array.data[i].logit) for i in range(array.size)]
    result = np.zeros(n)
    result[[token for token, _ in left]] = softmax(np.array([logit for _, logit in left]))
    return result


@pytest.mark.parametrize(
    "sampling",
    [
        QWQ,
        PLAIN,
        GREEDY,
        Sampling(temperature=1.5, top_k=0, top_p=0.9, min_p=0.0),
        Sampling(temperature=0.3, top_k=5, top_p=1.0, min_p=0.2),
        Sampling(temperature=1.0, top_k=20, top_p=0.5, min_p=0.05),
        Sampling(temperature=0.0, top_k=0, top_p=0.8),
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", range(5))
def test_our_distribution_is_llama_cpps(sampling, seed):
    logits = np.random.default_rng(seed).normal(0, 2.5, 100).astype(np.float32)
    ours = apply_sampling(logits, sampling)
    theirs = _llama_cpp_probabilities(logits, sampling)
    assert ((ours > 0) == (theirs > 0)).all()
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_the_probabilities_sum_to_one_whatever_the_settings():
    logits = np.array([800.0, 799.0, -1000.0])
    for sampling in (QWQ, PLAIN, GREEDY, Sampling(temperature=100, top_k=2)):
        assert apply_sampling(logits, sampling).sum() == pytest.approx(1)


def test_the_likeliest_token_always_stays():
    logits = np.zeros(5)
    for sampling in (Sampling(top_p=1e-9), Sampling(min_p=0.999), Sampling(top_k=1)):
        assert apply_sampling(logits, sampling)[0] > 0


def test_top_p_keeps_the_token_that_reaches_the_sum():
    assert keep_top_p(np.array([0.25, 0.5, 0.25]), 0.75).tolist() == [True, True, False]


def test_hidden_logits_give_the_same_distribution():
    tokens = BigramEngine().next_tokens("a", 8)
    hidden = [NextToken(t.token, t.probability, None) for t in tokens]
    assert softmax(logits_of(hidden)) == pytest.approx(softmax(logits_of(tokens)))


def test_entropy_counts_equal_choices():
    assert entropy_bits(np.full(8, 1 / 8)) == pytest.approx(3)
    assert entropy_bits(np.array([1.0, 0.0])) == 0


def test_perplexity_of_equal_choices_is_their_number():
    engine = BigramEngine("abcd" * 50)
    assert perplexity(engine.score("abcdabcd")) == pytest.approx(1, abs=0.01)
    with pytest.raises(OptionError):
        perplexity(engine.score("a"))
