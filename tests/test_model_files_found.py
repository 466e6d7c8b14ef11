"""A model that another program downloaded is found and used, and never taken for another one."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import pytest

from course_utils.download import find_model_file, model_path
from course_utils.engines import GREEDY, open_model
from course_utils.errors import ModelFileError, OptionError
from course_utils.model_files import catalogue, found
from course_utils.model_files.found import find_copies, places
from course_utils.paths import nano_folder

NANO_NAME, QWQ_NAME = b"nano thinker", b"Qwen_QwQ-32B"  # of equal length, so that offsets stay
PREVIEW_NAME = b"QwQ-PREVIEW."


@pytest.fixture(scope="module")
def qwq_bytes():
    """A GGUF file that calls itself QwQ-32B: the nano thinker under another name."""
    whole = (nano_folder() / "thinker.gguf").read_bytes()
    assert len(NANO_NAME) == len(QWQ_NAME) and NANO_NAME in whole
    return whole.replace(NANO_NAME, QWQ_NAME, 1)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home folder without programs, and a QwQ-32B of the nano thinker's shape."""
    for name in (
        *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"),
        *("OLLAMA_MODELS", "LLAMA_CACHE", "LOCALAPPDATA"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / ".cache/huggingface/hub"))
    known = catalogue.models()
    model = known["qwq-32b"]
    config = dict(model.config) | {
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    small = dataclasses.replace(model, config=config)
    changed = known | {"qwq-32b": small}
    for module in (catalogue, found):
        monkeypatch.setattr(module, "models", lambda: changed)
        if hasattr(module, "downloads_folder"):
            monkeypatch.setattr(module, "downloads_folder", lambda: tmp_path / "downloads")
    return tmp_path


def put(path, contents):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)
    return path


def ollama(home, name: str, contents: bytes, folder=".ollama/models"):
    """Lay out a model as ``ollama pull`` does: a manifest, and a blob named by its digest."""
    import hashlib

    digest = hashlib.sha256(contents).hexdigest()
    blob = put(home / folder / "blobs" / f"sha256-{digest}", contents)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:" + "0" * 64},
        {"mediaType": found.OLLAMA_MODEL, "digest": f"sha256:{digest}", "size": len(contents)},
    ]
    manifest = home / folder / "manifests" / name
    put(manifest, json.dumps({"schemaVersion": 2, "layers": layers}).encode())
    return blob


