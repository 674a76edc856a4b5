"""Records that can't be applied: each ends as a dead letter, whole, and the good ones beside it are counted."""

import json
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from tests.journeys.programs import sending, topic_log
from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import event, tenant
from tests.journeys.programs.system import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("apache_kafka")

STRUCTURED = ("content-type", b"application/cloudevents+json")
GOOD = 20


def packed(**changes: Any) -> bytes:
    """A good event of acme/BAD but for the changes."""
    return json.dumps({**event("acme", "BAD", 1), **changes}).encode()


BAD: tuple[tuple[bytes | None, bytes | None, str], ...] = (
    (b"acme/BAD", b"\xff not JSON", "JSON"),
    (b"acme/BAD", packed(sequence=None), "sequence"),
    (b"acme/BAD", packed(data={"status": 3745, "createdAt": "2026-11-21T08:00:00Z"}), "data.status"),
    (b"acme/BAD", packed(data={"status": "3745", "createdAt": "yesterday"}), "data.createdAt"),
    (b"acme/BAD", packed(time="noon"), "time"),
    (b"acme/BAD", packed(type="ticket.exploded"), "type"),
    (b"acme/BAD", packed(specversion="0.3"), "specversion"),
    (b"acme/other", packed(), "key"),
    (b"nobody/BAD", packed(tenantid="nobody"), "tenant"),
    (b"acme/BAD", packed(datacontenttype="application/merge-patch+json"), "patch"),
    (b"acme/BAD", packed(padding="x" * 1_048_576), "1"),
    (None, packed(tenantid="no such tenant"), "tenantid"),
    (b"no-slash", None, "key"),
)
"""Key, value, and what the reason has to speak of."""


def place_of(letter: ConsumerRecord) -> tuple[int, int]:
    """Partition and offset of the record that a dead letter is about."""
    headers = dict(letter.headers)
    return int(headers["partition"]), int(headers["offset"])


async def test_bad_records_become_dead_letters_and_good_ones_go_on(system: System) -> None:
    await system.publish(realm("helpdesk"), tenant("acme"))
    async with sending.opened(system.kafka) as producer:
        for number in range(GOOD):
            value = json.dumps(event("acme", f"INC{number}", 1)).encode()
            await producer.send(system.topics.events, value, f"acme/INC{number}".encode(), headers=[STRUCTURED])
            if number < len(BAD):
                key, bad, _ = BAD[number]
                headers = [STRUCTURED, ("trace", b"\x00\xff"), ("trace", b"again")]
                await producer.send(system.topics.events, bad, key, headers=headers)
    assert (await system.settled("acme")).counts == {"all": GOOD}
    log = await topic_log.read(system.kafka, system.topics.events)
    sent = {(one.key, one.value): one for one in log}
    letters = {place_of(letter): letter for letter in await topic_log.read(system.kafka, system.topics.dead_letters)}
    assert len(letters) == len(BAD)
    for key, bad, about in BAD:
        record = sent[key, bad]
        letter = letters[record.partition, record.offset]
        assert (letter.key, letter.value, letter.timestamp) == (key, bad, record.timestamp)
        assert letter.headers[:3] == record.headers
        added = dict(letter.headers[3:])
        assert added.keys() == {"reason", "topic", "partition", "offset"}
        assert about in added["reason"].decode(), (bad or b"")[:200]
        assert added["topic"] == system.topics.events.encode()
    assert system.consumers[0].metric("dead_letters_total") == len(BAD)


@pytest.mark.exhaustive
async def test_a_restart_does_not_send_dead_letters_again(system: System) -> None:
    await system.publish(realm("helpdesk"), tenant("acme"))
    await system.publish(event("acme", "INC1", 1), event("nobody", "INC1", 1), event("acme", "INC2", 1))
    assert (await system.settled("acme")).counts == {"all": 2}
    consumer = system.consumers[0]
    consumer.terminate()
    await system.restart(consumer)
    await system.publish(event("acme", "INC3", 1))
    assert (await system.settled("acme")).counts == {"all": 3}
    assert len(await topic_log.read(system.kafka, system.topics.dead_letters)) == 1


@pytest.mark.exhaustive
async def test_a_tenant_that_comes_later_counts_only_what_comes_after_it(system: System) -> None:
    await system.publish(realm("helpdesk"), event("late", "INC1", 1))

    async def parked() -> bool:
        return system.consumers[0].metric("dead_letters_total") == 1

    await wait_until(parked, 10.0, "the dead letter")
    await system.publish(tenant("late"), event("late", "INC2", 1))
    assert (await system.settled("late")).counts == {"all": 1}
