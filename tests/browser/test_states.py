"""How far the numbers can be trusted is said at every moment, and every failure heals without a reload."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.browser.page import SHOWN_S, Page
from tests.browser.world import REALM, TENANT, World
from tests.journeys.programs.catalogue_lines import tenant
from tests.support.waiting import wait_until_blocking

NOTICED_S = 5.0
LATE_S = 15.0
"""Counts are called late within 10 s of a failure, by the contract."""


def test_a_killed_service_shows_reconnecting_and_recovers_without_reload(world: World, page: Page) -> None:
    page.opened(viewer="ticket_admin")
    page.run("window.sameLoad = true")
    world.service.kill()
    page.wait_word("Reconnecting", NOTICED_S)
    assert page.text("#light-age").endswith(" old")
    assert None not in page.numbers().values(), "the last ones stay"
    world.new_ticket()
    world.start_service()
    page.wait_word("Live")
    wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the numbers of meanwhile")
    assert page.run("return window.sameLoad")
    assert page.text("#light-age").endswith(("just now", "ago"))


@pytest.mark.exhaustive  # a planned end is met in test_client.py, a restart in the test above
def test_a_service_that_is_restarted_properly_is_found_again(world: World, page: Page) -> None:
    page.opened(viewer="ticket_admin")
    world.service.terminate()
    page.wait_word("Reconnecting")
    world.start_service()
    page.wait_word("Live")
    wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the numbers")


def test_a_consumer_that_lags_behind_shows_delayed(world: World, page: Page) -> None:
    page.opened(viewer="ticket_admin")
    world.consumers.pause()
    try:
        page.wait_word("Delayed", LATE_S)
        assert page.text("#light-age").endswith(" old")
    finally:
        world.consumers.thaw()
    page.wait_word("Live", LATE_S)


def test_a_page_that_one_comes_back_to_goes_on(world: World, page_that_is_kept: Page) -> None:
    page = page_that_is_kept.opened(viewer="ticket_admin")
    page.run("window.sameLoad = true")
    page.driver.get(f"{page.url}/docs")
    world.new_ticket()
    page.driver.back()
    assert page.run("return window.sameLoad"), "the browser has kept it"
    wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the ticket of meanwhile")
    world.new_ticket()
    wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the next ticket")
    page.wait_word("Live")


def test_an_empty_tenant_shows_zeros_and_its_first_ticket(world: World, page: Page) -> None:
    page.opened(viewer="empty")
    assert set(page.numbers().values()) == {0}
    assert page.notice() == "No tickets yet"
    world.new_ticket("empty")
    wait_until_blocking(lambda: page.numbers()["all"] == 1, SHOWN_S, "the first ticket")
    assert page.notice() == ""


def test_a_loading_tenant_is_warming_until_it_is_loaded(world: World, page: Page) -> None:
    page.open(viewer="loading").wait_word("Warming up")
    assert page.notice() == "Counting for the first time"
    assert not page.find("#summary").is_displayed()
    world.publish(tenant("loading"))
    page.wait_word("Live")
    assert page.notice() == "No tickets yet"
    assert page.find("#summary").is_displayed()


def test_somebody_without_a_role_has_no_access_and_is_told_why(page: Page) -> None:
    page.open(viewer="stranger").wait_word("No access")
    assert page.notice() == "No access"
    assert page.text("#notice-text") == "The token names no role that may see ticket counts."
    assert not page.find("#summary").is_displayed()
    page.choose("viewer", "ticket_admin")
    page.wait_word("Live")
    assert page.notice() == ""


def test_access_that_is_taken_away_greys_the_numbers_and_comes_back_by_itself(world: World, page: Page) -> None:
    page.opened(viewer="ticket_admin")
    colour = "return getComputedStyle(document.querySelector('#summary .number')).color"
    trusted = page.run(colour)
    page.run("window.sameLoad = true")
    world.publish({"kind": "tenant", "id": TENANT, "value": None})
    try:
        page.wait_word("No access")
        assert page.text("#notice-text") == "The tenant does not exist."
        wait_until_blocking(lambda: page.run(colour) != trusted, SHOWN_S, "the numbers to be greyed")
    finally:
        world.found()
    page.wait_word("Live")
    assert page.run("return window.sameLoad")
    wait_until_blocking(lambda: page.run(colour) == trusted, SHOWN_S, "the numbers as they were")


@contextmanager
def no_demo(world: World) -> Iterator[None]:
    """A service that hands out no tokens."""
    world.sign_in.unlink()
    try:
        yield
    finally:
        world.write_sign_in()


def signed_in(page: Page, token: str) -> None:
    """Pasted rather than typed: a driver types a token for seconds."""
    for name, value in {"realm": REALM, "tenant": TENANT, "token": token}.items():
        page.run("arguments[0].value = arguments[1]", page.find(f"#sign-in [name={name}]"), value)
    page.find("#sign-in button").click()


def test_without_a_demo_it_takes_a_token_that_stays_in_the_tab(world: World, page: Page) -> None:
    with no_demo(world):
        page.open().wait_word("Signed out")
        assert not page.find("#summary").is_displayed()
        token = world.token()
        signed_in(page, token)
        page.wait_word("Live")
        wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the numbers")
        page.driver.refresh()
        wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the numbers after a reload")
        places = "return [location.href, document.cookie, JSON.stringify(localStorage), document.referrer]"
        requests = "return performance.getEntriesByType('resource').map((each) => each.name)"
        assert token.split(".")[2] not in str([page.run(places), page.run(requests)])
        page.find("#sign-out").click()
        page.wait_word("Signed out")
        assert page.run("return sessionStorage.length") == 0


def test_a_token_that_ends_is_asked_for_again(world: World, page: Page) -> None:
    with no_demo(world):
        page.open().wait_word("Signed out")
        signed_in(page, world.token(ttl_s=6))
        page.wait_word("Live")
        page.run("window.sameLoad = true")
        page.wait_word("Signed out")
        assert page.find("#sign-in").is_displayed()
        signed_in(page, world.token())
        page.wait_word("Live")
        assert page.run("return window.sameLoad")


def test_in_a_demo_a_token_that_ends_is_renewed_by_itself(world: World, page: Page) -> None:
    ended = time.monotonic() + 6
    world.write_sign_in(ttl_s=6)
    try:
        page.opened(viewer="ticket_user")
    finally:
        world.write_sign_in()
    page.run("""
      window.words = [];
      const word = document.getElementById('light-word');
      new MutationObserver(() => window.words.push(word.textContent)).observe(word, {childList: true});
    """)
    wait_until_blocking(lambda: time.monotonic() > ended, SHOWN_S, "the end of the token")
    world.new_ticket(requester="rob")
    wait_until_blocking(lambda: page.numbers() == world.counts("ticket_user"), SHOWN_S, "a number of after that")
    page.wait_word("Live")
    assert "Signed out" not in page.run("return window.words")
