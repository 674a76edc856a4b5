"""What a good request is answered: numbers, names, headers."""

import msgspec
import pytest

from tests.web.world import NOW_US, TICKETS, World, a_world


async def test_an_answer_has_the_documented_shape(world: World) -> None:
    answer = await world.post(["all", "3745", "7472"], timezone="Asia/Calcutta")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "success": True,
        "message": "Ticket counts retrieved successfully",
        "data": {
            "counts": {"all": 5, "3745": 3, "7472": 0},
            "filterDetails": {
                "all": {"id": "all", "name": "All Tickets", "type": "system"},
                "3745": {"id": "3745", "name": "Open", "type": "status", "color": "#3B82F6"},
                "7472": {"id": "7472", "name": "My Team", "type": "team", "color": "#123456"},
            },
            "summary": {"totalOpen": 3, "totalClosed": 2, "slaBreached": 1, "dueToday": 0, "overdue": 0},
            "computedAt": "2027-01-15T08:00:00.123Z",
            "timezone": "Asia/Calcutta",
        },
        "timestamp": "2027-01-15T08:00:00.123Z",
    }


async def test_the_headers_say_what_the_numbers_equal() -> None:
    world = await a_world(expose_positions=True)
    headers = (await world.post()).headers
    snapshot_version = headers["x-counts-version"]
    epoch, _, version = snapshot_version.rpartition(".")
    assert epoch
    assert version.isdigit()
    assert headers["x-counts-position"] == "0:100,1:0"
    assert headers["x-counts-catalogue"] == "17"
    assert headers["x-counts-timers"] == "2027-01-15T07:59:59.623456Z"
    assert headers["x-counts-as-of"] == "2027-01-15T07:59:55.123456Z"
    assert headers["x-counts-fresh"] == "true"


async def test_the_version_grows_when_counts_change(world: World) -> None:
    before = (await world.post()).headers["x-counts-version"].rpartition(".")
    await world.apply("acme", {"t9": TICKETS["t5"]})
    after = (await world.post()).headers["x-counts-version"].rpartition(".")
    assert before[0] == after[0]
    assert int(after[2]) > int(before[2])


@pytest.mark.parametrize(
    ("position", "lag_ms", "fresh"), [(100, 0, "true"), (100, 5_000, "true"), (101, 5_001, "false")]
)
async def test_stale_is_said(world: World, position: int, lag_ms: int, fresh: str) -> None:
    world.store._states[world.store.bucket("acme")].fresh_ms.clear()
    await world.apply("acme", {}, position=position, lag_ms=lag_ms)
    assert (await world.post()).headers["x-counts-fresh"] == fresh


async def test_a_tenant_that_no_consumer_ever_saw_is_not_fresh() -> None:
    world = await a_world(expose_positions=True)
    world.store._states[world.store.bucket("acme")].positions.clear()
    answer = await world.post()
    assert answer.headers["x-counts-fresh"] == "false"
    assert answer.headers["x-counts-position"] == ""


async def test_as_of_is_absent_before_the_first_event_and_never_beyond_now(world: World) -> None:
    tenant = world.store._tenants["acme"]
    tenant.as_of = None
    assert "x-counts-as-of" not in (await world.post()).headers
    tenant.as_of = NOW_US + 1
    assert (await world.post()).headers["x-counts-as-of"] == "2027-01-15T08:00:00.123456Z"


VIEWERS = [
    # roles, teams, perspective -> all, 7471 (mine), 7472 (my teams)
    (("ticket_admin",), (), "template", 5, 2, 0),
    (("ticket_admin",), ("network", "support"), "template", 5, 2, 4),
    (("ticket_admin",), ("network",), "agent", 3, 2, 2),
    (("ticket_admin",), ("network",), "user", 2, 1, 1),
    (("ticket_agent",), (), "template", 2, 2, 0),
    (("ticket_agent",), ("network",), "template", 3, 2, 2),
    (("ticket_agent",), ("network",), "agent", 3, 2, 2),
    (("ticket_agent",), ("network",), "user", 2, 1, 1),
    (("ticket_agent",), (), "user", 1, 1, 0),
    (("ticket_user",), ("network",), "template", 2, 1, 1),
    (("ticket_user",), (), "user", 2, 1, 0),
    (("ticket_user", "ticket_agent", "other"), ("network", "network"), "template", 3, 2, 2),
    (("ticket_agent", "ticket_admin", "ticket_user"), (), "template", 5, 2, 0),
]


