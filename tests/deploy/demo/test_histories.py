"""The invented histories obey the rules of events, look like a help desk, and repeat."""

import itertools
import json
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from consumers.decoding.event_record import decode
from consumers.publishing.ndjson import record
from deploy.demo.desk.example import CATEGORIES, PRIORITIES, STATUSES, TEAMS
from deploy.demo.desk.histories import BURST_TICKETS, MOST_TICKETS, STOCK, Histories
from deploy.demo.desk.office_hours import CLOSES, DAY_US, HOUR_US, OPENS, within_hours

START_US = 1_790_000_000_000_000
LIVE = 20_000

Event = dict[str, Any]

OPEN_STATUSES = {status["id"] for status in STATUSES if not status.get("closed")}


def lines(seed: int, live: int = LIVE) -> list[bytes]:
    histories = Histories(seed, START_US)
    stock = list(histories.stock())
    return stock + [happening.line for happening in itertools.islice(histories.live(4.0), live)]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return [json.loads(line) for line in lines(seed=1)]


def state_after(events: list[Event]) -> dict[str, Event]:
    state: dict[str, Event] = {}
    for event in events:
        state.pop(event["subject"], None)
        if event["type"] != "ticket.deleted":
            state[event["subject"]] = event["data"]
    return state


def test_the_same_seed_says_the_same_byte_for_byte_and_another_one_does_not() -> None:
    assert lines(7, 500) == lines(7, 500)
    assert lines(7, 500) != lines(8, 500)


def test_every_line_is_an_event_that_the_consumers_take() -> None:
    for line in lines(seed=2, live=2_000):
        published = record(line)
        assert published.is_event
        decode(published.key, published.value, (), 0)


def test_sequences_of_a_ticket_grow_and_never_repeat(events: list[Event]) -> None:
    last: dict[str, int] = {}
    for event in events:
        assert int(event["sequence"]) > last.get(event["subject"], -1)
        last[event["subject"]] = int(event["sequence"])


def test_a_later_start_goes_on_above_the_sequences_of_an_earlier_one(events: list[Event]) -> None:
    later = next(iter(Histories(1, START_US + DAY_US).stock()))
    assert int(json.loads(later)["sequence"]) > max(int(event["sequence"]) for event in events)


def test_the_stock_is_the_examples_total_with_a_third_of_it_open(events: list[Event]) -> None:
    stock = state_after(events[:STOCK])
    assert len(stock) == STOCK
    still_open = sum(ticket["status"] in OPEN_STATUSES for ticket in stock.values())
    assert 0.25 < still_open / STOCK < 0.40


def test_every_status_priority_category_and_team_is_in_use(events: list[Event]) -> None:
    stock = state_after(events[:STOCK]).values()
    assert {ticket["status"] for ticket in stock} == {status["id"] for status in STATUSES}
    assert {ticket["priority"] for ticket in stock} == {priority["id"] for priority in PRIORITIES}
    assert {ticket["category"] for ticket in stock} == set(CATEGORIES)
    assert {ticket["team"] for ticket in stock} == {team["id"] for team in TEAMS}


def test_nothing_in_the_stock_happens_after_the_start(events: list[Event]) -> None:
    assert max(at_us(event["time"]) for event in events[:STOCK]) < START_US
    assert [event["time"] for event in events[:STOCK]] == sorted(event["time"] for event in events[:STOCK])


def test_most_tickets_of_the_stock_came_in_during_office_hours(events: list[Event]) -> None:
    created = [at_us(ticket["createdAt"]) for ticket in state_after(events[:STOCK]).values()]
    busy = sum(within_hours(at) == at for at in created)
    assert busy > 0.7 * len(created)


def test_work_in_the_stock_is_done_during_office_hours(events: list[Event]) -> None:
    for event in events[:STOCK]:
        if event["type"] != "ticket.created":
            hour = at_us(event["time"]) % DAY_US / HOUR_US
            assert OPENS <= hour < CLOSES


def test_tickets_are_closed_reopened_escalated_moved_and_trashed(events: list[Event]) -> None:
    kinds = Counter(event["type"] for event in events)
    assert min(kinds[f"ticket.{kind}"] for kind in ("created", "updated", "closed", "deleted")) > 100
    reopened = escalated = moved = 0
    state: dict[str, Event] = {}
    for event in events:
        before, after = state.get(event["subject"]), event.get("data")
        if before and after:
            reopened += after["fields"]["reopenCount"] > before["fields"]["reopenCount"]
            escalated += "escalated" in after["tags"] and "escalated" not in before["tags"]
            moved += after["team"] != before["team"]
        state[event["subject"]] = after or {}
    assert min(reopened, escalated, moved) > 50


def test_a_reopened_ticket_is_open_and_a_resolved_one_has_its_instant(events: list[Event]) -> None:
    for event in events:
        if "data" in event:
            assert (event["data"]["closedAt"] is None) == (event["data"]["status"] in OPEN_STATUSES)


def test_outages_bring_many_tickets_of_one_category_within_seconds() -> None:
    histories = Histories(3, START_US)
    list(histories.stock())
    created = [
        (happening.at_us, event["data"]["category"])
        for happening in itertools.islice(histories.live(4.0), LIVE)
        if (event := json.loads(happening.line))["type"] == "ticket.created"
    ]
    runs = [created[at : at + 8] for at in range(len(created) - 8)]
    assert any(len({category for _, category in run}) == 1 and run[-1][0] - run[0][0] < 5_000_000 for run in runs)


def test_live_events_keep_the_pace_and_the_desk_stays_small() -> None:
    histories = Histories(4, START_US)
    state = dict.fromkeys(json.loads(line)["subject"] for line in histories.stock())
    happenings = list(itertools.islice(histories.live(4.0), 40_000))
    for happening in happenings:
        event = json.loads(happening.line)
        if event["type"] == "ticket.deleted":
            del state[event["subject"]]
        else:
            state[event["subject"]] = None
        assert len(state) <= MOST_TICKETS + 2 * BURST_TICKETS[1]
    per_second = len(happenings) / ((happenings[-1].at_us - START_US) / 1e6)
    assert 2.0 <= per_second <= 5.0
    assert [each.at_us for each in happenings] == sorted(each.at_us for each in happenings)


def at_us(instant: str) -> int:
    return round(datetime.fromisoformat(instant).timestamp() * 1_000) * 1_000
