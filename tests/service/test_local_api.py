"""The form API for code on the same host: same bodies, no credentials, whatever the caller's threads and loops do."""

import asyncio
import concurrent.futures
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service import local_api as module
from service.config.environment import SettingsError
from service.local_api import local_api
from service.store.ports.errors import StoreRefused
from service.store.redis.store import RedisStore, open_store
from tests.oracle.panel import support_departments, support_statuses, ticket_counts
from tests.oracle.published.log import laid_out
from tests.oracle.recount import Recount
from tests.support.pipeline import FakeProducer, Pipeline, published
from tests.web.form.panel import CREDENTIALS, EVENTS, TENANT, TENANT_ENTRY, credential, removal
from tests.web.world import NOW_US

ROOT = Path(__file__).parents[2]
BUCKETS = 64
FAILED = {"result": "error", "message": "Authentication Failed"}


class Host:
    """What a panel has published, in a real Redis; and its recount."""

    def __init__(self, store: RedisStore) -> None:
        self.store, self.oracle, self.topic = store, Recount(), published(())
        self.pipeline = Pipeline(store, self.topic, FakeProducer(), NOW_US)

    async def learn(self, *items: dict[str, Any]) -> None:
        for item in items:
            self.topic.publish(item)
        self.oracle.learn(items)
        await self.pipeline.catch_up()


@pytest.fixture
async def host(redis_db: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    monkeypatch.setenv("TICKET_COUNTS_REDIS", redis_db)
    async with open_store(redis_db, BUCKETS, 10.0) as store:
        await store.ensure_layout()
        made = Host(store)
        await made.learn(TENANT_ENTRY, *CREDENTIALS)
        made.oracle.feed(EVENTS)
        await made.pipeline.consume(laid_out(EVENTS, 1, is_binary=lambda index: False))
        yield made
        module.close()


def test_importing_it_opens_and_reads_nothing() -> None:
    program = "import threading, sys; import service.local_api; print(threading.active_count())"
    environ = {**os.environ, "TICKET_COUNTS_REDIS": "nonsense"}
    assert ran(program, environ) == "1"


SLOW = re.compile(r"Executing .* took [0-9.]+ seconds")


def ran(program: str, environ: dict[str, str]) -> str:
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=50, check=False)
    # What the development mode says of a slow machine is no fault of the program.
    said = [line for line in done.stderr.splitlines() if not SLOW.fullmatch(line)]
    assert (done.returncode, said) == (0, [])
    return done.stdout.strip()


async def test_each_action_answers_the_recounts_body(host: Host) -> None:
    oracle, teams = host.oracle, ["sales", "tech"]
    for ignoring in (False, True):
        values = {"ignoreDepartmentAssignments": ignoring, "includeCountsByStatus": True}
        expected = ticket_counts(oracle, TENANT, teams, "7", ignoring=ignoring, by_status=True)
        assert local_api("GetTicketCounts", values, "ada") == expected
        without = ticket_counts(oracle, TENANT, None, None, ignoring=ignoring)
        assert local_api("getTICKETcounts", {"IGNOREDEPARTMENTASSIGNMENTS": str(ignoring)}) == without
        assert without["flaggedTickets"] == 0
        asked = {"ignore_dept_assignments": int(ignoring)}
        found = local_api("GetSupportDepartments", asked, "ada")
        assert found == support_departments(oracle, TENANT, teams, ignoring=ignoring)
    assert local_api("GetTicketCounts")["filteredDepartments"] == [1, 2, 3]
    assert local_api("GetSupportStatuses", {"deptid": 3}) == support_statuses(oracle, TENANT, 3)
    assert local_api("GetSupportStatuses", {"deptid": None}) == support_statuses(oracle, TENANT)


async def test_errors_are_the_same_bodies(host: Host) -> None:
    message = 'Invalid API Action: "gettickets" is not a valid API action'
    assert local_api("GetTickets", {}) == {"result": "error", "message": message}
    assert local_api("GetTicketCounts", {}, "nobody") == FAILED
    assert local_api("GetTicketCounts", {}, tenant="nowhere") == FAILED
    assert local_api("GetTicketCounts", {}, "ada", tenant="nowhere") == FAILED


