"""The smallest journeys: single events and tombstones, seen over HTTP."""

import asyncio
import json
import time

from tests.journeys import sending
from tests.journeys.asking import Question, admin, realm
from tests.journeys.catalogue_lines import CLOSED, HIGH, OPEN, WAITING, deletion, event, saved_filter, tenant
from tests.journeys.system import System
from tests.oracle.catalogue import Viewer
from tests.waiting import wait_until

SOON_S = 1.0
"""What a person takes for at once; the path itself takes some milliseconds."""

AGENT = Viewer(frozenset({"ticket_agent"}), "ann", frozenset({"network"}))
USER = Viewer(frozenset({"ticket_user"}), "rob")


async def founded(system: System) -> None:
    """A tenant with one ticket, counted."""
    await system.publish(realm("helpdesk"), tenant("acme"), event("acme", "INC0", 1))
    assert (await system.settled("acme")).counts == {"all": 1}


async def test_an_event_is_seen_over_http_within_a_second(system: System) -> None:
    await founded(system)
    await system.publish(event("acme", "INC1", 1, "ticket.created"))
    published = time.monotonic()

    async def seen() -> bool:
        return (await system.ask.all_of("acme")).counts["all"] == 2

    await wait_until(seen, published + SOON_S - time.monotonic(), "the event to be seen")


async def test_an_event_moves_its_ticket_between_viewers_statuses_and_totals(system: System) -> None:
    await founded(system)
    ids = ("all", OPEN, WAITING, CLOSED, HIGH)
    ours = {"priority": HIGH, "team": "network", "assignee": "bob", "requester": "rob"}
    questions = [Question("acme", viewer, filter_ids=ids) for viewer in (admin(), AGENT, USER)]
    told = []
    for line in (
        event("acme", "INC1", 1, "ticket.created", **ours),
        event("acme", "INC1", 2, **{**ours, "status": WAITING, "team": "other"}),
        event("acme", "INC1", 3, "ticket.closed", **{**ours, "status": CLOSED, "assignee": "ann", "requester": "zoe"}),
        deletion("acme", "INC1", 4),
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


async def test_duplicates_and_late_events_change_nothing_and_deletes_stick(system: System) -> None:
    await founded(system)
    created, updated = event("acme", "INC1", 5), event("acme", "INC1", 7, status=CLOSED)
    await system.publish(created, updated, created, updated, event("acme", "INC1", 6), deletion("acme", "INC2", 3))
    await system.publish(event("acme", "INC2", 2))
    before = await system.settled("acme", ("all", OPEN, CLOSED))
    assert before.counts == {"all": 2, OPEN: 1, CLOSED: 1}
    await system.publish(updated, created, event("acme", "INC2", 2))
    after = await system.settled("acme", ("all", OPEN, CLOSED))
    assert (after.counts, after.version, after.epoch) == (before.counts, before.version, before.epoch)
    assert after.positions != before.positions
    await system.publish(event("acme", "INC2", 4))
    assert (await system.settled("acme")).counts == {"all": 3}


async def test_binary_events_and_merge_patches_count_like_whole_tickets(system: System) -> None:
    await founded(system)
    attributes = {"specversion": "1.0", "id": "e", "source": "/x", "tenantid": "acme", "subject": "INC1"}
    merge = {"content-type": "application/merge-patch+json", "ce_type": "ticket.updated"}
    async with sending.opened(system.kafka) as producer:
        for sequence, headers, data in (
            (1, {"content-type": "application/json", "ce_type": "ticket.created"}, event("acme", "INC1", 1)["data"]),
            (2, merge, {"status": CLOSED, "priority": HIGH}),
        ):
            named = {f"ce_{name}": value for name, value in attributes.items()}
            all_headers = {**named, **headers, "ce_sequence": str(sequence)}
            await producer.send_and_wait(
                system.topics.events,
                json.dumps(data).encode(),
                b"acme/INC1",
                headers=[(name, value.encode()) for name, value in all_headers.items()],
            )
    assert (await system.settled("acme", ("all", OPEN, CLOSED, HIGH))).counts == {"all": 2, OPEN: 1, CLOSED: 1, HIGH: 1}


async def test_tombstones_delete_with_and_without_a_sequence(system: System) -> None:
    await founded(system)
    await system.publish(event("acme", "INC1", 7), event("acme", "INC2", 7), event("acme", "INC3", 7))
    async with sending.opened(system.kafka) as producer:

        async def tombstone(ticket: str, sequence: int | None) -> None:
            headers = [] if sequence is None else [("ce_sequence", str(sequence).encode())]
            await producer.send_and_wait(system.topics.events, None, f"acme/{ticket}".encode(), headers=headers)

        await tombstone("INC1", None)
        await tombstone("INC2", 6)  # late: changes nothing
        await tombstone("INC3", 9)
        await tombstone("never-heard-of", None)
        assert (await system.settled("acme")).counts == {"all": 2}
        await system.publish(event("acme", "INC1", 8), event("acme", "INC3", 8))  # neither is above what it deleted
        assert (await system.settled("acme")).counts == {"all": 2}
        await system.publish(event("acme", "INC1", 9), event("acme", "INC3", 10))
        assert (await system.settled("acme")).counts == {"all": 4}


async def test_a_second_consumer_and_a_restart_find_everything_counted(system: System) -> None:
    mine = saved_filter("acme", "mine", {"field": "assignee", "op": "eq", "value": "@me"})
    await system.publish(realm("helpdesk"), tenant("acme"), mine)
    await system.publish_all(event("acme", f"INC{n}", 1, assignee=f"agent-{n % 3}") for n in range(300))
    question = Question("acme", admin("agent-1"), filter_ids=("all", "mine"))
    before = await system.reached(question, await system.ends())
    assert before.counts == {"all": 300, "mine": 100}
    first = system.consumers[0]
    await asyncio.to_thread(first.terminate)
    await system.publish(event("acme", "INC1", 2, assignee="agent-2"))
    await asyncio.gather(system.restart(first), system.start_consumer())
    after = await system.reached(question, await system.ends())
    assert after.counts == {"all": 300, "mine": 99}
    assert (after.epoch, after.version) == (before.epoch, before.version + 1)
    applied = [program.metric("events_total") for program in system.consumers]
    assert sum(applied) == 1, "what was counted before is not even looked at again"
