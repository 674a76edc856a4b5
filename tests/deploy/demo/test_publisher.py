"""`python -m deploy.publisher` against a broker that runs already: key, catalogue, stock, live events, a clean end."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.demo.desk.histories import STOCK
from tests.servers.kafka.topics import Topics
from tests.support.waiting import wait_until

LIVE = 20


async def test_it_publishes_goes_on_and_ends_when_asked(kafka: str, topics: Topics, tmp_path: Path) -> None:
    output, errors, key, ready = (tmp_path / name for name in ("output", "errors", "realm.pem", "ready"))
    environ = {**os.environ, "TICKET_COUNTS_KAFKA": kafka, **topics.environ()}
    command = [sys.executable, "-m", "deploy.publisher", "--key", str(key), "--ready", str(ready)]
    command += ["--seed", "3", "--rate", "200"]
    with output.open("wb") as out, errors.open("wb") as err:
        publisher = await asyncio.create_subprocess_exec(*command, env=environ, stdout=out, stderr=err)
    try:
        await wait_until(ready.exists, 30, "the stock")
        assert "Paste this" in output.read_text()
        assert f"{STOCK:,} tickets published, --seed 3" in output.read_text()
        assert key.stat().st_mode & 0o777 == 0o600
        await wait_until(lambda: records(kafka, topics.events, STOCK + LIVE), 20, "live events")
    finally:
        publisher.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(publisher.wait(), 10)
    assert (status, errors.read_text()) == (0, "")


def test_a_key_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    key = tmp_path / "realm.pem"
    key.write_text("no key")
    command = [sys.executable, "-m", "deploy.publisher", "--key", str(key)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (1, f"{key}: is not a private key in PEM\n")


async def records(bootstrap: str, topic: str, at_least: int) -> bool:
    """Whether so many records are in the topic; counted by reading, as an embedded broker's ends can be off."""
    partitions = [TopicPartition(topic, number) for number in range(8)]
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await reader.start()
    try:
        reader.assign(partitions)
        found = 0
        while found < at_least and (batch := await reader.getmany(timeout_ms=500)):
            found += sum(len(part) for part in batch.values())
        return found >= at_least
    finally:
        await reader.stop()
