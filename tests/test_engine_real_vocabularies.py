"""llama.cpp's own vocabularies and tokenisations: ours agree with what nobody here wrote.

Each vocabulary is a GGUF file without weights; beside most lie texts and their token ids, as the
models' original tokenizers give them (see ``llama_cpp_corpus``).
"""

import pytest

from course_utils.engines import open_model
from course_utils.engines.server.tokenizer import qwq_tokenizer
from course_utils.errors import ModelFileError
from course_utils.model_files.gguf_check import check_gguf
from course_utils.model_files.gguf_header import read_header
from tests.fuzz.gguf_files import GgufFile
from tests.fuzz.headers import with_body
from tests.llama_cpp_corpus import models_folder_or_skip

SEPARATOR = "\n__ggml_vocab_test__\n"


@pytest.fixture(scope="module")
def folder():
    return models_folder_or_skip()


def vectors(folder, name):
    """(text, token ids) of each case."""
    path = folder / f"ggml-vocab-{name}.gguf"
    # Bytes, since some of the texts are line ends of several kinds; a separator follows each.
    texts = path.with_suffix(".gguf.inp").read_bytes().decode().split(SEPARATOR)[:-1]
    lines = path.with_suffix(".gguf.out").read_bytes().decode().splitlines()
    cases = [
        (text, [int(n) for n in line.split()]) for text, line in zip(texts, lines, strict=True)
    ]
    assert len(cases) > 40
    return cases


def test_each_vocabulary_is_read_and_refused_for_its_missing_weights(folder):
    found = sorted(folder.glob("ggml-vocab-*.gguf"))
    assert len(found) >= 19
    for path in found:
        with pytest.raises(ModelFileError, match="vocabulary or settings, but no weights") as error:
            check_gguf(path)
        assert "the model itself" in error.value.remedy


def test_the_shipped_vocabulary_agrees_with_every_vector_of_qwen2(folder):
    tokenizer = qwq_tokenizer()
    for text, ids in vectors(folder, "qwen2"):
        assert tokenizer.encode(text, add_special_tokens=False).ids == ids, text
        assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("name", ["qwen2", "llama-spm", "deepseek-coder", "phi-3", "gpt-2"])
def test_an_engine_agrees_with_every_vector_of_its_vocabulary(folder, tmp_path, name):
    path = tmp_path / f"{name}.gguf"
    path.write_bytes(with_body(GgufFile.read(folder / f"ggml-vocab-{name}.gguf")).encoded())
    with open_model(path, context=256) as model:
        for text, ids in vectors(folder, name):
            if text:
                assert [token.id for token in model.tokenize(text)] == ids, text
        _check_controls(model._vocabulary)


def _check_controls(vocabulary):
    """Each control token is one that llama.cpp reads as such, alone and within a text."""
    for control in sorted(vocabulary.controls)[:50]:
        for text in (control, f"a{control}b"):
            assert vocabulary.tokenize(text, True) != vocabulary.tokenize(text, False), control


def test_the_nano_models_cut_texts_where_qwen2_does(folder, nano):
    """No token of Qwen's crosses a border at which the nano models' tokenizer cuts first."""
    token_texts = read_header(folder / "ggml-vocab-qwen2.gguf").metadata["tokenizer.ggml.tokens"]
    for text, ids in vectors(folder, "qwen2"):
        pieces = [piece for piece, _ in nano.pre_tokenizer.pre_tokenize_str(text)]
        borders, place = set(), 0
        for token in ids:
            place += len(token_texts[token])
            borders.add(place)
        place = 0
        for piece in pieces:
            place += len(piece)
            assert place in borders, (text, piece)
