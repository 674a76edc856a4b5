"""`consumers.catalogue show`: what Redis has of a tenant, and how far what is new has come."""

import pytest

from service.domain.tenants.record import TenantRecord
from service.store.redis.store import open_store
from tests.consumers.catalogue import stored
from tests.consumers.catalogue.command import catalogue


@pytest.fixture
def redis_settings(redis_db: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TICKET_COUNTS_REDIS", redis_db)
    return redis_db


async def put(redis: str, record: TenantRecord) -> None:
    async with open_store(redis, stored.BUCKETS, 3) as store:
        await stored.fill(store, record)


async def shown(capsys: pytest.CaptureFixture[str]) -> str:
    assert await catalogue("show", "--tenant", stored.TENANT) == 0
    return capsys.readouterr().out


async def test_a_tenant_is_shown_with_all_that_it_has(redis_settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    await put(redis_settings, stored.record())
    assert await shown(capsys) == (
        "tenant acme: Acme\n"
        "realm helpdesk: issuer https://id.example, 1 keys\n"
        "version 7 in force\n"
        "statuses: 2\n  open Open active\n  done Done closed\n"
        "priorities: 2\n  p1 Urgent, rank 2\n  p2 Normal, rank 1\n"
        "teams: 2\n  net Network\n  desk Desk\n"
        "filters: 2\n"
        "  mine: Mine (assignment)\n"
        "    the tenant's; every perspective\n"
        "    state = open AND (assignee = @me OR team in @my_teams)\n"
        "    1 columns, in force\n"
        "  urgent: Urgent (priority)\n"
        "    owner ann; shared with roles lead; shared with teams net; agent\n"
        "    priority >= p1\n"
        "    1 columns, in force\n"
        "profiles: 1\n"
        "  vips: VIPs\n"
        "    the tenant's\n"
        "    tags contains any [vip]\n"
        "    0 columns, in force\n"
    )


async def test_what_is_filled_and_what_leaves_is_told(redis_settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    await put(redis_settings, stored.with_a_new_filter(stored.record()))
    out = await shown(capsys)
    assert "version 7 in force; version 9 pending; filling: 1 columns\n" in out
    assert "filters: 2, and removed: urgent\n" in out
    assert "tags contains any [vip]\n    1 columns, filling: 1 columns\n" in out


async def test_an_unknown_tenant_is_told(redis_settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    await put(redis_settings, stored.record())
    assert await catalogue("show", "--tenant", "globex") == 1
    assert capsys.readouterr() == ("", "tenant 'globex': none in force\n")


async def test_an_empty_redis_is_left_empty(redis_settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert await catalogue("show", "--tenant", stored.TENANT) == 1
        assert "no consumer has written to this Redis yet" in capsys.readouterr().err


async def test_another_number_of_buckets_is_refused(
    redis_settings: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await put(redis_settings, stored.record())
    monkeypatch.setenv("TICKET_COUNTS_BUCKETS", "3")
    assert await catalogue("show", "--tenant", stored.TENANT) == 2
    assert "was laid out with 64, not 3" in capsys.readouterr().err


async def test_a_redis_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICKET_COUNTS_REDIS", "redis://127.0.0.1:1/0")
    assert await catalogue("show", "--tenant", stored.TENANT) == 1
    assert capsys.readouterr().err.startswith("TICKET_COUNTS_REDIS: ")
