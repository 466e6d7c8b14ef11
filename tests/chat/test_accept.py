"""Whoever holds a real file learns in one run whether it is the model that the course means."""

import dataclasses
import json

import pytest

from course_utils.chat import accept as acceptance
from course_utils.chat.accept import FAILED, OPEN, PASSED, accept, main
from course_utils.engines.transcript import replay
from course_utils.errors import ModelFileError, OptionError
from course_utils.model_files import catalogue, found
from course_utils.model_files.standin import write_standin
from course_utils.paths import nano_folder


def outcomes(checks) -> dict[str, str]:
    return {check.name: check.outcome for check in checks}


def test_the_nano_thinker_is_accepted_and_its_conversation_recorded(tmp_path, capsys):
    path = tmp_path / "run.json"
    assert main(["nano-thinker", "--transcript", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "Nothing failed." in shown and "Send the lines above" in shown
    assert "2,887,936 parameters" in shown and "tokens per second" in shown
    assert "632" in replay(path, speed=float("inf")).finish().answer
    facts = json.loads(path.read_text(encoding="utf-8"))
    assert facts["machine"] and facts["model"]["sha256"]


@pytest.fixture
def real(monkeypatch, tmp_path):
    """A model of QwQ's format and vocabulary size whose file, a stand-in, lies in its place."""
    known = catalogue.models()
    model = known["qwq-32b"]
    config = dict(model.config) | {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    file = dataclasses.replace(model.file(), sha256=None)
    entry = dataclasses.replace(model, config=config, files={file.quantisation: file})
    changed = known | {"qwq-32b": entry}
    for module in (catalogue, found):
        monkeypatch.setattr(module, "models", lambda: changed)
    monkeypatch.setattr(catalogue, "downloads_folder", lambda: tmp_path)
    monkeypatch.setattr(found, "places", lambda: [])
    standin = write_standin(tmp_path / file.name, entry.architecture, file.quantisation)
    exact = dataclasses.replace(file, size_bytes=standin.file_bytes, exact=True)
    entry = dataclasses.replace(entry, files={file.quantisation: exact})
    changed["qwq-32b"] = entry
    return tmp_path / file.name


@pytest.mark.filterwarnings("ignore:.*not verified")
def test_a_stand_in_has_the_shape_and_fails_where_it_is_none(real, tmp_path):
    found = outcomes(accept("qwq-32b", transcript=tmp_path / "run.json", max_tokens=3))
    # It has QwQ's shape, its tokens and its format; only a checksum and an answer cannot be had.
    passed = ("shape", "types", "length", "template", "tokenizer")
    assert {found[name] for name in passed} == {PASSED}
    assert found["checksum"] == found["speed"] == OPEN
    assert found["conversation"] == FAILED


def test_another_shape_or_type_than_the_catalogues_is_told():
    model = catalogue.find_model("nano-thinker")
    header = acceptance.check_gguf(nano_folder() / "thinker.gguf")
    assert acceptance._shape(model, header).outcome == PASSED
    other = catalogue.find_model("nano-moe")
    check = acceptance._shape(other, header)
    assert check.outcome == FAILED and "family is qwen2, not qwen3moe" in check.found
    first, *rest = header.tensors
    changed = dataclasses.replace(header, tensors=(first._replace(type="Q8_0"), *rest))
    check = acceptance._types(model, changed)
    assert check.outcome == FAILED and "predicted" in check.found


def test_a_wrong_checksum_fails(monkeypatch):
    model = catalogue.find_model("qwq-32b")
    path = nano_folder() / "thinker.gguf"
    assert acceptance._checksum("qwq-32b", model, path).outcome == FAILED


def test_a_file_that_is_not_here_is_one_clear_message(monkeypatch, capsys):
    monkeypatch.setattr(found, "places", lambda: [])
    with pytest.raises(ModelFileError, match="not on this machine"):
        list(accept("r1-distill-qwen-32b"))
    with pytest.raises(OptionError):
        list(accept("no-such-model"))
    assert main(["no-such-model"]) == 1 and "What to do" in capsys.readouterr().err