@pytest.mark.parametrize(
    "keeper, path",
    [
        ("LM Studio", ".lmstudio/models/lmstudio-community/QwQ-32B-GGUF/QwQ-32B-F16.gguf"),
        ("LM Studio", ".cache/lm-studio/models/bartowski/x/Qwen_QwQ-32B-F16.gguf"),
        ("llama.cpp", ".cache/llama.cpp/Qwen_QwQ-32B-GGUF_qwq-32b-fp16.gguf"),
        ("llama.cpp", ".cache/llama.cpp/QwQ-32B.i1-F16.GGUF"),
        (
            "the hub's cache",
            ".cache/huggingface/hub/models--Qwen--QwQ-32B-GGUF/snapshots/0a/qwq-32b-f16.gguf",
        ),
        ("the course", "downloads/我的模型 QwQ-32B F16 (1).gguf"),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS keeps caches in another place")
def test_a_file_is_found_where_each_program_keeps_it(home, qwq_bytes, keeper, path):
    put(home / path, qwq_bytes)
    (copy,) = find_copies("qwq-32b")
    assert (copy.keeper, copy.path, copy.quantisation) == (keeper, home / path, "F16")
    assert copy.size_bytes == len(qwq_bytes)


@pytest.mark.parametrize(
    "name",
    [
        "registry.ollama.ai/library/qwq/32b",
        "registry.ollama.ai/library/qwq/latest",
        "registry.ollama.ai/library/qwq/32b-fp16",
        "hf.co/bartowski/Qwen_QwQ-32B-GGUF/F16",
    ],
)
def test_ollamas_blobs_are_found_by_their_manifests(home, qwq_bytes, name):
    blob = ollama(home, name, qwq_bytes)
    (copy,) = find_copies("qwq-32b")
    assert (copy.keeper, copy.path, copy.quantisation) == ("Ollama", blob, "F16")


def test_the_programs_own_settings_are_followed(home, qwq_bytes, monkeypatch):
    elsewhere = home / "另一个 disk"
    ollama(home, "registry.ollama.ai/library/qwq/32b", qwq_bytes, folder="另一个 disk/ollama")
    monkeypatch.setenv("OLLAMA_MODELS", str(elsewhere / "ollama"))
    assert [copy.keeper for copy in find_copies("qwq-32b")] == ["Ollama"]
    (elsewhere / "studio").mkdir()
    put(home / ".lmstudio-home-pointer", f"{elsewhere / 'studio'}\n".encode())
    settings = json.dumps({"downloadsFolder": str(elsewhere / "gguf")})
    put(elsewhere / "studio" / "settings.json", settings.encode())
    put(elsewhere / "gguf/a/b/QwQ-32B-bf16.gguf", qwq_bytes)
    assert {place.keeper for place in places()} == {"Ollama", "LM Studio"}
    assert {copy.keeper for copy in find_copies("qwq-32b")} == {"Ollama", "LM Studio"}


@pytest.mark.parametrize(
    "name",
    [
        *("QwQ-32B-Preview-F16", "QwQ-32B-abliterated.F16", "QwQ-32B-Coder-Fusion-F16"),
        *("FuseO1-DeepSeekR1-QwQ-SkyT1-32B-F16", "Qwen2.5-32B-Instruct-F16", "QwQ-32B-2"),
        *("DeepSeek-R1-Distill-Qwen-32B-F16", "Light-R1-32B-F16", "mmproj-QwQ-32B-vision"),
    ],
)
def test_other_models_of_the_same_shape_are_not_taken_for_it(home, qwq_bytes, name):
    put(home / f".lmstudio/models/someone/folder/{name}.gguf", qwq_bytes)
    assert find_copies("qwq-32b") == []


def test_the_header_has_the_last_word(home, qwq_bytes):
    preview = qwq_bytes.replace(QWQ_NAME, b"QwQ-32B-PREV", 1)
    ollama(home, "registry.ollama.ai/library/qwq/latest", preview)
    distilled = qwq_bytes.replace(QWQ_NAME, NANO_NAME, 1)
    put(home / ".lmstudio/models/a/b/QwQ-32B-F16.gguf", distilled)
    assert find_copies("qwq-32b") == []
    unnamed = qwq_bytes.replace(QWQ_NAME, b"Models______", 1)
    put(home / ".lmstudio/models/a/b/QwQ-32B-F16.gguf", unnamed)
    assert len(find_copies("qwq-32b")) == 1


def test_a_file_of_another_shape_or_a_broken_one_is_not_taken_for_it(home, qwq_bytes):
    folder = home / ".lmstudio/models/a/b"
    put(folder / "QwQ-32B-F16.gguf", qwq_bytes[: len(qwq_bytes) // 2])
    put(folder / "QwQ-32B-Q8_0.gguf", b"<html>not found</html>")
    put(folder / "QwQ-32B-Q4_K_M.gguf", b"")
    moe = (nano_folder() / "moe.gguf").read_bytes()
    put(folder / "QwQ-32B-Q6_K.gguf", moe.replace(b"nano moe", b"QwQ-32B.", 1))
    put(home / ".ollama/models/manifests/registry.ollama.ai/library/qwq/32b", b"{not json")
    assert find_copies("qwq-32b") == []


def test_a_file_that_two_folders_link_to_counts_once_and_a_circle_of_links_ends(home, qwq_bytes):
    if sys.platform == "win32":
        pytest.skip("links need a right of their own on Windows")
    blob = put(home / ".cache/huggingface/hub/models--Q--Q/blobs/abc", qwq_bytes)
    link = home / ".cache/huggingface/hub/models--Q--Q/snapshots/1/QwQ-32B-F16.gguf"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    other = home / ".lmstudio/models/x/y/QwQ-32B-F16.gguf"
    other.parent.mkdir(parents=True)
    other.symlink_to(link)
    (home / ".lmstudio/models/x/circle").symlink_to(home / ".lmstudio/models")
    assert [copy.keeper for copy in find_copies("qwq-32b")] == ["the hub's cache"]


def test_a_model_is_opened_by_its_name_wherever_it_was_downloaded(home, qwq_bytes):
    with pytest.raises(ModelFileError, match="not on this machine"):
        model_path("qwq-32b")
    blob = ollama(home, "registry.ollama.ai/library/qwq/32b", qwq_bytes)
    told = find_model_file("qwq-32b")
    assert told.path == blob and "Ollama" in told.doubt and not told.verified
    assert find_model_file("qwq-32b:F16").path == blob  # not offered for download
    with pytest.raises(OptionError, match="no F32"):
        find_model_file("qwq-32b:F32")
    with pytest.warns(UserWarning, match="Ollama keeps"), open_model("qwq-32b") as engine:
        reply = engine.chat("What is 347 + 285?", GREEDY).finish()
        assert engine.info.name == "qwq-32b" and reply.answer.strip() == "632"


def test_a_folder_with_one_model_in_it_opens_and_one_with_several_says_which(home, qwq_bytes):
    folder = home / "Meine Modelle 模型"
    put(folder / "QwQ 32B 量化.gguf", qwq_bytes)
    with open_model(folder) as engine:
        assert engine.info.source == str(folder / "QwQ 32B 量化.gguf")
    put(folder / "second.gguf", qwq_bytes)
    with pytest.raises(ModelFileError, match="holds 2 models") as refused:
        open_model(str(folder))
    assert "second.gguf" in refused.value.remedy
    with pytest.raises(ModelFileError, match="holds no GGUF"):
        open_model(home / "Meine Modelle 模型" / "..")


SPLIT = """
import gguf, sys
from pathlib import Path
from course_utils.paths import nano_folder
reader = gguf.GGUFReader(nano_folder() / "thinker.gguf")
whole = len(reader.tensors)
folder = Path(sys.argv[1])
for part, tensors in enumerate((reader.tensors[:20], reader.tensors[20:])):
    writer = gguf.GGUFWriter(folder / f"QwQ-32B-F16-0000{part + 1}-of-00002.gguf", "qwen2")
    if part == 0:
        for field in reader.fields.values():
            if field.name.startswith(("GGUF.", "general.architecture")):
                continue
            value = "QwQ 32B" if field.name == "general.name" else field.contents()
            kind = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, value, field.types[0], sub_type=kind)
    writer.add_uint16("split.no", part)
    writer.add_uint16("split.count", 2)
    writer.add_int32("split.tensors.count", whole)
    for tensor in tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file()
    writer.close()
"""


def test_a_split_model_is_found_whole_by_its_first_part(home):
    folder = home / ".lmstudio/models/someone/QwQ-32B-GGUF"
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", SPLIT, folder], check=True)
    first, second = sorted(folder.glob("*.gguf"))
    (copy,) = find_copies("qwq-32b")
    assert copy.path == first
    assert copy.size_bytes == first.stat().st_size + second.stat().st_size
    if sys.platform != "win32":
        # As in the hub's cache: each part is a link to a blob of another name.
        linked = home / ".cache/huggingface/hub/models--Qwen--QwQ-32B-GGUF/snapshots/1"
        linked.mkdir(parents=True)
        for number, part in enumerate((first, second)):
            blob = shutil.move(part, home / f"blob{number}")
            os.symlink(blob, linked / part.name)
        first, second = (linked / part.name for part in (first, second))
        assert find_copies("qwq-32b")[0].path == first
        with pytest.warns(UserWarning), open_model("qwq-32b") as engine:
            assert engine.chat("What is 347 + 285?", GREEDY).finish().answer.strip() == "632"
        with open_model(first) as engine:
            assert engine.info.source == str(first)
    second.unlink()
    assert find_copies("qwq-32b") == []
