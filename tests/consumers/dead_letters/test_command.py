"""`python -m consumers.dead_letters` over a real topic: everything listed, and records sent again as they were."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.dead_letters.topic import parked_records
from consumers.kafka.clients import dead_letter_producer
from consumers.kafka.topics import ensure_topics
from consumers.metrics import ConsumerMetrics
from consumers.settings import ConsumerSettings
from tests.journeys.programs import topic_log
from tests.servers.kafka.tansu_broker import TansuBroker, find_tansu
from tests.servers.kafka.topics import Topics
from tests.servers.ports import free_port
from tests.support.pipeline import KafkaRecord

AT_MS = 1_795_000_000_000


@pytest.fixture
def settings(kafka: str, topics: Topics) -> ConsumerSettings:
    return ConsumerSettings(
        kafka=kafka,
        events_topic=topics.events,
        catalogue_topic=topics.catalogue,
        dead_letter_topic=topics.dead_letters,
        partitions=2,
    )


def run_command(settings: ConsumerSettings, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    names = ("kafka", "events_topic", "catalogue_topic", "dead_letter_topic")
    environ = os.environ | {f"TICKET_COUNTS_{name.upper()}": str(getattr(settings, name)) for name in names}
    command = [sys.executable, "-m", "consumers.dead_letters", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, timeout=40, check=False)


async def park(settings: ConsumerSettings, records: Sequence[tuple[KafkaRecord, str]]) -> None:
    """Parks them as a consumer does."""
    await ensure_topics(settings)
    producer = dead_letter_producer(settings)
    await producer.start()
    try:
        for record, reason in records:  # each by one that has just started: after a crash a record is parked again
            letters = DeadLetters(producer, settings.dead_letter_topic, ConsumerMetrics(), FloodGuard(1000, 1000, 1.0))
            await letters.park(record, reason)
            await letters.acknowledged()
    finally:
        await producer.stop()


def records_of(settings: ConsumerSettings) -> list[tuple[KafkaRecord, str]]:
    trace = (("trace", b"\x00\xff"), ("reason", b"the record's own"))
    events, catalogue = settings.events_topic, settings.catalogue_topic
    return [
        (KafkaRecord(0, 5, b"acme/INC1", b"\xff not JSON", trace, AT_MS, events), "value: not JSON"),
        (KafkaRecord(1, 9, b"globex/INC2", None, (), AT_MS + 1_000, events), "tenantid: no such tenant"),
        (KafkaRecord(0, 3, b"filter/acme/f", b'{"id": 1}', (), AT_MS + 2_000, catalogue), "where: missing"),
        (KafkaRecord(0, 5, b"acme/INC1", b"\xff not JSON", trace, AT_MS, events), "value: not JSON"),
        (KafkaRecord(0, 1, b"acme/INC4", b"{}", (), AT_MS, "elsewhere"), "id: missing\u2028or not text"),
    ]


def as_sent(record: ConsumerRecord | KafkaRecord) -> tuple[object, ...]:
    return record.key, record.value, tuple(record.headers), record.timestamp


async def test_letters_are_listed_whole_and_their_records_sent_again_once_each(settings: ConsumerSettings) -> None:
    await park(settings, records_of(settings))
    listed = run_command(settings, "list", "--json")
    assert listed.returncode == 0, listed.stderr
    lines = [json.loads(line) for line in listed.stdout.decode().splitlines()]
    assert [(line["topic"], line["partition"], line["offset"], line["tenant"]) for line in lines] == [
        (settings.events_topic, 0, 5, "acme"),
        (settings.events_topic, 1, 9, "globex"),
        (settings.catalogue_topic, 0, 3, "acme"),
        (settings.events_topic, 0, 5, "acme"),
        ("elsewhere", 0, 1, "acme"),
    ]
    assert lines[1]["reason"] == "tenantid: no such tenant"
    assert [line["ticket"] for line in lines] == ["INC1", "INC2", None, "INC1", "INC4"]
    assert b"5 letters read, 5 listed" in listed.stderr

    tried = run_command(settings, "replay", "--dry-run")
    assert b"4 chosen, 3 records would be sent, 1 parked more than once, 1 of other topics" in tried.stderr
    assert await topic_log.read(settings.kafka, settings.events_topic) == []

    sent = run_command(settings, "replay", "--all")
    assert sent.returncode == 1, "one of them has no topic to go to"
    assert b"3 records sent" in sent.stderr
    events = await topic_log.read(settings.kafka, settings.events_topic)
    wanted = [record for record, _ in records_of(settings)]
    assert sorted(map(repr, map(as_sent, events))) == sorted(map(repr, map(as_sent, wanted[:2])))
    assert [as_sent(one) for one in await topic_log.read(settings.kafka, settings.catalogue_topic)] == [
        as_sent(wanted[2])
    ]


async def test_only_the_chosen_ones_are_sent(settings: ConsumerSettings) -> None:
    await park(settings, records_of(settings))
    sent = run_command(settings, "replay", "--topic", settings.events_topic, "--reason", "no such tenant")
    assert (sent.returncode, sent.stdout.count(b"\n")) == (0, 1)
    assert b"1:9 'globex/INC2' tenantid: no such tenant" in sent.stdout
    assert [one.key for one in await topic_log.read(settings.kafka, settings.events_topic)] == [b"globex/INC2"]
    assert await topic_log.read(settings.kafka, settings.catalogue_topic) == []


async def test_letters_without_a_key_are_listed_with_what_the_record_says(settings: ConsumerSettings) -> None:
    value = b'{"tenantid": "acme", "subject": "INC7"}'
    await park(settings, [(KafkaRecord(0, 7, None, value, (), AT_MS, settings.events_topic), "id: missing")])
    listed = run_command(settings, "list")
    assert b"0:7 - tenant=acme ticket='INC7' id: missing\n" in listed.stdout
    line = json.loads(run_command(settings, "list", "--json", "--tenant", "acme").stdout)
    assert (line["key"], line["tenant"], line["ticket"]) == (None, "acme", "INC7")


async def test_letters_behind_the_end_that_a_broker_names_are_read(
    settings: ConsumerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's broker names the last batch's first offset and one."""
    await park(settings, records_of(settings))
    named = AIOKafkaConsumer.end_offsets

    async def too_low(self: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: max(end - 4, 0) for tp, end in (await named(self, partitions)).items()}

    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", too_low)
    assert len([record async for record in parked_records(settings)]) == 5
    assert [record.offset async for record in parked_records(settings, {0: 3})] == [3, 4]


async def test_all_letters_are_read_from_the_embedded_broker(tmp_path: Path) -> None:
    tansu = find_tansu()
    if tansu is None:
        pytest.skip("the embedded broker is not for this machine")
    with TansuBroker(tansu.path, tmp_path) as broker:
        settings = ConsumerSettings(kafka=broker.bootstrap)
        await park(settings, records_of(settings))
        assert b"5 letters read, 5 listed" in run_command(settings, "list").stderr


def test_what_is_missing_or_wrong_is_one_clear_line(settings: ConsumerSettings) -> None:
    absent = run_command(settings, "list")
    assert absent.returncode == 1
    assert f"there is no topic {settings.dead_letter_topic}".encode() in absent.stderr
    nowhere = run_command(settings.model_copy(update={"kafka": f"127.0.0.1:{free_port()}"}), "replay", "--all")
    assert nowhere.returncode == 1
    assert b"no broker answers at" in nowhere.stderr
    assert b"Traceback" not in nowhere.stderr
    wrong = run_command(settings.model_copy(update={"kafka": "nowhere"}), "list")
    assert (wrong.returncode, wrong.stderr.count(b"\n")) == (2, 1)
