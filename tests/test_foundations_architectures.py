"""Counts of parameters and costs agree with the published facts, and with real files."""

import numpy as np
import pytest

from course_utils.errors import ModelFileError, OptionError
from course_utils.model_files.architectures import PARTS, Architecture, GroupedQueryAttention
from course_utils.model_files.catalogue import find_model


def architecture(name: str) -> Architecture:
    return find_model(name).architecture


def test_qwq_has_32_763_876_352_parameters():
    qwq = architecture("qwq-32b")
    assert qwq.parameters == 32_763_876_352
    assert qwq.parameters_without_embeddings == 31_206_740_992


def test_qwqs_count_is_the_sum_a_learner_does_by_hand():
    hidden, feed_forward, layers, vocabulary = 5120, 27648, 64, 152064
    query, key_value = 40 * 128, 8 * 128
    attention = 2 * hidden * query + 2 * hidden * key_value + query + 2 * key_value
    layer = attention + 3 * hidden * feed_forward + 2 * hidden
    assert layers * layer + hidden + 2 * vocabulary * hidden == architecture("qwq-32b").parameters


def test_deepseek_r1_has_671_026_419_200_parameters_of_which_37_billion_are_active():
    r1 = architecture("deepseek-r1")
    assert r1.parameters == 671_026_419_200
    assert r1.active_parameters(input_embedding=True) == 37_552_297_472
    assert r1.active_parameters() == 36_625_618_432


def test_qwen3_agrees_with_its_cards_rounded_figures():
    # Card: 30.5B in total, 3.3B activated, 29.9B without embeddings.
    qwen3 = architecture("qwen3-30b-a3b")
    assert round(qwen3.parameters / 1e9, 1) == 30.5
    assert int(qwen3.active_parameters(input_embedding=True) / 1e8) / 10 == 3.3
    assert round(qwen3.parameters_without_embeddings / 1e9, 1) == 29.9


def test_the_distilled_32b_has_qwqs_shape_and_the_small_one_1_777_088_000_parameters():
    qwq, distilled = architecture("qwq-32b"), architecture("r1-distill-qwen-32b")
    assert distilled.parameters_by_part() == qwq.parameters_by_part()
    assert architecture("r1-distill-qwen-1.5b").parameters == 1_777_088_000


@pytest.mark.parametrize("name", ["qwq-32b", "qwen3-30b-a3b", "deepseek-r1"])
def test_the_parts_sum_to_the_whole_and_active_parts_never_exceed_them(name):
    shape = architecture(name)
    parts, active = shape.parameters_by_part(), shape.active_parameters_by_part()
    assert sum(parts.values()) == shape.parameters
    assert list(parts) == [part for part in PARTS if part in parts]
    smaller = {part for part in parts if active[part] < parts[part]}
    assert smaller == ({"routed experts"} if shape.experts else set())


def test_the_kv_cache_of_qwq_takes_256_kib_per_token_and_of_r1_less():
    assert architecture("qwq-32b").cache_bytes_per_token() == 256 * 1024
    assert architecture("qwq-32b").cache_bytes_per_token("Q8_0") == 256 * 1024 * 34 / 64
    # 61 layers x (512 + 64) numbers x 2 bytes
    assert architecture("deepseek-r1").cache_bytes_per_token() == 70_272


def test_a_token_costs_two_operations_per_active_weight_and_more_in_a_long_context():
    qwq = architecture("qwq-32b")
    matrices = qwq.active_parameters() - qwq.parameters_by_part()["norms"]
    matrices -= qwq.parameters_by_part()["attention biases"]
    assert qwq.flops_per_token() == 2 * matrices
    # Per layer and cached token: 40 heads x 128 numbers, scored and mixed, 2 operations each.
    assert qwq.flops_per_token(1000) - qwq.flops_per_token() == 64 * 4 * 40 * 128 * 1000


def test_a_mixture_computes_a_tenth_of_qwq_per_token():
    ratio = (
        architecture("qwen3-30b-a3b").flops_per_token() / architecture("qwq-32b").flops_per_token()
    )
    assert 0.08 < ratio < 0.11


def test_tied_embeddings_are_counted_once_but_work_twice():
    config = dict(find_model("r1-distill-qwen-1.5b").config)
    untied = Architecture.from_config(config)
    tied = Architecture.from_config(config | {"tie_word_embeddings": True})
    matrix = untied.vocabulary * untied.hidden
    assert tied.parameters == untied.parameters - matrix
    assert tied.active_parameters() == untied.active_parameters()
    assert tied.flops_per_token() == untied.flops_per_token()


def test_fewer_layers_keep_everything_but_their_share():
    qwq = architecture("qwq-32b")
    one, two = qwq.with_layers(1), qwq.with_layers(2)
    assert qwq.parameters == one.parameters + 63 * (two.parameters - one.parameters)
    assert architecture("deepseek-r1").with_layers(2).experts.dense_layers == 1
    with pytest.raises(OptionError):
        qwq.with_layers(0)


def test_an_unknown_config_is_refused_with_the_types_that_are_known():
    with pytest.raises(OptionError, match="qwen2") as refused:
        Architecture.from_config(dict(find_model("qwq-32b").config) | {"model_type": "mamba"})
    assert "mamba" in str(refused.value)
    with pytest.raises(OptionError, match="num_hidden_layers"):
        Architecture.from_config({"model_type": "qwen2"})


def test_an_unknown_cache_type_is_refused():
    with pytest.raises(OptionError, match="Q8_0"):
        architecture("qwq-32b").cache_bytes_per_token("Q3_K")


def test_a_file_is_counted_as_its_own_tensors_say(shipped_model):
    from gguf import GGUFReader

    shape = Architecture.from_gguf(shipped_model)
    stored = {
        t.name: tuple(int(n) for n in reversed(t.shape)) for t in GGUFReader(shipped_model).tensors
    }
    assert {t.name: t.shape for t in shape.tensors()} == stored
    assert shape.parameters == sum(int(np.prod(dims)) for dims in stored.values())


@pytest.fixture(params=["base", "thinker"])
def shipped_model(request):
    from course_utils.paths import nano_folder

    path = nano_folder() / f"{request.param}.gguf"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there; `make nano` makes it")
    return path


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "notes.gguf"
    path.write_bytes(b"these are notes")
    with pytest.raises(ModelFileError, match="is a text"):
        Architecture.from_gguf(path)


def test_metadata_of_another_family_is_refused():
    with pytest.raises(ModelFileError, match="mamba"):
        Architecture.from_metadata({"general.architecture": "mamba"}, {})


def test_every_tensor_has_a_name_of_its_own_and_a_known_part():
    for name in ("qwq-32b", "qwen3-30b-a3b", "deepseek-r1"):
        tensors = architecture(name).tensors()
        assert len({t.name for t in tensors}) == len(tensors)
        assert {t.part for t in tensors} <= set(PARTS)


def test_grouped_queries_shrink_the_cache_by_heads_over_key_value_heads():
    full = GroupedQueryAttention(heads=40, key_value_heads=40, head_dimension=128)
    grouped = GroupedQueryAttention(heads=40, key_value_heads=8, head_dimension=128)
    assert full.cached_keys == 5 * grouped.cached_keys