@pytest.mark.parametrize(("roles", "teams", "perspective", "everything", "mine", "my_teams"), VIEWERS)
async def test_role_and_perspective_scope_every_number(
    world: World,
    roles: tuple[str, ...],
    teams: tuple[str, ...],
    perspective: str,
    everything: int,
    mine: int,
    my_teams: int,
) -> None:
    bearer = world.token("ann", *roles, teams=teams)
    answer = await world.post(["all", "7471", "7472"], bearer=bearer, query=f"type={perspective}&module=ticketing")
    data = answer.json()["data"]
    assert data["counts"] == {"all": everything, "7471": mine, "7472": my_teams}
    assert data["summary"]["totalOpen"] + data["summary"]["totalClosed"] == everything


async def test_duplicates_are_dropped_and_the_order_is_the_requests(world: World) -> None:
    data = (await world.post(["3748", "all", "3748", "3745", "all"])).json()["data"]
    assert list(data["counts"]) == ["3748", "all", "3745"]
    assert list(data["filterDetails"]) == ["3748", "all", "3745"]


async def test_null_is_as_if_left_out_and_unknown_fields_are_ignored(world: World) -> None:
    answer = await world.post(templateProfileFilterId=None, timezone=None, whatever={"deep": [1]})
    assert answer.status_code == 200
    assert answer.json()["data"]["timezone"] == "UTC"
    assert (await world.post(query="type=user&module=ticketing&foo=1&foo=2&timezone=x")).status_code == 200


async def test_get_answers_what_post_answers(world: World) -> None:
    got = await world.get("filterIds=all,3745,7471&timezone=Asia/Kathmandu")
    posted = await world.post(["all", "3745", "7471"], timezone="Asia/Kathmandu")
    assert got.status_code == 200
    assert got.json() == posted.json()
    assert {n: v for n, v in got.headers.items() if n.startswith("x-")} == {
        n: v for n, v in posted.headers.items() if n.startswith("x-")
    }


@pytest.mark.parametrize(
    "query",
    ["filterIds=h%C3%A4%C3%9F%2Clich&filterIds=all", "filterIds=häß,lich&filterIds=all"],
)
async def test_a_repeated_filter_id_is_one_whole_id_commas_and_all(world: World, query: str) -> None:
    assert (await world.get(query)).json()["data"]["counts"] == {"häß,lich": 5, "all": 5}


async def test_odd_ids_come_back_as_they_were_sent(world: World) -> None:
    bearer = world.token('auth0|"x"\\é😀')
    assert (await world.post(["häß,lich"], bearer=bearer)).json()["data"]["counts"] == {"häß,lich": 5}


async def test_a_new_catalogue_is_seen_at_once(world: World) -> None:
    assert (await world.post(["vip"])).status_code == 200
    record = await world.record()
    first, *others = record.entries.settings.statuses
    renamed = msgspec.structs.replace(first, name="Renamed")
    settings = msgspec.structs.replace(record.entries.settings, statuses=(renamed, *others))
    filters = {name: saved for name, saved in record.entries.filters.items() if name != "vip"}
    entries = msgspec.structs.replace(record.entries, settings=settings, filters=filters)
    await world.put_tenant(msgspec.structs.replace(record, version=30, entries=entries))
    answer = await world.post(["3745"])
    assert answer.json()["data"]["filterDetails"]["3745"]["name"] == "Renamed"
    assert answer.headers["x-counts-catalogue"] == "30"
    assert (await world.post(["vip"])).status_code == 422


async def test_every_iana_name_of_the_package_is_taken(world: World) -> None:
    for zone in ("UTC", "Asia/Calcutta", "America/Argentina/ComodRivadavia", "US/Pacific-New", "GMT+0", "Etc/GMT-14"):
        expected = 400 if zone == "US/Pacific-New" else 200
        assert (await world.post(timezone=zone)).status_code == expected, zone
