"""What every fuzzer needs."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def silent() -> Iterator[None]:
    """No log lines: there would be thousands."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
