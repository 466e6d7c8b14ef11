"""No model file, however damaged, ends the process; each gets one clear error with a remedy."""

import json
import struct
import subprocess
import sys

import gguf
import pytest

from course_utils.engines.local import LocalEngine
from course_utils.errors import ModelFileError
from course_utils.model_files.gguf_check import check_gguf
from course_utils.model_files.gguf_header import read_header
from course_utils.paths import nano_folder, repository_root
from tests.tiny_models import markov_model, tiny_model

STORAGES = gguf.GGMLQuantizationType


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Sound models of several families and storage types, and the shipped ones."""
    folder = tmp_path_factory.mktemp("models")
    built = [
        tiny_model(folder / "dense.gguf", "qwen2", storage=STORAGES.Q8_0),
        tiny_model(folder / "experts.gguf", "qwen3moe", storage=STORAGES.Q4_0),
        tiny_model(folder / "normed.gguf", "qwen3"),
        tiny_model(folder / "shared.gguf", "qwen2moe", storage=STORAGES.Q8_0),
    ]
    return built + sorted(nano_folder().glob("thinker.gguf"))


def try_in_a_process(kind, count, seed, models):
    """Outcomes by name of the file; fails, naming the file, if the process dies."""
    command = [sys.executable, "-m", "tests.corrupt_models", kind, str(count), str(seed)]
    done = subprocess.run(
        [*command, *map(str, models)], cwd=repository_root(), capture_output=True, text=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr[-2000:]
    assert done.returncode == 0, f"the process died on {lines[-1]}: {done.stderr[-2000:]}"
    outcomes = {
        trying["trying"]: outcome for trying, outcome in zip(lines[::2], lines[1::2], strict=True)
    }
    bugs = {name: outcome["bug"] for name, outcome in outcomes.items() if "bug" in outcome}
    assert not bugs
    assert outcomes.pop("a sound file") == {"ran": True}
    return outcomes


def test_300_corrupted_models_give_300_clear_errors_and_a_live_process(models):
    outcomes = try_in_a_process("corruptions", 300, 2025, models)
    assert len(outcomes) == 300
    accepted = [name for name, outcome in outcomes.items() if "error" not in outcome]
    assert not accepted
    for name, outcome in outcomes.items():
        assert outcome["error"] in ("ModelFileError", "ModelLoadError"), (name, outcome)
        assert len(outcome["problem"]) > 20 and len(outcome["remedy"]) > 20, (name, outcome)


def test_100_scratched_models_run_or_are_refused_but_never_end_the_process(models):
    outcomes = try_in_a_process("scratches", 100, 7, models)
    assert len(outcomes) == 100
    refused = [name for name, outcome in outcomes.items() if "error" in outcome]
    assert 10 < len(refused) < 90, "some scratches matter, and some do not"


# ---- what a learner may point at ---------------------------------------------------------------


@pytest.mark.parametrize(
    "contents, problem, remedy",
    [
        (b"", "is empty", "Download"),
        (b"GG", "not complete", "Finish the download"),
        (bytes(4096), "starts with zeros", "Finish the download"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "LFS pointer", "git lfs"),
        (b"<!DOCTYPE html><html>Not found</html>", "web page", "browser"),
        (b"\n  <html>", "web page", "browser"),
        (b'{"error": "Access denied"}', "JSON", "editor"),
        (b"PK\x03\x04" + bytes(40), "PyTorch checkpoint", "GGUF format"),
        (struct.pack("<Q", 20) + b'{"weight": {}}      ', "safetensors", "convert_hf_to_gguf"),
        (b"lmgg" + bytes(40), "old GGML format", "GGUF format"),
        (b"Hello, I am not a model.", "not a GGUF model", "GGUF format"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(40), "big-endian", "little-endian"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(40), "no longer reads", "newer version"),
        (b"GGUF" + struct.pack("<I", 9) + bytes(40), "version 9", "llama-cpp-python"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 1), "1,152,921,504,606,846,976", "Download"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "architecture", "Download"),
    ],
)
def test_a_file_that_is_something_else_is_recognised(tmp_path, contents, problem, remedy):
    path = tmp_path / "model.gguf"
    path.write_bytes(contents)
    with pytest.raises(ModelFileError) as error:
        check_gguf(path)
    assert problem in error.value.problem and remedy in error.value.remedy
    assert str(path) in error.value.problem


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    tiny_model(tmp_path / "there.gguf")
    with pytest.raises(ModelFileError, match="There is no file") as missing:
        check_gguf(tmp_path / "their.gguf")
    assert "there.gguf" in missing.value.remedy
    with pytest.raises(ModelFileError, match="is a folder") as folder:
        check_gguf(tmp_path)
    assert "there.gguf" in folder.value.remedy


def test_a_cut_off_download_says_how_much_is_missing(tmp_path):
    whole = tiny_model(tmp_path / "whole.gguf")
    size = whole.stat().st_size
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole.read_bytes()[: size - 1000])
    with pytest.raises(
        ModelFileError, match=rf"{size - 1000:,} of {size:,} bytes.*1,000 are missing"
    ):
        check_gguf(cut)


def test_a_damaged_file_is_refused_by_the_engine_before_llama_cpp_sees_it(tmp_path):
    whole = tiny_model(tmp_path / "whole.gguf")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match="are missing"):
        LocalEngine(cut)


# ---- sound files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "qwen2moe", "qwen3moe"])
@pytest.mark.parametrize("storage", [STORAGES.F32, STORAGES.F16, STORAGES.Q8_0, STORAGES.Q4_0])
def test_sound_models_pass_and_are_read_as_the_gguf_package_reads_them(tmp_path, family, storage):
    path = tiny_model(tmp_path / "sound.gguf", family, storage=storage)
    header, reader = check_gguf(path), gguf.GGUFReader(path)
    assert header.architecture == family
    assert header.file_bytes == path.stat().st_size
    theirs = {n: f for n, f in reader.fields.items() if not n.startswith("GGUF.")}
    assert header.metadata == {name: field.contents() for name, field in theirs.items()}
    assert [
        (t.name, t.shape[::-1], t.type, t.offset, t.bytes, t.elements) for t in header.tensors
    ] == [
        (t.name, tuple(t.shape), t.tensor_type.name, t.data_offset, t.n_bytes, t.n_elements)
        for t in reader.tensors
    ]
    assert header.parameters == sum(tensor.n_elements for tensor in reader.tensors)


def test_shipped_models_pass():
    shipped = sorted(nano_folder().glob("*.gguf"))
    if not shipped:
        pytest.skip("no model is shipped yet")
    for path in shipped:
        assert check_gguf(path).architecture


def test_a_header_answers_by_name(tmp_path):
    header = read_header(markov_model(tmp_path / "markov.gguf").path)
    assert header.get("block_count") == 1
    assert header.get("no_such_setting") is None
    assert header.tensor("output_norm.weight").shape == (header.get("embedding_length"),)
    assert header.tensor("no.such.tensor") is None


def test_llama_cpp_itself_quantises_to_files_that_pass(tmp_path):
    import ctypes

    import llama_cpp.llama_cpp as C

    whole = tiny_model(tmp_path / "whole.gguf", hidden=256, feed_forward=256)
    parameters = C.llama_model_quantize_default_params()
    parameters.ftype = C.LLAMA_FTYPE_MOSTLY_Q4_K_M
    small = tmp_path / "small.gguf"
    status = C.llama_model_quantize(
        str(whole).encode(), str(small).encode(), ctypes.byref(parameters)
    )
    assert status == 0
    header = check_gguf(small)
    assert header.quantisation == "Q4_K_M"
    assert {tensor.type for tensor in header.tensors} >= {"F32", "Q4_K", "Q6_K"}
