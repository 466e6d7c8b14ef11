"""The catalogue says for every model what it is, where it lies, and who said so."""

import dataclasses
import subprocess
import sys

import pytest

from course_utils.download import model_path
from course_utils.errors import ModelFileError, OptionError
from course_utils.model_files import catalogue
from course_utils.model_files.catalogue import find_file, find_model, models
from course_utils.paths import models_folder


def test_every_entry_is_complete_and_has_sources():
    for model in models().values():
        assert model.title and model.summary and model.licence and model.chat_format
        assert model.sources and model.sampling_source.startswith("https://")
        assert model.path is not None or model.config_source.startswith("https://")
        for file in model.files.values():
            assert file.source.startswith("https://huggingface.co/" + file.repository)
            assert file.name.endswith(".gguf") and file.revision


def test_the_recommended_sampling_is_what_the_engine_understands():
    from course_utils.engines.sampling import QWQ

    for model in models().values():
        settings = dataclasses.asdict(QWQ.but(**model.sampling))
        assert model.sampling and model.sampling.items() <= settings.items(), model.name
    assert QWQ.but(**find_model("qwq-32b").sampling) == QWQ


def test_qwq_is_offered_in_qwens_own_four_sizes_and_two_smaller_ones():
    files = find_model("qwq-32b").files
    qwens = {
        quantisation
        for quantisation, file in files.items()
        if file.repository == "Qwen/QwQ-32B-GGUF"
    }
    assert qwens == {"Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"}
    smaller = {
        quantisation: file for quantisation, file in files.items() if quantisation not in qwens
    }
    assert smaller
    assert all(file.size_bytes < files["Q4_K_M"].size_bytes for file in smaller.values())
    assert find_file("qwq-32b").quantisation == "Q4_K_M"


def test_a_certain_file_is_named_after_a_colon_in_any_case():
    assert find_file("qwq-32b:q8_0").name == "qwq-32b-q8_0.gguf"
    assert find_file("QwQ-32B:Q8_0").quantisation == "Q8_0"


@pytest.mark.parametrize("misspelt", ["qwq32b", "QwQ 32", "qwq_32b", "qwen-qwq-32b"])
def test_a_misspelt_name_is_answered_with_the_nearest_one(misspelt):
    with pytest.raises(OptionError, match="Did you mean qwq-32b"):
        find_model(misspelt)


def test_a_name_like_none_of_them_is_answered_with_the_whole_list():
    with pytest.raises(OptionError) as refused:
        find_model("gemma")
    for name in models():
        assert name in refused.value.remedy


def test_a_quantisation_that_is_not_offered_is_answered_with_those_that_are():
    with pytest.raises(OptionError, match="Q5_K_M"):
        find_file("qwq-32b:Q4_0")
    with pytest.raises(OptionError, match="rehearse"):
        find_file("deepseek-r1")


def test_a_model_that_is_not_here_yet_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "downloads_folder", lambda: tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    with pytest.raises(ModelFileError, match=r"19\.9 GB") as missing:
        model_path("qwq-32b")
    assert 'download_model("qwq-32b")' in missing.value.remedy


def test_the_catalogue_can_be_read_without_the_downloader():
    """What a model is stands below how its file gets here; a circle would join the two."""
    code = (
        "import sys, course_utils.model_files.catalogue;"
        "print('course_utils.download' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "False", answer.stderr


def test_every_file_is_pinned_to_a_commit_or_says_why_not():
    files = [file for model in models().values() for file in model.files.values()]
    assert all(len(file.revision) == 40 or file.unpinned for file in files)
    # What the course itself asks for is pinned.
    assert not any(
        find_file(name).unpinned
        for name in ("qwq-32b", "r1-distill-qwen-32b", "r1-distill-qwen-1.5b", "qwen3-30b-a3b")
    )


def test_checksums_are_whole_or_left_to_the_hub():
    files = [file for model in models().values() for file in model.files.values()]
    assert all(file.sha256 is None or len(file.sha256) == 64 for file in files)


BROKEN = """
[models.broken]
title = "Broken"
summary = "An entry with a fault."
licence = "Apache-2.0"
chat_format = "qwq"
reasoning = true
sources = ["https://example.org"]
path = "nano/thinker.gguf"
[models.broken.sampling]
temperature = 0.6
source = "https://example.org"
"""


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ('title = "Broken"\n', "", "title"),
        ('sources = ["https://example.org"]', "sources = []", "source"),
        ('path = "nano/thinker.gguf"\n', "", "neither a config nor a path"),
        ("temperature = 0.6", "temperature = ", "cannot be read"),
    ],
)
def test_a_faulty_entry_is_named_with_its_fault(tmp_path, line, instead, complaint):
    path = tmp_path / "catalogue.toml"
    path.write_text(BROKEN)
    assert list(catalogue._load(path)) == ["broken"]
    path = tmp_path / "faulty.toml"
    path.write_text(BROKEN.replace(line, instead))
    with pytest.raises(ModelFileError, match=complaint):
        catalogue._load(path)


COMMIT = 'revision = "8728e66249190b78dee8404869827328527f6b3b"'


@pytest.mark.parametrize(
    ("instead", "accepted"),
    [
        ('revision = "main"', False),
        (f'{COMMIT}\nunpinned = "nobody knows why."', False),
        ('revision = "main"\nunpinned = "its commit is not known."', True),
    ],
)
def test_a_branch_passes_for_a_revision_only_with_a_reason(tmp_path, instead, accepted):
    text = (models_folder() / "catalogue.toml").read_text(encoding="utf-8")
    assert COMMIT in text
    path = tmp_path / "catalogue.toml"
    path.write_text(text.replace(COMMIT, instead, 1), encoding="utf-8")
    if accepted:
        assert "qwq-32b" in catalogue._load(path)
        return
    with pytest.raises(ModelFileError, match="has to be a commit"):
        catalogue._load(path)
