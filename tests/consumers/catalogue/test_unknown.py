"""`consumers.catalogue unknown`: ids that tickets had and the catalogue still hasn't, of one tenant or all."""

import msgspec
import pytest

from service.domain.catalogue.catalogue import Status
from service.store.ports.catalogue import StoredTenant
from service.store.ports.unknown_ids import UnknownId
from service.store.redis.store import open_store
from tests.consumers.catalogue import stored
from tests.consumers.catalogue.command import catalogue

AT = 1_795_256_100_000_000
MET = (
    UnknownId("status", "nwe", "INC1", AT),
    UnknownId("status", "late", "INC2", AT + 1_000_000),
    UnknownId("team", "x y", "INC/3", AT + 2_000_000),
)


@pytest.fixture
async def redis(redis_db: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two tenants; one knows `late` by now."""
    monkeypatch.setenv("TICKET_COUNTS_REDIS", redis_db)
    async with open_store(redis_db, stored.BUCKETS, 3) as store:
        await stored.fill(store, stored.record())
        entries = stored.record().entries
        statuses = (*entries.settings.statuses, Status("late", "Late"))
        renamed = msgspec.structs.replace(entries.settings, id="globex", statuses=statuses)
        other = stored.record(msgspec.structs.replace(entries, settings=renamed))
        await store.put_tenant("globex", None, StoredTenant("token", "generation", other))
        await store.note_unknown_ids(stored.TENANT, MET)
        await store.note_unknown_ids("globex", MET[1:])
    return redis_db


@pytest.mark.usefixtures("redis")
async def test_ids_are_listed_newest_first_with_a_ticket_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert await catalogue("unknown", "--tenant", stored.TENANT) == 0
    told = capsys.readouterr()
    assert told.out == (
        "acme: team x y: in ticket INC/3, 2026-11-21T10:15:02.000Z\n"
        "acme: status late: in ticket INC2, 2026-11-21T10:15:01.000Z\n"
        "acme: status nwe: in ticket INC1, 2026-11-21T10:15:00.000Z\n"
    )
    assert told.err == "3 ids that the catalogue doesn't know\n"


@pytest.mark.usefixtures("redis")
async def test_of_all_tenants_what_was_published_since_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert await catalogue("unknown") == 0
    assert [line.split(": in ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "acme: team x y",
        "acme: status late",
        "acme: status nwe",
        "globex: team x y",
    ]


@pytest.mark.usefixtures("redis")
async def test_a_tenant_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert await catalogue("unknown", "--tenant", "nobody") == 1
    assert "nobody" in capsys.readouterr().err
