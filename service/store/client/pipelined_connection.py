"""One connection to one Redis, shared by many callers: what they ask within one round trip travels together.

It never repeats a command by itself: a time-out may mean that the command was carried out, and only the caller
knows how to find out. redis-py speaks the protocol; its own call-by-call path costs twice as much (docs/decisions.md).
Each call has one limit of time, which counts from the call: waiting for the connection and for other calls included.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from service.store.client.redis_client import way_to
from service.store.client.redis_errors import Remedy, failure_text, redis_remedy
from service.store.client.send_errors import sending
from service.store.ports.errors import StoreDenied, StoreUnable, StoreUnavailable

Argument = str | bytes | int
Reply = Any

_NOT_NOW = (BusyLoadingError, ClusterDownError, MasterDownError, ReadOnlyError, TryAgainError)
"""Error replies that pass: nothing was done, and the same call may work later."""

_UNABLE = ("MISCONF", "NOREPLICAS")
"""Replies of a server that can't write to its disk, or has fewer replicas than it was told to have: redis-py has no
class for them."""

_MAX_PIPELINE = 512
"""Commands in one round trip: bounds the wait of the first for the last."""

MOST_WAITING = 20_000
"""Calls that may wait to be sent; more are refused at once. Above the 16,384 that a look at all buckets may make."""

_GRAIN_S = 0.01
"""Calls made within it share a limit: setting one for each would cost as much as everything else here."""


class _Call(NamedTuple):
    """A command that waits to be sent, or for its answer."""

    packed: bytes
    asking: bool
    """Whether the answer comes after one to ASKING."""
    until: float
    """By the loop's clock, when it fails at the latest."""
    answer: asyncio.Future[tuple[str, Reply]]


