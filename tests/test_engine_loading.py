"""A model that memory cannot hold is refused before loading, and repacked only where it fits."""

from dataclasses import replace

import gguf
import pytest

from course_utils.engines import open_model
from course_utils.engines.local import loading
from course_utils.errors import MachineError
from course_utils.machine import Machine
from course_utils.model_files.capacity import plan
from course_utils.model_files.catalogue import find_model
from course_utils.model_files.gguf_check import check_gguf
from course_utils.model_files.memory import repacked_bytes
from course_utils.model_files.standin import sparse_files_work, standin
from tests.tiny_models import tiny_model

GIB = 2**30
MACHINE = Machine(8, 64 * GIB, 61 * GIB, 40e9, 100 * GIB)


def test_a_model_that_memory_cannot_hold_is_refused_unless_forced(tmp_path, monkeypatch):
    path = tiny_model(tmp_path / "tiny.gguf")
    monkeypatch.setattr("course_utils.engines.local.engine.SMALL_MODEL_BYTES", 0)
    monkeypatch.setattr(loading, "LITTLE_BYTES", 0)
    monkeypatch.setattr(loading, "available_memory_bytes", lambda: 100_000)
    with pytest.raises(MachineError, match="force=True"):
        open_model(path)
    assert open_model(path, force=True).next_tokens("Hi", 1)


def test_memory_for_the_context_is_counted_for_small_models_too(tmp_path, monkeypatch):
    path = tiny_model(tmp_path / "tiny.gguf", context=1 << 20)
    monkeypatch.setattr(loading, "available_memory_bytes", lambda: 2 * GIB)
    with pytest.raises(MachineError, match=r"of memory, and 2\.0 GiB are free"):
        open_model(path, context=1 << 23)
    # Without flash attention the scores of one layer alone take 8 GiB.
    with pytest.raises(MachineError, match=r"of memory, and 2\.0 GiB are free"):
        open_model(path, context=1 << 20)
    assert open_model(path).info.context == 8192


def test_weights_are_repacked_only_where_one_kernel_has_room_for_the_copy(tmp_path, monkeypatch):
    path = tiny_model(tmp_path / "quantised.gguf", storage=gguf.GGMLQuantizationType.Q4_0)
    header = check_gguf(path)

    def repacks(free: int, kernels: int = 1) -> bool:
        monkeypatch.setattr(loading, "available_memory_bytes", lambda: free)
        choice = loading.plan_loading(
            header,
            name="tiny",
            context=512,
            kv_type="f16",
            batch=64,
            repack=None,
            kernels=kernels,
            force=True,
        )
        assert choice.reason
        return choice.repack

    assert repacks(64 * GIB)
    assert not repacks(64 * GIB, kernels=2)
    assert not repacks(GIB // 4)


def test_the_choice_is_shown_and_the_learner_may_overrule_it(tmp_path, monkeypatch):
    monkeypatch.setattr("course_utils.engines.local.opening.repacking_crashes", lambda: None)
    path = tiny_model(tmp_path / "tiny.gguf")
    settings = open_model(path).info.settings
    assert settings["repack"] is False
    assert "repacks" in settings["repack_reason"]
    assert open_model(path, repack=True).info.settings["repack"] is True


def test_where_repacking_crashes_nothing_is_repacked_and_who_asks_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "course_utils.engines.local.opening.repacking_crashes", lambda: "it has AMX"
    )
    path = tiny_model(tmp_path / "tiny.gguf", storage=gguf.GGMLQuantizationType.Q4_0)
    engine = open_model(path)
    assert engine.info.settings["repack"] is False
    assert "AMX" in engine.info.settings["repack_reason"]
    assert engine.next_tokens("Hi", 1)
    with pytest.raises(MachineError, match="would end this kernel"):
        open_model(path, repack=True)


def test_a_quantised_model_decodes_with_what_the_engine_chooses_here(tmp_path):
    """On a processor where llama.cpp's repacked weights crash, this would end the tests."""
    path = tiny_model(tmp_path / "tiny.gguf", storage=gguf.GGMLQuantizationType.Q4_0)
    assert open_model(path).next_tokens("Hi", 1)


def test_the_engine_and_the_plan_count_the_same_copy(tmp_path):
    if not sparse_files_work(tmp_path):
        pytest.skip("this file system has no sparse files")
    qwq = find_model("qwq-32b").architecture
    with standin("qwq-32b", folder=tmp_path) as file:
        header = check_gguf(file.path)
    # The published file's metadata is a little longer than the stand-in's.
    weights = header.file_bytes
    room = loading.decide_loading(header, context=8192, available_bytes=61 * GIB)
    assert room.repack and room.copy_bytes == repacked_bytes(qwq, "Q4_K_M")
    planned = plan("qwq-32b", repack=True, machine=MACHINE).memory
    assert room.need == replace(planned, weights=weights)
    assert weights == pytest.approx(planned.weights, rel=1e-3)
    tight = loading.decide_loading(header, context=8192, available_bytes=21 * GIB)
    assert not tight.repack and tight.need == replace(planned, weights=weights, repacked=0)
