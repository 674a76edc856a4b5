"""The system that the page is watched on: broker, Redis, consumer, service, and people to sign in as. Sees no page."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from consumers.publish import publish
from consumers.settings import ConsumerSettings
from service.token import mint
from tests.journeys.programs.asking import COUNT, FILTERS, issuer, realm, signing_key
from tests.journeys.programs.catalogue_lines import HIGH, OPEN, Line, event, saved_filter, tenant
from tests.journeys.programs.program import LOST_SESSION, Program
from tests.servers.kafka.topics import Topics
from tests.servers.ports import free_port
from tests.support.waiting import wait_until_blocking

REALM = "helpdesk"
TENANT = "acme"
NASTY = '<img src=x onerror="document.title=1"><b>&amp;'
COUNTED_S = 20.0

PEOPLE: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "ticket_admin": (TENANT, "boss", ()),
    "ticket_agent": (TENANT, "ann", ("network",)),
    "ticket_user": (TENANT, "rob", ()),
    "empty": ("empty", "boss", ()),
    "loading": ("loading", "boss", ()),
    "stranger": (TENANT, "eve", ()),
}
"""Who can be chosen on the page, with tenant, user and teams; a key that is no role is somebody with another one."""

WITHOUT_ROLE = "stranger"


class World:
    """One system. Make it with `running_world`."""

    def __init__(self, kafka: str, redis: str, topics: Topics, directory: Path) -> None:
        self.sign_in = directory / "sign-in.json"
        environ = {
            "KAFKA": kafka,
            "REDIS": redis,
            "METRICS_PORT": 0,
            "PORT": free_port(),  # a page comes back to where it was
            "PARTITIONS": 2,
            "SESSION_TIMEOUT_S": 6,
            "DEVELOPMENT_SIGN_IN": self.sign_in,
            "DRAIN_S": 3,
        }
        told = {f"TICKET_COUNTS_{name}": str(value) for name, value in environ.items()} | topics.environ()
        self.consumers = Program("consumers", directory / "consumers.log", told)
        self.service = Program("service", directory / "service.log", told)
        self._settings = ConsumerSettings(
            kafka=kafka,
            events_topic=topics.events,
            catalogue_topic=topics.catalogue,
            dead_letter_topic=topics.dead_letters,
            partitions=2,
        )
        self._sequence = 0

    def start(self) -> None:
        self.write_sign_in()
        self.consumers.launch(
            lambda line: f"http://127.0.0.1:{line['metrics_port']}" if line["event"] == "consumer starts" else None
        )
        self.start_service()

    def start_service(self) -> None:
        self.service.launch(lambda line: str(line["url"]) if line["event"] == "listening" else None)

    def found(self) -> None:
        """Publishes tenants, filters and some tickets; returns once they are counted."""
        high = {"field": "priority", "op": "eq", "value": HIGH}
        self.publish(
            realm(REALM),
            tenant(TENANT),
            tenant("empty"),
            {"kind": "tenant", "value": {**tenant("loading")["value"], "loading": True}},
            saved_filter(TENANT, "nasty", high, name=NASTY, color="red; background: url(//evil.example)"),
            saved_filter(TENANT, "long", high, name="Waiting for an answer of the manufacturer of the spare part"),
            saved_filter(TENANT, "mine", {"field": "assignee", "op": "eq", "value": "@me"}, name="Mine"),
            {"kind": "profile", "value": {"id": "hot", "tenant": TENANT, "name": "Hot ones", "where": high}},
            *(event(TENANT, f"INC{number}", 1, priority=HIGH if number % 2 else "") for number in range(5)),
            event(TENANT, "INC5", 1, team="network", assignee="ann", requester="rob"),
        )
        wait_until_blocking(lambda: self.counts() and self.counts()["all"] == 6, COUNTED_S, "the first tickets")

    def publish(self, *lines: Line) -> None:
        """Returns when the broker has them."""
        asyncio.run(publish([json.dumps(line).encode() for line in lines], self._settings, say=lambda _: None))

    def new_ticket(self, tenant_id: str = TENANT, **data: Any) -> None:
        self._sequence += 1
        self.publish(event(tenant_id, f"NEW{self._sequence}", 1, status=OPEN, **data))

    def counted_ticket(self, **data: Any) -> None:
        """A new ticket of the tenant; returns once it is counted."""
        before = self.counts()["all"]
        self.new_ticket(**data)
        wait_until_blocking(
            lambda: self.counts().get("all", before) > before, COUNTED_S, "the new ticket to be counted"
        )

    def token(self, role: str = "ticket_admin", *, ttl_s: int = 3_600) -> str:
        tenant_id, user, teams = PEOPLE[role]
        return mint(
            signing_key(),
            realm=REALM,
            issuer=issuer(REALM),
            tenants=[tenant_id],
            user=user,
            roles=["other" if role == WITHOUT_ROLE else role if role.startswith("ticket_") else "ticket_admin"],
            teams=teams,
            now_s=int(time.time()),
            ttl_s=ttl_s,
        )

    def write_sign_in(self, ttl_s: int = 3_600) -> None:
        viewers = [
            {"role": role, "label": role, "realm": REALM, "tenant": tenant_id, "token": self.token(role, ttl_s=ttl_s)}
            for role, (tenant_id, _, _) in PEOPLE.items()
        ]
        self.sign_in.write_text(json.dumps({"viewers": viewers}))

    def counts(
        self, role: str = "ticket_admin", *, perspective: str = "template", profile: str | None = None
    ) -> dict[str, int]:
        """Every filter that may be asked for, by HTTP; the summary's keys beside them. Empty while nothing answers."""
        headers = {
            "authorization": f"Bearer {self.token(role)}", "x-tenantid": PEOPLE[role][0], "realmname": REALM
        }  # fmt: skip
        params = {"type": perspective, "module": "ticketing"}
        try:
            with httpx.Client(
                base_url=self.service.address, headers=headers, params=params, trust_env=False, verify=False
            ) as client:
                listed = client.get(FILTERS).json()["data"]["filters"]
                body = {"filterIds": [each["id"] for each in listed], "templateProfileFilterId": profile}
                answer = client.post(COUNT, json=body)
        except (httpx.TransportError, KeyError):
            return {}
        data = answer.json().get("data", {})
        return {**data.get("counts", {}), **data.get("summary", {})}

    def streams(self) -> int:
        """Open at the service now."""
        return int(self.service.metric("streams_open"))

    def close(self, *, quietly: bool) -> None:
        """Ends both; quietly, they have to go within 10 s and without an error line."""
        programs: Sequence[Program] = (self.consumers, self.service)
        for program in programs:
            if quietly and program.running:
                program.terminate(expected_errors=LOST_SESSION)  # of the one that a test froze
            program.kill()


@contextmanager
def running_world(kafka: str, redis: str, topics: Topics, directory: Path) -> Iterator[World]:
    """A system with its tickets counted, ended with the context."""
    world = World(kafka, redis, topics, directory)
    well = False
    try:
        world.publish(realm(REALM))
        world.start()
        world.found()
        yield world
        well = True
    finally:
        world.close(quietly=well)
