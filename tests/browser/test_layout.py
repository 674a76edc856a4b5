"""The page fits a phone and a wall, can be read by everybody, and by machines for them."""

import pytest

from tests.browser.axe_core import findings
from tests.browser.page import Page

SIZES = {"phone": (360, 740), "tablet": (820, 1100), "laptop": (1280, 800), "wall": (1920, 1080)}

WIDEST = """
for (const tile of document.querySelectorAll('.tile')) {
  const count = tile.querySelector('ticket-count');
  count.textContent = '1,234,567';
  count.dispatchEvent(new CustomEvent('count', {bubbles: true, detail: {value: 1234567, before: null}}));
}
for (const count of document.querySelectorAll('#filters ticket-count')) count.textContent = '1,234,567';
"""
"""As many digits as a large tenant has."""

CLIPPED = """
const wrong = [];
const box = (e) => e.getBoundingClientRect();
const inside = (inner, outer) => inner.left >= outer.left - 1 && inner.right <= outer.right + 1
  && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
const textBox = (e) => { const range = document.createRange(); range.selectNodeContents(e); return box(range); };
if (document.documentElement.scrollWidth > innerWidth) wrong.push('the page scrolls sideways');
for (const tile of document.querySelectorAll('.tile')) {
  const texts = [...tile.querySelectorAll('h2, .delta, ticket-count')].filter((e) => e.textContent);
  for (const e of texts) if (!inside(textBox(e), box(tile))) wrong.push(`clipped: ${e.textContent}`);
  for (const a of texts) for (const b of texts) {
    if (a !== b && meet(textBox(a), textBox(b))) wrong.push(`overlap: ${a.textContent} and ${b.textContent}`);
  }
}
for (const row of document.querySelectorAll('#filters li')) {
  const [name, count] = [row.querySelector('.name'), row.querySelector('ticket-count')];
  for (const e of [name, count]) if (!inside(textBox(e), box(row))) wrong.push(`clipped: ${e.textContent}`);
  if (meet(textBox(name), textBox(count))) wrong.push(`overlap: ${name.textContent} and ${count.textContent}`);
}
const places = [...document.querySelectorAll('header > *, .tile, #filters, footer')].filter((e) => e.offsetWidth);
for (const a of places) for (const b of places) if (a !== b && meet(box(a), box(b))) {
  wrong.push(`overlap: ${a.id || a.tagName} and ${b.id || b.tagName}`);
}
return wrong;
"""

BELOW = """
return [...document.querySelectorAll('.tile, #filters li')]
  .filter((e) => e.getBoundingClientRect().bottom > innerHeight).length;
"""

SMALLEST = """
return Math.min(...[...document.querySelectorAll(arguments[0])].map((e) => parseFloat(getComputedStyle(e).fontSize)));
"""

EDGES = """
return [...document.querySelectorAll('#filters section')].map((section) => new Set([...section
  .querySelectorAll('ticket-count')].map((e) => Math.round(e.getBoundingClientRect().right))).size);
"""


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_clipped_overlaps_or_scrolls_sideways(page: Page, size: str) -> None:
    page.size(*SIZES[size])
    page.opened(viewer="ticket_admin")
    assert page.run(CLIPPED) == []
    page.run(WIDEST)
    assert page.run(CLIPPED) == []
    assert set(page.run(EDGES)) == {1}, "numbers of a group end at one line"
    if page.find("#choices-toggle").is_displayed():
        page.find("#choices-toggle").click()
        assert page.find("#zone").is_displayed()
        assert page.run(CLIPPED) == []


def test_on_a_wall_all_is_seen_at_once_and_read_from_3_m(page: Page) -> None:
    page.size(*SIZES["wall"])
    page.opened(viewer="ticket_admin")
    assert page.run(BELOW) == 0
    # Digits are 0.7 of that: 13 mm on a 55-inch screen, which is 15 minutes of arc from 3 m; 5 is what eyes can read.
    assert page.run(SMALLEST, "#filters ticket-count") >= 30
    assert page.run(SMALLEST, ".number") >= 80
    assert "tabular-nums" in page.run(
        "return getComputedStyle(document.querySelector('#filters ticket-count')).fontVariantNumeric"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Page, axe: str, theme: str) -> None:
    for viewer, word in (("ticket_admin", "Live"), ("stranger", "No access")):
        page.open(viewer=viewer, theme=theme).wait_word(word)
        assert findings(page.driver, axe) == []
    page.size(*SIZES["phone"])
    page.opened(viewer="ticket_admin", theme=theme)
    page.find("#choices-toggle").click()
    assert findings(page.driver, axe) == []
    page.run("document.body.dataset.status = 'reconnecting'; document.getElementById('sign-in').hidden = false")
    assert findings(page.driver, axe) == []


def test_axe_would_find_something(page: Page, axe: str) -> None:
    page.opened(viewer="ticket_admin").run("document.querySelector('#zone').parentNode.replaceWith(zone)")
    assert any("select-name" in finding for finding in findings(page.driver, axe))


def test_everything_that_can_be_used_is_reached_with_the_keyboard(page: Page) -> None:
    page.opened(viewer="ticket_admin")
    reached: list[str] = []
    tab = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    for _ in range(8):
        for kind in ("keyDown", "keyUp"):
            page.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, **tab})
        reached.append(page.run("const e = document.activeElement; return e.id || e.getAttribute('href')"))
        assert page.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == ["#summary", "viewer", "perspective", "profile", "zone", "theme", "filters", "/docs"]


def test_only_the_lights_word_and_notices_are_spoken(page: Page) -> None:
    page.opened(viewer="ticket_admin")
    spoken = (
        "return [...document.querySelectorAll('[aria-live], [role=status], [role=alert], output')].map((e) => e.id)"
    )
    assert page.run(spoken) == ["light-word", "notice"]
