"""The way from clients to one server on loopback, which tests may cut and make a black hole. Reads no protocol."""

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

from tests.servers.ports import HOST

CHUNK_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: the end of such a connection is a reset."""


class Link:
    """Listens at `port` and hands every connection on. Use as an async context manager; the test's loop carries it."""

    def __init__(self) -> None:
        self.port = 0
        self.broken = 0
        """Connections that a cut or another target has reset."""
        self.refused = 0
        """Connections that came while it was cut."""
        self.held = 0
        """Bytes that had to wait in a black hole, so far."""
        self._target = 0
        self._is_cut = False
        self._questions, self._answers = asyncio.Event(), asyncio.Event()
        self._server: asyncio.Server | None = None
        self._carried: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def __aenter__(self) -> Self:
        self.heal()
        self._server = await asyncio.start_server(self._take, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._carried)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def lead_to(self, port: int) -> None:
        """From now on connections go to this port; those that there are end, and what they held is lost."""
        self._target = port
        self._reset()

    def cut(self) -> None:
        """Resets every connection, and every new one at once, until healed."""
        self._is_cut = True
        self._reset()

    def black_hole(self) -> None:
        """Carries nothing until healed: connections stay open, new ones are taken, nothing arrives. Loses nothing."""
        self._questions.clear()
        self._answers.clear()

    def swallow_answers(self) -> None:
        """What clients send still arrives; what the server answers doesn't until healed."""
        self._answers.clear()

    def heal(self) -> None:
        """Carries everything again, first what was held."""
        self._is_cut = False
        self._questions.set()
        self._answers.set()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        task = asyncio.create_task(self._carry(reader, writers))
        self._carried[task] = writers
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        for writer in self._carried.pop(task):
            writer.close()  # a task that was cancelled before it began has closed nothing

    async def _carry(self, reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter]) -> None:
        writer = writers[0]
        try:
            if self._is_cut:
                self.refused += 1
                _reset(writer)
                return
            await self._questions.wait()
            there, back = await asyncio.open_connection(HOST, self._target)
            writers.append(back)
            pumps = [
                asyncio.create_task(self._pump(reader, back, self._questions)),
                asyncio.create_task(self._pump(there, writer, self._answers)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:  # the server isn't there
            _reset(writer)
        finally:
            for each in writers:
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
        """Until one side ends. An end waits in a black hole like everything else."""
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if not is_open.is_set():
                    self.held += len(data)
                await is_open.wait()
                writer.write(data)
                await writer.drain()
            await is_open.wait()

    def _reset(self) -> None:
        for writers in self._carried.values():
            self.broken += 1
            for writer in writers:
                _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it has ended by itself
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
