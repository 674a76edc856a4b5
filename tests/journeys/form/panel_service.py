"""A service process, and what a panel has published to it: many tickets, some credentials, and their recount."""

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.store.redis.store import RedisStore
from tests.journeys.programs.program import Program
from tests.oracle.published.log import laid_out
from tests.oracle.recount import Recount
from tests.support.pipeline import FakeProducer, Pipeline, published
from tests.web.form.panel import CREDENTIALS, PATH, STATUSES, TEAMS, TENANT_ENTRY, event, md5, sha256
from tests.web.world import NOW_US

PREFIX = "TICKET_COUNTS_"
PASSWORD = md5("p-ada")
SECRETS = ("s-key", "s-elsewhere", "s-none", "s-narrow", PASSWORD, PASSWORD.upper(), "open sesame")
ACCESS_KEY = "open sesame"

CATALOGUE: list[dict[str, Any]] = [
    TENANT_ENTRY,
    *(
        {"kind": "credential", "value": entry["value"] | {"accessKeySha256": sha256(ACCESS_KEY)}}
        for entry in CREDENTIALS
    ),
]


@dataclass(frozen=True, slots=True)
class PanelService:
    """Where it can be called, and what is right to answer."""

    program: Program
    oracle: Recount

    @property
    def url(self) -> str:
        return self.program.address + PATH


def many_events(tickets: int, seed: int = 9) -> list[dict[str, Any]]:
    """Tickets in every status, team and hand, unknown ones too, some of them moved, flagged, or deleted again."""
    chance = random.Random(seed)
    teams = [*(team["id"] for team in TEAMS), None, "no such team"]
    statuses = [*(status["id"] for status in STATUSES), "no such status"]
    log: list[dict[str, Any]] = []
    for number in range(tickets):
        for sequence in range(1, chance.randint(1, 3) + 1):
            chosen = event(
                f"T-{number}", chance.choice(statuses), chance.choice(teams), chance.choice(["7", "8", "9", None])
            )
            log.append(chosen | {"id": f"{number}.{sequence}", "sequence": sequence})
        if chance.random() < 0.1:
            log.append({**log[-1], "id": f"{number}.9", "type": "ticket.deleted", "sequence": 9})
    return log


async def filled(store: RedisStore) -> Recount:
    """Publishes all of it into the store; returns the recount."""
    log = many_events(400)
    await store.ensure_layout()
    pipeline = Pipeline(store, published(CATALOGUE), FakeProducer(), NOW_US)
    await pipeline.catch_up()
    assert not pipeline.refused
    await pipeline.consume(laid_out(log, 1, is_binary=lambda index: False))
    await store.set_validated_offset(len(CATALOGUE))
    oracle = Recount(CATALOGUE)
    oracle.feed(log)
    return oracle


def new_program(redis: str, directory: Path, **settings: object) -> Program:
    """The service, with its log as talkative as it can be."""
    # Whoever runs the tests may have settings of their own; an empty variable is as good as none.
    environ = {name: "" for name in os.environ if name.startswith(PREFIX)}
    chosen = {"REDIS": redis, "PORT": 0, "LOG_LEVEL": "debug", **settings}
    environ |= {f"{PREFIX}{name}": str(value) for name, value in chosen.items()}
    return Program("service", directory / "service.log", environ)


def address_in(line: Mapping[str, Any]) -> str | None:
    """Where the service listens, by a line of its log."""
    return str(line["url"]) if line.get("event") == "listening" else None


def no_secrets_in(log: str) -> None:
    """Asserts that nothing that was sent to prove who somebody is stands in the log, nor its hash."""
    for secret in SECRETS:
        assert secret not in log
        assert sha256(secret) not in log
    assert "identifier=" not in log
