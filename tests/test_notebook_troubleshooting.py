"""Whoever searches notebook 06 for the words of a symptom finds its cause and its remedy."""

import json

import pytest

from course_utils.paths import repository_root

NOTEBOOK = repository_root() / "notebooks" / "06_running_qwq_32b_on_cpu.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
TEXTS = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown"]
SECTION = "\n".join(
    TEXTS[next(i for i, text in enumerate(TEXTS) if "## When something goes wrong" in text) : -1]
)

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


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_a_symptom_is_found_by_its_own_words_with_a_remedy_in_the_same_place(symptom):
    places = [part for part in SECTION.split("\n### ") if symptom in part]
    assert places, f"nobody finds {symptom!r}"
    assert any(SYMPTOMS[symptom] in part for part in places)


def test_there_are_twelve_of_them_each_with_a_heading():
    assert SECTION.count("\n### ") == 12
