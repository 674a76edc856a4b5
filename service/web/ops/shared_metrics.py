"""The metrics of all workers behind one port, whichever of them is asked. Knows no metric by name.

Each worker keeps its own in memory, where counting costs least, and writes them to a file of its own whenever a sibling
asks: by a connection to its Unix socket, which it closes when the file is written. Whoever is scraped asks all others,
then reads their files. One that doesn't answer in time, or has ended, counts with what it wrote last, so no counter
goes back; one that is started again in its place carries on from there.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric

from service.web.ops.merged_metrics import accumulating, dumped, loaded, merged

ANSWER_S = 1.0
"""Longest wait for a sibling's file. Its event loop turns in milliseconds; a scrape has ten seconds by default."""

FILE, SOCKET = ".metrics", ".socket"


class SharedMetrics:
    """Of worker `number`, which shares `folder` with the others and with nobody else."""

    def __init__(self, folder: Path, number: int) -> None:
        self.registry = CollectorRegistry()
        self._file = folder / f"{number}{FILE}"
        self._parent = os.getppid()
        self._earlier: list[Metric] = []
        """What workers in this place had counted before they ended."""
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Siblings are answered while the context is open."""
        socket = self._file.with_suffix(SOCKET)
        socket.unlink(missing_ok=True)
        self._earlier = accumulating(await asyncio.to_thread(_read, self._file))
        server = await asyncio.start_unix_server(self._answer, str(socket))
        await self._write()
        try:
            yield
        finally:
            await self._write()  # what was counted since the last scrape
            server.close()

    async def collect(self) -> list[Metric]:
        """One family of each name, for the whole process group: the workers, and the parent that started them."""
        own = await self._write()  # so that a sibling that can't ask any more doesn't say less than this scrape
        paths = await asyncio.to_thread(lambda: sorted(self._file.parent.glob(f"*{FILE}")))
        siblings = await asyncio.gather(*(_asked(path) for path in paths if path != self._file))
        parent = ProcessCollector(pid=lambda: self._parent, registry=None)
        return await asyncio.to_thread(lambda: merged([own, *siblings, parent.collect()]))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._write()
        finally:
            writer.close()

    async def _write(self) -> list[Metric]:
        """Writes down what was counted in this place until now, and returns it."""

        def write(now: list[Metric]) -> list[Metric]:
            own = merged([now, self._earlier])
            _replace(self._file, dumped(own))
            return own

        async with self._writing:  # collected here, where nothing changes meanwhile; the rest in a thread
            return await asyncio.to_thread(write, [*self.registry.collect()])


async def _asked(path: Path) -> list[Metric]:
    """What the sibling with this file has counted so far."""
    has_ended = False
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(str(path.with_suffix(SOCKET)))
            try:
                await reader.read()
            finally:
                writer.close()
    except TimeoutError:
        pass
    except OSError:  # nobody listens there
        has_ended = True
    families = await asyncio.to_thread(_read, path)
    return accumulating(families) if has_ended else families


def _replace(path: Path, dump: bytes) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(dump)
    unfinished.replace(path)  # so that nobody reads half of it


def _read(path: Path) -> list[Metric]:
    try:
        return loaded(path.read_bytes())
    except FileNotFoundError:
        return []
