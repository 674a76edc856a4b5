"""Everything that is 400, 413 or 415, with the field it is about."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.web.world import COUNT, QUERY, World


async def _refused(world: World, status: int, **request: Any) -> dict[str, Any]:
    headers = world.headers() | {"content-type": "application/json"} | request.pop("headers", {})
    url = f"{COUNT}?{request.pop('query', QUERY)}"
    answer = await world.client.request(request.pop("method", "POST"), url, headers=headers, **request)
    assert answer.status_code == status, answer.text
    details: dict[str, Any] = answer.json()["error"]["details"]
    return details


BAD_ZONES: list[Any] = [
    "", 5, [], True, "utc", "asia/calcutta", "Asia/Calcutta ", "+05:30", "EST5", "Factory", "localtime",
    "posix/UTC", "right/UTC", "posixrules", "../UTC", "/etc/localtime", "Asia", "zone.tab", "Europe/Bérlin",
]  # fmt: skip

BODIES = [
    (b"", "body"),
    (b"[]", "body"),
    (b"null", "body"),
    (b"{", "body"),
    (b'{"filterIds": ["all"]} x', "body"),
    (b'\xef\xbb\xbf{"filterIds": ["all"]}', "body"),
    (b'{"filterIds": ["\xff"]}', "body"),
    (b'{"filterIds": ["all", "\\ud800"]}', "filterIds"),
    (b'{"filterIds": ["all"], "templateProfileFilterId": "\\ud83dx"}', "templateProfileFilterId"),
    (b'{"filterIds": ["all"], "timezone": "\\ud83d"}', "timezone"),
    (b'{"filterIds": ["all"], "x": "\\ud83"}', "body"),
    (b'{"filterIds": ["all"], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "body"),
    (b"{}", "filterIds"),
    (b'{"filterids": ["all"]}', "filterIds"),
    (b'{"filterIds": null}', "filterIds"),
    (b'{"filterIds": []}', "filterIds"),
    (b'{"filterIds": "all"}', "filterIds"),
    (b'{"filterIds": {"0": "all"}}', "filterIds"),
    (b'{"filterIds": ["all", ""]}', "filterIds"),
    (b'{"filterIds": ["all", 3745]}', "filterIds"),
    (b'{"filterIds": ["all", null]}', "filterIds"),
    (b'{"filterIds": ["all", ["all"]]}', "filterIds"),
    (b'{"filterIds": ["all"], "templateProfileFilterId": 1}', "templateProfileFilterId"),
    (b'{"filterIds": ["all"], "templateProfileFilterId": ""}', "templateProfileFilterId"),
    (b'{"filterIds": ["all"], "templateProfileFilterId": ["urgent"]}', "templateProfileFilterId"),
    *((json.dumps({"filterIds": ["all"], "timezone": zone}).encode(), "timezone") for zone in BAD_ZONES),
]


@pytest.mark.parametrize(("body", "field"), BODIES, ids=[str(body[:60]) for body, _ in BODIES])
async def test_a_body_that_does_not_fit_names_its_field(world: World, body: bytes, field: str) -> None:
    assert await _refused(world, 400, content=body) == {"field": field}


@pytest.mark.parametrize("ignored", [b'"\\ud83d"', b'{"\\ude00": ["\\ud83d x"]}', b"1e400", b"9" * 5_000])
async def test_what_a_body_has_besides_is_ignored_whatever_it_is(world: World, ignored: bytes) -> None:
    answer = await world.client.post(
        f"{COUNT}?{QUERY}",
        content=b'{"x": %b, "filterIds": ["all"]}' % ignored,
        headers={**world.headers(), "content-type": "application/json"},
    )
    assert (answer.status_code, list(answer.json()["data"]["counts"])) == (200, ["all"])


async def test_ids_are_counted_after_duplicates_are_dropped(world: World) -> None:
    assert (await world.post(["all"] * 2_000)).status_code == 200
    assert (await world.post(["all", *(f"x{n}" for n in range(499))])).status_code == 422
    answer = await world.post([f"x{n}" for n in range(501)])
    assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"field": "filterIds"})


async def test_a_long_or_odd_id_is_unknown_rather_than_malformed(world: World) -> None:
    ids = ["x" * 1_000, "\x00", "\u2028", "😀"]
    answer = await world.post(ids)
    assert (answer.status_code, answer.json()["error"]["details"]) == (422, {"invalidIds": ids})


QUERIES = [
    ("module=ticketing", "type"),
    ("type=&module=ticketing", "type"),
    ("type=Agent&module=ticketing", "type"),
    ("type=template&type=template&module=ticketing", "type"),
    ("type=template", "module"),
    ("type=template&module=Ticketing", "module"),
    ("type=template&module=ticketing&module=ticketing", "module"),
    ("type=%ff&module=ticketing", "type"),
]


@pytest.mark.parametrize(("query", "field"), QUERIES)
async def test_a_query_that_does_not_fit_names_its_parameter(world: World, query: str, field: str) -> None:
    assert await _refused(world, 400, query=query, content=b'{"filterIds": ["all"]}') == {"field": field}


GET_QUERIES = [
    ("", "filterIds"),
    ("filterIds=", "filterIds"),
    ("filterIds=all,", "filterIds"),
    ("filterIds=all&filterIds=", "filterIds"),
    ("filterIds=%ff", "filterIds"),
    ("filterIds=all&timezone=", "timezone"),
    ("filterIds=all&timezone=UTC&timezone=UTC", "timezone"),
    ("filterIds=all&templateProfileFilterId=", "templateProfileFilterId"),
    ("filterIds=all&templateProfileFilterId=urgent&templateProfileFilterId=urgent", "templateProfileFilterId"),
    ("filterIds=" + ",".join(f"x{n}" for n in range(501)), "filterIds"),
]


@pytest.mark.parametrize(("query", "field"), GET_QUERIES)
async def test_a_get_is_as_strict_as_a_post(world: World, query: str, field: str) -> None:
    answer = await world.get(query)
    assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"field": field})


async def test_a_get_takes_500_ids_of_128_characters(world: World) -> None:
    ids = [f"{n:0128}" for n in range(500)]
    answer = await world.get("filterIds=" + ",".join(ids))
    assert answer.json()["error"]["details"]["invalidIds"] == ids


HEADERS = [
    ("x-tenantid", None),
    ("x-tenantid", ""),
    ("x-tenantid", "a" * 65),
    ("x-tenantid", "acme/1"),
    ("realmname", None),
    ("realmname", ""),
    ("realmname", "r" * 129),
    ("realmname", "a\tb"),
    ("issupportrequest", "yes"),
    ("issupportrequest", "True"),
    ("issupportrequest", ""),
]


@pytest.mark.parametrize(("name", "value"), HEADERS)
async def test_a_header_that_does_not_fit_is_named(world: World, name: str, value: str | None) -> None:
    headers = world.headers() | ({} if value is None else {name: value})
    if value is None:
        del headers[name]
    answer = await world.client.post(f"{COUNT}?{QUERY}", headers=headers, json={"filterIds": ["all"]})
    assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"field": name})


@pytest.mark.parametrize(
    ("name", "status"),
    [("x-tenantid", 400), ("realmname", 400), ("issupportrequest", 400), ("authorization", 401), ("content-type", 415)],
)
@pytest.mark.parametrize("spelling", ["lower", "upper"])
async def test_a_header_sent_twice_is_refused_even_if_both_agree(
    world: World, name: str, status: int, spelling: str
) -> None:
    once = world.headers() | {"content-type": "application/json", "issupportrequest": "true"}
    again = name.upper() if spelling == "upper" else name
    headers = [*once.items(), (again, once[name])]
    answer = await world.client.post(f"{COUNT}?{QUERY}", headers=headers, content=b'{"filterIds": ["all"]}')
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ('application/json;charset="UTF-8"', 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonx", 415),
        ("application/json, application/json", 415),
        ("", 415),
        (None, 415),
    ],
)
async def test_only_json_is_taken(world: World, content_type: str | None, status: int) -> None:
    headers = world.headers() | ({"content-type": content_type} if content_type is not None else {})
    answer = await world.client.post(f"{COUNT}?{QUERY}", headers=headers, content=b'{"filterIds": ["all"]}')
    assert answer.status_code == status


async def test_a_compressed_body_is_not_taken(world: World) -> None:
    await _refused(world, 415, content=b"x", headers={"content-encoding": "gzip"})


@pytest.mark.parametrize("accept", [None, "text/html", "application/xml;q=1", "*/*"])
async def test_any_accept_gets_json(world: World, accept: str | None) -> None:
    headers = world.headers() | ({"accept": accept} if accept else {})
    answer = await world.client.post(f"{COUNT}?{QUERY}", headers=headers, json={"filterIds": ["all"]})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


async def test_a_body_may_be_a_mebibyte_and_no_more(world: World) -> None:
    body = b'{"filterIds": ["all"]}'
    answer = await world.client.post(
        f"{COUNT}?{QUERY}",
        headers=world.headers() | {"content-type": "application/json"},
        content=body + b" " * (1_048_576 - len(body)),
    )
    assert answer.status_code == 200
    await _refused(world, 413, content=body + b" " * (1_048_577 - len(body)))


async def test_a_body_without_a_length_is_cut_off_when_it_grows_too_large(world: World) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1
            yield b" " * 65_536

    # The transport reads the generator only as far as the application asks.
    await _refused(world, 413, content=endless())
    assert sent <= 18
