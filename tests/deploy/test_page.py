"""The demo's page in a real browser: it signs in by itself, and shows what the stream pushes."""

import asyncio
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from consumers.publish import publish
from consumers.settings import Settings
from deploy.example import TENANT
from tests.waiting import wait_until_blocking

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")

HEADLESS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
"""Also as root and in a container; and it asks nobody outside for anything."""

SHOWN_S = 20.0
"""A browser on a busy machine."""

PUSHED_S = 1.0
"""From the broker's acknowledgement to the number on the page, by the issue."""

pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on PATH"),
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """What a running demo without a publisher tells other terminals."""
    output = tmp_path_factory.mktemp("demo") / "output"
    command = [sys.executable, "-m", "deploy.local", "--port", "0", "--no-publisher"]
    with output.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            wait_until_blocking(lambda: "Ctrl-C ends" in output.read_text(), 40, "the demo to be ready")
            folder = output.read_text().split("`. ")[1].split("`")[0]
            yield exported(Path(folder).read_text())
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser that nobody used before."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (*HEADLESS, f"--user-data-dir={tmp_path}", "--window-size=1280,1000"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def test_a_published_ticket_is_counted_on_the_page_within_a_second(
    demo: Mapping[str, str], browser: webdriver.Chrome
) -> None:
    browser.get(f"{demo['DEMO_URL']}/")
    wait_until_blocking(lambda: shown(browser, "all") == "0", SHOWN_S, "the first counts on the page")
    asyncio.run(publish_ticket(demo))
    wait_until_blocking(lambda: shown(browser, "all") == "1", PUSHED_S, "the new ticket on the page")
    counts, summary = asked(demo)
    assert {name: int(shown(browser, name)) for name in counts} == counts
    assert browser.find_element(By.ID, "summary-totalOpen").text == str(summary["totalOpen"])
    assert browser.find_element(By.ID, "light").get_attribute("data-state") == "live"
    problems = [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]
    assert not problems


def exported(text: str) -> dict[str, str]:
    """The variables of a shell file of exports."""
    return dict(shlex.split(line)[1].split("=", 1) for line in text.splitlines())


def shown(browser: webdriver.Chrome, filter_id: str) -> str:
    """What the page shows for a filter; "" while it doesn't."""
    found = browser.find_elements(By.CSS_SELECTOR, f'output[data-filter="{filter_id}"]')
    return found[0].text if found else ""


async def publish_ticket(demo: Mapping[str, str]) -> None:
    event = {
        "specversion": "1.0", "id": "page-1", "source": "/test", "type": "ticket.created", "subject": "PAGE-1",
        "tenantid": TENANT, "sequence": 1,
        "data": {"status": "3745", "priority": "4195", "createdAt": "2026-11-22T00:00:00Z", "team": "network"},
    }  # fmt: skip
    await publish([json.dumps(event).encode()], Settings.read(demo))


def asked(demo: Mapping[str, str]) -> tuple[dict[str, int], dict[str, int]]:
    """The same by HTTP: every filter there is."""
    headers = {
        "authorization": f"Bearer {demo['DEMO_ADMIN']}",
        "x-tenantid": demo["DEMO_TENANT"],
        "realmname": demo["DEMO_REALM"],
    }
    base, query = f"{demo['DEMO_URL']}/api/v2/ticketing/ticket", "type=template&module=ticketing"
    filters = httpx.get(f"{base}/filters?{query}", headers=headers).json()["data"]["filters"]
    body = {"filterIds": [each["id"] for each in filters]}
    data = httpx.post(f"{base}/count?{query}", headers=headers, json=body).json()["data"]
    return data["counts"], data["summary"]
