"""The predicted types and sizes are those that llama.cpp writes, and that were published."""

import ctypes

import numpy as np
import pytest

from course_utils.errors import OptionError
from course_utils.model_files import q4_k
from course_utils.model_files.architectures import (
    Architecture,
    GroupedQueryAttention,
    LatentAttention,
    MixtureOfExperts,
)
from course_utils.model_files.catalogue import find_model, models, predicted_file_bytes
from course_utils.model_files.quantisation import (
    QUANTISATIONS,
    bytes_read_per_token,
    quantisation_name,
    stored_bytes,
    tensor_type,
    weight_bytes,
    weight_bytes_by_part,
    weight_of_quant,
)
from course_utils.model_files.standin import write_standin

# Small models in which every rule has a case: 16 layers, rows of 256 and of 288 (which does not
# fill a K-quant's block), few and many heads per key/value head, 8 experts and another number.
GROUPED = GroupedQueryAttention(heads=8, key_value_heads=2, head_dimension=32, biases=True)
SINGLE = GroupedQueryAttention(heads=4, key_value_heads=4, head_dimension=64, biases=True)
NORMED = GroupedQueryAttention(heads=8, key_value_heads=2, head_dimension=32, head_norms=True)
LATENT = LatentAttention(
    heads=4,
    query_rank=64,
    key_value_rank=256,
    rope_dimension=32,
    nope_dimension=32,
    value_dimension=64,
)
SMALL = dict(layers=16, hidden=256, feed_forward=256, vocabulary=288, context=512)
SHAPES = {
    "dense": Architecture("qwen2", attention=GROUPED, **SMALL),
    "dense, one head per key": Architecture("qwen2", attention=SINGLE, **SMALL),
    "dense, tied": Architecture("qwen2", attention=GROUPED, tied_embeddings=True, **SMALL),
    "odd rows": Architecture("qwen2", attention=GROUPED, **SMALL | {"feed_forward": 288}),
    "qwen3": Architecture("qwen3", attention=NORMED, **SMALL),
    "4 experts": Architecture(
        "qwen3moe", attention=NORMED, experts=MixtureOfExperts(4, 2, 256), **SMALL
    ),
    "8 experts": Architecture(
        "qwen3moe", attention=NORMED, experts=MixtureOfExperts(8, 2, 256), **SMALL
    ),
    "latent": Architecture(
        "deepseek2",
        attention=LATENT,
        experts=MixtureOfExperts(
            4, 2, 256, shared=1, shared_width=256, dense_layers=2, router_bias=True
        ),
        **SMALL,
    ),
}
LLAMA_CPP_QUANTISATIONS = [
    quantisation for quantisation in QUANTISATIONS if quantisation not in ("F32", "F16", "BF16")
]


I_QUANTS = [
    quantisation for quantisation in LLAMA_CPP_QUANTISATIONS if quantisation.startswith("IQ")
]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_types_are_those_that_llama_cpp_chooses(shape, tmp_path):
    quantisations = [
        quantisation for quantisation in LLAMA_CPP_QUANTISATIONS if quantisation not in I_QUANTS
    ]
    _compare_types(SHAPES[shape], quantisations, tmp_path)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_types_of_i_quants_are_those_that_llama_cpp_chooses(shape, tmp_path):
    # They take their time, and eight layers have every case of their rules.
    _compare_types(SHAPES[shape].with_layers(8), I_QUANTS, tmp_path)


def _compare_types(shape, quantisations, folder) -> None:
    from gguf import GGUFReader

    source = write_standin(folder / "f32.gguf", shape, "F32").path
    for quantisation in quantisations:
        target = folder / f"{quantisation}.gguf"
        _quantise(source, target, quantisation)
        stored = {t.name: t.tensor_type.name for t in GGUFReader(target).tensors}
        predicted = {t.name: tensor_type(t, shape, quantisation) for t in shape.tensors()}
        assert predicted == stored, quantisation


def _quantise(source, target, quantisation: str) -> None:
    import llama_cpp.llama_cpp as C
    from gguf import LlamaFileType

    parameters = C.llama_model_quantize_default_params()
    parameters.ftype = LlamaFileType[f"MOSTLY_{quantisation}"]
    parameters.nthread = 1
    if quantisation.startswith("IQ"):
        parameters.imatrix = _importance_matrix(source)
    files = str(source).encode(), str(target).encode()
    assert C.llama_model_quantize(*files, ctypes.byref(parameters)) == 0


def _importance_matrix(source) -> ctypes.Array:
    """One in which every column of every matrix counts alike; a last entry without a name."""
    from gguf import GGUFReader
    from llama_cpp.llama_cpp import llama_model_imatrix_data

    entries = []
    for tensor in GGUFReader(source).tensors:
        shape = [int(n) for n in tensor.shape]  # the row's length comes first
        if len(shape) > 1:
            columns = shape[0] * (shape[2] if len(shape) > 2 else 1)
            numbers = (ctypes.c_float * columns)(*[1.0] * columns)
            entries.append(llama_model_imatrix_data(tensor.name.encode(), numbers, columns))
    return (llama_model_imatrix_data * (len(entries) + 1))(*entries)


