"""Redis is backed up and put back by the very commands of the documents, and what came after is counted again."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.clone import ROOT
from tests.deploy.documents import blocks_of
from tests.journeys.programs.asking import Question, admin
from tests.journeys.programs.catalogue_lines import event
from tests.journeys.programs.system import running_system
from tests.journeys.trouble.test_store_trouble import REWINDS, founded
from tests.servers.guardian import guardian
from tests.servers.kafka.topics import Topics
from tests.servers.ports import HOST, free_port
from tests.servers.redis.redis_server import answers, closing_client
from tests.support.waiting import wait_until, wait_until_blocking

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("apache_kafka"),
    pytest.mark.skipif(not (shutil.which("redis-cli") and shutil.which("redis-server")), reason="needs Redis on PATH"),
]

UP_S = 20.0
COMMANDS_S = 40.0

CONF = """
bind {host}
port {port}
dir {directory}
save ""
appendonly yes
maxmemory-policy noeviction
daemonize yes
"""


class Installed:
    """A Redis with a configuration file, as an operator has one; its process belongs to nobody here."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self.data = directory / "data"
        self.data.mkdir()
        self._conf = directory / "redis.conf"
        self._conf.write_text(CONF.format(host=HOST, port=self.port, directory=self.data))
        self._where = directory
        self._pid = 0

    def start(self) -> None:
        """As its service would."""
        subprocess.run(["redis-server", self._conf], check=True, capture_output=True, timeout=UP_S)
        self.watch()

    def watch(self) -> None:
        """Whoever started it: it ends with the tests."""
        wait_until_blocking(lambda: answers(self.url), UP_S, "Redis")
        with closing_client(self.url) as client:
            self._pid = int(client.info("server")["process_id"])
        guardian().watch(self._pid)

    def stop(self) -> None:
        with closing_client(self.url) as client:
            client.shutdown()
        self.gone()

    def gone(self) -> None:
        """Returns once the process has ended."""
        wait_until_blocking(lambda: not Path(f"/proc/{self._pid}").exists(), UP_S, "the end of Redis")
        guardian().forget(self._pid)

    def typed(self, commands: str) -> None:
        """Runs a block as it stands in the documents. Raises AssertionError with what it says on stderr."""
        environ = {
            **os.environ,
            "TICKET_COUNTS_REDIS": self.url,
            "REDIS_DIR": str(self.data),
            "REDIS_CONF": str(self._conf),
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self._where, env=environ, capture_output=True, text=True, timeout=COMMANDS_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    redis = Installed(tmp_path)
    redis.start()
    yield redis
    redis.stop()


def documented() -> list[str]:
    """To back up, to stop and start with the dump, to write the append-only file again."""
    return [block.text for block in blocks_of(ROOT / "docs" / "operations.md") if block.kind == "sh redis"]


async def test_a_backup_is_put_back_as_documented_and_the_rest_is_counted_again(
    kafka: str, installed: Installed, topics: Topics, tmp_path: Path
) -> None:
    backup, restore, append_only = documented()
    async with running_system(kafka, installed.url, topics, tmp_path) as system:
        await system.start()
        await founded(system)
        await asyncio.to_thread(installed.typed, backup)
        await system.publish_all(event("acme", f"INC{number}", 1) for number in range(1, 8))
        assert (await system.settled("acme")).counts == {"all": 8}
        (consumer,) = system.consumers
        await asyncio.to_thread(consumer.terminate)
        await asyncio.to_thread(installed.typed, restore)
        await asyncio.to_thread(installed.watch)
        await asyncio.to_thread(installed.typed, append_only)
        question = Question("acme", admin())
        restored = await wait_until(lambda: system.asked(question), UP_S, "an answer from the dump")
        assert restored is not None
        assert restored.counts == {"all": 1}, "what was backed up, neither nothing nor what came later"
        await system.restart(consumer)
        assert (await system.settled("acme")).counts == {"all": 8}

        await asyncio.to_thread(installed.stop)
        await asyncio.to_thread(installed.start)
        assert (await system.settled("acme")).counts == {"all": 8}
        await system.stop(expected_errors=REWINDS)


def test_a_dump_beside_append_only_is_passed_over_as_documented(installed: Installed) -> None:
    with closing_client(installed.url) as client:
        client.set("counter", "7")
    installed.typed(documented()[0])
    installed.stop()
    shutil.rmtree(installed.data / "appendonlydir")
    shutil.copy(installed.data.parent / "counters.rdb", installed.data / "dump.rdb")
    installed.start()
    with closing_client(installed.url) as client:
        assert client.dbsize() == 0
