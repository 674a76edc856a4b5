"""Batches packed by each of Kafka's codecs, transactions among them: every program that reads them reads them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from tests.journeys.programs.asking import realm
from tests.journeys.programs.catalogue_lines import OPEN, event, saved_filter, tenant
from tests.journeys.programs.rebuild_program import Rebuild
from tests.journeys.programs.system import System
from tests.journeys.test_audit import command
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.usefixtures("apache_kafka"), pytest.mark.timeout(180)]

CODECS = ("gzip", "snappy", "lz4", "zstd")
TOGETHER = 30
"""Events of a batch: enough that it gets smaller, without which no producer sends it packed."""


@asynccontextmanager
async def opened(kafka: str, codec: str, **more: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, compression_type=codec, acks="all", linger_ms=50, **more)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, topic: str, *lines: Mapping[str, Any]) -> None:
    """All in as few batches as there are partitions."""
    sent = []
    for line in lines:
        key = f"{line['tenantid']}/{line['subject']}".encode()
        sent.append(await producer.send(topic, json.dumps(line).encode(), key))
    if producer._txn_manager is None:
        await asyncio.gather(*sent)


async def send_entry(producer: AIOKafkaProducer, topic: str, line: Mapping[str, Any]) -> None:
    value = line["value"]
    name = value.get("id", value.get("name"))
    owner = (value["tenant"],) if line["kind"] == "filter" else ()
    await producer.send_and_wait(topic, json.dumps(value).encode(), "/".join((line["kind"], *owner, name)).encode())


async def test_every_reader_reads_what_is_packed_by_any_codec(system: System, tmp_path: Path) -> None:
    everything = {"field": "status", "op": "eq", "value": OPEN}
    await system.publish(realm("helpdesk"), tenant("acme"))
    for codec in CODECS:
        await send_packed(system, codec, saved_filter("acme", codec, everything))
    filters, counted = ("all", *CODECS), 3 * TOGETHER * len(CODECS)
    assert (await system.settled("acme", filters)).counts == dict.fromkeys(filters, counted)
    unknown = TOGETHER * len(CODECS)

    async def parked() -> bool:
        return system.consumers[0].metric("dead_letters_total") == unknown

    await wait_until(parked, 20.0, "the dead letters")
    listed = await letters(system, "list", "--tenant", "later")
    assert len(listed) == unknown, listed
    async with opened(system.kafka, CODECS[0]) as producer:
        await send_entry(producer, system.topics.catalogue, tenant("later"))
    assert len(await letters(system, "replay", "--tenant", "later")) == unknown
    assert (await system.settled("later")).counts == {"all": unknown}
    status, said = await Rebuild(system, tmp_path).run()
    assert status == 0, said
    assert (await system.settled("acme", filters)).counts == dict.fromkeys(filters, counted)
    assert (await command(system))[:2] == (0, "")
    export = tmp_path / "export.ndjson"
    tickets = [
        {"tenant": "acme", "ticket": f"{name}{n}", "sequence": 1, "data": event("acme", "", 1)["data"]}
        for name in (*(f"{codec}-{kind}" for codec in CODECS for kind in "PCD"), "never-published")
        for n in range(TOGETHER)
    ]
    export.write_text("\n".join(json.dumps(one) for one in tickets))
    status, out, errors = await command(system, "--against", str(export), "--publish")
    assert (status, out.count("; sent")) == (1, TOGETHER), errors
    assert (await system.settled("acme")).counts == {"all": counted + TOGETHER}


async def send_packed(system: System, codec: str, entry: Mapping[str, Any]) -> None:
    """An entry, events of a tenant that is known and of one that isn't, then transactions, one of them aborted."""
    topic = system.topics.events
    async with opened(system.kafka, codec) as producer:
        await send_entry(producer, system.topics.catalogue, entry)
        await send(producer, topic, *(event("acme", f"{codec}-P{n}", 1) for n in range(TOGETHER)))
        await send(producer, topic, *(event("later", f"{codec}-L{n}", 1) for n in range(TOGETHER)))
    async with opened(system.kafka, codec, transactional_id=f"{topic}-{codec}") as producer:
        for name, commits in (("C", True), ("A", False), ("D", True)):
            await producer.begin_transaction()
            await send(producer, topic, *(event("acme", f"{codec}-{name}{n}", 1) for n in range(TOGETHER)))
            await (producer.commit_transaction() if commits else producer.abort_transaction())


async def letters(system: System, *arguments: str) -> list[str]:
    """The lines that the command about dead letters writes."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "consumers.dead_letters",
        *arguments,
        env=os.environ | system.topics.environ() | {"TICKET_COUNTS_KAFKA": system.kafka},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(40):
        out, _ = await program.communicate()
    assert program.returncode == 0
    return out.decode().splitlines()
