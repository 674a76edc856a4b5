"""Tabs share one stream, so that eight of them work over HTTP/1.1, where a browser opens six connections."""

import pytest

from tests.browser.page import SHOWN_S, Page
from tests.browser.world import World
from tests.deploy.clone import ROOT
from tests.deploy.documents import blocks_of
from tests.support.waiting import wait_until_blocking

TABS = 8
STREAMS = 4
"""At most, however many views the tabs show: the other connections are for requests."""

VIEWS = [
    {"viewer": viewer, "perspective": perspective, "profile": profile}
    for viewer in ("ticket_admin", "ticket_agent")
    for perspective in ("template", "user")
    for profile in ("", "hot")
]

PAGE_DOCUMENT = ROOT / "docs" / "page.md"

ONLY_LOCKS = "Reflect.deleteProperty(window, 'SharedWorker')"
NEITHER = f"{ONLY_LOCKS}; Object.defineProperty(Navigator.prototype, 'locks', {{value: undefined}})"


@pytest.fixture(autouse=True)
def _no_streams_before(world: World, page: Page) -> None:
    wait_until_blocking(lambda: world.streams() == 0, SHOWN_S, "streams of the test before to end")


def in_every(page: Page, handles: list[str], expected: list[dict[str, int]]) -> bool:
    """Whether each tab shows what is expected of it."""
    for handle, numbers in zip(handles, expected, strict=True):
        page.driver.switch_to.window(handle)
        if page.numbers() != numbers:
            return False
    return True


def test_eight_tabs_of_one_view_share_one_stream_and_all_follow(world: World, page: Page) -> None:
    with page.more_tabs(TABS - 1) as handles:
        for handle in handles:
            page.driver.switch_to.window(handle)
            page.opened(viewer="ticket_admin")
        assert world.streams() == 1
        world.counted_ticket()
        numbers = world.counts()
        wait_until_blocking(lambda: in_every(page, handles, [numbers] * TABS), SHOWN_S, "the ticket in every tab")
        for handle in handles:
            page.driver.switch_to.window(handle)
            assert page.word == "Live"
    page.driver.get("about:blank")
    wait_until_blocking(lambda: world.streams() == 0, SHOWN_S, "the stream to end with the last tab")


@pytest.mark.parametrize(
    ("without", "most"),
    [
        pytest.param("", STREAMS, id="shared"),
        pytest.param(ONLY_LOCKS, STREAMS, id="only locks", marks=pytest.mark.exhaustive),
    ],
)
def test_eight_tabs_of_eight_views_leave_connections_for_requests(
    world: World, page: Page, without: str, most: int
) -> None:
    with page.more_tabs(TABS - 1) as handles:
        for handle, view in zip(handles, VIEWS, strict=True):
            page.driver.switch_to.window(handle)
            page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": without})
            page.opened(**view)
        assert page.run("return 'SharedWorker' in window") == (not without)
        assert 1 < world.streams() <= most
        world.counted_ticket(assignee="boss", priority="4196")
        expected = [
            world.counts(view["viewer"], perspective=view["perspective"], profile=view["profile"] or None)
            for view in VIEWS
        ]
        wait_until_blocking(lambda: in_every(page, handles, expected), SHOWN_S, "each view's numbers")
    page.driver.get("about:blank")


def test_a_tab_alone_without_workers_and_locks_still_streams(world: World, page: Page) -> None:
    with page.more_tabs(1) as [_, tab]:
        page.driver.switch_to.window(tab)
        page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NEITHER})
        page.opened(viewer="ticket_admin")
        assert page.run("return ['SharedWorker' in window, navigator.locks === undefined]") == [False, True]
        assert world.streams() == 1
        world.new_ticket()
        wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the new ticket")


def test_another_page_shows_single_counts_as_documented(world: World, blank: Page) -> None:
    page = blank
    blocks = [block for block in blocks_of(PAGE_DOCUMENT) if block.kind in ("js", "html")]
    script = blocks[0].text.replace(
        'import { connect } from "/ticket-counts/', 'const { connect } = await import("/dashboard/'
    )
    script = script.replace('ticket-counts.js";', 'ticket-counts.js");')
    assert "/my-session/token" in script
    page.run_async(
        f"""
        const real = window.fetch;
        window.fetch = async (url, ...how) =>
          String(url) === '/my-session/token' ? new Response(args[0]) : real(url, ...how);
        document.body.innerHTML = args[1];
        window.changes = [];
        document.body.addEventListener('count', ({{target, detail}}) =>
          target.hasAttribute('filter') && window.changes.push(detail));
        {script}
        """,
        world.token(),
        blocks[1].text,
    )
    open_before = world.counts()["3745"]
    shown = "return document.querySelector('ticket-count').textContent"
    wait_until_blocking(lambda: page.run(shown) == str(open_before), SHOWN_S, "the count")
    assert page.run("return document.querySelector('ticket-count').dataset.status") in ("live", "delayed")
    world.new_ticket()
    wait_until_blocking(lambda: page.run(shown) == str(open_before + 1), SHOWN_S, "the next count")
    assert page.run("return window.changes") == [
        {"value": open_before, "before": None},
        {"value": open_before + 1, "before": open_before},
    ]
