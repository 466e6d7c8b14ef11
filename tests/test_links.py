"""Every link inside the course leads somewhere: to a file that is there, and to a heading in it."""

import functools
import json
import re
from pathlib import Path
from urllib.parse import unquote

import mistune
import pytest

ROOT = Path(__file__).parent.parent
# These are laid out for the site alone, whose own test follows their links.
FOR_THE_SITE = {"index.md", "course.md", "reference.md"}
FILES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name not in FOR_THE_SITE),
    *sorted((ROOT / "deploy").glob("*.md")),
    *sorted((ROOT / "models").rglob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]
parse = mistune.create_markdown(renderer=None, plugins=["table", "strikethrough"])


def texts(path):
    """The Markdown of a page, or of each cell of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return [text]
    cells = json.loads(text)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


def tokens(tree):
    for token in tree:
        yield token
        yield from tokens(token.get("children", []))


def words(token):
    return token.get("raw", "") + "".join(map(words, token.get("children", [])))


@functools.cache
def anchors(path):
    """The places of a file that a link may name.

    A page's are made of its headings as GitHub and the site make them, small and without signs; a
    notebook's as JupyterLab does, by putting hyphens for spaces.
    """
    found = set()
    for text in texts(path):
        found.update(re.findall(r"""<a\s[^>]*\b(?:id|name)=["']([^"']+)""", text))
        for token in tokens(parse(text)):
            if token["type"] == "heading":
                heading = words(token).strip()
                if path.suffix == ".ipynb":
                    found.add(heading.replace(" ", "-"))
                else:
                    slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
                    found.add(f"{slug}-1" if slug in found else slug)
    return found


def links(text):
    """The addresses that a Markdown text links to or shows, those in its HTML as well."""
    for token in tokens(parse(text)):
        if token["type"] in ("link", "image"):
            yield token["attrs"]["url"]
        elif token["type"] in ("block_html", "inline_html"):
            yield from re.findall(r"""\b(?:href|src)=["']([^"']+)""", token["raw"])


def broken(path):
    for text in texts(path):
        for link in links(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            file, _, place = unquote(link).partition("#")
            target = (path.parent / file).resolve() if file else path
            known = target.exists() and target.is_relative_to(ROOT)
            if known and place and target.suffix in (".md", ".ipynb"):
                known = place in anchors(target)
            if not known:
                yield link


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading(path):
    assert list(broken(path)) == []


def test_links_of_all_kinds_are_followed(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "there.md").write_text("# A heading, *here*\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Top\n[a](there.md) [b](there.md#a-heading-here) [c](#top) [d](https://example.org/x#y)\n"
        "[e](gone.md) [f](there.md#gone) ![g](gone.png) [h][ref] `[i](code.md)`\n\n"
        '<a href="gone.html">j</a>\n\n```\n[k](code.md)\n```\n\n[ref]: gone-too.md\n'
    )
    assert sorted(broken(page)) == [
        "gone-too.md",
        "gone.html",
        "gone.md",
        "gone.png",
        "there.md#gone",
    ]
