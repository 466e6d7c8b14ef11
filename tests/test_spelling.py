"""No word is misspelt, and the course is written in British English throughout."""

import io
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import codespell_lib
import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "docs" / "playground").glob("*.md"),
    *(ROOT / "deploy").glob("*.md"),
    *(ROOT / "models").rglob("*.md"),
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = [*(ROOT / "course_utils").rglob("*.py"), *(ROOT / "docs").glob("*.py")]
CHECKED = ["course_utils", "docs", "deploy", "tests", "models", "Makefile", "CITATION.cff"]

# codespell knows British words by their American ones; turned round, it holds the British.
AMERICAN = Path(codespell_lib.__file__).parent / "data" / "dictionary_en-GB_to_en-US.txt"
# Words of both kinds of English, and those that computing has made its own.
BOTH = """
acknowledgment acknowledgments analog artifact artifacts biased dialog dialogs enroll enrolls
enrollment enrollments focused focuses focusing gray judgment judgments license licensed licensing
math meter meters practice practices program programs routing stories story tokenize tokenized
tokenizer tokenizers tokenizing tons
"""
# What that list lacks of the words that this course uses.
MORE = {
    "{}ize": "{}ise",
    "{}izes": "{}ises",
    "{}ized": "{}ised",
    "{}izing": "{}ising",
    "{}ization": "{}isation",
}
STEMS = ("dequant", "factor", "quant", "regular", "requant", "summar", "vector")


def misspelt(paths, *options):
    """What codespell finds in files or folders, a line each: place, word ==> what was meant."""
    command = [sys.executable, "-m", "codespell_lib", *options, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if "==>" in line]


# ---- what is prose ----------------------------------------------------------------------------


def blank(match):
    """A stretch that is no prose: only its line breaks stay, so that lines keep their numbers."""
    return re.sub(r"[^\n]", " ", match[0])


def prose_of_markdown(text):
    """Markdown without code, addresses, tags, and the titles of other people's pages."""
    for pattern in (
        r"^( *)```.*?^\1```",  # fenced code
        r"`[^`\n]+`",
        r"\[[^\]]*\]\(https?:[^)]*\)",
        r"\]\([^)]*\)",
        r"<https?:[^>]*>|https?:\S+",
        r"<[^>]+>",
        r"\$[^$\n]+\$",
        r"^#+ References.*\Z",
    ):
        text = re.sub(pattern, blank, text, flags=re.MULTILINE | re.DOTALL)
    return text


def prose_of_page(text):
    """The same of a page, which may quote other people's words."""
    return re.sub(r'"[^"\n]+"|“[^”\n]+”', blank, prose_of_markdown(text))


def prose_of_python(source):
    """Comments and texts of Python, without what stands in them for names, styles and formats."""
    lines = [""] * (source.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        # A text of one word is a name or a setting: ha="center", state["optimizer"].
        sentence = kind in ("STRING", "FSTRING_MIDDLE") and " " in token.string.strip()
        if kind == "COMMENT" or sentence:
            for number, line in enumerate(token.string.splitlines()):
                lines[token.start[0] - 1 + number] += " " + line
    text = prose_of_markdown("\n".join(lines))
    # A setting, an attribute or a name, not a word: color: red, color="red", .color, color_map.
    names = r"[\w.#-]*[\w-]+(?=[:=(_]|\\n)|[._#@-]\w+|\w+\.\w[\w.]*"
    layout = r"[\w-]+: center|(?:upper|lower) center|center (?:left|right)"
    others = r"Authorization header|Color Universal Design"
    return re.sub(f"{layout}|{others}|{names}", blank, text)


def prose_of_notebook(path):
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        prose = prose_of_page if cell["cell_type"] == "markdown" else prose_of_python
        if not source.startswith("%"):
            parts.append(prose(source))
    return "\n".join(parts)


@pytest.fixture(scope="module")
def prose(tmp_path_factory):
    """The course's prose as files, named as those that it comes from."""
    folder = tmp_path_factory.mktemp("prose")
    readers = {".md": prose_of_page, ".py": prose_of_python}
    for path in (*PAGES, *NOTEBOOKS, *MODULES):
        if path.suffix == ".ipynb":
            text = prose_of_notebook(path)
        else:
            text = readers[path.suffix](path.read_text(encoding="utf-8"))
        target = folder / path.relative_to(ROOT).with_suffix(f"{path.suffix}.md")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def british(tmp_path_factory):
    """A dictionary for codespell: American word -> British word."""
    lines = []
    for line in AMERICAN.read_text(encoding="utf-8").splitlines():
        british, _, american = line.partition("->")
        for word in re.split(r",\s*", american.strip(", ")):
            if word and word not in BOTH.split():
                lines.append(f"{word}->{british}")
    for stem in STEMS:
        lines += [f"{a.format(stem)}->{b.format(stem)}" for a, b in MORE.items()]
    file = tmp_path_factory.mktemp("british") / "british.txt"
    file.write_text("\n".join(sorted(set(lines))) + "\n", encoding="utf-8")
    return file


# ---- the promises -----------------------------------------------------------------------------


def test_no_word_is_misspelt_in_code_or_pages():
    assert misspelt([*ROOT.glob("*.md"), *CHECKED]) == []


def test_no_word_is_misspelt_in_a_notebook(prose):
    assert misspelt([prose / "notebooks"]) == []


def test_the_course_is_written_in_british_english(prose, british):
    found = misspelt([prose], "--dictionary", str(british))
    assert [line.replace(f"{prose}/", "") for line in found] == []


@pytest.mark.parametrize(
    "text",
    ["The color of a token.", "It is quantized.", "Behavior changes.", "# normalize the loss"],
)
def test_an_american_word_would_be_found(tmp_path, british, text):
    (tmp_path / "page.md").write_text(text)
    assert misspelt([tmp_path], "--dictionary", str(british))


def test_what_is_no_prose_is_left_alone():
    page = "The `color` of\n```\nthe color\n```\n[Optimizing colors](https://example.org/color)\n"
    assert "color" not in prose_of_markdown(page)
    code = 'figure(color="red")\nhtml = "<p style=\'color: red\'>the colour</p>"  # axes.color\n'
    assert "color" not in prose_of_python(code).replace("colour", "")
    assert "colour" in prose_of_python(code)
