"""Lines of files and of stdin, with where they stand. Reads in a thread: a slow pipe never holds the event loop up."""

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
"""Bytes asked for at once: so many that changing threads costs nothing beside reading them."""

LONGEST_LINE_BYTES = 16_777_216
"""A longer line is no NDJSON but a wrong file: it isn't gathered in memory."""

STDIN = "-"


class SourceUnusable(Exception):
    """This file can't be read, or not to its end. The message names it and says why."""


class Line(NamedTuple):
    """One line without its end, and where it stands: `FILE:LINE`."""

    place: str
    text: bytes


async def lines_of(names: Iterable[str]) -> AsyncGenerator[Line, None]:
    """The lines of the named files in order; `-` is stdin, `….gz` is unpacked, a byte order mark at the start left out.

    Raises SourceUnusable.
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
    wanted: queue.SimpleQueue[asyncio.Future[bytes] | None] = queue.SimpleQueue()
    # A daemon, so that a pipe that stays silent doesn't hold the end of the program up.
    threading.Thread(target=_read, args=(name, wanted, loop), daemon=True, name=f"reads {shown}").start()
    try:
        while True:
            answer: asyncio.Future[bytes] = loop.create_future()
            wanted.put(answer)
            try:
                chunk = await answer
            except OSError as error:
                raise SourceUnusable(f"{shown}: {error.strerror or error}") from None
            if not chunk:
                return
            yield chunk
    finally:
        wanted.put(None)


def _read(
    name: str, wanted: "queue.SimpleQueue[asyncio.Future[bytes] | None]", loop: asyncio.AbstractEventLoop
) -> None:
    """Answers each wish with the next chunk, b"" at the end, or the OSError that ended it; None ends the thread."""
    with ExitStack() as stack:
        read: Callable[[int], bytes] | None = None
        while (answer := wanted.get()) is not None:
            chunk: bytes | OSError
            try:
                read = read or _opened(name, stack)
                chunk = read(READ_BYTES)
            except OSError as error:
                chunk = error
            except (EOFError, zlib.error) as error:  # what gzip raises for a file cut short, and for a damaged one
                chunk = OSError(f"damaged gzip data: {error}")
            try:
                loop.call_soon_threadsafe(_deliver, answer, chunk)
            except RuntimeError:  # the loop has closed: nobody waits any more
                return


def _deliver(answer: asyncio.Future[bytes], chunk: bytes | OSError) -> None:
    if answer.done():  # the waiting side was cancelled
        return
    if isinstance(chunk, OSError):
        answer.set_exception(chunk)
    else:
        answer.set_result(chunk)


def _opened(name: str, stack: ExitStack) -> Callable[[int], bytes]:
    if name == STDIN:
        # Not through sys.stdin: its lock, held by a waiting thread, would abort the interpreter at exit.
        return stack.enter_context(open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)).read
    if name.endswith(".gz"):
        return stack.enter_context(gzip.open(name)).read1
    return stack.enter_context(Path(name).open("rb", buffering=0)).read
