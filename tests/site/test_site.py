"""What the site promises a reader: it is whole, asks no other host, and anybody can read it."""

import html
import re
import urllib.parse

import pytest
from axe_playwright_python.sync_playwright import Axe

LARGEST_MB = 60
# A page of each kind; the notebooks are alike but for what they show.
KINDS = [
    "index.html",
    "course.html",
    "playground/next_token.html",
    "playground/grpo.html",
    "notebooks/03_rl_scaling.html",
    "notebooks/05_moe_versus_dense.html",
    "docs/statistics.html",
    "troubleshooting.html",
]
# Wider than the page, with nothing around it that scrolls.
TOO_WIDE = """() => {
  const room = document.documentElement.clientWidth;
  return document.documentElement.scrollWidth > room
}"""


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


def test_a_phone_shows_every_page_without_scrolling_sideways_and_asks_no_other_host(site, chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    elsewhere, wide = [], []
    page.on(
        "request",
        lambda request: (
            request.url.startswith((site.address, "blob:", "data:"))
            or elsewhere.append(request.url)
        ),
    )
    for name in site.pages():
        page.goto(f"{site.address}/{name}")
        if page.evaluate(TOO_WIDE):
            wide.append(name)
    assert not wide
    assert not elsewhere


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(site, chromium, dark):
    found = []
    page = chromium.new_page(color_scheme="dark" if dark else "light")
    for name in KINDS:
        page.goto(f"{site.address}/{name}")
        assert page.evaluate("document.documentElement.dataset.theme") == (
            "dark" if dark else "light"
        )
        found += [
            (name, each["id"], node["html"][:160])
            for each in Axe().run(page).response["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"][:3]
        ]
    assert not found
