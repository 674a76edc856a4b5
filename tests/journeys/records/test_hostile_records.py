"""Whatever bytes Kafka lets through: parked exactly, in events and catalogue, and read past by every program."""

import asyncio
import hashlib
import json
import random
import struct
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import NewTopic

from tests.consumers.fetching.raw_batches import Raw, batch
from tests.journeys.programs import topic_admin, topic_log
from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import event, saved_filter, tenant
from tests.journeys.programs.raw_producing import send_raw
from tests.journeys.programs.rebuild_program import Rebuild
from tests.journeys.programs.system import System, running_system
from tests.journeys.records.hostile_batches import ODD_NAME, good, hostile_batches, told
from tests.journeys.records.test_codecs import letters
from tests.servers.kafka.kafka_broker import KafkaBroker
from tests.servers.kafka.topics import Topics
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.usefixtures("apache_kafka"), pytest.mark.timeout(240)]

PARTITION = 1
COUNTED = {"H0", "H2", "P0", "P2", "Z0", "Z2", "M0", "M2", "LAST"}


def place_of(letter: ConsumerRecord) -> int:
    return int(dict(letter.headers)["offset"])


async def test_every_hostile_record_is_parked_and_every_program_reads_past_it(system: System, tmp_path: Path) -> None:
    await system.publish(realm("helpdesk"), tenant("acme"))
    hostile, places = hostile_batches(), dict[str, int]()
    for kind, raw in hostile.items():
        places[kind] = await send_raw(system.kafka, system.topics.events, PARTITION, raw)
    await send_raw(system.kafka, system.topics.events, PARTITION, batch(0, good("LAST")))
    settled = await system.settled("acme", within_s=60.0)
    assert settled.counts == {"all": len(COUNTED)}
    parked = {place_of(letter): letter for letter in await topic_log.read(system.kafka, system.topics.dead_letters)}
    by_kind = {kind: parked.get(place) or parked.get(place + 1) for kind, place in places.items()}
    assert all(by_kind.values()), by_kind
    letter = parked[places["a header name that is no text"] + 1]
    assert (letter.key, letter.value) == (told("H1").key, told("H1").value)
    assert dict(letter.headers)["reason"] == b"headers: a name is not UTF-8"
    void = parked[places["neither key nor value"]]
    assert (void.key, void.value) == (None, None)
    assert parked[places["20 MB of zeros"] + 1].value == bytes(20_000_000)
    batch_letter = parked[places["300 MB in a batch"]]
    assert b"more than 67,108,864 bytes when unpacked" in dict(batch_letter.headers)["reason"]
    assert batch_letter.value is not None
    assert batch_letter.value[61:] == hostile["300 MB in a batch"][61:]
    listed = await letters(system, "list", "--json")
    assert {json.loads(line)["offset"] for line in listed} == set(parked)
    status, said = await Rebuild(system, tmp_path).run()
    assert status == 0, said
    assert (await system.settled("acme")).counts == {"all": len(COUNTED)}
    consumer = system.consumers[0]
    await asyncio.to_thread(consumer.terminate)
    await system.restart(consumer)
    await system.publish(event("acme", "AFTER", 1))
    assert (await system.settled("acme")).counts == {"all": len(COUNTED) + 1}
    assert len(await topic_log.read(system.kafka, system.topics.dead_letters)) == len(parked), "none is sent again"


async def test_a_hostile_catalogue_record_leaves_the_last_good_entry_and_the_next_ones_are_read(system: System) -> None:
    everything = {"field": "state", "op": "eq", "value": "open"}
    await system.publish(realm("helpdesk"), tenant("acme"), saved_filter("acme", "f", everything))
    await system.publish(event("acme", "INC1", 1))
    assert (await system.settled("acme", ("f",))).counts == {"f": 1}
    worse = json.dumps({**saved_filter("acme", "f", {"not": everything})["value"]}).encode()
    for raw in (
        batch(0, Raw(worse, b"filter/acme/f", ODD_NAME)),
        batch(0, Raw(bytes(20_000_000), b"filter/acme/f"), codec="gzip"),
        batch(0, Raw(bytes(150_000_000), b"filter/acme/g"), codec="zstd"),
    ):
        await send_raw(system.kafka, system.topics.catalogue, 0, raw)
    await system.publish(saved_filter("acme", "later", everything), event("acme", "INC2", 1))
    assert (await system.settled("acme", ("f", "later"))).counts == {"f": 2, "later": 2}
    reasons = [dict(one.headers)["reason"] for one in await topic_log.read(system.kafka, system.topics.dead_letters)]
    assert len(reasons) == 3, reasons
    consumer = system.consumers[0]
    await asyncio.to_thread(consumer.terminate)
    await system.restart(consumer)
    await system.publish(event("acme", "INC3", 1))
    assert (await system.settled("acme", ("f", "later"))).counts == {"f": 3, "later": 3}


