"""The page in a browser, as somebody in front of it sees and uses it. Asserts nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from tests.support.waiting import wait_until_blocking

SHOWN_S = 40.0
"""A browser on a busy machine."""

NUMBERS = """
return Object.fromEntries([...document.querySelectorAll('ticket-count')].map((each) =>
  [each.getAttribute('filter') ?? each.getAttribute('summary'), each.textContent]));
"""


class Page:
    """The tab that is in front."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, **chosen: str) -> "Page":
        """Loads it anew, as bookmarked with these choices."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}/#{urlencode(chosen)}")
        return self

    def opened(self, **chosen: str) -> "Page":
        """Loads it, and returns once it shows numbers and filters."""
        self.open(**chosen)
        self.wait_word("Live")
        wait_until_blocking(lambda: "all" in self.numbers() and None not in self.numbers().values(), SHOWN_S, "numbers")
        return self

    def numbers(self) -> dict[str, int | None]:
        """What it shows by filter id and by key of the summary; None for no number."""
        texts: Mapping[str, str] = self.run(NUMBERS)
        return {name: int(text.replace(",", "")) if text != "–" else None for name, text in texts.items()}

    @property
    def word(self) -> str:
        """What the light says."""
        return self.text("#light-word")

    def wait_word(self, word: str, within_s: float = SHOWN_S) -> None:
        wait_until_blocking(lambda: self.word == word, within_s, f"the light to say {word}")

    def notice(self) -> str:
        """The title of what is said in place of numbers; "" when nothing is."""
        return self.text("#notice-title")

    def text(self, selector: str) -> str:
        """The visible text."""
        return self.find(selector).text

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def names(self) -> list[str]:
        """Of the filters on show."""
        found: list[str] = self.run("return [...document.querySelectorAll('#filters .name')].map((e) => e.textContent)")
        return found

    def choose(self, picker: str, value: str) -> None:
        Select(self.find(f"#{picker}")).select_by_value(value)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def run_async(self, body: str, *arguments: Any) -> Any:
        """What an async function with this body, called with `args`, returns. Raises AssertionError as it raises."""
        done = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1], args = [...arguments].slice(0, -1);"
            f"(async () => {{ {body} }})().then((value) => done({{value}}), (error) => done({{error: error.stack}}))",
            *arguments,
        )
        assert "error" not in done, done["error"]
        return done.get("value")

    def size(self, width: int, height: int) -> None:
        """The window's inside, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, **features: str) -> None:
        """What the system prefers, like `prefers-reduced-motion`; nothing given: its own."""
        given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": given})

    def problems(self) -> list[str]:
        """What the browser has complained about since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    @contextmanager
    def more_tabs(self, count: int) -> Iterator[list[str]]:
        """That many tabs more, closed at the end; the handles of all, this one first."""
        first = self.driver.current_window_handle
        handles = [first]
        try:
            for _ in range(count):
                self.driver.switch_to.new_window("tab")
                handles.append(self.driver.current_window_handle)
            yield handles
        finally:
            for handle in handles[1:]:
                self.driver.switch_to.window(handle)
                self.driver.close()
            self.driver.switch_to.window(first)
