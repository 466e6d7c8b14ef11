"""A model that was moved to another device works there, and does what it does on the CPU."""

from dataclasses import replace
from random import Random

import pytest
import torch

from course_utils.engines import QWQ
from course_utils.nano import (
    corpus,
    export,
    grpo,
    moe_training,
    pretrain,
    router,
    sample,
    tasks,
)
from course_utils.nano.experiments import loop_sampling, reward_model
from course_utils.nano.model import Shape, qwen3
from tests.pretend_device import pretend_device

TINY = Shape(layers=1, width=64, heads=4, kv_heads=2, ffn_width=64, context=128)
MIXTURE = qwen3(layers=1, width=64, experts=4, expert_width=32, context=128)
PRETRAINING = pretrain.Settings(steps=2, tokens_per_step=128, row_length=32, evaluate_every=1)
REINFORCEMENT = grpo.Settings(steps=2, problems=2, group=4, max_tokens=8, kl=0.1)
PROMPTS = [[1, 2, 3], [4, 5]]

pytestmark = pytest.mark.usefixtures("one_thread")


def tiny():
    return pretrain.new_model(TINY, seed=1)


def draw(random: Random) -> tasks.Problem:
    return tasks.make_problem(random, "addition", "en", 1)


def length_reward(problem, text: str) -> float:
    return len(text) / 10


def on_both(model, work) -> list:
    """What ``work(model)`` gives on the CPU, and elsewhere from the same weights."""
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    here = work(model)
    model.load_state_dict(weights)
    with pretend_device() as device:
        assert model.to(device).device == device
        there = work(model)
    return [here, there]


def weights_after(training) -> list:
    """The weights that ``training(model)`` leaves, as lists of numbers."""

    def work(model):
        for _ in training(model):
            pass
        return [tensor.flatten().tolist() for tensor in model.state_dict().values()]

    return work


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_moved_model_draws_the_same_texts(temperature):
    def drawn(model):
        generator = torch.Generator().manual_seed(1)
        samples = sample.sample(
            model,
            PROMPTS,
            stop=7,
            copies=3,
            max_tokens=6,
            temperature=temperature,
            generator=generator,
        )
        assert samples.tokens.device == samples.mask().device == model.device
        numbers = torch.cat([samples.log_probs, samples.entropy]).flatten().tolist()
        return samples.texts(), numbers

    here, there = on_both(tiny(), drawn)
    assert here[0] == there[0]
    assert here[1] == pytest.approx(there[1], abs=1e-5)


def test_a_moved_model_is_pretrained_to_the_same_weights(nano):
    here, there = on_both(
        tiny(), weights_after(lambda model: pretrain.pretrain(model, nano, PRETRAINING))
    )
    for ours, theirs in zip(here, there, strict=True):  # another kernel of AdamW: last bits differ
        assert ours == pytest.approx(theirs, abs=2e-5)


def test_a_moved_model_is_reinforced_to_the_same_weights(nano):
    here, there = on_both(
        tiny(),
        weights_after(
            lambda m: grpo.train(
                m, nano, draw, REINFORCEMENT, reward=length_reward, held_out=[draw(Random(1))]
            )
        ),
    )
    for ours, theirs in zip(here, there, strict=True):
        assert ours == pytest.approx(theirs, abs=2e-5)


def test_a_moved_mixture_is_trained_and_looked_into(nano):
    texts, kinds = [[1, 2, 3, 4], [5, 6]], [["digit"] * 4, ["English"] * 2]

    def work(model):
        seen = model.routing(texts[0]).tolist(), router.ablate_each_expert(model, texts, kinds)
        settings = replace(PRETRAINING, long_share=0.0)
        log = list(moe_training.train(model, nano, settings, document=corpus.document))
        return *seen, [record["held_out_loss"] for record in log]

    here, there = on_both(pretrain.new_model(MIXTURE, 1), work)
    assert here[0] == there[0]
    for ours, theirs in zip(here[1], there[1], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert here[2] == pytest.approx(there[2], abs=1e-3)


def test_the_experiments_samplers_and_reward_model_follow_a_model(nano):
    def work(model):
        judge = reward_model.train(model, nano, ["rude"], seed=1, steps=1)
        value = judge(["Hello", "Who are you?"], ["Hi.", "A small model."]).tolist()
        texts = loop_sampling.draw_in_order(
            model, PROMPTS[:1], "penalties last", sampling=QWQ, stop=7, max_tokens=4
        )
        return value, texts

    (value, texts), (value_there, texts_there) = on_both(tiny(), work)
    assert value == pytest.approx(value_there, abs=2e-5)
    assert texts == texts_there


def test_a_moved_model_is_written_to_the_same_file(nano, tmp_path):
    def written(model):
        path = tmp_path / "model.gguf"
        export.to_gguf(model, nano, path, export.About("a", "b"))
        return path.read_bytes()

    here, there = on_both(tiny(), written)
    assert here == there


def test_a_model_of_sixteen_bits_keeps_them_in_its_cache():
    model = tiny().bfloat16()
    assert model.cache(1, 4).keys[0].dtype == torch.bfloat16
    samples = sample.sample(model, PROMPTS, stop=7, max_tokens=4, temperature=0)
    alone = sample.sample(model, PROMPTS[1:], stop=7, max_tokens=4, temperature=0)
    assert samples.texts()[1] == alone.texts()[0]


def test_a_stray_tensor_of_the_cpu_is_refused_by_the_pretended_device():
    """The test of the test: what a GPU refuses is refused here."""
    with pretend_device() as device, pytest.raises(RuntimeError, match="meets one on the CPU"):
        tiny().to(device)(torch.zeros(1, 3, dtype=torch.long))
    assert torch.tensor([1]).tolist() == [1]  # nothing of it is left behind
