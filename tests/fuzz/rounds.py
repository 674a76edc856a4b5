"""Runs a check on new examples until its time is over: seconds in every run, longer where a variable says so."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples, is_quick

SECONDS = float(os.environ.get("TICKET_COUNTS_TEST_FUZZ_SECONDS") or (0 if is_quick() else 3))
"""Of each fuzzer; `make test` runs one round. Ten minutes is what has to find nothing before a release."""

EXAMPLES = examples(200)
"""Of one round; the clock is looked at between rounds."""

within_its_time = pytest.mark.timeout(SECONDS + 120)
"""A failure takes a while to become small."""


def fuzz(check: Callable[..., None], *values: st.SearchStrategy[Any]) -> None:
    """At least one round; each draws anew."""
    one_round = settings(max_examples=EXAMPLES)(given(*values)(check))
    ends, rounds = time.monotonic() + SECONDS, 0
    while rounds == 0 or time.monotonic() < ends:
        one_round()
        rounds += 1
    print(f"{rounds * EXAMPLES:,} examples")
