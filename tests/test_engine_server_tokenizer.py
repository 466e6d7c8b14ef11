"""Does a tokenizer taken from the first megabytes of a model cut texts as llama.cpp does?"""

import struct
from dataclasses import replace
from pathlib import Path
from random import Random

import gguf
import pytest
from gguf.constants import GGMLQuantizationType, GGUFValueType
from llama_cpp import Llama

from course_utils.engines import open_model
from course_utils.engines.server import tokenizer as server_tokenizer
from course_utils.errors import DownloadError, ModelFileError, NotSupportedError
from course_utils.model_files import catalogue
from course_utils.model_files.gguf_header import read_header
from course_utils.nano import corpus
from course_utils.paths import nano_folder
from tests.loopback_hub import Fault, LoopbackHub
from tests.tiny_models import tiny_model, vocabulary

REPOSITORY, FILE = "someone/some-model", "model.gguf"
QWQ_TOKENS = 152_064
QWQ_MERGES = 151_387
TEXTS = [
    "",
    " ",
    "347 + 285 = 632",
    "Mia has 347 apples, doesn't she?\n\n  Two  blanks,\ttabs\r\n and CAPITALS'LL do.",
    "小明有325个苹果，又买了148个。",
    "Grüße, naïve café, e\u0301, İstanbul, ſ's, ½ and ٣",
    "🙂👩‍🚀 $x^2$ <think>\nhm\n</think>\n\n<|im_start|>user\n<|im_end|> <|im_star",
    "\u00a0\u2003\u200b\ufeff\0",
]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this machine that the catalogue's model ``remote`` lies on."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub-cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    file = replace(
        catalogue.find_file("qwq-32b"), repository=REPOSITORY, name=FILE, revision="main"
    )
    monkeypatch.setattr(server_tokenizer, "find_file", lambda name: file)
    monkeypatch.setattr(server_tokenizer, "find_downloaded", lambda *_a, **_k: None)
    with LoopbackHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


@pytest.fixture(scope="module")
def as_large_as_qwqs(tmp_path_factory) -> Path:
    """A GGUF with a vocabulary as large as QwQ's, drawn with a seed, and 16 MiB of weights."""
    tokens, merges = _large_vocabulary(Random(32))
    lists = {
        "tokens": (GGUFValueType.STRING, [_packed(token) for token, _ in tokens]),
        "token_type": (GGUFValueType.INT32, [struct.pack("<i", kind) for _, kind in tokens]),
        "merges": (GGUFValueType.STRING, [_packed(merge) for merge in merges]),
    }
    # gguf's writer would take most of this test's time.
    header = [b"GGUF", struct.pack("<IQQ", 3, 1, 6)]
    for key, text in (
        ("general.architecture", "qwen2"),
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.pre", "qwen2"),
    ):
        header += [_packed(key), struct.pack("<I", GGUFValueType.STRING), _packed(text)]
    for key, (kind, items) in lists.items():
        header.append(_packed(f"tokenizer.ggml.{key}"))
        header.append(struct.pack("<IIQ", GGUFValueType.ARRAY, kind, len(items)))
        header += items
    header.append(_packed("weights"))
    header.append(struct.pack("<IQIQ", 1, 2**24, GGMLQuantizationType.I8, 0))
    content = b"".join(header)
    path = tmp_path_factory.mktemp("large") / "large.gguf"
    path.write_bytes(content + bytes(-len(content) % 32 + 2**24))
    return path


def _packed(text: str) -> bytes:
    """A string as GGUF stores it: its length, then its bytes."""
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _large_vocabulary(random: Random):
    """QwQ's numbers of tokens and merges: pairs of pieces are joined until there are enough."""
    letters = sorted(server_tokenizer._byte_of_letter())
    words = [chr(c) for c in (*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1))]
    # Chinese characters, as the letters that spell their three bytes.
    spell = {byte: letter for letter, byte in server_tokenizer._byte_of_letter().items()}
    short, merges, seen = list(words), [], set(letters)

    def join(first: str, second: str) -> None:
        if first + second not in seen:
            seen.add(first + second)
            merges.append(f"{first} {second}")
            # Pieces that stay short can be joined again, to tokens of at most ten letters.
            if len(first + second) <= 5:
                short.append(first + second)

    for letter in words:
        join("Ġ", letter)
    for point in random.sample(range(0x4E00, 0x9FA5), 3_000):
        a, b, c = (spell[byte] for byte in chr(point).encode())
        join(a, b)
        join(a + b, c)
    while len(merges) < QWQ_MERGES:
        first, second = random.choice(short), random.choice(short)
        if not second.startswith("Ġ"):
            join(first, second)
    normal = [*letters, *(merge.replace(" ", "") for merge in merges)]
    tokens = [(token, gguf.TokenType.NORMAL) for token in normal]
    tokens += [(f"<|{n}|>", gguf.TokenType.CONTROL) for n in ("endoftext", "im_start", "im_end")]
    tokens += [(f"<{n}think>", gguf.TokenType.USER_DEFINED) for n in ("", "/")]
    for number in range(len(tokens), QWQ_TOKENS):
        tokens.append((f"[PAD{number}]", gguf.TokenType.UNUSED))
    return tokens, merges


