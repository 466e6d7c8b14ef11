"""Files that llama.cpp loads are opened; of others a learner reads what they are, and what to take.

Beside ``test_engine_bad_files``, which is about damaged files.
"""

import struct

import gguf
import numpy as np
import pytest

from course_utils.engines import GREEDY, open_model
from course_utils.errors import ModelFileError, ModelLoadError
from course_utils.model_files.gguf_check import check_gguf
from tests.fuzz.gguf_files import GgufFile
from tests.tiny_models import mamba_model, tiny_model

STORAGES = gguf.GGMLQuantizationType


@pytest.fixture
def sound(tmp_path):
    """A tiny model taken apart, to be changed and written again."""
    return GgufFile.read(tiny_model(tmp_path / "sound.gguf"))


def written(file, path):
    path.write_bytes(file.encoded())
    return path


def runs(path):
    with open_model(path, context=256) as model:
        return bool(model.complete("Hello", GREEDY.but(max_tokens=2)).finish().tokens)


def repacked(file):
    """The tensors of a file one behind the other, where some have been left out."""
    weights, tensors = bytearray(), []
    for tensor in file.tensors:
        data = file.weights[tensor.offset : tensor.offset + 4 * int(np.prod(tensor.shape))]
        tensors.append(type(tensor)(tensor.name, tensor.shape, tensor.kind, len(weights)))
        weights += data + bytes(-len(data) % 32)
    return tensors, bytes(weights)


def refusal(path):
    with pytest.raises(ModelFileError) as error:
        check_gguf(path)
    assert str(path) in error.value.problem and "damaged" not in error.value.problem
    return error.value


# ---- what llama.cpp loads ----------------------------------------------------------------------


def test_a_model_without_attention_opens_and_runs(tmp_path):
    # llama.cpp#10109: feed_forward_length 0, head_count 0
    assert runs(mamba_model(tmp_path / "mamba.gguf"))


@pytest.mark.parametrize("name", ["padding", "seperator", "mask", "unknown", "fim_pre", "eot"])
@pytest.mark.parametrize("number", [2**32 - 1, 352, 10**6])
def test_a_token_that_is_not_needed_may_be_outside_the_vocabulary(sound, tmp_path, name, number):
    # llama.cpp#11613
    sound.set(f"tokenizer.ggml.{name}_token_id", "UINT32", number)
    assert check_gguf(written(sound, tmp_path / "model.gguf"))


def test_a_model_without_a_first_token_opens_and_runs(sound, tmp_path):
    sound.set("tokenizer.ggml.bos_token_id", "UINT32", 2**32 - 1)
    sound.set("tokenizer.ggml.padding_token_id", "UINT32", 2**32 - 1)
    assert runs(written(sound, tmp_path / "model.gguf"))


def test_numbers_for_each_layer_are_taken_where_all_are_alike(sound, tmp_path):
    for key in ("feed_forward_length", "attention.head_count", "attention.head_count_kv"):
        value = sound.keys[f"qwen2.{key}"][1]
        sound.set(f"qwen2.{key}", "ARRAY[INT32]", [value] * 2)
    assert runs(written(sound, tmp_path / "model.gguf"))
    sound.set("qwen2.attention.head_count_kv", "ARRAY[INT32]", [2, 4])
    with pytest.raises(ModelFileError, match="layer to layer"):
        check_gguf(written(sound, tmp_path / "model.gguf"))


def test_settings_with_a_default_may_be_absent(tmp_path):
    mixture = GgufFile.read(tiny_model(tmp_path / "mixture.gguf", "qwen3moe"))
    mixture.remove("qwen3moe.feed_forward_length")
    assert runs(written(mixture, tmp_path / "experts only.gguf"))
    llama = GgufFile.read(tiny_model(tmp_path / "llama.gguf", "llama"))
    llama.remove("tokenizer.ggml.token_type")
    llama.remove("tokenizer.chat_template")
    assert runs(written(llama, tmp_path / "no types.gguf"))


