"""One user asks for every profile with every filter, or in every time zone: only that user is told to wait."""

from collections import Counter

import msgspec

from service import timezones
from service.domain.catalogue import Filter, Profile
from service.domain.condition import AllOf, Leaf
from service.domain.record import adopted, begun, swept
from tests.web.world import TENANT, World, a_world

SIDE = 60
TODAY = AllOf((Leaf("createdAt", "within", "today"), Leaf("dueAt", "within", "today")))


async def a_large_world() -> World:
    """A tenant with 60 filters, 60 profiles, and a filter that looks at the days of two fields."""
    world = await a_world()
    record = await world.record()
    filters = {f"f{n}": Filter(f"f{n}", "F", "custom", Leaf("category", "eq", f"c{n}")) for n in range(SIDE)}
    profiles = {f"p{n}": Profile(f"p{n}", "P", Leaf("priority", "ne", f"c{n}")) for n in range(SIDE)}
    entries = msgspec.structs.replace(
        record.entries, filters=filters | {"both": Filter("both", "B", "custom", TODAY)}, profiles=profiles
    )
    edited = adopted(record, entries, 30)
    sweep = begun(edited)
    assert sweep is not None
    await world.put_tenant(swept(edited, sweep))
    return world


async def test_a_user_who_crosses_all_profiles_with_all_filters_gets_429_and_no_more_columns() -> None:
    world = await a_large_world()
    mallory, others = world.token("mallory", "ticket_user"), Counter[int]()
    answers: Counter[int] = Counter()
    for profile in range(SIDE):
        for number in range(SIDE):
            answer = await world.post([f"f{number}"], bearer=mallory, templateProfileFilterId=f"p{profile}")
            answers[answer.status_code] += 1
        others[(await world.post(["all", "f7"])).status_code] += 1
    assert set(answers) == {429, 503}
    assert answer.json()["error"]["code"] == "RATE_LIMITED"
    assert int(answer.headers["retry-after"]) > 0
    assert len(await world.store.asks(TENANT)) <= 600
    assert others == {200: SIDE}, "what is counted already is answered as ever"
    ann = await world.post(["f1"], templateProfileFilterId="p59")
    assert (ann.status_code, ann.json()["error"]["code"]) == (503, "COUNTS_WARMING"), (
        "another user has their own budget"
    )


async def test_a_user_who_asks_in_every_zone_leaves_room_for_others_and_nobody_s_id_is_called_invalid() -> None:
    world = await a_large_world()
    mallory, answers = world.token("mallory", "ticket_user"), Counter[tuple[int, str]]()
    for zone in sorted(timezones.names()):
        answer = await world.post(["both"], bearer=mallory, timezone=zone)
        answers[answer.status_code, answer.json()["error"]["code"]] += 1
    assert set(answers) == {(503, "COUNTS_WARMING"), (429, "RATE_LIMITED")}
    assert len(await world.store.asks(TENANT)) <= 100
    assert (await world.post(["both"], timezone="Asia/Tokyo")).status_code == 503, "an admin's question is taken"
