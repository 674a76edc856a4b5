"""The commands for Docker, as the documents say them: they count, survive crashes, and keep the counts."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from consumers.settings import ConsumerSettings
from deploy.demo.desk.example import EXAMPLE_IDS, PEOPLE, REALM, TENANT, Person
from tests.deploy.answers import check_example, curl_in
from tests.deploy.clone import ROOT, clone
from tests.deploy.compose import BASES, BUILD_S, Project, commands_in_comments, project, what_is_missing
from tests.deploy.documents import blocks_of
from tests.journeys.faults.runs.judge import Judge, impossible
from tests.journeys.faults.runs.watch import Watch
from tests.journeys.programs import topic_log
from tests.journeys.programs.asking import Asking, NotCounted, Question, Snapshot
from tests.oracle.published.catalogue import Viewer
from tests.support.plain_http import get
from tests.support.waiting import wait_until

UP = "docker compose up --build --wait"
UP_DEMO = "docker compose --profile demo up --build --wait"
LOGS = "docker compose logs --no-log-prefix publisher"
DOWN = "docker compose --profile demo down"
FORGET = "docker compose --profile demo down --volumes"
BUILDS = {
    BASES[0]: "docker build -f deploy/Dockerfile -t ticket-counts .",
    BASES[1]: f"docker build -f deploy/Dockerfile -t ticket-counts --build-arg PYTHON={BASES[1]} .",
}

ORIGIN = "https://desk.example"

BACK_S = 180.0
"""From a kill to healthy takes 10 s, most of it between two health checks."""
CAUGHT_UP_S = 120.0

MEANWHILE = {"COUNTS_UNAVAILABLE", "ConnectError", "ReadError", "RemoteProtocolError"}
"""What may be answered instead of counts while a container is away."""

missing = what_is_missing()
with_docker = pytest.mark.skipif(bool(missing), reason=missing)

pytestmark = pytest.mark.timeout(2 * BUILD_S + 3 * BACK_S)


def test_every_documented_command_is_one_of_those_run_here() -> None:
    blocks = [block for path in (ROOT / "docs").glob("*.md") for block in blocks_of(path) if block.kind == "sh docker"]
    told = [line for block in blocks for line in block.text.splitlines()]
    told += commands_in_comments(ROOT / "docker-compose.yml")
    told += commands_in_comments(ROOT / "deploy" / "Dockerfile")
    assert set(told) == {UP, UP_DEMO, LOGS, DOWN, FORGET, *BUILDS.values()}


@pytest.fixture(scope="module")
def demo() -> Iterator[Project]:
    """The system with sample tickets, up as documented; forgotten as documented once its tests are done."""
    with clone(Path(sys.executable).resolve()) as here, project(here) as made:
        (here.project / "ticket-counts.env").write_text(f"TICKET_COUNTS_CORS_ORIGINS={ORIGIN}\n")
        made.run(BUILDS[made.base].replace(" ticket-counts ", f" {made.image} "), BUILD_S)
        made.run(UP_DEMO, BUILD_S)
        yield made
        made.run(FORGET)
        assert made.left() == []


@with_docker
def test_the_printed_curl_answers_as_the_example(demo: Project) -> None:
    printed = subprocess.run(
        ["bash", "-c", curl_in(demo.run(LOGS))], capture_output=True, text=True, timeout=10, check=True
    )
    check_example(json.loads(printed.stdout))


@with_docker
def test_settings_in_the_file_beside_it_are_passed_on(demo: Project) -> None:
    answer = get(f"http://127.0.0.1:{demo.http_port}/readyz", headers={"origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@with_docker
def test_everything_it_keeps_is_in_a_volume_with_a_name(demo: Project) -> None:
    assert demo.unnamed_volumes() == []


@with_docker
@pytest.mark.parametrize("victim", ["publisher", "service", "consumers", "redis", "kafka"])
async def test_a_killed_container_comes_back_and_no_count_was_wrong(demo: Project, victim: str) -> None:
    async with asking(demo) as ask, watching(ask) as watch:
        before = await caught_up(demo, ask)
        restarts = demo.restarts(victim)
        began, killed = time.monotonic(), await asyncio.to_thread(demo.kill, victim)
        await wait_until(lambda: asyncio.to_thread(demo.is_back, victim, killed), BACK_S, f"{victim} to be back")
        await wait_until(lambda: asyncio.to_thread(demo.all_healthy), BACK_S, "everything to be healthy")
        print(f"{time.monotonic() - began:.1f} s: {victim} killed until everything was healthy")
        assert demo.restarts(victim) == restarts + 1
        await caught_up(demo, ask)
    assert watch.refusals.keys() <= MEANWHILE
    assert watch.snapshots[-1].positions != before.positions, "nothing moved meanwhile"
    print(f"{len(watch.snapshots)} snapshots meanwhile, refused {dict(watch.refusals)}")
    await judge(demo, watch.snapshots)


@with_docker
async def test_down_and_up_again_keeps_the_counts(demo: Project) -> None:
    async with asking(demo) as ask:
        before = await caught_up(demo, ask)
        await asyncio.to_thread(demo.run, DOWN)
        assert demo.services() == {}
        await asyncio.to_thread(demo.run, UP)
        assert "publisher" not in demo.services()
        after = [await ask.count(question) for question in questions()]
        assert after[0].reaches(before.positions), "counted from nothing rather than kept"
        await caught_up(demo, ask)
        after += [await ask.count(question) for question in questions()]
    await judge(demo, after)


def viewer(person: Person) -> Viewer:
    return Viewer(frozenset({person.role}), person.user, frozenset(person.teams))


def questions() -> Sequence[Question]:
    """Everything that the example asks for, once for each of the demo's people; the admin is the first."""
    return [Question(TENANT, viewer(person), filter_ids=EXAMPLE_IDS) for person in PEOPLE]


