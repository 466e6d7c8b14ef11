"""The nano mixture: PyTorch and llama.cpp agree, and its router can be read and trained."""

import csv
from random import Random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.engines import open_model
from course_utils.errors import OptionError
from course_utils.hashing import hash_file
from course_utils.nano import (
    cards,
    corpus,
    export,
    make,
    moe_training,
    pretrain,
    router,
    sample,
    tokenizer,
)
from course_utils.nano.experiments import moe
from course_utils.nano.experiments.moe_verdict import (
    cost_to_reach,
    difference,
    last_rows,
    loss_at,
)
from course_utils.nano.model import Cache, Shape, Transformer, qwen3
from course_utils.nano.moe import choose, combine, without_expert
from course_utils.paths import nano_folder
from tests.llama_cpp_logits import llama_cpp_logits

pytestmark = pytest.mark.usefixtures("one_thread")

ABOUT = export.About("test model", "A model for a test.")
TINY = qwen3(vocabulary=512, layers=2, width=64, heads=2, kv_heads=1, expert_width=32)
SHARED = qwen3(
    vocabulary=512, layers=2, width=64, heads=2, kv_heads=1, expert_width=32, shared_width=32
)
DENSE = qwen3(vocabulary=512, layers=2, width=64, heads=2, kv_heads=1, experts=0, ffn_width=64)


@pytest.fixture(scope="module")
def shipped():
    return export.from_gguf(nano_folder() / "moe.gguf")


def random_model(shape: Shape = TINY, seed: int = 0) -> Transformer:
    torch.manual_seed(seed)
    model = Transformer(shape)
    for parameter in model.parameters():  # the gains of the norms must matter in these tests
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@torch.no_grad()
def test_pytorch_and_llama_cpp_agree_on_the_shipped_mixture(shipped, nano, tmp_path):
    export.to_gguf(shipped, nano, tmp_path / "f32.gguf", ABOUT)
    random = Random(11)
    texts = [nano.encode(corpus.document(random)).ids for _ in range(40)]
    for ids, theirs in zip(texts, llama_cpp_logits(tmp_path / "f32.gguf", texts), strict=True):
        ours = shipped(torch.tensor([ids]))[0].numpy()
        assert np.abs(ours - theirs).max() < 1e-3


@torch.no_grad()
@pytest.mark.parametrize("experts", [8, 0])
def test_they_agree_on_random_weights_for_the_mixture_and_its_dense_twin(experts, nano, tmp_path):
    model = random_model(qwen3(layers=2, experts=experts))
    export.to_gguf(model, nano, tmp_path / "random.gguf", ABOUT)
    ids = torch.randint(0, 1024, (60,), generator=torch.Generator().manual_seed(0)).tolist()
    (theirs,) = llama_cpp_logits(tmp_path / "random.gguf", [ids])
    ours = model(torch.tensor([ids]))[0].numpy()
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(ours).max()


def test_llama_cpps_callback_shows_the_choices_that_pytorch_makes(shipped):
    text = "Mia has 24 apples. 小明有52本书。"
    seen = open_model("nano-moe").routing(text)
    ours = shipped.routing([token.id for token in seen.tokens]).numpy()
    assert seen.experts.shape == ours.shape == (3, len(seen.tokens), 2)
    same = np.sort(seen.experts, axis=-1) == np.sort(ours, axis=-1)
    assert same.mean() > 0.98  # the file has 16-bit weights: a near tie may fall the other way
    np.testing.assert_allclose(seen.weights.sum(-1), 1, atol=1e-4)


@torch.no_grad()
def test_a_token_gets_the_weighted_sum_of_its_two_best_experts():
    block = random_model().blk[0]
    tokens = torch.randn(50, TINY.width)
    mixed = combine(block, tokens, choose(block, tokens))
    gate, up, down = (
        part.weight for part in (block.ffn_gate_exps, block.ffn_up_exps, block.ffn_down_exps)
    )
    for token, row in zip(tokens, mixed, strict=True):
        probabilities = block.ffn_gate_inp(token).softmax(-1)
        best = probabilities.argsort(descending=True)[:2]
        share = probabilities[best] / probabilities[best].sum()
        expected = sum(
            weight * (down[e] @ (F.silu(gate[e] @ token) * (up[e] @ token)))
            for weight, e in zip(share, best, strict=True)
        )
        assert torch.allclose(row, expected, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("shape", [TINY, SHARED, DENSE])
def test_the_kv_cache_changes_nothing(shape):
    model = random_model(shape)
    tokens = torch.randint(0, 512, (3, 40))
    whole = model(tokens)
    cache = Cache(shape, rows=3, capacity=40)
    parts = [model(tokens[:, a:b], cache) for a, b in ((0, 17), (17, 18), (18, 40))]
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-4)


