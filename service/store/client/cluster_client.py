"""The wire over a Redis Cluster: each command goes to the master that has its key's slot, by one connection a master.

Like `PipelinedConnection` it never repeats a command whose fate is in doubt. A server that says MOVED or ASK has not
carried it out, so the command goes where it points, a few times at most. Nothing is ever read from a replica, which may
be behind. Finding the server, and following where it points, are in the time that the call has.
"""

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, TryAgainError

from service.store.client.cluster_view import ClusterUrl, NoCluster, view_of
from service.store.client.pipelined_connection import Argument, PipelinedConnection, Reply
from service.store.client.slots import SLOTS, Address, Slots, View
from service.store.ports.errors import StoreDenied, StoreUnable, StoreUnavailable

REDIRECTIONS = 5
"""More than a slot on its way needs: one to where it goes, one more where the move has just ended."""

POLL_LIMIT_S = 1.0
"""Longest wait for a server's view: a frozen one must not hold up calls of others."""

POLL_INTERVAL_S = 0.1
"""Between looks at a cluster that isn't well: a failover takes seconds, and all callers try again meanwhile."""

FOLLOWS_ITS_NUMBER = frozenset({"EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO"})
"""Commands whose keys are counted before they come."""

KEY_FIRST = frozenset(
    {
        "DEL", "EXISTS", "GET", "GETDEL", "HDEL", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HRANDFIELD",
        "HSCAN", "HSET", "HSETNX", "PTTL", "SADD", "SET", "SMEMBERS", "SREM", "UNLINK", "ZADD", "ZRANGE", "ZRANGEBYLEX",
        "ZREM",
    }
)  # fmt: skip
"""Commands whose first argument is a key, and whose other keys, if any, share its slot."""

GOES_ON = frozenset({"HSCAN"})
"""Commands that say where to go on; that is good only at the same server, so these wait until their slot has moved."""