def same_as_llama_cpp(path, tokenizer, texts) -> int:
    """Compare every text's tokens; returns how many tokens that were."""
    model = Llama(str(path), vocab_only=True, verbose=False)
    compared = 0
    for text in texts:
        expected = model.tokenize(text.encode(), add_bos=False, special=True)
        tokens = server_tokenizer.tokenize(tokenizer, text)
        assert [token.id for token in tokens] == expected, text
        assert b"".join(token.data for token in tokens) == text.encode()
        compared += len(expected)
    model.close()
    return compared


def test_the_nano_tokenizer_over_the_network_gives_the_numbers_that_llama_cpp_gives(hub):
    path = nano_folder() / "base.gguf"
    hub.files[FILE] = path.read_bytes()
    tokenizer = server_tokenizer.fetch_tokenizer()
    random = Random(1)
    texts = TEXTS + [corpus.document(random) for _ in range(100)]
    assert same_as_llama_cpp(path, tokenizer, texts) > 3_000


def test_tokens_are_those_of_the_engine_with_their_bytes(hub):
    hub.files[FILE] = (nano_folder() / "base.gguf").read_bytes()
    tokenizer, engine = server_tokenizer.fetch_tokenizer(), open_model("nano-base")
    for text in TEXTS:
        assert server_tokenizer.tokenize(tokenizer, text) == engine.tokenize(text)


def test_a_vocabulary_of_qwqs_size_gives_the_numbers_that_llama_cpp_gives(hub, as_large_as_qwqs):
    hub.files[FILE] = as_large_as_qwqs.read_bytes()
    header = server_tokenizer.fetch_header()
    tokenizer = server_tokenizer.tokenizer_from_header(header)
    assert tokenizer.get_vocab_size() == QWQ_TOKENS

    # Texts made of the vocabulary's own pieces, so that long merges really happen.
    random = Random(2)
    pieces = header.metadata["tokenizer.ggml.tokens"][:QWQ_MERGES]
    letters = server_tokenizer._byte_of_letter()
    texts = list(TEXTS)
    for _ in range(200):
        spelling = "".join(random.choices(pieces, k=12))
        texts.append(bytes(letters[x] for x in spelling).decode(errors="ignore"))
    assert same_as_llama_cpp(as_large_as_qwqs, tokenizer, texts) > 3_000

    # Only the header was read, rounded up to whole requests.
    read = sum(int(last) - int(first) + 1 for first, last in map(_ends, hub.ranges()))
    assert header.tensors[0].offset <= read + 32 < len(hub.files[FILE])
    assert read <= header.tensors[0].offset + server_tokenizer.READ_AT_ONCE


def _ends(header: str) -> list[str]:
    return header.removeprefix("bytes=").split("-")


def test_a_dropped_line_is_taken_up_where_it_was(hub):
    path = nano_folder() / "base.gguf"
    hub.files[FILE] = path.read_bytes()
    hub.faults.append(Fault("cut", at=10_000))
    tokenizer = server_tokenizer.fetch_tokenizer()
    assert same_as_llama_cpp(path, tokenizer, TEXTS) > 100


def test_a_file_on_this_machine_is_used_without_asking_the_hub(hub, monkeypatch):
    path = nano_folder() / "base.gguf"
    monkeypatch.setattr(server_tokenizer, "find_downloaded", lambda *_a, **_k: path)
    assert server_tokenizer.fetch_tokenizer().get_vocab_size() == 1024
    assert not hub.requests


def test_offline_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(DownloadError) as error:
        server_tokenizer.fetch_tokenizer("qwq-32b")
    assert error.value.problem and error.value.remedy


@pytest.mark.parametrize("damage", ["login page", "cut", "counts"])
def test_what_is_no_sound_model_is_refused_by_name(hub, damage):
    content = (nano_folder() / "base.gguf").read_bytes()
    hub.files[FILE] = {
        "login page": b"<html>Please log in</html>",
        "cut": content[:5000],
        "counts": content[:16] + b"\xff" * 8 + content[24:],
    }[damage]
    with pytest.raises(ModelFileError, match=FILE):
        server_tokenizer.fetch_tokenizer()


def _header_with(tmp_path, **changes):
    header = read_header(tiny_model(tmp_path / "tiny.gguf"))
    keys = {f"tokenizer.ggml.{key}": value for key, value in changes.items()}
    return replace(header, metadata={**header.metadata, **keys})


def test_another_kind_of_tokenizer_is_refused_rather_than_imitated(tmp_path):
    for change in ({"pre": "llama-bpe"}, {"model": "llama"}):
        with pytest.raises(NotSupportedError, match="open_model"):
            server_tokenizer.tokenizer_from_header(_header_with(tmp_path, **change))


def test_a_vocabulary_that_contradicts_itself_is_refused(tmp_path):
    tokens, kinds, merges = vocabulary()
    for change in (
        {"tokens": [*tokens[1:], tokens[-1]]},
        {"token_type": [int(kind) for kind in kinds[1:]]},
        {"merges": [*merges, "no such"]},
        {"merges": [*merges, "nonsense"]},
        {"merges": None},
    ):
        with pytest.raises(ModelFileError, match=r"tiny\.gguf"):
            server_tokenizer.tokenizer_from_header(_header_with(tmp_path, **change))
