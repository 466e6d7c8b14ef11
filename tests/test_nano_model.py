"""PyTorch and llama.cpp compute the same nano model, with and without a KV cache."""

from collections import Counter
from random import Random

import numpy as np
import pytest
import torch

from course_utils.engines.local.runtime import Model
from course_utils.errors import ModelFileError, OptionError
from course_utils.nano import corpus, export, sample, tokenizer
from course_utils.nano.model import Cache, Shape, Transformer
from course_utils.paths import nano_folder
from tests.llama_cpp_logits import llama_cpp_logits

ABOUT = export.About("test model", "A model for a test.")
TINY = Shape(vocabulary=512, layers=2, width=256, heads=4, kv_heads=2, ffn_width=256)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def thinker():
    return export.from_gguf(nano_folder() / "thinker.gguf")


@pytest.fixture(scope="module")
def thinker_f32(thinker, nano, tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "thinker-f32.gguf"
    export.to_gguf(thinker, nano, path, ABOUT)
    return path


def random_model(shape: Shape = TINY, seed: int = 0) -> Transformer:
    torch.manual_seed(seed)
    model = Transformer(shape)
    for parameter in model.parameters():  # biases and gains too must matter in these tests
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@torch.no_grad()
def test_pytorch_and_llama_cpp_agree_on_100_prompts(thinker, thinker_f32, nano):
    random = Random(11)
    texts = [nano.encode(corpus.document(random)).ids for _ in range(100)]
    for ids, theirs in zip(texts, llama_cpp_logits(thinker_f32, texts), strict=True):
        ours = thinker(torch.tensor([ids]))[0].numpy()
        assert np.abs(ours - theirs).max() < 1e-3


@torch.no_grad()
def test_they_agree_on_a_long_text_and_on_random_weights(nano, tmp_path):
    model = random_model(Shape(layers=2))
    export.to_gguf(model, nano, tmp_path / "random.gguf", ABOUT)
    ids = torch.randint(0, 1024, (500,), generator=torch.Generator().manual_seed(0)).tolist()
    (theirs,) = llama_cpp_logits(tmp_path / "random.gguf", [ids])
    ours = model(torch.tensor([ids]))[0].numpy()
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(ours).max()


@torch.no_grad()
def test_the_kv_cache_changes_nothing():
    model = random_model()
    tokens = torch.randint(0, 512, (3, 40))
    whole = model(tokens)
    cache = Cache(TINY, rows=3, capacity=40)
    parts = [model(tokens[:, a:b], cache) for a, b in ((0, 17), (17, 18), (18, 19), (19, 40))]
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-4)


@torch.no_grad()
def test_padding_on_the_left_changes_nothing():
    model = random_model()
    tokens = torch.randint(0, 512, (1, 20))
    padded = torch.cat([torch.full((1, 7), 5), tokens], dim=1)
    cache = Cache(TINY, rows=1, capacity=27, starts=torch.tensor([7]))
    assert torch.allclose(model(padded, cache)[:, 7:], model(tokens), atol=1e-4)


@torch.no_grad()
def test_generation_with_the_cache_equals_generation_without(thinker, nano):
    stop = nano.token_to_id(tokenizer.END)
    questions = ("What is 325+148?", "小红有52本书，送出9本。还剩多少本书？", "Hi")
    prompts = [nano.encode(tokenizer.render(question)).ids for question in questions]
    samples = sample.sample(thinker, prompts, stop=stop, max_tokens=80, temperature=0)
    for prompt, text in zip(prompts, samples.texts(), strict=True):
        ids = list(prompt)
        for _ in text:
            ids.append(int(thinker(torch.tensor([ids]))[0, -1].argmax()))
        assert ids[len(prompt) :] == text


