"""Log lines: one a message from us and from libraries, readable by machines, without what must not be in them."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from service import logs


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    quieted = {name: logging.getLogger(name).level for name in logs.QUIETED}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, before in quieted.items():
        logging.getLogger(name).setLevel(before)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_our_lines_and_those_of_libraries_are_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "json", "service")
    structlog.get_logger("ours").info("started", port=8080)
    logging.getLogger("theirs").warning("lost %s", "node 1", extra={"node": 1})
    ours, theirs = written(capsys)
    assert {**ours, "timestamp": ""} == {
        "event": "started", "port": 8080, "level": "info", "logger": "ours", "process": "service", "timestamp": "",
    }  # fmt: skip
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("lost node 1", "warning", "theirs")
    assert (theirs["node"], theirs["process"]) == (1, "service")
    assert ours["timestamp"].endswith("Z")


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("warning", "json", "service")
    structlog.get_logger("ours").info("quiet")
    logging.getLogger("theirs").info("quiet")
    structlog.get_logger("ours").warning("loud")
    assert [line["event"] for line in written(capsys)] == ["loud"]


def test_setting_up_again_replaces_what_was_before(capsys: pytest.CaptureFixture[str]) -> None:
    logger = structlog.get_logger("ours")
    logs.set_up("error", "json", "one")
    logger.info("quiet")
    logs.set_up("info", "json", "two")
    logger.info("loud")
    assert [(line["event"], line["process"]) for line in written(capsys)] == [("loud", "two")]


def test_records_of_the_client_are_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("debug", "json", "consumers")
    logging.getLogger("aiokafka.producer.producer").debug("Sending (key=k value=%s) to t", "secret")
    logging.getLogger("theirs").debug("kept")
    assert [line["event"] for line in written(capsys)] == ["kept"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_tracebacks_have_no_local_variables(log_format: logs.LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", log_format, "service")
    _fail_with("sesame")
    said = capsys.readouterr().err
    assert "ValueError: broken" in said
    assert "sesame" not in said


def _fail_with(password: str) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("ours").exception("failed", length=len(password))
