"""Collects the metrics of all workers behind one port, whichever worker is scraped. Knows no metric by name.

Each worker counts in memory, which is cheapest, and has a file and a Unix socket. The scraped worker connects to each
sibling's socket; the sibling writes its metrics to its file and closes the connection; the scraped worker reads the
file. If a sibling is too slow or has ended, its last file counts, so no counter goes back. A worker that is started
again adds its counts to those in its file.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric

from service.web.ops.merged_metrics import accumulating_only, dump_metrics, load_metrics, merge_metrics

ANSWER_S = 1.0
"""Longest wait for a sibling's file. Event loops turn in milliseconds, and a scrape may take ten seconds by default."""

FILE, SOCKET = ".metrics", ".socket"


class SharedMetrics:
    """The metrics of worker `number`. All workers of the port share `folder`, and nothing else uses it."""

    def __init__(self, folder: Path, number: int) -> None:
        self.registry = CollectorRegistry()
        self._file = folder / f"{number}{FILE}"
        self._parent = os.getppid()
        self._earlier: list[Metric] = []
        """Final counts of ended workers with this number."""
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answers siblings while the context is open."""
        socket = self._file.with_suffix(SOCKET)
        socket.unlink(missing_ok=True)
        self._earlier = accumulating_only(await asyncio.to_thread(_read, self._file))
        server = await asyncio.start_unix_server(self._answer, str(socket))
        await self._write()
        try:
            yield
        finally:
            await self._write()  # keeps what was counted since the last scrape
            server.close()

    async def collect(self) -> list[Metric]:
        """Returns one family per name, merged over all workers and the parent process that started them."""
        own = await self._write()  # so that a later scrape of a sibling shows no less, even if this worker hangs then
        paths = await asyncio.to_thread(lambda: sorted(self._file.parent.glob(f"*{FILE}")))
        siblings = await asyncio.gather(*(_metrics_of(path) for path in paths if path != self._file))
        parent = ProcessCollector(pid=lambda: self._parent, registry=None)
        return await asyncio.to_thread(lambda: merge_metrics([own, *siblings, parent.collect()]))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._write()
        finally:
            writer.close()

    async def _write(self) -> list[Metric]:
        """Writes the counts of this worker and of ended ones with its number to the file, and returns them."""

        def write(now: list[Metric]) -> list[Metric]:
            own = merge_metrics([now, self._earlier])
            _replace(self._file, dump_metrics(own))
            return own

        async with self._writing:  # collects on the event loop, where no count changes meanwhile; writes in a thread
            return await asyncio.to_thread(write, [*self.registry.collect()])


async def _metrics_of(path: Path) -> list[Metric]:
    """Returns the metrics of the sibling with this file."""
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
    except OSError:  # no process listens
        has_ended = True
    families = await asyncio.to_thread(_read, path)
    return accumulating_only(families) if has_ended else families


def _replace(path: Path, dump: bytes) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(dump)
    unfinished.replace(path)  # atomic: a reader never sees half a file


def _read(path: Path) -> list[Metric]:
    try:
        return load_metrics(path.read_bytes())
    except FileNotFoundError:
        return []
