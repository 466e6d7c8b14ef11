"""What the site promises as a folder of files: it is whole, small, and told in words."""

import html
import re
import urllib.parse

LARGEST_MB = 60


def test_the_site_is_small_enough_for_a_plain_host(site):
    size = sum(path.stat().st_size for path in site.folder.rglob("*") if path.is_file())
    assert size < LARGEST_MB * 1e6


def test_no_link_inside_the_site_is_broken(site):
    ids = {}
    for page in site.pages():
        text = (site.folder / page).read_text(encoding="utf-8")
        ids[page] = {html.unescape(name) for name in re.findall(r'\bid="([^"]+)"', text)}
    broken = []
    for page in site.pages():
        text = (site.folder / page).read_text(encoding="utf-8")
        for link in re.findall(r'<a\b[^>]*\bhref="([^"]+)"', text):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, place = urllib.parse.unquote(link).partition("#")
            target = (site.folder / page).parent / path if path else site.folder / page
            if not target.exists():
                broken.append((page, link))
            elif place and target.suffix == ".html":
                name = target.resolve().relative_to(site.folder.resolve()).as_posix()
                if place not in ids[name]:
                    broken.append((page, link))
    assert not broken


def test_every_picture_is_told_in_words(site):
    silent = []
    for page in site.pages():
        text = (site.folder / page).read_text(encoding="utf-8")
        silent += [
            (page, picture[:80])
            for picture in re.findall(r"<img\b[^>]*>", text)
            if not re.search(r'\balt="[^"]{5,}"', picture)
        ]
    assert not silent