class PipelinedConnection:
    """Use as an async context manager; connects when first needed and again after a failure.

    A server that says nothing for as long as a call may take fails that call and all that wait behind it, at once.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._options: dict[str, Any] = {
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": timeout_s,
            # Ours is around the whole exchange. With one of its own redis-py sends by `wait_for`: another task for each
            # exchange, and before Python 3.12 now and then a lost cancellation.
            "socket_timeout": None,
            **parse_url(url),
        }
        self._way = way_to(url)
        self._class: type[AbstractConnection] = self._options.pop("connection_class", Connection)
        self._timeout_s = timeout_s
        self._connection: AbstractConnection | None = None
        self._run = ""
        self._waiting: deque[_Call] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._serve(), name="redis wire")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        # Not cancelled: who waits may have other wires, and would take it for an end of its own.
        _fail(self._taken(), StoreUnavailable("Redis: the connection is being closed"))
        await self._disconnect()

    async def call(self, *command: Argument) -> Reply:
        """The reply. Raises StoreUnavailable, in doubt after a time-out, and ResponseError for a refusal."""
        return (await self.call_in_run(*command))[1]

    async def call_in_run(self, *command: Argument) -> tuple[str, Reply]:
        """The reply, and the name of the run of Redis that gave it."""
        return await self._sent(command)

    async def call_until(self, until: float, *command: Argument, asking: bool = False) -> tuple[str, Reply]:
        """The same for a caller whose time began before: by the loop's clock it ends at `until`.

        `asking`: of a server of a cluster to which the key's slot is only on its way.
        """
        answer = self._sent(command, asking=asking)
        limit = asyncio.get_running_loop().call_at(until, _set_error, answer, self._silence())
        try:
            return await answer
        finally:
            limit.cancel()

    async def everywhere(self, *command: Argument) -> Sequence[Reply]:
        """The reply of every server that has keys: here one."""
        return [await self.call(*command)]

    async def runs(self, keys: Iterable[str]) -> Mapping[str, str]:
        """The run that each key is in: here one for all."""
        run, _ = await self.call_in_run("PING")
        return dict.fromkeys(keys, run)

    def server(self, key: str) -> str:
        """Names the server that has the key: here one for all."""
        return ""

    async def beside(self, key: str, *command: Argument) -> Reply:
        """What the server that has the key says to a command without one: here the one for all keys."""
        return await self.call(*command)

    async def scan(self, cursor: int, *options: Argument) -> tuple[int, Sequence[bytes]]:
        """SCAN: the next cursor, 0 at the end, and keys. Good only in the same run."""
        following, found = await self.call("SCAN", cursor, *options)
        return int(following), found

    def _sent(self, command: tuple[Argument, ...], *, asking: bool = False) -> asyncio.Future[tuple[str, Reply]]:
        """The answer to come. Raises StoreUnavailable, and RuntimeError after a fault of this program."""
        if self._task is None or self._task.done():
            if self._task is not None and self._task.cancelled():
                raise StoreUnavailable("Redis: the connection is closed")
            raise RuntimeError("nothing is sent any more") from (self._task.exception() if self._task else None)
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailable(f"Redis: {MOST_WAITING} calls are waiting already")
        loop = asyncio.get_running_loop()
        packed = _ASKING + _packed(command) if asking else _packed(command)
        call = _Call(packed, asking, loop.time() + self._timeout_s, loop.create_future())
        self._waiting.append(call)
        self._wake.set()
        return call.answer

    async def _serve(self) -> None:
        while True:
            await self._wake.wait()
            batch = self._next_batch()
            if not batch:
                continue
            try:
                async with asyncio.timeout_at(batch[0].until) as limit:
                    await self._exchange(batch, limit)
            except TimeoutError:  # whoever waits behind it would only wait longer
                await self._disconnect()
                _fail([*batch, *self._taken()], self._silence())
            except (RedisError, OSError) as error:
                await self._disconnect()
                denied = redis_remedy(error) is Remedy.STOP
                said = failure_text(self._way.where, error, self._way.password)
                _fail(batch, (StoreDenied if denied else StoreUnavailable)(said))
            except BaseException as error:  # cancelled, or a fault of this program: nobody may wait for ever
                _fail([*batch, *self._taken()], StoreUnavailable(f"Redis: the connection has ended: {error!r}"))
                raise

    def _next_batch(self) -> Sequence[_Call]:
        """What is sent together next, without what nobody waits for any more."""
        batch: list[_Call] = []
        while self._waiting and len(batch) < _MAX_PIPELINE:
            call = self._waiting.popleft()
            if not call.answer.done():
                batch.append(call)
        if not self._waiting:
            self._wake.clear()
        return batch

    def _taken(self) -> Sequence[_Call]:
        """All that wait to be sent; from now on nobody does."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self._wake.clear()
        return waiting

    def _silence(self) -> StoreUnavailable:
        return StoreUnavailable(f"Redis at {self._way.where}: no answer within {self._timeout_s:g} s")

    async def _exchange(self, batch: Sequence[_Call], limit: asyncio.Timeout) -> None:
        connection = await self._connected()
        with sending():
            await connection.send_packed_command([call.packed for call in batch])
        stale, until = False, batch[0].until
        for call in batch:
            if call.until > until + _GRAIN_S:
                until = call.until
                limit.reschedule(until)
            try:
                if call.asking:  # what is wrong with that is wrong with the command too
                    with contextlib.suppress(ResponseError, *_NOT_NOW):
                        await connection.read_response(disconnect_on_error=False)
                reply = await connection.read_response(disconnect_on_error=False)
            except _NOT_NOW as refusal:
                stale = stale or not isinstance(refusal, TryAgainError)
                _set_error(call.answer, _unavailable(refusal))
            except ResponseError as refusal:
                unable = _unable(refusal)
                _set_error(call.answer, StoreUnable(f"Redis: {unable}") if unable else refusal)
            else:
                if not call.answer.done():
                    call.answer.set_result((self._run, reply))
        if stale:  # a demoted or loading server, but not one that has a slot on its way: the next call looks again
            await self._disconnect()

    async def _connected(self) -> AbstractConnection:
        if self._connection is None:
            connection = self._class(**self._options)
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                with sending():
                    await connection.send_command("INFO", "server")
                server = await connection.read_response()
                with sending():
                    await connection.send_command("INFO", "replication")
                replication = await connection.read_response()
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            run, replica_of = _line(server, b"run_id:"), _line(replication, b"master_replid:")
            self._run = f"{run}.{replica_of}"
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.disconnect(nowait=True)


def _packed(command: tuple[Argument, ...]) -> bytes:
    """The command as it is sent. A batch has thousands of arguments, and redis-py takes six times as long for them."""
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # hiredis says one argument and means any number
    return packed


_ASKING = _packed(("ASKING",))


def _unable(refusal: ResponseError) -> str:
    """What a server says that can't take anything now; "" for any other refusal."""
    said = str(refusal).partition(" script: ")[0]  # where in a script it was refused is nobody's concern
    if isinstance(refusal, OutOfMemoryError):  # redis-py takes the code away
        return f"OOM {said}"
    return said if said.startswith(_UNABLE) else ""


def _line(info: bytes, prefix: bytes) -> str:
    for line in info.splitlines():
        if line.startswith(prefix):
            return line.removeprefix(prefix).decode()
    return ""


def _unavailable(refusal: RedisError) -> StoreUnavailable:
    error = StoreUnavailable(f"Redis: {refusal}")
    error.__cause__ = refusal
    return error


def _fail(calls: Iterable[_Call], error: Exception) -> None:
    for call in calls:
        _set_error(call.answer, error)


def _set_error(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