def test_a_type_that_is_newer_than_the_gguf_package_is_read(tmp_path):
    # toshllm#41: Q2_0 (42), reported as a damaged file
    file = GgufFile.read(tiny_model(tmp_path / "wide.gguf", feed_forward=128, hidden=64))
    tensors = {tensor.name.decode(): tensor for tensor in file.tensors}
    weights, offset = bytearray(), 0
    for name, tensor in tensors.items():
        size = 4 * int(np.prod(tensor.shape))
        data = file.weights[tensor.offset : tensor.offset + size]
        if name.endswith("ffn_gate.weight"):
            tensor.kind = 42
            data = struct.pack("<e16s", 0.01, bytes(range(16))) * (size // 4 // 64)
        tensor.offset = offset
        weights += data + bytes(-len(data) % 32)
        offset = len(weights)
    file.weights = bytes(weights)
    path = written(file, tmp_path / "q2_0.gguf")
    assert {tensor.type for tensor in check_gguf(path).tensors} == {"F32", "Q2_0"}
    assert runs(path)


# ---- split models ------------------------------------------------------------------------------


@pytest.fixture
def parts(sound, tmp_path):
    """A model in three files, as llama.cpp's llama-gguf-split writes them."""
    folder = tmp_path / "parts"
    folder.mkdir()
    paths = []
    for number in range(3):
        part = sound.copy()
        if number:
            part.keys = {}
        chosen = sound.tensors[number * 9 : (number + 1) * 9 if number < 2 else None]
        end = sound.tensors[(number + 1) * 9].offset if number < 2 else len(sound.weights)
        part.weights = sound.weights[chosen[0].offset : end]
        start = chosen[0].offset
        part.tensors = [type(t)(t.name, t.shape, t.kind, t.offset - start) for t in chosen]
        part.set("split.no", "UINT16", number)
        part.set("split.count", "UINT16", 3)
        part.set("split.tensors.count", "INT32", len(sound.tensors))
        paths.append(written(part, folder / f"tiny-{number + 1:05d}-of-00003.gguf"))
    return paths


def test_a_whole_split_model_opens_by_its_first_part(parts, tmp_path):
    header, whole = check_gguf(parts[0]), check_gguf(tmp_path / "sound.gguf")
    assert {t.name: t.shape for t in header.tensors} == {t.name: t.shape for t in whole.tensors}
    assert header.parameters == whole.parameters
    assert header.file_bytes == sum(path.stat().st_size for path in parts)
    with open_model(parts[0], context=256) as split, open_model(whole.path, context=256) as one:
        assert split.next_tokens("Hello", 5) == one.next_tokens("Hello", 5)


def test_a_later_part_names_the_first(parts):
    # wllama#135
    for number, path in enumerate(parts[1:], 2):
        error = refusal(path)
        assert f"part {number} of 3" in error.problem
        assert parts[0].name in error.remedy


def test_a_piece_of_a_cut_file_is_told_from_a_broken_download(tmp_path):
    # textgen#6080: a file cut in two, as some publishers did
    path = tmp_path / "model.gguf.part1of2"
    path.write_bytes(tiny_model(tmp_path / "whole.gguf").read_bytes()[:200_000])
    assert "Join all pieces" in refusal(path).remedy


def test_missing_and_foreign_parts_are_named(parts, tmp_path):
    kept = parts[1].read_bytes()
    parts[1].unlink()
    assert parts[1].name in refusal(parts[0]).problem
    parts[1].write_bytes(parts[2].read_bytes())
    with pytest.raises(ModelFileError, match="part 2"):
        check_gguf(parts[0])
    parts[1].write_bytes(kept[:-100])
    with pytest.raises(ModelFileError, match=r"00002-of-00003.*not complete"):
        check_gguf(parts[0])
    parts[1].write_bytes(kept)
    renamed = parts[0].rename(tmp_path / "parts" / "first.gguf")
    assert "-00001-of-00003.gguf" in refusal(renamed).remedy


# ---- files of another kind ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, architecture, tensor, told, remedy",
    [
        ("adapter", "llama", "blk.0.attn_q.weight.lora_a", "LoRA adapter", "llama-export-lora"),
        ("imatrix", None, "blk.0.attn_q.weight.in_sum2", "importance matrix", "itself"),
        ("mmproj", "clip", "v.blk.0.attn_q.weight", "projector", "itself"),
        (None, "clip", "mm.0.weight", "projector", "itself"),
        (None, "controlvector", "direction.1", "control vector", "itself"),
        (None, "eagle3", "fc.weight", "draft model", "itself"),
        (None, "bert", "token_embd.weight", "vectors", "generates text"),
        (None, "t5", "token_embd.weight", "encoder", "generates text"),
        (None, "wavtokenizer-dec", "token_embd.weight", "speech", "generates text"),
        (None, "flux", "double_blocks.0.weight", "pictures", "generates text"),
        ("draft-vocabulary", "llama", "token_embd.weight", "draft-vocabulary", "itself"),
        (None, "llama", None, "no weights", "itself"),
        (None, "llama", "output.weight", "token_embd.weight", "another file"),
    ],
)
def test_a_file_of_another_kind_is_told_by_name(tmp_path, kind, architecture, tensor, told, remedy):
    path = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(path, architecture or "")
    if kind is not None:
        writer.add_type(kind)
    if tensor is not None:
        writer.add_tensor(tensor, np.zeros((32, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    error = refusal(path)
    assert told in error.problem and remedy in error.remedy


@pytest.mark.parametrize(
    "start, told",
    [
        (b"\x80\x02}q\x00", "pickled PyTorch"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
        (b"PAR1", "Parquet"),
        (b"algg\x01", "LoRA"),
        (b"\x7fELF\x02", "llamafile"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"\x28\xb5\x2f\xfd", "Zstandard"),
        (b"\x01" + bytes(256) + b"ustar", "tar archive"),
        (b"# xet version 0\nhash = 1\n", "Xet pointer"),
        (b"Invalid username or password.", "'Invalid username or password.'"),
        (b"Entry not found", "'Entry not found'"),
    ],
)
def test_what_is_no_gguf_at_all_is_told_too(tmp_path, start, told):
    path = tmp_path / "model.gguf"
    path.write_bytes(start if start.isascii() and len(start) < 100 else start.ljust(600, b"\1"))
    assert told in refusal(path).problem


# ---- storage types -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, told, remedy",
    [
        (4, "Q4_2", "Q4_K_M"),
        (31, "Q4_0_4_4", "Q4_0 file"),
        (33, "Q4_0_8_8", "Q4_0 file"),
        (36, "BitNet", "TQ1_0"),
        (38, "IQ4_NL_8_8", "IQ4_NL"),
        (139, "ik_llama.cpp", "Q4_K_M"),
        (202, "ik_llama.cpp", "Q4_K_M"),
        (77, "unknown", "update llama-cpp-python"),
    ],
)
def test_a_storage_type_that_llama_cpp_does_not_read_is_named(sound, tmp_path, kind, told, remedy):
    sound.tensors[0].kind = kind
    error = refusal(written(sound, tmp_path / "model.gguf"))
    assert told in error.problem and remedy in error.remedy


# ---- vocabularies that end llama.cpp -----------------------------------------------------------


def test_two_equal_tokens_are_named_and_another_publisher_advised(sound, tmp_path):
    # llama.cpp#25739: the official Gemma 4 files have three such pairs; llama.cpp#24885
    tokens = list(sound.keys["tokenizer.ggml.tokens"][1])
    tokens[300] = tokens[7]
    sound.set("tokenizer.ggml.tokens", "ARRAY[STRING]", tokens)
    with pytest.raises(ModelFileError) as error:
        check_gguf(written(sound, tmp_path / "model.gguf"))
    assert repr(tokens[7]) in error.value.problem and "number 300 of" in error.value.problem
    assert "another publisher" in error.value.remedy


@pytest.mark.parametrize("name", ["scores", "token_type"])
def test_a_list_for_the_tokens_in_another_type_is_refused(sound, tmp_path, name):
    # llama.cpp#24888: such lists were read beyond their end
    size = len(sound.keys["tokenizer.ggml.tokens"][1])
    sound.set(f"tokenizer.ggml.{name}", "ARRAY[INT8]", [1] * size)
    with pytest.raises(ModelFileError, match=name):
        check_gguf(written(sound, tmp_path / "model.gguf"))


def test_a_setting_without_a_name_is_refused(sound, tmp_path):
    # llama.cpp#24884: llama.cpp ended the process
    sound.set("", "UINT32", 1)
    with pytest.raises(ModelFileError, match="name of metadata key"):
        check_gguf(written(sound, tmp_path / "model.gguf"))


# ---- families that the course does not know ------------------------------------------------------


def test_a_file_that_would_end_the_kernel_ends_a_process_of_its_own(sound, tmp_path):
    other = sound.copy()
    other.keys = {}
    for key, (kind, value) in sound.keys.items():
        family = "internlm2" if key == "general.architecture" else value
        other.set(key.replace("qwen2.", "internlm2."), kind, family)
    other.set("internlm2.attention.key_length", "UINT32", 6)
    other.tensors = [tensor for tensor in other.tensors if not tensor.name.endswith(b".bias")]
    other.tensors, other.weights = repacked(other)
    with pytest.raises(ModelLoadError, match="GGML_ASSERT") as error:
        open_model(written(other, tmp_path / "broken.gguf"))
    assert "another process" in error.value.problem
