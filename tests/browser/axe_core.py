"""axe-core, which judges a page's accessibility; its version and its bytes are pinned by a lock."""

from pathlib import Path
from typing import Any

from selenium import webdriver

from tests.support.fetched import node_modules

LOCK = Path(__file__).parent / "axe"
SERIOUS = ("serious", "critical")


def axe_script() -> str:
    """The script. Raises NotFetched."""
    return (node_modules(LOCK) / "axe-core" / "axe.min.js").read_text()


def findings(driver: webdriver.Chrome, script: str) -> list[str]:
    """What is seriously wrong with the page as it is now, each with the elements it is about."""
    driver.execute_script(script)
    found: dict[str, Any] = driver.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[0], (e) => arguments[0]({error: String(e)}))"
    )
    assert "error" not in found, found
    assert len(found["passes"]) > 5, "it has judged something"
    return [
        f"{each['impact']} {each['id']}: {[node['html'][:200] for node in each['nodes']]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]
