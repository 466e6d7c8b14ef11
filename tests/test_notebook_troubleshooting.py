"""Whoever searches notebook 06 for the words of a symptom finds its cause and its remedy."""

import json

import pytest

from course_utils.paths import repository_root

NOTEBOOK = repository_root() / "notebooks" / "06_running_qwq_32b_on_cpu.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
TEXT = "\n\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown")
SECTION = TEXT.split("\n## When something goes wrong\n", 1)[1].split("\n## ", 1)[0]
PLACES = SECTION.split("\n### ")[1:]

# As people type it, and a word of the remedy.
SYMPTOMS = {
    "no opening `<think>`": "template writes the opening tag",
    'content: ""': "thinking budget",
    "finish_reason": "max_tokens",
    "endless repetition": "min-p",
    "repeat penalty": "--samplers",
    "4,096": "OLLAMA_CONTEXT_LENGTH",
    "num_ctx": "ignored",
    "Error rendering prompt with jinja template": "lmstudio-community",
    "--jinja": "<tool_call>",
    "minutes until the first token": "Save the cache",
    "efficiency cores": "performance cores",
    "failed to mlock": "ulimit -l",
    "mmap": "smaller file",
    "answers in Chinese": "presence penalty",
    "AMX": "--no-repack",
    "unknown model architecture": "make rebuild",
}

# The same twelve in other words, each taken from a public issue: where it stands, and a word of
# the remedy.
OTHER_WORDS = {
    "missing `<think>` tag": ("xorbitsai/inference#3036", "reasoning_content"),
    "reasoning_content": ("lmstudio-ai/lmstudio-bug-tracker#1602", "Raise the limit"),
    "infinite loop": ("ollama/ollama#10927", "Greedy decoding"),
    "never stops thinking": ("lmstudio-ai/lmstudio-bug-tracker#1018", "min-p"),
    "truncating input prompt": ("ollama/ollama#10368", "OLLAMA_CONTEXT_LENGTH"),
    "OpenSquareBracket !== CloseStatement": (
        "lmstudio-ai/lmstudio-bug-tracker#495",
        "lmstudio-community",
    ),
    "tools param requires --jinja flag": ("defilantech/LLMKube#126", "November 2025"),
    "slow prompt processing": ("abetlen/llama-cpp-python#893", "Save the cache"),
    "CPU utilization": ("ggml-org/llama.cpp#842", "performance cores"),
    "RLIMIT_MEMLOCK": ("abetlen/llama-cpp-python#708", "ulimit -l"),
    "Chinese instead of English": ("QwenLM/Qwen#543", "Answer in English"),
    "Segmentation fault": ("ollama/ollama#17249", "--no-repack"),
    "error loading model architecture": (
        "lmstudio-ai/lmstudio-bug-tracker#579",
        "Update llama-cpp-python",
    ),
}
WORDS = SYMPTOMS | {symptom: remedy for symptom, (_, remedy) in OTHER_WORDS.items()}


@pytest.mark.parametrize("symptom", WORDS)
def test_a_symptom_is_found_by_its_own_words_with_a_remedy_in_the_same_place(symptom):
    places = [place for place in PLACES if symptom.casefold() in place.casefold()]
    assert places, f"nobody finds {symptom!r}"
    assert any(WORDS[symptom] in place for place in places)


def test_there_are_twelve_of_them_each_with_a_heading():
    assert len(PLACES) == 12
    assert all(place.lstrip().startswith('"') for place in PLACES)


def test_each_of_the_twelve_is_also_found_by_words_of_a_public_issue():
    found = {
        number
        for number, place in enumerate(PLACES)
        for symptom in OTHER_WORDS
        if symptom.casefold() in place.splitlines()[0].casefold()
    }
    assert found == set(range(len(PLACES)))
