"""Both pages of the API documents show all of them, under the policy of these pages, and with files of ours alone."""

import pytest

from tests.browser.page import SHOWN_S, Page
from tests.support.waiting import wait_until_blocking

TEXT = """
const text = (node) => [...node.childNodes].map((each) => each.nodeType === Node.TEXT_NODE ? each.textContent
  : text(each.shadowRoot ?? each)).join('');
return text(document.body);
"""
"""All text, in shadow roots too."""

REQUESTS = "return performance.getEntriesByType('resource').map((each) => new URL(each.name).origin)"

HTTP = ("/api/v2/ticketing/ticket/count/stream", "/includes/api.php", "/metrics", "CountAnswer", "ErrorAnswer")
EVENTS = ("ticket-events", "ticket-catalogue", "applyTicketEvent", "slaBreached", "secretSha256")


@pytest.mark.parametrize(("path", "shown"), [("/docs", HTTP), ("/docs/events", EVENTS)])
def test_a_page_shows_its_document_and_breaks_no_rule_of_its_policy(
    page: Page, path: str, shown: tuple[str, ...]
) -> None:
    page.driver.get(page.url + path)
    wait_until_blocking(lambda: all(each in page.run(TEXT) for each in shown), SHOWN_S, f"{path} to show {shown}")
    assert set(page.run(REQUESTS)) == {page.url}
    assert page.problems() == []


def test_an_operation_shows_its_parameters_answers_and_headers(page: Page) -> None:
    page.driver.get(f"{page.url}/docs#/counts/getTicketCount")
    shown = ("templateProfileFilterId", "X-Counts-As-Of", "INVALID_FILTER_ID", "WWW-Authenticate")
    wait_until_blocking(lambda: all(each in page.run(TEXT) for each in shown), SHOWN_S, f"the operation with {shown}")
    assert page.problems() == []
