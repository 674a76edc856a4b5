"""Reads the lines of files and of stdin, with their places. Reads in a thread, so it never blocks the event loop."""

import asyncio
import codecs
import gzip
import queue
import sys
import threading
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import NamedTuple

READ_BYTES = 1_048_576
"""Bytes per read: so many that the thread switch costs nothing in comparison."""

LONGEST_LINE_BYTES = 16_777_216
"""A longer line means that the file isn't NDJSON: reading stops before it fills the memory."""

STDIN = "-"


class SourceUnusable(Exception):
    """The file can't be read to its end. The message names it and says why."""


class Line(NamedTuple):
    """One line without its line end, and its place as `FILE:LINE`."""

    place: str
    text: bytes


async def lines_of(names: Iterable[str]) -> AsyncGenerator[Line, None]:
    """Yields the lines of the named files in order. Raises SourceUnusable.

    `-` is stdin. Unpacks names that end in `.gz`, and drops a byte order mark at the start.
    """
    for name in names:
        shown = "stdin" if name == STDIN else name
        number = 0
        rest = b""
        async with aclosing(_chunks(name, shown)) as chunks:
            async for chunk in chunks:
                *whole, rest = (rest + chunk).split(b"\n")
                for text in whole:
                    number += 1
                    yield _line(shown, number, text)
                if len(rest) > LONGEST_LINE_BYTES:
                    raise SourceUnusable(
                        f"{shown}:{number + 1}: is longer than {LONGEST_LINE_BYTES:,} bytes: is it NDJSON?"
                    )
        if rest:
            yield _line(shown, number + 1, rest)


def _line(shown: str, number: int, text: bytes) -> Line:
    return Line(f"{shown}:{number}", text.removeprefix(codecs.BOM_UTF8) if number == 1 else text)


async def _chunks(name: str, shown: str) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    requests: queue.SimpleQueue[asyncio.Future[bytes] | None] = queue.SimpleQueue()
    # A daemon thread, so that a silent pipe doesn't delay the exit of the program.
    threading.Thread(target=_read, args=(name, requests, loop), daemon=True, name=f"reads {shown}").start()
    try:
        while True:
            future: asyncio.Future[bytes] = loop.create_future()
            requests.put(future)
            try:
                chunk = await future
            except OSError as error:
                raise SourceUnusable(f"{shown}: {error.strerror or error}") from None
            if not chunk:
                return
            yield chunk
    finally:
        requests.put(None)


def _read(
    name: str, requests: "queue.SimpleQueue[asyncio.Future[bytes] | None]", loop: asyncio.AbstractEventLoop
) -> None:
    """Resolves each requested future with the next chunk, b"" at the end, or an OSError. None ends the thread."""
    with ExitStack() as stack:
        read: Callable[[int], bytes] | None = None
        while (future := requests.get()) is not None:
            chunk: bytes | OSError
            try:
                read = read or _opened(name, stack)
                chunk = read(READ_BYTES)
            except OSError as error:
                chunk = error
            except (EOFError, zlib.error) as error:  # what gzip raises for a file cut short, and for a damaged one
                chunk = OSError(f"damaged gzip data: {error}")
            try:
                loop.call_soon_threadsafe(_deliver, future, chunk)
            except RuntimeError:  # the event loop is closed
                return


def _deliver(future: asyncio.Future[bytes], chunk: bytes | OSError) -> None:
    if future.done():  # the waiting side was cancelled
        return
    if isinstance(chunk, OSError):
        future.set_exception(chunk)
    else:
        future.set_result(chunk)


def _opened(name: str, stack: ExitStack) -> Callable[[int], bytes]:
    if name == STDIN:
        # Not sys.stdin: the reading thread would hold its lock, which aborts the interpreter at exit.
        return stack.enter_context(open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)).read
    if name.endswith(".gz"):
        return stack.enter_context(gzip.open(name)).read1
    return stack.enter_context(Path(name).open("rb", buffering=0)).read
