"""The smallest journeys: single events and tombstones, seen over HTTP."""

import json
import time

import pytest

from tests.journeys.programs import sending
from tests.journeys.programs.asking import Question, admin, realm
from tests.journeys.programs.catalogue_lines import CLOSED, HIGH, OPEN, WAITING, deletion, event, tenant
from tests.journeys.programs.system import System
from tests.oracle.published.catalogue import Viewer
from tests.support.waiting import wait_until

SOON_S = 1.0
"""What a person takes for at once; the path itself takes some milliseconds."""

TRIES, SEEN_S = 10, 20.0

AGENT = Viewer(frozenset({"ticket_agent"}), "ann", frozenset({"network"}))
USER = Viewer(frozenset({"ticket_user"}), "rob")


@pytest.fixture
def system(shared_system: System) -> System:
    """One for the whole file: each test has a tenant of its own there."""
    return shared_system


async def founded(system: System, acme: str) -> None:
    """A tenant with one ticket, counted."""
    await system.publish(realm("helpdesk"), tenant(acme), event(acme, "INC0", 1))
    assert (await system.settled(acme)).counts == {"all": 1}


async def test_an_event_is_seen_over_http_within_a_second(system: System, acme: str) -> None:
    await founded(system, acme)
    took: list[float] = []
    # One so soon is enough: how many are is the machine's to say.
    while not took or (min(took) >= SOON_S and len(took) < TRIES):
        await system.publish(event(acme, f"INC{len(took) + 1}", 1, "ticket.created"))
        published = time.monotonic()

        async def seen(tickets: int = len(took) + 2) -> bool:
            return (await system.ask.all_of(acme)).counts["all"] == tickets

        await wait_until(seen, SEEN_S, "the event to be seen")
        took.append(time.monotonic() - published)
    assert min(took) < SOON_S


async def test_an_event_moves_its_ticket_between_viewers_statuses_and_totals(system: System, acme: str) -> None:
    await founded(system, acme)
    ids = ("all", OPEN, WAITING, CLOSED, HIGH)
    ours = {"priority": HIGH, "team": "network", "assignee": "bob", "requester": "rob"}
    questions = [Question(acme, viewer, filter_ids=ids) for viewer in (admin(), AGENT, USER)]
    told = []
    for line in (
        event(acme, "INC1", 1, "ticket.created", **ours),
        event(acme, "INC1", 2, **{**ours, "status": WAITING, "team": "other"}),
        event(acme, "INC1", 3, "ticket.closed", **{**ours, "status": CLOSED, "assignee": "ann", "requester": "zoe"}),
        deletion(acme, "INC1", 4),
    ):
        await system.publish(line)
        ends = await system.ends()
        answers = [await system.reached(question, ends) for question in questions]
        for answer in answers:
            assert answer.summary["totalOpen"] + answer.summary["totalClosed"] == answer.counts["all"]
        told.append([[answer.counts[id_] for id_ in ids] for answer in answers])
    assert told == [
        [[2, 2, 0, 0, 1], [1, 1, 0, 0, 1], [1, 1, 0, 0, 1]],
        [[2, 1, 1, 0, 1], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]],
        [[2, 1, 0, 1, 1], [1, 0, 0, 1, 1], [0, 0, 0, 0, 0]],
        [[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    ]


async def test_duplicates_and_late_events_change_nothing_and_deletes_stick(system: System, acme: str) -> None:
    await founded(system, acme)
    created, updated = event(acme, "INC1", 5), event(acme, "INC1", 7, status=CLOSED)
    await system.publish(created, updated, created, updated, event(acme, "INC1", 6), deletion(acme, "INC2", 3))
    await system.publish(event(acme, "INC2", 2))
    before = await system.settled(acme, ("all", OPEN, CLOSED))
    assert before.counts == {"all": 2, OPEN: 1, CLOSED: 1}
    await system.publish(updated, created, event(acme, "INC2", 2))
    after = await system.settled(acme, ("all", OPEN, CLOSED))
    assert (after.counts, after.version, after.epoch) == (before.counts, before.version, before.epoch)
    assert after.positions != before.positions
    await system.publish(event(acme, "INC2", 4))
    assert (await system.settled(acme)).counts == {"all": 3}


async def test_binary_events_and_merge_patches_count_like_whole_tickets(system: System, acme: str) -> None:
    await founded(system, acme)
    attributes = {"specversion": "1.0", "id": "e", "source": "/x", "tenantid": acme, "subject": "INC1"}
    merge = {"content-type": "application/merge-patch+json", "ce_type": "ticket.updated"}
    async with sending.opened(system.kafka) as producer:
        for sequence, headers, data in (
            (1, {"content-type": "application/json", "ce_type": "ticket.created"}, event(acme, "INC1", 1)["data"]),
            (2, merge, {"status": CLOSED, "priority": HIGH}),
        ):
            named = {f"ce_{name}": value for name, value in attributes.items()}
            all_headers = {**named, **headers, "ce_sequence": str(sequence)}
            await producer.send_and_wait(
                system.topics.events,
                json.dumps(data).encode(),
                f"{acme}/INC1".encode(),
                headers=[(name, value.encode()) for name, value in all_headers.items()],
            )
    assert (await system.settled(acme, ("all", OPEN, CLOSED, HIGH))).counts == {"all": 2, OPEN: 1, CLOSED: 1, HIGH: 1}


async def test_tombstones_delete_with_and_without_a_sequence(system: System, acme: str) -> None:
    await founded(system, acme)
    await system.publish(event(acme, "INC1", 7), event(acme, "INC2", 7), event(acme, "INC3", 7))
    async with sending.opened(system.kafka) as producer:

        async def tombstone(ticket: str, sequence: int | None) -> None:
            headers = [] if sequence is None else [("ce_sequence", str(sequence).encode())]
            await producer.send_and_wait(system.topics.events, None, f"{acme}/{ticket}".encode(), headers=headers)

        await tombstone("INC1", None)
        await tombstone("INC2", 6)  # late: changes nothing
        await tombstone("INC3", 9)
        await tombstone("never-heard-of", None)
        assert (await system.settled(acme)).counts == {"all": 2}
        await system.publish(event(acme, "INC1", 8), event(acme, "INC3", 8))  # neither is above what it deleted
        assert (await system.settled(acme)).counts == {"all": 2}
        await system.publish(event(acme, "INC1", 9), event(acme, "INC3", 10))
        assert (await system.settled(acme)).counts == {"all": 4}
