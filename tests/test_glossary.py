"""Is every term that a notebook prints in bold explained in the glossary, and linked both ways?"""

import re
from pathlib import Path

import nbformat
import pytest

from tests import owing

ROOT = Path(__file__).parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
NOTEBOOKS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
each_notebook = pytest.mark.parametrize("number", NOTEBOOKS)

_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_LINK = re.compile(r"^\[([^\]]+)\]\(\.\./docs/glossary\.md#([\w-]+)\)$")


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub and the course's site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


TERMS = re.findall(r"^## ([^\n]+)\n\n([^\n]+First in [^\n]+)", GLOSSARY, re.MULTILINE)
ENTRIES = {slug(title): text for title, text in TERMS}


def bold_in(number: str) -> list[str]:
    """The bold words of a notebook's text, without those of folded hints and solutions."""
    cells = nbformat.read(NOTEBOOKS[number], as_version=4).cells
    text = [cell.source for cell in cells if cell.cell_type == "markdown"]
    return [
        words
        for source in text
        if "<!-- exercise" not in source or ": heading -->" in source
        for words in _BOLD.findall(source)
    ]


def is_label(words: str) -> bool:
    """Words that begin a line, such as "Time:" and "Next:", are no terms."""
    return words.endswith((":", ".", "?", "!")) or words == "After this notebook you can"


@each_notebook
def test_what_is_bold_is_a_term_of_the_glossary_or_the_notebook_is_listed_as_owing(number):
    terms = [words for words in bold_in(number) if not is_label(words)]
    links = [_LINK.match(words) for words in terms]
    unlinked = [words for words, link in zip(terms, links, strict=True) if link is None]
    unknown = [link[2] for link in links if link and link[2] not in ENTRIES]
    twice = [link[2] for n, link in enumerate(links) if link and link[2] in _anchors(links[:n])]
    assert not unknown, unknown
    complete = not unlinked and not twice
    assert complete == (number not in owing.GLOSSARY), (unlinked, twice)


def _anchors(links) -> set[str]:
    return {link[2] for link in links if link}


@pytest.mark.parametrize("anchor", ENTRIES)
def test_an_entry_links_back_to_the_notebook_that_explains_it(anchor):
    number, path = re.findall(r"First in \[notebook (\d\d)\]\((\S+)\)", ENTRIES[anchor])[-1]
    assert (ROOT / "docs" / path).resolve() == NOTEBOOKS[number].resolve()
    if number not in owing.GLOSSARY:
        links = [_LINK.match(words) for words in bold_in(number)]
        assert anchor in _anchors(links), f"notebook {number} never explains it"


@each_notebook
def test_links_to_the_glossary_lead_to_an_entry(number):
    text = NOTEBOOKS[number].read_text(encoding="utf-8")
    assert set(re.findall(r"docs/glossary\.md#([\w-]+)", text)) <= set(ENTRIES)


def test_links_inside_the_glossary_lead_to_an_entry_and_entries_are_in_order():
    assert set(re.findall(r"\]\(#([\w-]+)\)", GLOSSARY)) <= set(ENTRIES)
    titles = [title.lower() for title, _ in TERMS]
    assert titles == sorted(titles) and len(set(titles)) == len(titles)