async def test_an_admin_needs_no_credentials_and_is_not_limited_by_them(host: Host) -> None:
    assert local_api("GetTicketCounts", {}, "admin-elsewhere")["result"] == "success"
    assert local_api("GetTicketCounts", {}, "admin-narrow")["result"] == "success"
    assert local_api("GetTicketCounts", {}, "admin-orphan") == FAILED, "its tenant is not there"


async def test_the_tenant_has_to_be_named_where_nothing_else_says_it(host: Host) -> None:
    globex = {"kind": "tenant", "value": TENANT_ENTRY["value"] | {"id": "globex", "teams": []}}
    await host.learn(globex, credential("other", username="ada", tenant="globex"))
    assert local_api("GetTicketCounts") == FAILED
    assert local_api("GetTicketCounts", tenant="globex")["filteredDepartments"] == []
    assert local_api("GetTicketCounts", {}, "ada") == FAILED, "two admins have this name"
    assert local_api("GetTicketCounts", {}, "ada", tenant=TENANT)["filteredDepartments"] == [1, 3]
    await host.learn(removal("key"))
    assert local_api("GetTicketCounts", {}, "ada")["filteredDepartments"] == []


async def test_the_departments_of_one_admins_credentials_are_all_theirs(host: Host) -> None:
    await host.learn(credential("second", username="ada", teams=["billing"]))
    assert local_api("GetTicketCounts", {}, "ada")["filteredDepartments"] == [1, 2, 3]


async def test_a_changed_catalogue_and_new_tickets_are_seen_at_once(host: Host) -> None:
    before = local_api("GetTicketCounts", {}, "ada")
    teams = [{"id": "tech", "name": "Tech", "departmentId": 4}]
    await host.learn({"kind": "tenant", "value": TENANT_ENTRY["value"] | {"teams": teams}})
    assert before["filteredDepartments"] == [1, 3]
    assert local_api("GetTicketCounts", {}, "ada") == ticket_counts(host.oracle, TENANT, ["tech"], "7")


async def test_threads_and_a_running_loop_may_call_it(host: Host) -> None:
    expected = local_api("GetTicketCounts", {}, "ada")
    assert asyncio.get_running_loop().is_running()
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: local_api("GetTicketCounts", {}, "ada"), range(200)))
    assert answers == [expected] * 200


async def test_programs_that_call_it_end_quietly_and_may_fork(host: Host, redis_db: str) -> None:
    program = """
import os
from service.local_api import local_api
first = local_api("GetTicketCounts")["result"]
local_api("GetTicketCounts", {}, "nobody")
child = os.fork()
if child == 0:
    os._exit(0 if local_api("GetTicketCounts", {}, "ada")["result"] == "success" else 1)
print(first, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), local_api("GetTicketCounts")["result"])
"""
    environ = {**os.environ, "TICKET_COUNTS_REDIS": redis_db}
    assert await asyncio.to_thread(ran, program, environ) == "success 0 success"


async def test_a_changed_environment_is_followed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_api("GetTicketCounts")["result"] == "success"
    monkeypatch.setenv("TICKET_COUNTS_REDIS", "redis://127.0.0.1:1/0")
    away = local_api("GetTicketCounts")
    assert away == {"result": "error", "message": "Counts are unavailable for now"}
    monkeypatch.undo()
    monkeypatch.setenv("TICKET_COUNTS_REDIS", "redis://")
    with pytest.raises(SettingsError, match="TICKET_COUNTS_REDIS"):
        local_api("GetTicketCounts")


async def test_a_redis_that_is_laid_out_otherwise_is_an_operators_matter(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKET_COUNTS_BUCKETS", "32")
    with pytest.raises(StoreRefused, match="TICKET_COUNTS_BUCKETS"):
        local_api("GetTicketCounts")


async def test_after_it_was_closed_the_next_call_opens_it_again(host: Host) -> None:
    first = local_api("GetTicketCounts")
    module.close()
    module.close()
    assert local_api("GetTicketCounts") == first
