"""The nano tokenizer cuts text as llama.cpp does, and speaks QwQ's chat format."""

from random import Random

import pytest

from course_utils.engines import open_model
from course_utils.errors import ModelFileError, PromptError
from course_utils.nano import corpus, tasks, tokenizer
from course_utils.paths import nano_folder

STRINGS = [
    "",
    " ",
    "  two  spaces  ",
    "tab\tand\r\nline ends\n\n\nthree",
    "What is 325+148?",
    "1234567890 12 3.14 -5 1,000 ½ ²",
    "325 + 148 = 473",
    "你好，世界！三百二十五加一百四十八等于多少？",
    "小明有325个苹果，又买了148个。",
    "mixed 混合 text 文本 42个",
    "It's we'll I'VE don't 'S 'lL ſ'ſ",
    "naïve café Grüße Ελληνικά кириллица עברית العربية हिन्दी ไทย 한국어 日本語",
    "e\u0301 and \u00e9: not the same bytes",
    "🙂👍🏽👩‍👩‍👧‍👦🇩🇪 emoji",
    "a_b-c/d\\e (f) [g] {h} <i> |j| ~k~ `l` !!! ??? ...",
    "\u00a0\u3000\u200b odd spaces",
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n<think>\n",
    "<think>a</think><|endoftext|><think",
    "x" * 300,
    "\n</think>\n\n473<|im_end|>",
]


@pytest.fixture(scope="module")
def nano():
    return tokenizer.load()


@pytest.fixture(scope="module")
def engine():
    engine = open_model("nano-base")
    yield engine
    engine.close()


def llama_cpp_ids(engine, text: str) -> list[int]:
    return [token.id for token in engine.tokenize(text)]


@pytest.mark.parametrize("text", STRINGS)
def test_llama_cpp_cuts_a_text_into_the_same_tokens(nano, engine, text):
    assert nano.encode(text).ids == llama_cpp_ids(engine, text)


def test_llama_cpp_cuts_the_corpus_into_the_same_tokens(nano, engine):
    random = Random(7)
    for _ in range(300):
        text = corpus.document(random)
        assert nano.encode(text).ids == llama_cpp_ids(engine, text)


def test_llama_cpp_cuts_random_characters_into_the_same_tokens(nano, engine):
    random = Random(8)
    letters = "aZé 你好吗九\n\r\t 0123456789+-=.,!?'\"，。？：<>|_🙂👍ß"
    for _ in range(500):
        text = "".join(random.choices(letters, k=random.randint(1, 40)))
        assert nano.encode(text).ids == llama_cpp_ids(engine, text), repr(text)


@pytest.mark.parametrize("text", STRINGS)
def test_decoding_gives_the_text_back(nano, text):
    assert tokenizer.decode(nano, nano.encode(text).ids) == text


def test_every_digit_is_a_token_of_its_own(nano):
    assert nano.encode("90210").tokens == list("90210")


def test_the_special_tokens_are_single_tokens(nano):
    for token in (*tokenizer.CONTROL_TOKENS, *tokenizer.THINK_TOKENS):
        assert len(nano.encode(token).ids) == 1


def test_a_completion_continues_its_prompt_without_changing_its_tokens(nano):
    random = Random(9)
    for _ in range(200):
        task, language = random.choice(tasks.TASKS), random.choice(tasks.LANGUAGES)
        problem = tasks.make_problem(random, task, language, random.randint(1, 3))
        prompt = tokenizer.render(problem.question)
        text = tasks.completion(problem, random.choice(tasks.WORKINGS), random)
        assert nano.encode(prompt).ids + nano.encode(text).ids == nano.encode(prompt + text).ids


def test_the_engine_renders_the_same_prompt_from_the_gguf(engine):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1+1?"},
        {"role": "assistant", "content": "<think>\nones: 1+1=2\n</think>\n\n2"},
        {"role": "user", "content": "你好"},
    ]
    assert engine.render(messages) == tokenizer.render(messages)


def test_the_prompt_opens_the_thought_as_qwqs_template_does():
    assert tokenizer.render("Hi") == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n"
    )


def test_earlier_thoughts_are_dropped_from_the_history():
    text = tokenizer.render(
        [
            {"role": "user", "content": "What is 1+1?"},
            {"role": "assistant", "content": "<think>\nsecret\n</think>\n\n2"},
            {"role": "user", "content": "And 2+2?"},
        ]
    )
    assert "secret" not in text
    assert "<|im_start|>assistant\n2<|im_end|>" in text


def test_a_message_without_content_gets_a_clear_error():
    with pytest.raises(PromptError, match="'role' and 'content'"):
        tokenizer.render([{"role": "user"}])


def test_a_missing_or_foreign_tokenizer_file_gets_a_clear_error(tmp_path):
    with pytest.raises(ModelFileError, match="no tokenizer"):
        tokenizer.load(tmp_path / "none.json")
    (tmp_path / "foreign.json").write_text("{}")
    with pytest.raises(ModelFileError, match="not a tokenizer"):
        tokenizer.load(tmp_path / "foreign.json")


def test_the_shipped_tokenizer_is_small():
    assert (nano_folder() / "tokenizer.json").stat().st_size < 1_000_000


def test_a_thought_that_never_closes_has_no_answer():
    assert tokenizer.split_reply("ones: 1+1=2\n") == ("ones: 1+1=2", "")
    assert tokenizer.split_reply("a\n</think>\n\n2<|im_end|>") == ("a", "2")
