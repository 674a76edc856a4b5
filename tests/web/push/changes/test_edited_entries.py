"""An edit on its way: who sees an entry only by it has to wait, and who saw it before has the old name and number."""

from typing import Any

import msgspec
import pytest

from service.domain.catalogue.catalogue import Filter, Profile, Sharing
from service.domain.conditions.condition import Leaf
from service.domain.tenants.record import adopted, backfill_for, backfilled
from service.domain.tenants.tenant_entries import SUMMARY
from tests.web.push.streaming.streams import Pushing
from tests.web.world import COUNT, QUERY, World, a_world

OLD, NEW = Leaf("priority", "eq", "4195"), Leaf("category", "eq", "edited")
SECRET = "Lay-offs in spring"


async def edited(**world: Any) -> World:
    """The boss's own filter and profile have just been shared with everybody, with another condition and name."""
    made = await a_world(**world)
    record = await made.record()
    before = msgspec.structs.replace(
        record.entries,
        filters=record.entries.filters | {"f": Filter("f", SECRET, "custom", OLD, owner="boss")},
        profiles=record.entries.profiles | {"p": Profile("p", SECRET, OLD, owner="boss")},
        pairs=frozenset((("p", "all"), ("p", SUMMARY))),
    )
    old = adopted(record, before, 20)
    backfill = backfill_for(old)
    old = old if backfill is None else backfilled(old, backfill)
    shared: Any = {"owner": "boss", "shared_with": Sharing(frozenset(("ticket_agent",)))}
    after = msgspec.structs.replace(
        before,
        filters=before.filters | {"f": Filter("f", "Public", "custom", NEW, **shared)},
        profiles=before.profiles | {"p": Profile("p", "Public", NEW, **shared)},
    )
    new = adopted(old, after, 21)
    assert new.pending is not None
    await made.put_tenant(new)
    return made


async def filled(world: World) -> None:
    record = await world.record()
    backfill = backfill_for(record)
    assert backfill is not None
    await world.put_tenant(backfilled(record, backfill))


@pytest.mark.parametrize("body", [{"ids": ["f"]}, {"ids": ["all"], "templateProfileFilterId": "p"}])
async def test_the_new_audience_is_told_to_wait_and_the_old_one_counts_as_before(body: dict[str, Any]) -> None:
    world = await edited()
    agent, boss = world.token("agent", "ticket_agent", teams=("net",)), world.token("boss", "ticket_agent")
    answer = await world.post(**body, bearer=agent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "COUNTS_WARMING")
    assert "retry-after" in answer.headers
    assert SECRET not in answer.text
    before = await world.post(body["ids"], bearer=boss)
    assert before.status_code == 200
    if body["ids"] == ["f"]:
        assert before.json()["data"]["filterDetails"]["f"]["name"] == SECRET
        await filled(world)
        after = await world.post(**body, bearer=agent)
        assert after.json()["data"]["filterDetails"]["f"]["name"] == "Public"


async def test_the_list_has_the_new_names_for_the_new_audience_and_the_old_ones_for_the_old() -> None:
    world = await edited()

    async def names(user: str) -> set[str]:
        headers = world.headers(world.token(user, "ticket_agent"))
        answer = await world.client.get(f"/api/v2/ticketing/ticket/filters?{QUERY}", headers=headers)
        data = answer.json()["data"]
        return {one["name"] for one in (*data["filters"], *data["profiles"]) if one["id"] in ("f", "p")}

    assert await names("agent") == {"Public"}
    assert await names("boss") == {SECRET}
    await filled(world)
    assert await names("agent") == await names("boss") == {"Public"}


async def test_a_preview_below_the_profile_waits_too() -> None:
    world = await edited()
    body = {"where": {"field": "status", "op": "eq", "value": "3745"}, "templateProfileFilterId": "p"}

    async def asked(user: str) -> int:
        headers = world.headers(world.token(user, "ticket_agent"))
        return (await world.client.post(f"{COUNT}/preview?{QUERY}", json=body, headers=headers)).status_code

    assert await asked("agent") == 503
    assert await asked("boss") == 200
    await filled(world)
    assert await asked("agent") == 200


async def test_a_stream_waits_too(pushing: Pushing) -> None:
    world = pushing.world
    made = await edited()
    record = await made.record()
    await world.put_tenant(msgspec.structs.replace(record, version=30, pending_version=31))
    stream = await pushing.open("f", bearer=world.token("agent", "ticket_agent"))
    assert stream.status == 503
    stream = await pushing.open("f", bearer=world.token("boss", "ticket_agent"))
    assert stream.status == 200
    assert (await stream.next()).data["filterDetails"]["f"]["name"] == SECRET
