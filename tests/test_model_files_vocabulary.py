"""The shipped vocabulary is QwQ-32B's: it cuts texts into the numbers that llama.cpp gives."""

import json
import lzma
import shutil
from pathlib import Path

import pytest
from gguf.constants import TokenType

from course_utils.engines.server.tokenizer import qwq_tokenizer, tokenize
from course_utils.errors import ModelFileError
from course_utils.model_files import qwen_vocabulary as vocabulary
from course_utils.model_files.qwen_vocabulary import qwen_vocabulary
from course_utils.paths import models_folder

CASES = json.loads(
    (Path(__file__).parent / "data" / "qwen2-tokenizer-cases.json").read_text(encoding="utf-8")
)


def test_there_are_seventy_texts_and_three_with_control_tokens():
    assert (len(CASES["plain"]), len(CASES["special"])) == (70, 3)


@pytest.mark.parametrize("case", CASES["plain"], ids=lambda case: case["text"][:20])
def test_a_text_becomes_the_numbers_that_llama_cpp_gives(case):
    assert [token.id for token in tokenize(qwq_tokenizer(), case["text"])] == case["ids"]


@pytest.mark.parametrize("case", CASES["special"], ids=lambda case: case["text"][:20])
def test_control_tokens_are_recognised_as_llama_cpp_does(case):
    assert [token.id for token in tokenize(qwq_tokenizer(), case["text"])] == case["ids"]


@pytest.mark.parametrize("case", CASES["plain"], ids=lambda case: case["text"][:20])
def test_the_tokens_put_together_are_the_text(case):
    tokens = tokenize(qwq_tokenizer(), case["text"])
    assert b"".join(token.data for token in tokens) == case["text"].encode()


def test_the_vocabulary_has_qwqs_size_and_its_own_tokens():
    found = qwen_vocabulary()
    assert len(found.tokens) == len(set(found.tokens)) == len(found.kinds) == 151_669
    assert len(found.merges) == 151_643 - 256
    numbers = {token: number for number, token in enumerate(found.tokens)}
    assert numbers["<|endoftext|>"] == 151_643 and numbers["<|im_end|>"] == 151_645
    assert (numbers["<think>"], numbers["</think>"]) == (151_667, 151_668)
    assert found.kinds[numbers["<think>"]] == TokenType.USER_DEFINED
    assert found.kinds[numbers["<|im_start|>"]] == TokenType.CONTROL


def test_the_shipped_places_of_joining_are_those_that_the_order_of_the_tokens_gives():
    words = qwen_vocabulary()
    firsts = bytes(len(first) for first, _ in words.merges)
    assert vocabulary.joining_places() == firsts


def test_a_damaged_or_missing_file_is_one_clear_message(tmp_path, monkeypatch):
    monkeypatch.setattr(vocabulary, "models_folder", lambda: tmp_path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        qwen_vocabulary.__wrapped__()
    folder = tmp_path / "tokenizer"
    shutil.copytree(models_folder() / "tokenizer", folder)
    path = folder / "qwen.tiktoken.xz"
    whole = path.read_bytes()
    for damaged in (whole[:5000], b"not packed", lzma.compress(b"IQ== 1\n"), lzma.compress(b"x")):
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="cannot be read"):
            qwen_vocabulary.__wrapped__()
    path.write_bytes(whole)
    places = folder / "qwen.places.xz"
    right = lzma.decompress(places.read_bytes())
    for damaged in (
        b"",
        b"not packed",
        lzma.compress(right[:-1]),
        lzma.compress(bytes(len(right))),
    ):
        places.write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"qwen\.places\.xz cannot be read"):
            qwen_vocabulary.__wrapped__()
