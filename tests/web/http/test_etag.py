"""Conditional GETs: when the client's answer is still the answer, and everything that makes it another one."""

import re
from typing import Any

import msgspec
import pytest

from tests.web.world import TICKETS, World, a_world

ASKED = "filterIds=all,7471&timezone=Asia/Kathmandu"


async def _etag(world: World, query: str = ASKED, **viewer: Any) -> str:
    bearer = world.token(viewer.pop("user", "ann"), *viewer.pop("roles", ()), **viewer)
    answer = await world.get(query, bearer=bearer)
    assert answer.status_code == 200
    etag: str = answer.headers["etag"]
    return etag


async def test_an_etag_is_version_and_view(world: World) -> None:
    answer = await world.get(ASKED)
    match = re.fullmatch(r'W/"(.+)\.([A-Za-z0-9_-]{16})"', answer.headers["etag"])
    assert match is not None
    assert match[1] == answer.headers["x-counts-version"]
    assert answer.headers["cache-control"] == "private, no-cache"


async def test_a_known_answer_is_304_with_its_headers_and_no_body() -> None:
    world = await a_world(expose_positions=True)
    first = await world.get(ASKED)
    again = await world.get(ASKED, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-length" not in again.headers
    for name in ("etag", "cache-control", "vary", "x-counts-version", "x-counts-fresh", "x-counts-position"):
        assert again.headers[name] == first.headers[name]


@pytest.mark.parametrize(
    ("template", "status"),
    [
        ("*", 304), (" * ", 304), ("{}", 304), ('"x", {}', 304), ('W/"x",{} , "y"', 304), ('"a,b", {}', 304),
        ('"x"', 200), ("", 200), ("x", 200), ('W/"x"', 200), ('"', 200), ('"*"', 200),
    ],
)  # fmt: skip
async def test_if_none_match_is_a_list_compared_weakly(world: World, template: str, status: int) -> None:
    etag = await _etag(world)
    assert (await world.get(ASKED, **{"if-none-match": template.format(etag)})).status_code == status


async def test_an_intermediary_may_have_made_the_tag_strong(world: World) -> None:
    strong = (await _etag(world)).removeprefix("W/")
    assert strong.startswith('"')
    for sent in (strong, f'"x", {strong}', f"W/{strong}"):
        assert (await world.get(ASKED, **{"if-none-match": sent})).status_code == 304


async def test_if_none_match_in_two_lines_is_one_list(world: World) -> None:
    etag = await _etag(world)
    headers = [*world.headers().items(), ("if-none-match", '"x"'), ("if-none-match", etag)]
    url = f"/api/v2/ticketing/ticket/count?type=template&module=ticketing&{ASKED}"
    assert (await world.client.get(url, headers=headers)).status_code == 304


async def test_a_post_is_never_304(world: World) -> None:
    answer = await world.client.post(
        "/api/v2/ticketing/ticket/count?type=template&module=ticketing",
        headers=world.headers() | {"if-none-match": "*"},
        json={"filterIds": ["all"]},
    )
    assert answer.status_code == 200
    assert "etag" not in answer.headers


async def test_everything_that_can_change_the_answer_changes_the_view(world: World) -> None:
    etags = [
        await _etag(world),
        await _etag(world, user="bob"),
        await _etag(world, roles=("ticket_agent",)),
        await _etag(world, roles=("ticket_user",)),
        await _etag(world, teams=("network",)),
        await _etag(world, teams=("network", "support")),
        await _etag(world, "filterIds=all&timezone=Asia/Kathmandu"),
        await _etag(world, "filterIds=7471,all&timezone=Asia/Kathmandu"),
        await _etag(world, ASKED + "&templateProfileFilterId=own"),
        await _etag(world, "filterIds=all,7471&timezone=Asia/Calcutta"),
        (
            await world.client.get(
                f"/api/v2/ticketing/ticket/count?type=user&module=ticketing&{ASKED}", headers=world.headers()
            )
        ).headers["etag"],
    ]
    assert len(set(etags)) == len(etags)
    assert etags[0] == await _etag(world)
    assert etags[5] == await _etag(world, teams=("support", "network", "support"))


async def test_the_local_date_changes_the_view_at_its_own_midnight(world: World) -> None:
    # 08:00 in UTC is 13:45 in Kathmandu, so midnight there is 18:15 in UTC.
    before, in_utc = await _etag(world), await _etag(world, "filterIds=all")
    midnight = (10 * 3600 + 15 * 60) * 1_000_000 - 123_456
    world.clock.now += midnight - 1
    assert await _etag(world, exp=2_000_000_000) == before
    world.clock.now += 1
    assert await _etag(world, exp=2_000_000_000) != before
    assert await _etag(world, "filterIds=all", exp=2_000_000_000) == in_utc


async def test_a_change_of_counts_or_catalogue_changes_the_etag(world: World) -> None:
    first = await _etag(world)
    await world.apply("acme", {"t9": TICKETS["t5"]})
    second = await _etag(world)
    await world.put_tenant(msgspec.structs.replace(await world.record(), version=99))
    third = await _etag(world)
    assert len({first, second, third}) == 3
    assert second.rpartition(".")[2] == first.rpartition(".")[2]
    assert third.rpartition(".")[2] != first.rpartition(".")[2]
