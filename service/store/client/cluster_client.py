"""The client of a Redis Cluster: sends each command to the master of its key's slot, over one connection per master.

Never repeats a command whose outcome is in doubt, like `PipelinedConnection`. A server that replies MOVED or ASK has
not executed the command, so the client follows the redirection, a few times at most. It never reads from a replica,
which may be behind. The time limit of a call includes finding the server and following redirections.
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
"""More than a moving slot needs: one to the importing server, one more when the move has just ended."""

POLL_LIMIT_S = 1.0
"""Longest wait for a server's view: a frozen server must not delay calls to others."""

POLL_INTERVAL_S = 0.1
"""Pause between refreshes of the slot map while a server is down: a failover takes seconds, and all callers retry."""

KEYS_AFTER_COUNT = frozenset({"EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO"})
"""Commands with the number of keys before the keys."""

KEY_FIRST = frozenset(
    {
        "DEL", "EXISTS", "GET", "GETDEL", "HDEL", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HRANDFIELD",
        "HSCAN", "HSET", "HSETNX", "PTTL", "SADD", "SET", "SMEMBERS", "SREM", "UNLINK", "ZADD", "ZRANGE", "ZRANGEBYLEX",
        "ZREM",
    }
)  # fmt: skip
"""Commands whose first argument is a key, and whose other keys, if any, share its slot."""

CURSOR_COMMANDS = frozenset({"HSCAN"})
"""Commands with a cursor, which is valid only at one server: while their slot moves, they fail instead of following."""