@torch.no_grad()
def test_samples_carry_the_log_probabilities_the_model_gives_them(thinker, nano):
    """Rows leave the batch as they end, so this also checks that none gets another's numbers."""
    stop = nano.token_to_id(tokenizer.END)
    questions = ("What is 9+8?", "What is 325+148?", "Hi", "计算7+1。")
    prompts = [nano.encode(tokenizer.render(question)).ids for question in questions]
    samples = sample.sample(
        thinker,
        prompts,
        stop=stop,
        copies=5,
        max_tokens=60,
        temperature=1.5,
        generator=torch.Generator().manual_seed(3),
    )
    assert len(set(samples.lengths.tolist())) > 3
    for row, text in enumerate(samples.texts()):
        ids = torch.tensor([prompts[row // 5] + text])
        scores = torch.log_softmax(thinker(ids)[0, -len(text) - 1 : -1] / 1.5, dim=-1)
        chosen = scores.gather(1, torch.tensor(text)[:, None])[:, 0]
        assert torch.allclose(chosen, samples.log_probs[row, : len(text)], atol=1e-3)
        entropy = -(scores.exp() * scores).sum(-1)
        assert torch.allclose(entropy, samples.entropy[row, : len(text)], atol=1e-3)
        assert stop not in text[:-1]
        assert samples.ended[row] == (text[-1] == stop)


def test_the_same_generator_seed_gives_the_same_samples(thinker, nano):
    prompt = nano.encode("Mia").ids
    draws = [
        sample.sample(
            thinker,
            [prompt],
            stop=0,
            copies=4,
            max_tokens=20,
            generator=torch.Generator().manual_seed(seed),
        ).texts()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_export_and_import_give_the_same_weights(nano, tmp_path):
    model = random_model()
    export.to_gguf(model, nano_of(512), tmp_path / "m.gguf", ABOUT)
    again = export.from_gguf(tmp_path / "m.gguf")
    assert again.shape == TINY
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def nano_of(vocabulary: int):
    random = Random(0)
    return tokenizer.train([corpus.document(random) for _ in range(200)], vocabulary)


def test_a_corpus_with_few_merges_leaves_unused_tokens_in_the_vocabulary(tmp_path):
    small = tokenizer.train(["ab ab"], 512)
    assert small.get_vocab_size() < 512
    export.to_gguf(random_model(), small, tmp_path / "small.gguf", ABOUT)
    model = Model(
        tmp_path / "small.gguf", repack=False, check_weights=True, on_progress=lambda share: None
    )
    assert model.vocabulary.size == 512
    model.close()


# What llama.cpp makes of each matrix of a 4-layer model, by its own rules; a narrower model would
# fall back to other types. Norms and biases always stay in 32 bits.
QUANTISED = {
    "Q8_0": {"Q8_0": 30},
    "Q6_K": {"Q6_K": 30},
    "Q4_K_M": {"Q4_K": 25, "Q6_K": 5},
    "Q2_K": {"Q2_K": 17, "Q3_K": 12, "Q6_K": 1},
}


@pytest.mark.parametrize("kind", QUANTISED)
def test_quantised_files_have_the_types_they_claim(kind, thinker_f32, tmp_path, capfd):
    target = tmp_path / f"{kind}.gguf"
    export.quantise(thinker_f32, target, kind)
    types = export.tensor_types(target)
    assert Counter(t for t in types.values() if t != "F32") == QUANTISED[kind]
    assert all(types[name] == "F32" for name in types if name.endswith(("norm.weight", "bias")))
    assert target.stat().st_size < thinker_f32.stat().st_size
    assert capfd.readouterr() == ("", "")  # llama.cpp's log stays out of notebooks


@torch.no_grad()
def test_a_quantised_model_read_into_pytorch_stays_close(thinker, thinker_f32, nano, tmp_path):
    export.quantise(thinker_f32, tmp_path / "q8.gguf", "Q8_0")
    ids = torch.tensor([nano.encode(tokenizer.render("What is 325+148?")).ids])
    exact, rounded = thinker(ids), export.from_gguf(tmp_path / "q8.gguf")(ids)
    assert 0 < (exact - rounded).abs().max() < 0.5


def test_an_unknown_quantisation_gets_a_clear_error(thinker_f32, tmp_path):
    with pytest.raises(OptionError, match="Q9_X"):
        export.quantise(thinker_f32, tmp_path / "x.gguf", "Q9_X")


def test_quantising_what_is_no_model_gets_a_clear_error(tmp_path):
    (tmp_path / "text.gguf").write_text("no model")
    with pytest.raises(ModelFileError):
        export.quantise(tmp_path / "text.gguf", tmp_path / "x.gguf", "Q8_0")
    assert not (tmp_path / "x.gguf").exists()
