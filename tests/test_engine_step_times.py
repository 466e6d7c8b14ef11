"""A rehearsal of steps says what a long text and a step of several tokens cost, on small shapes."""

import llama_cpp.llama_cpp as C
import numpy as np
import pytest

from course_utils.engines import rehearsal_steps
from course_utils.engines.local import LocalEngine, LocalOptions
from course_utils.engines.local.long_cache import fill
from course_utils.engines.local.runtime import Batch, Context
from course_utils.engines.rehearsal_steps import rehearse_steps
from course_utils.errors import MachineError, ModelLoadError, OptionError
from course_utils.model_files.catalogue import find_model
from tests.tiny_models import tiny_model


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    path = tiny_model(tmp_path_factory.mktemp("models") / "model.gguf", hidden=128)
    return LocalEngine(path, options=LocalOptions(context=256, threads=1))


def held_bytes(context):
    """How long the state of the first sequence is: it grows by the same with every token."""
    with context.handle as pointer:
        return C.llama_state_seq_get_size(pointer, 0)


def next_logits(context, token, position):
    batch = Batch(1)
    batch.add(token, position, logits=True)
    context.decode(batch)
    batch.close()
    return context.logits(0)


@pytest.mark.parametrize("kv_type", ["f32", "f16", "q8_0"])
def test_a_cache_is_filled_to_the_token_and_can_be_filled_again(engine, kv_type):
    tokens = list(range(100, 164))
    settings = {"threads": 1, "kv_type": kv_type, "flash_attention": True}
    context = Context(engine._model, context=512, sequences=2, **settings)
    sizes = {}
    for count in (0, 1, 64, 300, 5, 65):
        position = fill(context, count, tokens)
        assert position == min(count, len(tokens))
        sizes[count] = held_bytes(context)
        # llama.cpp refuses a position that does not follow the last one.
        assert np.isfinite(next_logits(context, 7, position)).all()
        context.keep_first(position)
        assert held_bytes(context) == sizes[count]
    per_token = (sizes[64] - sizes[1]) / 63
    for count, size in sizes.items():
        assert size - sizes[1] == pytest.approx((count - 1) * per_token, abs=200)
    context.close()


def test_the_copies_are_attended_to(engine):
    """Copies of a text weigh as the text does, and a text twice is not one of half."""
    context = Context(engine._model, context=512, sequences=2, threads=1, kv_type="f32")
    found = {}
    for count in (7, 14, 10):
        found[count] = next_logits(context, 3, fill(context, count, [5, 9, 30, 2, 77, 13, 8]))
    twice = np.abs(found[14] - found[7]).max()
    some_twice = np.abs(found[10] - found[7]).max()
    assert twice > 0 and some_twice > 1e-3
    context.close()


def test_a_cache_too_small_for_the_copies_says_so(engine):
    context = Context(engine._model, context=256, sequences=2, threads=1)
    with pytest.raises(MachineError, match="no more than 256 tokens"):
        fill(context, 1000, list(range(64)))
    assert np.isfinite(next_logits(context, 3, fill(context, 100, [1, 2, 3]))).all()
    context.close()


def test_a_rehearsal_of_steps_measures_every_length_and_number_of_tokens(small_model):
    found = rehearse_steps(small_model, contexts=(0, 700), tokens=(1, 3), layers=None, threads=1)
    assert set(found.seconds) == {(0, 1), (0, 3), (700, 1), (700, 3)}
    assert found.seconds == found.run and found.layers == found.all_layers == 4
    assert all(seconds > 0 for seconds in found.seconds.values())
    assert found.step_seconds(3) == found.seconds[0, 3]
    text = str(found)
    assert "measured" in text and "after    700 tokens" in text


def test_some_layers_are_scaled_up_to_the_whole(small_model):
    options = {"layers": 2, "threads": 1, "flash_attention": False}
    found = rehearse_steps(small_model, contexts=(600,), tokens=(1,), **options)
    assert (found.layers, found.all_layers) == (2, 4)
    assert found.seconds[0, 1] > found.run[0, 1]
    assert "extrapolated" in str(found) and "without flash attention" in str(found)


def test_weights_are_scaled_by_bytes_and_attention_by_layers():
    full = find_model("qwq-32b").architecture
    part = full.with_layers(8)
    run = {(0, 1): 0.1, (0, 4): 0.2, (16_384, 1): 0.15, (16_384, 4): 0.4}
    whole = rehearsal_steps.of_the_whole(run, part, full, "Q4_K_M")
    assert 6 < whole[0, 1] / 0.1 < 8  # the output matrix is there once
    assert whole[16_384, 1] - whole[0, 1] == pytest.approx(8 * 0.05)
    assert whole[16_384, 4] - whole[0, 4] == pytest.approx(8 * 0.2)
    # Noise never makes a long text cheaper than none.
    assert (
        rehearsal_steps.of_the_whole({(0, 1): 0.1, (9, 1): 0.09}, part, full, "Q4_K_M")[9, 1] > 0.6
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"contexts": (-1,)},
        {"contexts": (2.5,)},
        {"contexts": ()},
        {"tokens": (0,)},
        {"tokens": (1000,)},
        {"tokens": ()},
        {"kv_type": "q3"},
        {"quantisation": "tiny"},
        {"layers": 0},
    ],
)
def test_a_wrong_option_is_refused(small_model, wrong):
    with pytest.raises((OptionError, ModelLoadError)) as refused:
        rehearse_steps(small_model, **wrong)
    assert refused.value.remedy


def test_what_was_not_measured_is_not_made_up(small_model):
    found = rehearse_steps(small_model, contexts=(0,), tokens=(1,), layers=1, threads=1)
    with pytest.raises(OptionError, match="7 tokens was not measured"):
        found.step_seconds(7)


def test_a_cache_that_memory_does_not_hold_is_refused_before_it_is_made():
    with pytest.raises(ModelLoadError, match=r"A cache of 1,000,001 tokens takes"):
        rehearse_steps("qwq-32b", contexts=(1_000_000,), tokens=(1,))
