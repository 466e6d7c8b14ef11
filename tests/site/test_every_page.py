"""What each page of the site promises: it can be read on a phone, with a screen reader, in the dark
and by keyboard alone, and it asks no other host.

Each page is opened once and looked at in all these ways; the tests are about what was seen.
"""

from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SMALLEST_CODE_PX = 12
# The theme looks again at what scrolls, a moment after the window has changed.
PATIENCE_MS = 600
# Only colours differ in the dark, and only a narrow page has more that scrolls.
RULES_IN_THE_DARK = ["color-contrast", "link-in-text-block"]
RULES_ON_A_PHONE = ["scrollable-region-focusable"]
# Coloured code is most of a notebook's elements, and coloured alike everywhere: one page will do.
CODE = ["div.highlight", ".sig"]
WITH_CODE = "notebooks/00_start_here.html"

START_WATCHING = """() => {
  const ring = (each) => {
    const style = getComputedStyle(each);
    return [style.outline, style.boxShadow, style.border, style.background].join();
  };
  const kinds = `a[href], area[href], button, input, select, textarea, summary, iframe,
    audio[controls], video[controls], [contenteditable], [tabindex]`;
  const wanted = new Map();
  for (const each of document.querySelectorAll(kinds)) {
    const shown = each.checkVisibility({ visibilityProperty: true });
    if (!shown || each.tabIndex < 0 || each.disabled || each.closest("[inert]")) continue;
    // Tab stops once in a group of radio buttons; the arrow keys do the rest.
    const grouped = (other) => each.type === "radio" && other.name === each.name;
    if ([...wanted.keys()].some(grouped)) continue;
    wanted.set(each, ring(each));
  }
  const reached = new Set();
  const faint = new Set();
  globalThis.walk = { wanted, reached, faint, first: undefined, around: false };
  document.addEventListener("focusin", ({ target }) => {
    if (target === walk.first) walk.around = true;
    walk.first ??= target;
    reached.add(target);
    if (wanted.has(target) && ring(target) === wanted.get(target)) faint.add(target);
  });
}"""
WHAT_WAS_REACHED = """() => {
  const told = (each) => each.outerHTML.slice(0, 120);
  const missed = [...walk.wanted.keys()].filter((each) => !walk.reached.has(each));
  return { missed: missed.map(told), faint: [...walk.faint].map(told), around: walk.around };
}"""
LOOK_AT_A_PHONE = """(smallest) => {
  const room = document.documentElement.clientWidth;
  const outside = (each) => {
    const { left, right } = each.getBoundingClientRect();
    return left < -1 || right > room + 1;
  };
  const scrolls = (each) => ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
  const text = "p, li, dt, dd, h1, h2, h3, h4, summary, legend, label, figcaption, blockquote";
  const boxed = (each) => each.closest("pre, table, svg, mjx-container");
  const cut = (each) => each.scrollWidth > each.clientWidth + 1 && !scrolls(each);
  const small = (each) => parseFloat(getComputedStyle(each).fontSize) < smallest;
  const shown = (selector, wrong) =>
    [...document.querySelectorAll(selector)]
      .filter((each) => each.checkVisibility() && wrong(each))
      .map((each) => each.textContent.trim().slice(0, 80));
  return {
    wide: document.documentElement.scrollWidth > room,
    text: shown(text, (each) => outside(each) && !boxed(each)),
    code: shown("main pre", (each) => cut(each) || small(each)),
  };
}"""


@dataclass
class Seen:
    """What was seen on one page, each a list of what is wrong with it."""

    axe: list[tuple[str, str, str]] = field(
        default_factory=list
    )  # how it was opened, rule, element
    elsewhere: list[str] = field(default_factory=list)
    keyboard: dict = field(default_factory=dict)
    phone: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(site, chromium) -> dict[str, Seen]:
    page = chromium.new_page(reduced_motion="reduce")
    now = Seen()
    page.on(
        "request",
        lambda request: (
            request.url.startswith((site.address, "blob:", "data:"))
            or now.elsewhere.append(request.url)
        ),
    )
    everything = {}
    for name in site.pages():
        now = everything[name] = Seen()
        page.set_viewport_size(DESKTOP)
        page.goto(f"{site.address}/{name}")
        if page.locator(".play").count():
            page.locator(".play-form").first.wait_for()
        without = [] if name == WITH_CODE else CODE
        now.axe += violations(page, "light", without)
        now.keyboard = walk_by_tab(page)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        now.axe += violations(page, "dark", without, RULES_IN_THE_DARK)
        page.set_viewport_size(PHONE)
        page.wait_for_timeout(PATIENCE_MS)  # a busy machine lays the page out a moment later
        now.phone = page.evaluate(LOOK_AT_A_PHONE, SMALLEST_CODE_PX)
        now.axe += violations(page, "phone", [], RULES_ON_A_PHONE)
    page.close()
    return everything


def violations(page, how, without, rules=None):
    options = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    context = {"exclude": [[selector] for selector in without]}
    return [
        (how, each["id"], node["html"][:160])
        for each in Axe().run(page, context, options).response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]


def walk_by_tab(page):
    """Press Tab from the top of the page until it comes round, and tell what was not reached."""
    page.evaluate(START_WATCHING)
    count = page.evaluate("walk.wanted.size")
    # What scrolls by itself is a stop as well.
    for number in range(2 * count + 50):
        page.keyboard.press("Tab")
        if number % 10 == 9 and page.evaluate("walk.around"):
            break
    return page.evaluate(WHAT_WAS_REACHED)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_as_dark_as_the_system(site, chromium, scheme):
    page = chromium.new_page(color_scheme=scheme)
    page.goto(f"{site.address}/course.html")
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.close()


def faults(seen, of):
    """The pages with something wrong, and what it is."""
    return {name: wrong for name, each in seen.items() if (wrong := of(each))}


def test_axe_finds_nothing_serious_in_light_in_the_dark_or_on_a_phone(seen):
    assert faults(seen, lambda each: each.axe) == {}


def test_no_page_asks_another_host(seen):
    assert faults(seen, lambda each: each.elsewhere) == {}


def test_nothing_on_a_phone_scrolls_sideways_but_what_has_a_box_of_its_own(seen):
    assert faults(seen, lambda each: each.phone["wide"] or each.phone["text"]) == {}


def test_code_on_a_phone_is_large_enough_and_scrolls_where_it_is_cut(seen):
    assert faults(seen, lambda each: each.phone["code"]) == {}


def test_tab_reaches_everything_that_can_be_used(seen):
    assert faults(seen, lambda each: each.keyboard["missed"]) == {}


def test_tab_is_held_nowhere(seen):
    assert faults(seen, lambda each: not each.keyboard["around"]) == {}


def test_one_sees_where_the_keyboard_is(seen):
    assert faults(seen, lambda each: each.keyboard["faint"]) == {}
