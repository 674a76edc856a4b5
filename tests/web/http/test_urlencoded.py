"""Queries and forms are decoded as the standard library does it, without holding the event loop up for seconds."""

import sys
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.http.urlencoded import MOST_STRAY, TooMany, pairs
from tests.web.push.streaming.streams import STREAM
from tests.web.world import COUNT, QUERY, World

PIECES = (
    "&", "=", "+", "%", "4", "1", "f", "C3", "%C3%A9", "%c3", "%0a", "%3D", "%25", "%2", "==", "a", "_", ".", "é",
    "\r\n", "\n", "\t", " ", "\udcff",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_parameters_are_those_of_the_standard_library(text: str) -> None:
    expected = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    found = pairs(text.encode("utf-8", "surrogateescape"), 1_000)
    assert [*map(readable, found)] == [*map(readable, expected)]


def readable(pair: tuple[str, str]) -> tuple[str, ...]:
    """Without what decides nothing: which of two bytes was escaped, where they are one character only together."""
    return tuple(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in pair)


@pytest.mark.parametrize("value", [b"%41" * 300_000, b"a%41" * 250_000, b"+" * 1_000_000, b"=%3d\n" * 200_000])
def test_a_long_value_costs_few_steps(value: bytes) -> None:
    steps = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        ((name, decoded),) = pairs(b"a=" + value, 1_000)
    finally:
        sys.setprofile(None)
    assert (name, len(decoded) > 200_000) == ("a", True)
    assert steps < 100


def test_what_would_cost_many_is_refused() -> None:
    for encoded in (b"a&" * 1_000, b"&" * 1_000, b"a=" + b"%" * (MOST_STRAY + 1)):
        with pytest.raises(TooMany):
            pairs(encoded, 1_000)
    assert len(pairs(b"a&" * 999, 1_000)) == 999
    assert pairs(b"a=" + b"%" * MOST_STRAY, 1_000) == [("a", "%" * MOST_STRAY)]


@pytest.mark.parametrize("more", ["&a" * 2_000, f"&a={'%' * 2_000}"])
@pytest.mark.parametrize("path", [COUNT, STREAM])
async def test_such_a_query_is_400(world: World, path: str, more: str) -> None:
    answer = await world.client.get(f"{path}?{QUERY}&filterIds=all{more}", headers=world.headers())
    assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"field": "query"})


async def test_500_ids_may_be_sent_each_in_a_parameter_of_its_own(world: World) -> None:
    query = "&".join(f"filterIds=%F0%9F%98%80{number:>090}" for number in range(500))
    answer = await world.client.get(f"{COUNT}?{QUERY}&{query}", headers=world.headers())
    assert answer.status_code == 422
    assert len(answer.json()["error"]["details"]["invalidIds"]) == 500
