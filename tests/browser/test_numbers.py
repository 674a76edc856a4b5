"""What the page shows is what the API answers, for whoever looks, and follows every change at once."""

import time

import pytest

from tests.browser.page import SHOWN_S, Page
from tests.browser.world import NASTY, TENANT, World
from tests.journeys.programs.catalogue_lines import HIGH, removal, saved_filter
from tests.support.waiting import wait_until_blocking

SOON_S = 1.0
"""From the broker's acknowledgement to the number on the page."""

TRIES = 20
"""One that is shown so soon is enough: without a push, none would be. How many are is the machine's to say."""


def test_an_event_changes_the_right_numbers_within_a_second_and_they_equal_an_http_read(
    world: World, page: Page
) -> None:
    before = page.opened(viewer="ticket_admin").numbers()
    assert before == world.counts()
    took: list[float] = []
    while len(took) < 2 or (min(took) >= SOON_S and len(took) < TRIES):
        world.new_ticket(priority=HIGH)
        published = time.monotonic()
        shown = before["all"]
        wait_until_blocking(lambda: page.numbers()["all"] != shown, SHOWN_S, "the new ticket on the page")  # noqa: B023
        took.append(time.monotonic() - published)
        after = page.numbers()
        grown = {name for name, count in after.items() if count != before[name]}
        assert grown == {"all", "3745", HIGH, "nasty", "long", "totalOpen"}
        assert all(after[name] == (before[name] or 0) + 1 for name in grown)
        assert after == world.counts()
        before = after
    assert min(took) < SOON_S
    assert not page.problems()


@pytest.mark.parametrize(
    ("role", "perspective", "profile"),
    [
        ("ticket_admin", "user", ""),
        ("ticket_admin", "template", "hot"),
        ("ticket_agent", "template", ""),
        ("ticket_agent", "agent", ""),
        ("ticket_user", "template", ""),
    ],
)
def test_each_viewer_sees_their_own_numbers(
    world: World, page: Page, role: str, perspective: str, profile: str
) -> None:
    page.opened(viewer=role, perspective=perspective, profile=profile)
    expected = world.counts(role, perspective=perspective, profile=profile or None)
    wait_until_blocking(lambda: page.numbers() == expected, SHOWN_S, f"{expected}, not {page.numbers()}")


def test_choices_change_the_numbers_and_are_kept_in_the_address(world: World, page: Page) -> None:
    page.opened(viewer="ticket_admin")
    for picker, value in (("viewer", "ticket_agent"), ("perspective", "agent"), ("zone", "Asia/Tokyo")):
        page.choose(picker, value)
    expected = world.counts("ticket_agent", perspective="agent")
    wait_until_blocking(lambda: page.numbers() == expected, SHOWN_S, "the agent's numbers")
    page.driver.refresh()
    wait_until_blocking(lambda: page.numbers() == expected, SHOWN_S, "the agent's numbers after a reload")
    assert page.run("return document.getElementById('zone').value") == "Asia/Tokyo"
    page.choose("viewer", "ticket_user")
    wait_until_blocking(lambda: page.numbers() == world.counts("ticket_user"), SHOWN_S, "the user's numbers")
    assert page.run("return document.querySelector('#perspective [value=agent]').disabled")


def test_a_name_and_a_colour_that_are_code_are_shown_as_text(world: World, page: Page) -> None:
    page.opened(viewer="ticket_admin")
    assert NASTY in page.names()
    assert page.run("return document.querySelectorAll('#filters :is(img, b, script)').length") == 0
    row = "[...document.querySelectorAll('#filters li')].find((e) => e.querySelector('[filter=nasty]'))"
    assert page.run(f"return {row}.style.length") <= 1  # the length of its bar, and not the colour
    assert page.driver.title.endswith(f"open · {TENANT}")
    with pytest.raises(Exception, match="TrustedHTML"):
        page.run("document.body.innerHTML = arguments[0]", NASTY)


def test_filters_come_change_and_go_without_a_reload(world: World, page: Page) -> None:
    high = {"field": "priority", "op": "eq", "value": HIGH}
    world.publish(saved_filter(TENANT, "passing", high, name="Passing"))
    wait_until_blocking(lambda: "passing" in world.counts(), SHOWN_S, "the new filter")
    page.opened(viewer="ticket_admin")
    page.run("window.sameLoad = true")
    assert "Passing" in page.names()
    world.publish(saved_filter(TENANT, "passing", high, name="Renamed"))
    wait_until_blocking(lambda: "Renamed" in page.names(), SHOWN_S, "the new name")
    world.publish(removal("filter", "passing", TENANT))
    wait_until_blocking(lambda: "Renamed" not in page.names(), SHOWN_S, "the filter to go")
    page.wait_word("Live")
    wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the numbers of the others")
    assert page.run("return window.sameLoad")


def test_a_changed_number_moves_unless_less_motion_is_wanted(world: World, page: Page) -> None:
    record = """
    window.moved = [];
    document.addEventListener('count', ({target}) => queueMicrotask(() => window.moved.push([
      target.closest('.changed') !== null,
      target.getAnimations().some((one) => !one.animationName),
    ])));
    """
    for preference, moves in (("no-preference", True), ("reduce", False)):
        page.prefer(prefers_reduced_motion=preference)
        page.opened(viewer="ticket_admin").run(record)
        world.new_ticket()
        wait_until_blocking(lambda: page.run("return window.moved.length") >= 3, SHOWN_S, "changed numbers")
        assert {tuple(each) for each in page.run("return window.moved")} == {(True, moves)}


def test_a_trend_is_drawn_of_what_the_page_has_seen(world: World, page: Page) -> None:
    page.opened(viewer="ticket_admin")
    path = "return document.querySelector('[data-key=totalOpen] .line').getAttribute('d')"
    flat = page.run(path)
    assert len(set(page.run("return arguments[0].match(/V[^H]+/g)", flat))) == 1
    world.new_ticket()
    wait_until_blocking(lambda: page.run(path) != flat, SHOWN_S, "a step in the line")
    assert len(set(page.run("return arguments[0].match(/V[^H]+/g)", page.run(path)))) == 2