def test_qwqs_q4_k_m_has_19_845_357_568_bytes_of_weights():
    # With a header of 2.8 MB that is the file of 19,848,180,544 bytes first measured.
    assert weight_bytes(find_model("qwq-32b").architecture, "Q4_K_M") == 19_845_357_568


@pytest.mark.parametrize(
    ("name", "quantisation", "published"),
    [
        # Exact lengths of published files: Bartowski's QwQ, Unsloth's distilled model,
        # Bartowski's small distilled model, Qwen's own mixture.
        ("qwq-32b", "Q4_K_M", 19_851_336_512),
        ("r1-distill-qwen-32b", "Q4_K_M", 19_851_335_584),
        ("r1-distill-qwen-1.5b", "Q4_K_M", 1_117_320_800),
        ("qwen3-30b-a3b", "Q4_K_M", 18_556_685_824),
        # Of QwQ's shape to the number: QwQ-32B-Preview by mmnga, Qwen2.5-32B-Instruct by Bartowski.
        ("qwq-32b", "IQ3_XXS", 12_839_271_328),
        ("qwq-32b", "IQ3_XS", 13_705_513_856),
    ],
)
def test_a_published_files_length_is_predicted_within_a_ten_thousandth(
    name, quantisation, published
):
    predicted = predicted_file_bytes(find_model(name).architecture, quantisation)
    assert predicted == pytest.approx(published, rel=1e-4)


def test_every_rounded_size_in_the_catalogue_is_the_predicted_one():
    for model in models().values():
        for file in model.files.values():
            if file.published_gigabytes is not None:
                predicted = predicted_file_bytes(model.architecture, file.quantisation) / 1e9
                assert predicted == pytest.approx(file.published_gigabytes, abs=0.055), file


def test_a_tensors_bytes_include_each_blocks_scales():
    # 256 weights: 128 bytes of values, 12 of scales and 4 of the blocks' own two scales.
    assert stored_bytes((2, 256), "Q4_K") == 2 * (128 + 12 + 4)
    assert stored_bytes((256,), "Q8_0") == 256 * 8.5 / 8
    assert stored_bytes((256,), "F16") == 2 * 256


def test_bytes_split_by_part_sum_to_the_whole():
    for name in ("qwq-32b", "qwen3-30b-a3b", "deepseek-r1"):
        shape = find_model(name).architecture
        whole = weight_bytes(shape, "Q4_K_M")
        assert sum(weight_bytes_by_part(shape, "Q4_K_M").values()) == whole


def test_fewer_bits_give_a_smaller_file():
    shape = find_model("qwq-32b").architecture
    order = ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"]
    sizes = [weight_bytes(shape, quantisation) for quantisation in order]
    assert sizes == sorted(sizes, reverse=True)


def test_a_token_reads_all_of_qwq_but_its_input_embedding_and_a_tenth_of_the_mixture():
    qwq = find_model("qwq-32b").architecture
    embedding = weight_bytes_by_part(qwq, "Q4_K_M")["input embedding"]
    read = bytes_read_per_token(qwq, "Q4_K_M")
    assert read == pytest.approx(weight_bytes(qwq, "Q4_K_M") - embedding, rel=1e-4)
    mixture = bytes_read_per_token(find_model("qwen3-30b-a3b").architecture, "Q4_K_M")
    assert 0.08 < mixture / read < 0.12


def test_the_cache_is_read_too_as_a_conversation_grows():
    qwq = find_model("qwq-32b").architecture
    empty = bytes_read_per_token(qwq, "Q4_K_M")
    assert bytes_read_per_token(qwq, "Q4_K_M", context=8192) - empty == 8192 * 256 * 1024


def test_a_mix_is_recognised_in_any_case_and_a_wrong_one_refused():
    assert quantisation_name("q4_k_m") == "Q4_K_M"
    with pytest.raises(OptionError, match="Q4_K_M"):
        quantisation_name("Q4_K_XL")


def test_a_block_taken_apart_gives_the_weights_that_the_gguf_package_gives():
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    draw = np.random.default_rng(0)
    for _ in range(20):
        steps = draw.normal(scale=0.01, size=2).astype("<f2").tobytes()
        data = steps + draw.integers(0, 256, q4_k.BLOCK_BYTES - 4, dtype=np.uint8).tobytes()
        block = q4_k.read_block(data)
        assert block.quants.shape == (8, 32) and 0 <= block.quants.min() <= block.quants.max() <= 15
        assert max(block.scales.max(), block.minima.max()) <= 63
        ours = weight_of_quant(
            block.d,
            block.dmin,
            block.scales[:, None].astype(np.float32),
            block.minima[:, None].astype(np.float32),
            block.quants,
        )
        theirs = dequantize(np.frombuffer(data, np.uint8), GGMLQuantizationType.Q4_K)
        assert np.array_equal(ours.reshape(-1), theirs.reshape(-1))


def test_what_is_no_block_is_refused():
    with pytest.raises(OptionError, match="144 bytes"):
        q4_k.read_block(bytes(143))
