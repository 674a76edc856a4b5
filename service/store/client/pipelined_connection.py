"""One connection to one Redis, shared by many callers: commands issued within one round trip are sent together.

Never repeats a command: after a time-out, the server may have executed it, and only the caller can find out. redis-py
implements the protocol; its own call-by-call path costs twice as much (docs/decisions.md). Each call has one time
limit, which includes the wait for the connection and for other calls.
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

from service.store.client.redis_client import sending, way_to
from service.store.client.redis_errors import Remedy, failure_text, redis_remedy
from service.store.ports.errors import StoreDenied, StoreUnable, StoreUnavailable

Argument = str | bytes | int
Reply = Any

_NOT_NOW = (BusyLoadingError, ClusterDownError, MasterDownError, ReadOnlyError, TryAgainError)
"""Temporary error replies: the server did nothing, and the same call may succeed later."""

_UNABLE = ("MISCONF", "NOREPLICAS")
"""Error codes of a server that can't write to its disk, or has too few replicas: redis-py has no class for them."""

_MAX_PIPELINE = 512
"""Most commands in one round trip: bounds how long the first waits for the last."""

MOST_WAITING = 20_000
"""Calls that may wait to be sent; more are refused at once. Above the 16,384 calls that read all buckets."""

_GRAIN_S = 0.01
"""Calls made within this time share a deadline: one timer per call would cost as much as everything else here."""


class _Call(NamedTuple):
    """A command that waits to be sent or answered."""

    packed: bytes
    asking: bool
    """Whether a reply to ASKING precedes the answer."""
    until: float
    """Deadline by the loop's clock."""
    answer: asyncio.Future[tuple[str, Reply]]


class PipelinedConnection:
    """Use as an async context manager; connects when first needed and again after a failure.

    When a server doesn't answer a call in time, that call and all that wait behind it fail at once.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._options: dict[str, Any] = {
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": timeout_s,
            # Our time-out covers the whole exchange. With its own, redis-py sends with `wait_for`: one more task per
            # exchange, and before Python 3.12 an occasional lost cancellation.
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
        self._task = asyncio.create_task(self._serve(), name="redis connection")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        # Fail, don't cancel: a caller with other connections would mistake that for its own cancellation.
        _fail(self._taken(), StoreUnavailable("Redis: the connection is being closed"))
        await self._disconnect()

    async def call(self, *command: Argument) -> Reply:
        """Returns the reply. Raises ResponseError for a refusal, and StoreUnavailable, in doubt after a time-out."""
        return (await self.call_in_run(*command))[1]

    async def call_in_run(self, *command: Argument) -> tuple[str, Reply]:
        """Returns the run of Redis that answered, and the reply."""
        return await self._sent(command)

    async def call_until(self, until: float, *command: Argument, asking: bool = False) -> tuple[str, Reply]:
        """Works like `call_in_run`, with the caller's own deadline `until` by the loop's clock.

        `asking`: sends ASKING first, for a server that is still importing the key's slot.
        """
        answer = self._sent(command, asking=asking)
        limit = asyncio.get_running_loop().call_at(until, _set_error, answer, self._silence())
        try:
            return await answer
        finally:
            limit.cancel()

    async def everywhere(self, *command: Argument) -> Sequence[Reply]:
        """Asks every server that holds keys. This connection has one server, so the list has one reply."""
        return [await self.call(*command)]

    async def runs(self, keys: Iterable[str]) -> Mapping[str, str]:
        """Returns the run of the server of each key: here, the same for all."""
        run, _ = await self.call_in_run("PING")
        return dict.fromkeys(keys, run)

    def server(self, key: str) -> str:
        """Names the server of the key: here, the same for all."""
        return ""

    async def beside(self, key: str, *command: Argument) -> Reply:
        """Sends a command without a key to the server of `key`: here, the only one."""
        return await self.call(*command)

    async def scan(self, cursor: int, *options: Argument) -> tuple[int, Sequence[bytes]]:
        """Returns SCAN's next cursor, 0 at the end, and keys. The cursor is valid only in the same run."""
        following, found = await self.call("SCAN", cursor, *options)
        return int(following), found

    def _sent(self, command: tuple[Argument, ...], *, asking: bool = False) -> asyncio.Future[tuple[str, Reply]]:
        """Queues the command, returns the future of its answer. Raises StoreUnavailable; RuntimeError after a bug."""
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
            except TimeoutError:  # later calls would only wait longer
                await self._disconnect()
                _fail([*batch, *self._taken()], self._silence())
            except (RedisError, OSError) as error:
                await self._disconnect()
                denied = redis_remedy(error) is Remedy.STOP
                message = failure_text(self._way.where, error, self._way.password)
                _fail(batch, (StoreDenied if denied else StoreUnavailable)(message))
            except BaseException as error:  # cancelled, or a fault of this program: no caller may wait for ever
                _fail([*batch, *self._taken()], StoreUnavailable(f"Redis: the connection has ended: {error!r}"))
                raise

    def _next_batch(self) -> Sequence[_Call]:
        """Returns the next calls to send together; drops calls whose caller has given up."""
        batch: list[_Call] = []
        while self._waiting and len(batch) < _MAX_PIPELINE:
            call = self._waiting.popleft()
            if not call.answer.done():
                batch.append(call)
        if not self._waiting:
            self._wake.clear()
        return batch

    def _taken(self) -> Sequence[_Call]:
        """Removes and returns all calls that wait to be sent."""
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
                if call.asking:  # an error of ASKING is also one of the command
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
        if stale:  # demoted or loading, not just moving a slot (TRYAGAIN): the next call reconnects
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
    """Packs a command with hiredis: a batch has thousands of arguments, and redis-py takes six times as long."""
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # hiredis says one argument and means any number
    return packed


_ASKING = _packed(("ASKING",))


def _unable(refusal: ResponseError) -> str:
    """Returns the message of a server that can't accept writes now; "" for any other refusal."""
    message = str(refusal).partition(" script: ")[0]  # drops the place in the script
    if isinstance(refusal, OutOfMemoryError):  # redis-py strips the code
        return f"OOM {message}"
    return message if message.startswith(_UNABLE) else ""


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
