"""What `/metrics` says of streams."""

from prometheus_client.parser import text_string_to_metric_families

from service.domain.tickets.ticket import Ticket
from tests.web.push.streaming.streams import Pushing, a_pushing_world, later
from tests.web.world import NOW_S


async def metrics(pushing: Pushing) -> dict[tuple[str, ...], float]:
    """(name without the prefix, values of its labels) -> value."""
    text = (await pushing.world.client.get("/metrics")).text
    return {
        (sample.name.removeprefix("ticket_counts_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_streams_are_counted_by_kind_by_how_they_begin_and_by_why_they_end() -> None:
    async with a_pushing_world(streams=3) as pushing:
        fresh = await pushing.open(bearer=pushing.world.token(exp=NOW_S + 20))
        shown = (await fresh.next()).id
        current = await pushing.open(query=f"&last_event_id={shown}")
        other = await pushing.request("GET", f"ticket={await pushing.ticket()}&last_event_id=old", {})
        await (await pushing.open()).rest()
        found = await metrics(pushing)
        assert (found["streams_open", "token"], found["streams_open", "ticket"]) == (2, 1)
        assert [found["streams_opened_total", begin] for begin in ("fresh", "current", "snapshot")] == [1, 1, 1]
        assert found["streams_turned_away_total", "overload"] == 1
        await fresh.rest()
        await current.leave()
        pushing.hub.drain()
        await other.rest()
        found = await metrics(pushing)
        assert (found["streams_open", "token"], found["streams_open", "ticket"]) == (0, 0)
        assert [found["streams_closed_total", reason] for reason in ("expired", "gone", "drain")] == [1, 1, 1]


async def test_frames_their_latency_and_what_slow_clients_were_spared(pushing: Pushing) -> None:
    slow, quick = await pushing.open(), await pushing.open()
    await slow.next()
    await quick.next()
    slow.stop_reading()
    for _ in range(5):
        await pushing.add(Ticket("3745", 0))
        await later(1)
    slow.read_on()
    await later(1)
    found = await metrics(pushing)
    assert found["stream_frames_total", "snapshot"] == 2
    assert found["stream_frames_total", "counts"] == 5 + 2
    assert found["stream_conflated_states_total",] == 3
    assert found["stream_latency_seconds_count",] == 7
    assert found["stream_latency_seconds_bucket", "0.001"] >= 5
    assert found["stream_data_age_seconds_count",] == 5
    assert found["stream_data_age_seconds_bucket", "10.0"] - found["stream_data_age_seconds_bucket", "2.5"] >= 1


async def test_gaps_in_the_hints_are_counted_after_the_first_subscription(pushing: Pushing) -> None:
    for expected in (0, 1, 2):
        pushing.gap()
        assert (await metrics(pushing))["stream_hint_gaps_total",] == expected
