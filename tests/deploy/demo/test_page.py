"""The demo's page in a real browser: it signs in by itself, as anybody of the demo."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import browser, needs_browser
from tests.browser.page import SHOWN_S, Page
from tests.support.waiting import wait_until_blocking

pytestmark = [needs_browser, pytest.mark.timeout(120)]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Where a running demo is; its invented desk makes no tickets."""
    output = tmp_path / "output"
    command = [sys.executable, "-m", "deploy.local", "--port", "0", "--no-publisher"]
    with output.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            wait_until_blocking(lambda: "Ctrl-C ends" in output.read_text(), 40, "the demo to be ready")
            yield output.read_text().split("  page ")[1].split()[0].rstrip("/")
        finally:
            process.terminate()
            process.wait(20)


def test_the_page_of_the_demo_signs_in_as_each_of_its_people(url: str, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as driver:
        page = Page(driver, url).opened()
        assert page.text("#tenant") == "Example Support"
        assert page.notice() == "No tickets yet"
        assert "VIP Customers" in page.names()
        roles = page.run("return [...document.querySelectorAll('#viewer option')].map((each) => each.textContent)")
        assert roles == ["Admin (agent-01)", "Agent (agent-04)", "User (user-001)"]
        assert page.run("return document.querySelectorAll('#profile option').length") > 1
        page.choose("viewer", "ticket_user")
        wait_until_blocking(lambda: page.numbers().get("all") == 0, SHOWN_S, "the user's numbers")
        assert not page.problems()