@pytest.mark.exhaustive
async def test_letters_are_listed_whatever_others_have_written_into_their_topic(system: System) -> None:
    await system.publish(realm("helpdesk"), tenant("acme"), event("nobody", "INC1", 1))

    async def parked() -> bool:
        return system.consumers[0].metric("dead_letters_total") == 1

    await wait_until(parked, 20.0, "the dead letter")
    nulls = [(name, None) for name in (b"reason", b"topic", b"partition", b"offset")]
    late = [(b"reason", b"r"), (b"topic", b"t"), (b"partition", b"0"), (b"offset", b"7")]
    for raw in (
        batch(0, told("X")),
        batch(0, Raw(b"x", b"y", nulls)),
        batch(0, Raw(b"x", b"y", late, timestamp_delta=-(2**62))),
        batch(0, Raw(bytes(300_000_000)), codec="zstd"),
    ):
        await send_raw(system.kafka, system.topics.dead_letters, 0, raw)
    listed = [json.loads(line) for line in await letters(system, "list", "--json")]
    assert [one["reason"] for one in listed] == ["tenantid: no tenant nobody in the catalogue", "r"]


@pytest.mark.exhaustive
async def test_a_letter_beyond_what_its_topic_takes_has_length_hash_and_beginning_of_its_record(
    kafka: str, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with topic_admin.opened(kafka) as admin:  # as somebody makes it who leaves all to the broker
        await admin.create_topics([NewTopic(topics.dead_letters, 1, 1)])
    async with running_system(kafka, redis_db, topics, tmp_path) as system:
        await system.start()
        await system.publish(realm("helpdesk"), tenant("acme"))
        value = random.Random(7).randbytes(1_500_000)
        await send_raw(kafka, topics.events, PARTITION, batch(0, Raw(value, b"acme/BIG", [(b"trace", b"1")])))
        await system.publish(event("acme", "INC1", 1))
        assert (await system.settled("acme")).counts == {"all": 1}
        (letter,) = await topic_log.read(kafka, topics.dead_letters)
        assert letter.value is not None
        assert len(letter.value) == 256 * 1024
        assert value.startswith(letter.value)
        assert (letter.key, letter.headers[0]) == (b"acme/BIG", ("trace", b"1"))
        said = dict(letter.headers)["reason"].decode()
        assert "the first 262,144 of 1,500,000 bytes" in said
        assert hashlib.sha256(value).hexdigest() in said
        (line,) = await letters(system, "list")
        assert "value: 1500000 bytes, more than 1048576; of its value the first 262,144" in line
        await system.stop()


@pytest.mark.exhaustive
async def test_a_batch_that_rotted_on_the_broker_s_disk_is_parked_and_the_rest_is_counted(
    kafka_broker: KafkaBroker, redis_db: str, topics: Topics, tmp_path: Path
) -> None:
    async with running_system(kafka_broker.bootstrap, redis_db, topics, tmp_path, PARTITIONS=1) as system:
        await system.publish(realm("helpdesk"), tenant("acme"))
        for ticket in ("A", "ROTS", "B"):
            await send_raw(system.kafka, topics.events, 0, batch(0, good(ticket), good(f"{ticket}2")))
        await asyncio.to_thread(kafka_broker.stop)
        (segment,) = (kafka_broker.directory / "data" / f"{topics.events}-0").glob("*.log")
        kept = bytearray(segment.read_bytes())
        kept[kept.index(b"ROTS")] ^= 0xFF
        segment.write_bytes(kept)
        await asyncio.to_thread(kafka_broker.start)
        await system.start()
        assert (await system.settled("acme", within_s=60.0)).counts == {"all": 4}
        (letter,) = await topic_log.read(system.kafka, topics.dead_letters)
        assert place_of(letter) == 2
        assert b"its checksum is wrong; it stands for the offsets 2 to 3" in dict(letter.headers)["reason"]
        assert letter.value is not None
        assert letter.value.count(b"OTS") == kept.count(b"OTS")
        assert struct.unpack_from(">q", letter.value)[0] == 2
        await system.stop()