class ClusterClient:
    """Use as an async context manager; reads the slot map at the first call, and again whenever the cluster changes."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = ClusterUrl.of(url)
        self._timeout_s = timeout_s
        self._slots = Slots()
        self._nodes: frozenset[Address] = frozenset(self._url.seeds)
        self._connections: dict[Address, tuple[PipelinedConnection, AsyncExitStack]] = {}
        self._doubted: set[Address] = set()
        """Servers whose last call failed: they may no longer be masters."""
        self._refresh_lock = asyncio.Lock()
        self._refreshes = 0
        self._failure = ""
        """The error of the last server that didn't return its view, as a suffix for messages."""
        self._refreshing: set[asyncio.Task[None]] = set()
        self._next_refresh_at = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        refreshes = list(self._refreshing)
        for refresh in refreshes:
            refresh.cancel()
        await asyncio.gather(*refreshes, return_exceptions=True)
        for address in list(self._connections):
            await self._close(address)

    async def call(self, *command: Argument) -> Reply:
        """See `PipelinedConnection.call`."""
        return (await self.call_in_run(*command))[1]

    async def call_in_run(self, *command: Argument) -> tuple[str, Reply]:
        """Returns the run of the master that answered, and the reply.

        PING goes to all masters, and returns the run of the whole cluster.
        """
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
                if command[0] in CURSOR_COMMANDS:
                    raise StoreUnavailable(f"Redis: slot {slot} is being moved to another server") from None
                address, asking = Address(ask.host or address.host, ask.port), True
        raise StoreUnavailable(f"Redis: slot {slot} was redirected {REDIRECTIONS} times in a row")

    async def everywhere(self, *command: Argument) -> Sequence[Reply]:
        """Returns the reply of every master, ordered by address."""
        return [reply for _, reply in await self._everywhere(command)]

    async def runs(self, keys: Iterable[str]) -> Mapping[str, str]:
        """Returns the run of the master of each key; "" for a master that doesn't answer while others do."""
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
        """Names the master of the key, as far as is known."""
        return str(self._slots.owner(key_slot(key.encode())))

    async def beside(self, key: str, *command: Argument) -> Reply:
        """Sends a command without a key to the master of `key`."""
        until = self._until()
        address = await self._owner(key_slot(key.encode()), until)
        return (await self._at(address, command, until))[1]

    async def scan(self, cursor: int, *options: Argument) -> tuple[int, Sequence[bytes]]:
        """Runs SCAN on one master after another. The cursor is valid only in the same run of the whole cluster.

        The cursor is `SCAN's cursor * 16,384 + index of the master`. Example: 3 masters, SCAN at master 1 returns 0, so
        the next cursor is 2, the start of master 2; after master 2 it is 0, the end.
        """
        until = self._until()
        await self._known(until)
        masters = self._slots.masters
        inner, place = divmod(cursor, SLOTS)  # a cluster has at most SLOTS masters
        if place >= len(masters):  # there are fewer masters than when this cursor was returned
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
        """Returns the deadline of a call that begins now, by the loop's clock."""
        return asyncio.get_running_loop().time() + self._timeout_s

    async def _at(
        self, address: Address, command: Sequence[Argument], until: float, *, asking: bool = False
    ) -> tuple[str, Reply]:
        client = await self._client(address)
        try:
            answer = await client.call_until(until, *command, asking=asking)
        except StoreUnavailable as error:
            # A full server, or one whose slot is moving, is still the owner.
            if not isinstance(error, StoreUnable) and not isinstance(error.__cause__, TryAgainError):
                self._doubted.add(address)
            raise
        self._doubted.discard(address)
        return answer

    async def _client(self, address: Address) -> PipelinedConnection:
        # Never suspends, so that no other task can close the connection between this and the call.
        if address not in self._connections:
            stack = AsyncExitStack()
            client = await stack.enter_async_context(PipelinedConnection(self._url.server(address), self._timeout_s))
            self._connections[address] = client, stack
        return self._connections[address][0]

    async def _close(self, address: Address) -> None:
        _, stack = self._connections.pop(address)
        await stack.aclose()

    # -- the slot map --------------------------------------------------------------------------------------------------

    async def _owner(self, slot: int, until: float) -> Address:
        """Returns the master to try first. Raises StoreUnavailable."""
        owner = self._slots.owner(slot)
        if owner is None or owner in self._doubted or slot in self._slots.torn:
            await self._refreshed(until, self._refreshes)
            owner = self._slots.owner(slot)
        if slot in self._slots.torn:
            raise StoreUnavailable(
                f"Redis: {owner} failed over while slot {slot} was being moved, so its keys are on two servers: finish "
                "the move with redis-cli --cluster fix"
            )
        if owner is None:
            raise StoreUnavailable(f"Redis: no server that answers knows the owner of slot {slot}{self._failure}")
        return owner

    async def _known(self, until: float) -> None:
        """Returns once the masters are known, asking again if the last answer is in doubt. Raises StoreUnavailable."""
        if not self._slots.masters or self._doubted:
            await self._refreshed(until, self._refreshes)
        if not self._slots.masters:
            raise StoreUnavailable(f"Redis: no server of the cluster answers{self._failure}")

    async def _after_move(self, slot: int, before: Address, moved: MovedError, until: float) -> Address:
        target = Address(moved.host or before.host, moved.port)
        await self._refreshed(until, self._refreshes, target)
        now = self._slots.owner(slot)
        return target if now is None or now == before else now

    async def _refreshed(self, until: float, seen: int, pointed_at: Address | None = None) -> None:
        """Returns once the slot map was refreshed. Raises StoreUnavailable when that takes too long.

        The refresh then continues: a caller with little time left must not cancel it for others.
        """
        refresh = asyncio.create_task(self._refresh(seen, pointed_at), name="refresh the slot map")
        self._refreshing.add(refresh)
        refresh.add_done_callback(self._refresh_ended)
        await asyncio.wait((refresh,), timeout=until - asyncio.get_running_loop().time())
        if not refresh.done():
            raise StoreUnavailable(f"Redis: no server returned the slot map within {self._timeout_s:g} s")
        await refresh

    def _refresh_ended(self, refresh: asyncio.Task[None]) -> None:
        self._refreshing.discard(refresh)
        if not refresh.cancelled():
            refresh.exception()  # retrieved here, because the caller may have given up

    async def _refresh(self, seen: int, pointed_at: Address | None = None) -> None:
        """Refreshes the slot map, unless another refresh has begun since number `seen`."""
        async with self._refresh_lock:
            now = asyncio.get_running_loop().time()
            if self._refreshes != seen or (pointed_at is None and now < self._next_refresh_at):
                return
            self._refreshes += 1
            queried = {*self._slots.masters} - self._doubted | ({pointed_at} if pointed_at else set())
            views = await self._views(queried)
            if not views:
                queried = {*self._nodes, *self._url.seeds}
                views = await self._views(queried)
            self._slots.take(views)
            views += await self._views({*self._slots.masters} - queried - self._doubted)
            self._slots.take(views)
            await self._follow(views)
            self._next_refresh_at = asyncio.get_running_loop().time() + POLL_INTERVAL_S

    async def _views(self, addresses: Collection[Address]) -> list[View]:
        """Returns the views of the servers that answer. Raises NoCluster or StoreDenied when none returns a view."""
        reads = (view_of(self._url, address, POLL_LIMIT_S) for address in addresses)
        answers = await asyncio.gather(*reads, return_exceptions=True)
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
        """Closes connections to servers that are no longer masters: one that becomes a master again is a new run."""
        if not views:
            return
        self._nodes = frozenset(node.address for view in views for node in view.nodes)
        masters = {*self._slots.masters}
        masters |= {node.address for view in views for node in view.nodes if node.is_master and not node.ranges}
        self._doubted &= masters
        for address in [address for address in self._connections if address not in masters]:
            await self._close(address)


def _key(command: Sequence[Argument]) -> bytes:
    """Returns the key that decides the command's slot. Raises ValueError for a command it doesn't know."""
    name = command[0]
    if name not in KEYS_AFTER_COUNT and name not in KEY_FIRST:
        raise ValueError(f"{name!r}: where its key stands isn't known here")
    key = command[3 if name in KEYS_AFTER_COUNT else 1]
    return key if isinstance(key, bytes) else str(key).encode()