@asynccontextmanager
async def asking(demo: Project) -> AsyncIterator[Asking]:
    """A client with the tokens that the publisher printed."""
    printed = re.findall(r"^Token of (\S+) .*:\n  (\S+)$", demo.run(LOGS), re.MULTILINE)
    by_user = dict(printed)
    tokens = {(TENANT, viewer(person)): by_user[person.user] for person in PEOPLE}
    async with Asking(f"http://127.0.0.1:{demo.http_port}", REALM, tokens) as ask:
        yield ask


@asynccontextmanager
async def watching(ask: Asking) -> AsyncIterator[Watch]:
    """A watch that looks until the context is left."""
    watch = Watch(ask, [questions()])
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(watch.run())
        yield watch
        looking.cancel()


async def caught_up(demo: Project, ask: Asking) -> Snapshot:
    """The first answer with all that is in the log now."""
    ends = await log_ends(demo)

    async def far_enough() -> Snapshot | None:
        try:
            snapshot = await ask.count(questions()[0])
        except (NotCounted, httpx.TransportError):
            return None
        return snapshot if snapshot.reaches(ends) else None

    found = await wait_until(far_enough, CAUGHT_UP_S, f"the counts to reach {ends}")
    assert found is not None
    return found


async def log_ends(demo: Project) -> dict[int, int]:
    async with topic_log.opened(demo.kafka) as client:
        return await topic_log.ends_of(client, ConsumerSettings().events_topic)


async def judge(demo: Project, snapshots: Sequence[Snapshot]) -> None:
    """Fails unless every snapshot is what a recount of the topic says at its position and its timers."""
    log = topic_log.as_log(await topic_log.read(demo.kafka, ConsumerSettings().events_topic))
    catalogue = await topic_log.read(demo.kafka, ConsumerSettings().catalogue_topic)
    told = Judge(log, [(one.offset, one.key, one.value) for one in catalogue], timed=True)
    wrong = told.differences(snapshots)
    assert not wrong, f"{len(wrong)} of {len(snapshots)} snapshots differ from the recount, the first: {wrong[0]}"
    assert not impossible(snapshots)
    assert not told.dead_letters