class ClusterClient:
    """Use as an async context manager; finds the cluster when first used, and again whenever it changes."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = ClusterUrl.of(url)
        self._timeout_s = timeout_s
        self._slots = Slots()
        self._nodes: frozenset[Address] = frozenset(self._url.seeds)
        self._wires: dict[Address, tuple[PipelinedConnection, AsyncExitStack]] = {}
        self._doubted: set[Address] = set()
        """Those whose last call failed: perhaps they are masters no more."""
        self._looking = asyncio.Lock()
        self._looks = 0
        self._failure = ""
        """What the last server said that told nothing of the cluster."""
        self._looks_under_way: set[asyncio.Task[None]] = set()
        self._look_again_at = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        looks = list(self._looks_under_way)
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        for address in list(self._wires):
            await self._close(address)

    async def call(self, *command: Argument) -> Reply:
        """See `PipelinedConnection.call`."""
        return (await self.call_in_run(*command))[1]

    async def call_in_run(self, *command: Argument) -> tuple[str, Reply]:
        """The reply, and the name of the master's run that gave it; of PING, which asks all, that of the whole."""
        if command == ("PING",):
            return await self._ping()
        until = self._until()
        slot = key_slot(_key(command))
        address, asking = await self._owner(slot, until), False
        for _ in range(1 + REDIRECTIONS):
            try:
                return await self._at(address, command, until, asking=asking)
            except MovedError as moved:
                address, asking = await self._after_move(slot, address, moved, until), False
            except AskError as ask:
                if command[0] in GOES_ON:
                    raise StoreUnavailable(f"Redis: slot {slot} is on its way to another server") from None
                address, asking = Address(ask.host or address.host, ask.port), True
        raise StoreUnavailable(f"Redis: slot {slot} was not where it was said to be, {REDIRECTIONS} times in a row")

    async def everywhere(self, *command: Argument) -> Sequence[Reply]:
        """The reply of every master, in order of their addresses."""
        return [reply for _, reply in await self._everywhere(command)]

    async def runs(self, keys: Iterable[str]) -> Mapping[str, str]:
        """The run of the master that has each key; "" where that doesn't answer, but others do."""
        names = list(keys)
        answers = await asyncio.gather(*(self._run_of(name) for name in names), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if len(failures) == len(answers) or not isinstance(failure, StoreUnavailable):
                raise failure
        return {name: run if isinstance(run, str) else "" for name, run in zip(names, answers, strict=True)}

    async def _run_of(self, key: str) -> str:
        return (await self.call_in_run("EXISTS", key))[0]

    def server(self, key: str) -> str:
        """Names the master that has the key, as far as is known."""
        return str(self._slots.owner(key_slot(key.encode())))

    async def beside(self, key: str, *command: Argument) -> Reply:
        """What the master that has the key says to a command without one."""
        until = self._until()
        address = await self._owner(key_slot(key.encode()), until)
        return (await self._at(address, command, until))[1]

    async def scan(self, cursor: int, *options: Argument) -> tuple[int, Sequence[bytes]]:
        """Like SCAN, over one master after another. Good only while the whole is the same run."""
        until = self._until()
        await self._known(until)
        masters = self._slots.masters
        inner, place = divmod(cursor, SLOTS)  # there are no more masters than that
        if place >= len(masters):  # there are fewer than when the cursor was given
            return 0, []
        _, (following, found) = await self._at(masters[place], ("SCAN", inner, *options), until)
        if int(following):
            return int(following) * SLOTS + place, found
        return (place + 1) % len(masters), found

    async def _ping(self) -> tuple[str, Reply]:
        answers = await self._everywhere(("PING",))
        whole = f"{self._slots.layout}/{'/'.join(run for run, _ in answers)}"
        return hashlib.blake2b(whole.encode(), digest_size=16).hexdigest(), answers[0][1]

    async def _everywhere(self, command: Sequence[Argument]) -> Sequence[tuple[str, Reply]]:
        until = self._until()
        await self._known(until)
        return await asyncio.gather(*(self._at(address, command, until) for address in self._slots.masters))

    def _until(self) -> float:
        """When a call that begins now ends at the latest, by the loop's clock."""
        return asyncio.get_running_loop().time() + self._timeout_s

    async def _at(
        self, address: Address, command: Sequence[Argument], until: float, *, asking: bool = False
    ) -> tuple[str, Reply]:
        client = await self._client(address)
        try:
            answer = await client.call_until(until, *command, asking=asking)
        except StoreUnavailable as error:
            # Who is full, or has the slot on its way, is still the one to ask.
            if not isinstance(error, StoreUnable) and not isinstance(error.__cause__, TryAgainError):
                self._doubted.add(address)
            raise
        self._doubted.discard(address)
        return answer

    async def _client(self, address: Address) -> PipelinedConnection:
        # Never waits for anything: between this and the call nobody else can close the wire.
        if address not in self._wires:
            stack = AsyncExitStack()
            client = await stack.enter_async_context(PipelinedConnection(self._url.server(address), self._timeout_s))
            self._wires[address] = client, stack
        return self._wires[address][0]

    async def _close(self, address: Address) -> None:
        _, stack = self._wires.pop(address)
        await stack.aclose()

    # -- where everything is ------------------------------------------------------------------------------------------

    async def _owner(self, slot: int, until: float) -> Address:
        """The master to ask first. Raises StoreUnavailable."""
        owner = self._slots.owner(slot)
        if owner is None or owner in self._doubted or slot in self._slots.torn:
            await self._looked(until, self._looks)
            owner = self._slots.owner(slot)
        if slot in self._slots.torn:
            raise StoreUnavailable(
                f"Redis: {owner} failed over while slot {slot} was being moved, so its keys are on two servers: finish "
                "the move with redis-cli --cluster fix"
            )
        if owner is None:
            raise StoreUnavailable(f"Redis: no server that answers knows who has slot {slot}{self._failure}")
        return owner

    async def _known(self, until: float) -> None:
        """Returns when there are masters to ask, the right ones as far as is known. Raises StoreUnavailable."""
        if not self._slots.masters or self._doubted:
            await self._looked(until, self._looks)
        if not self._slots.masters:
            raise StoreUnavailable(f"Redis: no server of the cluster answers{self._failure}")

    async def _after_move(self, slot: int, before: Address, moved: MovedError, until: float) -> Address:
        said = Address(moved.host or before.host, moved.port)
        await self._looked(until, self._looks, said)
        now = self._slots.owner(slot)
        return said if now is None or now == before else now

    async def _looked(self, until: float, looks: int, pointed_at: Address | None = None) -> None:
        """Returns once somebody has found out anew who has what. Raises StoreUnavailable when that takes too long.

        The look goes on then: whether it ends is not for callers with little time to decide.
        """
        look = asyncio.create_task(self._look(looks, pointed_at), name="look at a Redis cluster")
        self._looks_under_way.add(look)
        look.add_done_callback(self._look_ended)
        await asyncio.wait((look,), timeout=until - asyncio.get_running_loop().time())
        if not look.done():
            raise StoreUnavailable(f"Redis: nobody told within {self._timeout_s:g} s who has what in the cluster")
        await look

    def _look_ended(self, look: asyncio.Task[None]) -> None:
        self._looks_under_way.discard(look)
        if not look.cancelled():
            look.exception()  # its caller may have left

    async def _look(self, looks: int, pointed_at: Address | None = None) -> None:
        """Finds out anew who has what, unless somebody has begun to since `looks`."""
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if self._looks != looks or (pointed_at is None and now < self._look_again_at):
                return
            self._looks += 1
            asked = {*self._slots.masters} - self._doubted | ({pointed_at} if pointed_at else set())
            views = await self._views(asked)
            if not views:
                asked = {*self._nodes, *self._url.seeds}
                views = await self._views(asked)
            self._slots.take(views)
            views += await self._views({*self._slots.masters} - asked - self._doubted)
            self._slots.take(views)
            await self._follow(views)
            self._look_again_at = asyncio.get_running_loop().time() + POLL_INTERVAL_S

    async def _views(self, addresses: Collection[Address]) -> list[View]:
        """What those say of them that answer. Raises NoCluster or StoreDenied where that is all they say."""
        asked = (view_of(self._url, address, POLL_LIMIT_S) for address in addresses)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        views = [answer for answer in answers if isinstance(answer, View)]
        for answer in answers:
            if isinstance(answer, NoCluster | StoreDenied) and not views:
                raise answer
            if isinstance(answer, BaseException) and not isinstance(answer, StoreUnavailable):
                raise answer
            if isinstance(answer, StoreUnavailable):
                self._failure = f"; {answer}"
        return views

    async def _follow(self, views: Sequence[View]) -> None:
        """Lets go of servers that are masters no more: one that comes back as one is another run, known by asking."""
        if not views:
            return
        self._nodes = frozenset(node.address for view in views for node in view.nodes)
        masters = {*self._slots.masters}
        masters |= {node.address for view in views for node in view.nodes if node.is_master and not node.ranges}
        self._doubted &= masters
        for address in [address for address in self._wires if address not in masters]:
            await self._close(address)


def _key(command: Sequence[Argument]) -> bytes:
    """The key that says where the command goes. Raises ValueError for a command it doesn't know."""
    name = command[0]
    if name not in FOLLOWS_ITS_NUMBER and name not in KEY_FIRST:
        raise ValueError(f"{name!r}: where its key stands isn't known here")
    key = command[3 if name in FOLLOWS_ITS_NUMBER else 1]
    return key if isinstance(key, bytes) else str(key).encode()