@pytest.mark.parametrize("shape", [TINY, SHARED, DENSE, qwen3()])
def test_the_architecture_counts_every_parameter(shape):
    assert Transformer(shape).parameter_count() == shape.architecture.parameters


def test_export_and_import_give_the_same_weights(nano, tmp_path):
    for shape in (qwen3(layers=2), qwen3(layers=2, experts=0)):
        model = random_model(shape)
        export.to_gguf(model, nano, tmp_path / "m.gguf", ABOUT)
        again = export.from_gguf(tmp_path / "m.gguf")
        assert again.shape.architecture == shape.architecture
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, again.state_dict()[name]), name


def test_a_shared_expert_is_refused_in_a_file_that_could_not_hold_it(nano, tmp_path):
    with pytest.raises(OptionError, match="shared expert"):
        export.to_gguf(random_model(SHARED), nano, tmp_path / "m.gguf", ABOUT)
    assert not (tmp_path / "m.gguf").exists()


@torch.no_grad()
def test_the_balancing_loss_is_1_for_an_even_load_and_4_for_a_collapsed_one():
    model = random_model(qwen3(vocabulary=512, layers=1, width=64, heads=2, kv_heads=1))
    block = model.blk[0]
    block.ffn_gate_inp.weight.zero_()
    even = choose(block, torch.randn(4096, 64))
    assert even.balance_loss().item() == pytest.approx(1)
    block.ffn_gate_inp.weight[:2] = 10  # two experts take every token of positive sum
    collapsed = choose(block, torch.rand(4096, 64))
    assert collapsed.balance_loss().item() == pytest.approx(4, rel=1e-3)
    assert collapsed.load().tolist() == [0.5, 0.5, 0, 0, 0, 0, 0, 0]


def test_the_balancing_loss_evens_the_load_out(nano):
    """From the same start on the same data, with and without it."""
    settings = pretrain.Settings(
        steps=40, tokens_per_step=512, row_length=64, warmup_steps=5, evaluate_every=40
    )
    unevenness = {}
    for balance in (0.0, 0.1):
        model = pretrain.new_model(qwen3(layers=1, width=64, heads=2, kv_heads=1), 1)
        *_, last = moe_training.train(model, nano, settings, balance=balance)
        unevenness[balance] = last["balance_loss"]
    assert unevenness[0.1] < unevenness[0.0] - 0.05


@torch.no_grad()
def test_a_removed_expert_is_never_chosen_and_comes_back():
    model, tokens = random_model(), torch.randint(0, 512, (2, 30))
    before = model(tokens)
    with without_expert(model, layer=1, expert=3):
        assert not torch.allclose(model(tokens), before)
        assert 3 not in model.choices()[1].experts
    assert torch.equal(model(tokens), before)
    assert 3 in model.choices()[1].experts


def test_a_stopped_run_goes_on_as_if_it_never_had_been(nano, tmp_path):
    settings = pretrain.Settings(
        steps=6, tokens_per_step=256, row_length=64, warmup_steps=2, evaluate_every=3
    )
    shape = qwen3(layers=1, width=64, heads=2, kv_heads=1)
    *_, whole = moe_training.train(pretrain.new_model(shape, 1), nano, settings)
    state = tmp_path / "state.pt"
    stopped = moe_training.train(pretrain.new_model(shape, 1), nano, settings, state_file=state)
    for record in stopped:
        if record["step"] == 4:
            break
    *_, resumed = moe_training.train(pretrain.new_model(shape, 1), nano, settings, state_file=state)
    assert {k: v for k, v in resumed.items() if k != "seconds"} == {
        k: v for k, v in whole.items() if k != "seconds"
    }


