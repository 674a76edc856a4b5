"""The whole system as its users run it: consumers and service as processes, on real servers. Asserts no counts."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer

from consumers.publish import publish
from consumers.settings import ConsumerSettings
from tests.journeys.programs import topic_log
from tests.journeys.programs.asking import Asking, NotCounted, Question, Snapshot, admin
from tests.journeys.programs.program import Program
from tests.servers.kafka.topics import Topics
from tests.support.waiting import wait_until

PREFIX = "TICKET_COUNTS_"
CAUGHT_UP_S = 20.0
"""Time for the counts to reach the log's end where nothing is in the way; a test that needs more says so."""

Line = bytes | Mapping[str, Any]


class System:
    """One installation with topics of its own. Make it with `running_system`."""

    def __init__(
        self, kafka: str, redis: str, topics: Topics, directory: Path, settings: Mapping[str, object], realm: str
    ) -> None:
        self.kafka, self.redis, self.topics, self.realm = kafka, redis, topics, realm
        self.directory = directory
        self.consumers: list[Program] = []
        self.service: Program | None = None
        self._settings = {
            "KAFKA": kafka,
            "REDIS": redis,
            "METRICS_PORT": 0,
            "PORT": 0,
            "PARTITIONS": 4,
            "EXPOSE_POSITIONS": "true",  # what answers are judged by
            "SESSION_TIMEOUT_S": 6,  # the least that brokers take by default: who is killed is missed sooner
            **settings,
        }
        self._asking: Asking | None = None
        self._clients = AsyncExitStack()
        self._reader: AIOKafkaConsumer | None = None

    @property
    def ask(self) -> Asking:
        """The client of the service."""
        assert self._asking is not None, "start the service first"
        return self._asking

    async def start(self) -> None:
        """One consumer and the service, both ready."""
        await self.start_consumer()
        await self.start_service()

    def launch(self) -> None:
        """Like `start`, for code outside an event loop; clients come with `opened`."""
        self._new_consumer({}).launch(_consumer_address)
        self._new_service({}).launch(_service_address)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Clients for one of several tests that share the launched system; fails where one of its programs has died."""
        assert self.service is not None
        self._asking = await self._clients.enter_async_context(Asking(self.service.address, self.realm))
        try:
            yield
            self.check()
        finally:
            await self._clients.aclose()
            self._asking = self._reader = None

    async def start_consumer(self, *, ready: bool = True, **settings: object) -> Program:
        """One more consumer; `ready` unless it is one that can't be."""
        program = self._new_consumer(settings)
        await asyncio.to_thread(program.launch, _consumer_address, ready=ready)
        return program

    async def start_service(self, **settings: object) -> Program:
        """The service, ready; a consumer has to have read the catalogue before."""
        service = self._new_service(settings)
        await asyncio.to_thread(service.launch, _service_address)
        self._asking = await self._clients.enter_async_context(Asking(service.address, self.realm))
        return service

    async def restart(self, program: Program) -> None:
        """Starts a consumer that was ended or killed, and returns once it is ready."""
        await asyncio.to_thread(program.launch, _consumer_address)

    async def restart_service(self) -> None:
        """Starts the service again that was killed; it is found only where its port was given."""
        assert self.service is not None
        await asyncio.to_thread(self.service.launch, _service_address)

    async def stop(self, *, expected_errors: Collection[str] = ()) -> None:
        """SIGTERM to all; fails where one doesn't end in time, with status 0 and without other error lines."""
        self.check()
        for program in self._running():
            await asyncio.to_thread(program.terminate, expected_errors=expected_errors)

    async def publish(self, *lines: Line) -> None:
        """Publishes events and catalogue entries in order, as `python -m consumers.publish` does."""
        await self.publish_all(lines)

    async def publish_all(self, lines: Iterable[Line]) -> None:
        """Like `publish`, for many."""
        settings = ConsumerSettings(
            kafka=self.kafka,
            events_topic=self.topics.events,
            catalogue_topic=self.topics.catalogue,
            dead_letter_topic=self.topics.dead_letters,
            partitions=int(str(self._settings["PARTITIONS"])),
        )
        await publish((_packed(line) for line in lines), settings, say=lambda _: None)

    async def ends(self, topic: str = "") -> dict[int, int]:
        """The next offset of each partition, of the events unless another topic is named."""
        if self._reader is None:
            self._reader = await self._clients.enter_async_context(topic_log.opened(self.kafka))
        return await topic_log.ends_of(self._reader, topic or self.topics.events)

    async def settled(
        self, tenant: str, filter_ids: tuple[str, ...] = ("all",), *, within_s: float = CAUGHT_UP_S
    ) -> Snapshot:
        """What an administrator sees once all that is in the log now is applied."""
        return await self.reached(
            Question(tenant, admin(), filter_ids=filter_ids), await self.ends(), within_s=within_s
        )

    async def reached(self, question: Question, ends: Mapping[int, int], *, within_s: float = CAUGHT_UP_S) -> Snapshot:
        """The first answer that has everything below `ends`."""

        async def far_enough() -> Snapshot | None:
            snapshot = await self.asked(question)
            return snapshot if snapshot is not None and snapshot.reaches(ends) else None

        found = await wait_until(far_enough, within_s, f"{question.tenant} to reach {ends}")
        assert found is not None
        return found

    async def asked(self, question: Question) -> Snapshot | None:
        """The answer now; None while the service has none. Raises ServerFailed when a process has died."""
        self.check()
        try:
            return await self.ask.count(question)
        except (NotCounted, httpx.TransportError):
            return None

    def check(self) -> None:
        """Raises ServerFailed when a process has ended without being told to."""
        for program in self._programs():
            program.check()

    async def close(self) -> None:
        """Kills what still runs and closes the clients; for the end of a test, however it ended."""
        for program in self._running():
            await asyncio.to_thread(program.kill)
        await self._clients.aclose()

    def environ(self) -> dict[str, str]:
        """The variables of one more program on the same servers and topics."""
        return self._environ({})

    def terminate(self) -> None:
        """Like `stop`, for code outside an event loop."""
        self.check()
        for program in self._running():
            program.terminate()

    def kill(self) -> None:
        """Ends what still runs, however the tests ended."""
        for program in self._running():
            program.kill()

    def _new_consumer(self, settings: Mapping[str, object]) -> Program:
        log = self.directory / f"consumer-{len(self.consumers)}.log"
        self.consumers.append(Program("consumers", log, self._environ(settings)))
        return self.consumers[-1]

    def _new_service(self, settings: Mapping[str, object]) -> Program:
        self.service = Program("service", self.directory / "service.log", self._environ(settings))
        return self.service

    def _programs(self) -> list[Program]:
        return [*self.consumers, *([self.service] if self.service else [])]

    def _running(self) -> list[Program]:
        return [program for program in self._programs() if program.running]

    def _environ(self, settings: Mapping[str, object]) -> dict[str, str]:
        # Whoever runs the tests may have settings of their own; an empty variable is as good as none.
        environ = {name: "" for name in os.environ if name.startswith(PREFIX)}
        chosen = {**self._settings, **settings}
        return environ | self.topics.environ() | {f"{PREFIX}{name}": str(value) for name, value in chosen.items()}


@asynccontextmanager
async def running_system(
    kafka: str, redis: str, topics: Topics, directory: Path, *, realm: str = "helpdesk", **settings: object
) -> AsyncIterator[System]:
    """A system that is ended with the context."""
    system = System(kafka, redis, topics, directory, settings, realm)
    try:
        yield system
    finally:
        await system.close()


def _packed(line: Line) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line).encode()


def _consumer_address(line: Mapping[str, Any]) -> str | None:
    return f"http://127.0.0.1:{line['metrics_port']}" if line.get("event") == "consumer starts" else None


def _service_address(line: Mapping[str, Any]) -> str | None:
    return str(line["url"]) if line.get("event") == "listening" else None