def test_the_shipped_mixture_is_what_its_card_says():
    card, path = cards.read_card("moe"), nano_folder() / "moe.gguf"
    assert card["sha256"] == hash_file(path)
    assert card["bytes"] == path.stat().st_size < 5e6
    assert card["architecture"] == "qwen3moe"
    assert card["parameters"] == make.MOE_SHAPE.architecture.parameters
    assert card["training"]["active_parameters"] == make.MOE_SHAPE.architecture.active_parameters()
    assert card["training"]["steps"] == make.MOE_SETTINGS.steps
    assert (nano_folder() / "moe.md").read_text(encoding="utf-8") == cards.as_markdown(card)


def test_the_training_log_tells_the_run_on_the_card():
    with (nano_folder() / "moe-pretraining.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["tokens"]) == cards.read_card("moe")["training"]["tokens"]
    assert int(rows[-1]["tokens"]) == cards.read_card("base")["training"]["tokens"]
    assert float(rows[-1]["held_out_loss"]) < float(rows[0]["held_out_loss"]) / 2


def test_nano_moe_talks():
    reply = open_model("nano-moe").chat("Hello!").finish()
    assert reply.stop_reason == "end"
    assert "Hello" in reply.answer


@torch.no_grad()
def test_samples_come_from_the_mixture_as_from_a_dense_model(shipped, nano):
    prompt = nano.encode(tokenizer.render("Hello!")).ids
    stop = nano.token_to_id(tokenizer.END)
    samples = sample.sample(shipped, [prompt], stop=stop, max_tokens=40, temperature=0)
    (text,) = samples.texts()
    ids = list(prompt)
    for _ in text:
        ids.append(int(shipped(torch.tensor([ids]))[0, -1].argmax()))
    assert ids[len(prompt) :] == text


def test_the_experiments_models_differ_as_the_comparison_says():
    """Within half a per cent: the router is the only part that the dense models lack."""
    counts = {name: model.shape.architecture for name, model in moe.MODELS.items()}
    reference = counts["balanced"]
    for name in ("unbalanced", "shared", "dense-active"):
        active = counts[name].active_parameters()
        assert active == pytest.approx(reference.active_parameters(), rel=0.006), name
    for name in ("unbalanced", "shared", "dense-total", "dense-short"):
        assert counts[name].parameters == pytest.approx(reference.parameters, rel=0.002), name
    flops = [
        pretrain.training_flops_per_token(moe.MODELS[name].shape, 256)
        * moe.settings_of(name, 1).steps
        for name in ("dense-short", "balanced")
    ]
    assert flops[0] == pytest.approx(flops[1], rel=0.005)


def test_the_beginning_of_a_run_comes_out_as_in_its_log(tmp_path):
    """50 of 1,000 steps again. Another processor rounds otherwise, so the loss may differ a bit."""
    (logged,) = [
        row
        for row in moe.read_runs()
        if (row["model"], row["seed"], row["step"]) == ("balanced", 1, 50)
    ]
    for row in moe.run("balanced", 1, folder=tmp_path, exam_problems=1):
        if row["step"] == 50:
            break
    assert row["held_out_loss"] == pytest.approx(logged["held_out_loss"], rel=0.03)
    assert row["flops"] == logged["flops"]
    assert all(row[name] == pytest.approx(logged[name], abs=0.1) for name in row if "load" in name)


def test_the_logs_hold_three_seeds_of_every_model():
    rows = moe.read_runs()
    for name in moe.MODELS:
        last = last_rows(rows, name)
        assert set(last) == set(moe.SEEDS), name
        for seed, row in last.items():
            assert row["step"] == moe.settings_of(name, seed).steps
            assert 0 <= row["right"] <= row["asked"]


def test_without_balancing_the_load_is_less_even():
    rows = moe.read_runs()
    for seed in moe.SEEDS:
        balanced, unbalanced = (
            max(value for key, value in last_rows(rows, name)[seed].items() if "load" in key)
            for name in ("balanced", "unbalanced")
        )
        assert balanced < 0.2 < unbalanced


def fake_runs(losses: dict[str, list[float]]) -> list[dict]:
    return [
        {"model": name, "seed": seed, "tokens": tokens, "held_out_loss": loss}
        for name, values in losses.items()
        for seed, value in enumerate(values, 1)
        for tokens, loss in ((0, 2.0), (100, value))
    ]


def test_a_difference_is_clear_only_when_the_seeds_agree():
    rows = fake_runs({"balanced": [0.40, 0.41, 0.42], "dense-active": [0.50, 0.51, 0.525]})
    gap = difference(rows, "balanced", "dense-active")
    assert gap.clear and gap.low < gap.mean < gap.high < 0
    rows = fake_runs({"balanced": [0.40, 0.52, 0.42], "dense-active": [0.50, 0.41, 0.52]})
    assert not difference(rows, "balanced", "dense-active").clear
    with pytest.raises(OptionError, match="unbalanced"):
        difference(rows, "balanced", "unbalanced")


def test_the_cost_of_a_loss_lies_between_the_logged_points():
    rows = fake_runs({"balanced": [1.0, 1.8]})
    assert cost_to_reach(rows, "balanced", 1.5) == [50, None]
    assert loss_at(rows, "balanced", 50, "tokens") == pytest.approx([1.5, 1.9])
    assert loss_at(rows, "balanced", 999, "tokens") == pytest.approx([1.0, 1.8])


def test_tokens_are_sorted_into_kinds():
    kinds = {
        "digit": ["7", " 7"],
        "English": ["Mia", " has", "ones", "assistant"],
        "Chinese": ["小明", "本书", "。我"],
        "punctuation": [".", " ", "\n\n", "，", "+", " =", "？"],
        "mark": ["<|im_end|>", "<think>", "</think>"],
    }
    for kind, texts in kinds.items():
        for text in texts:
            assert router.kind_of(text.encode()) == kind, text
    assert router.kind_of("你".encode()[:2]) == "Chinese"


def test_mutual_information_is_exact_on_tables_worked_by_hand():
    assert router.mutual_information(np.array([[5, 0], [0, 5]])) == pytest.approx(1)
    assert router.mutual_information(np.array([[2, 4], [3, 6]])) == pytest.approx(0)
    assert router.mutual_information(np.eye(4)) == pytest.approx(2)


def test_specialisation_stands_out_from_chance_only_where_there_is_some():
    draw = np.random.default_rng(0)
    kinds = draw.choice(router.KINDS, 600)
    by_chance = draw.integers(0, 8, (600, 2))
    assert not router.specialisation(by_chance, kinds, 8).beyond_chance
    by_kind = np.array([[router.KINDS.index(kind), 7] for kind in kinds])
    found = router.specialisation(by_kind, kinds, 8)
    assert found.beyond_chance
    # Every first choice tells the kind, every second choice nothing.
    assert found.measured == pytest.approx(found.possible / 2, rel=0.01)
    assert found.shuffled == pytest.approx(4 * 5 / (2 * 1200 * np.log(2)), rel=0.5)


@torch.no_grad()
def test_the_loss_by_kind_adds_up_to_the_loss_of_the_text(shipped, nano):
    ids = nano.encode("Mia has 24 apples. 小明有52本书。").ids
    short = ids[:9]
    kinds = [
        [router.kind_of(nano.decode([i], skip_special_tokens=False).encode()) for i in text]
        for text in (ids, short)
    ]
    losses = router.loss_by_kind(shipped, [ids, short], kinds)
    apart = [
        pretrain.next_token_loss(shipped, torch.tensor([text])).item() * (len(text) - 1)
        for text in (ids, short)
    ]
    assert losses["all"] == pytest.approx(sum(apart) / (len(ids) + len(short) - 2), rel=1e-4)


def test_the_shipped_mixture_has_an_expert_for_digits(shipped, nano):
    """What notebook 05 shows, on other documents."""
    random = Random("other documents")
    texts = [nano.encode(corpus.document(random)).ids for _ in range(25)]
    kinds = [
        [router.kind_of(nano.decode([i], skip_special_tokens=False).encode()) for i in text]
        for text in texts
    ]
    rises = router.ablate_each_expert(shipped, texts, kinds)
    assert len(rises) == 24
    worst = max(rises, key=lambda row: row["digit"])
    assert worst["digit"] > 0.3 and worst["English"] < 0.05


def test_a_router_that_goes_by_the_token_alone_does_not_pass_for_a_specialist():
    draw = np.random.default_rng(0)
    ids = draw.integers(0, 25, 1000)
    kinds = np.asarray(router.KINDS)[ids % 5]  # five different tokens of each kind
    by_token = draw.integers(0, 8, (25, 2))[ids]
    assert router.specialisation(by_token, kinds, 8).beyond_chance
    assert not router.specialisation(by_token, kinds, 8, ids=ids).beyond_chance
