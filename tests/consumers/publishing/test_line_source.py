"""Lines of files and pipes: all of them, numbered, as they come, and a clear word where a file can't be read."""

import asyncio
import gzip
import os
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest

from consumers.publishing import line_source
from consumers.publishing.line_source import Line, SourceUnusable, lines_of
from tests.support.waiting import wait_until_blocking


async def lines(*names: object) -> list[Line]:
    return [line async for line in lines_of(map(str, names))]


@contextmanager
def stdin_pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Replaces stdin by a pipe and yields its writing end, which the test may close."""
    reading, writing = os.pipe()
    try:
        with open(reading, closefd=False, encoding="utf-8") as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            yield writing
    finally:
        os.close(reading)


async def test_lines_come_in_order_of_the_files_with_their_places(tmp_path: Path) -> None:
    first, second = tmp_path / "a.ndjson", tmp_path / "b.ndjson.gz"
    first.write_bytes(b"1\r\n\n3")
    second.write_bytes(gzip.compress(b"4\n5\n"))
    assert await lines(first, second) == [
        (f"{first}:1", b"1\r"),
        (f"{first}:2", b""),
        (f"{first}:3", b"3"),
        (f"{second}:1", b"4"),
        (f"{second}:2", b"5"),
    ]


@pytest.mark.parametrize("text", [b"1\n2", b"1", b""])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_byte_order_mark_at_the_start_of_a_file_is_left_out(text: bytes, packed: bool, tmp_path: Path) -> None:
    marked = b"\xef\xbb\xbf" + text
    files = [tmp_path / f"{name}.ndjson{'.gz' if packed else ''}" for name in "ab"]
    for file in files:
        file.write_bytes(gzip.compress(marked) if packed else marked)
    assert [line.text for line in await lines(*files)] == [*text.split(b"\n"), *text.split(b"\n")]


async def test_it_is_text_anywhere_else(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(b"1\n\xef\xbb\xbf2\n")
    assert [line.text for line in await lines(file)] == [b"1", b"\xef\xbb\xbf2"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
async def test_lines_are_whole_however_the_bytes_arrive(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_source, "READ_BYTES", chunk)
    texts = [b"", b"ab", b"abc" * 5, b"", b"z"]
    (tmp_path / "a").write_bytes(b"\n".join(texts))
    assert [line.text for line in await lines(tmp_path / "a")] == texts


async def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1\n") + gzip.compress(b"2\n"))
    assert [line.text for line in await lines(tmp_path / "a.gz")] == [b"1", b"2"]


async def test_a_line_of_a_slow_pipe_is_there_before_the_pipe_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with stdin_pipe(monkeypatch) as writing:
        async with aclosing(lines_of(["-"])) as coming:
            os.write(writing, b"first\nsec")
            assert await asyncio.wait_for(anext(coming), 5) == ("stdin:1", b"first")
            os.write(writing, b"ond\n")
            assert await asyncio.wait_for(anext(coming), 5) == ("stdin:2", b"second")
            os.close(writing)
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(anext(coming), 5)


async def test_a_silent_pipe_holds_neither_the_loop_nor_its_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with stdin_pipe(monkeypatch) as writing:
        async with aclosing(lines_of(["-"])) as coming:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(coming), 0.05)
        os.close(writing)


async def test_readers_end_with_those_who_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2\n")
    async with aclosing(lines_of([str(tmp_path / "a")])) as coming:
        assert (await anext(coming)).text == b"1"
    wait_until_blocking(lambda: not _readers(tmp_path), 20, "the reading thread to end")


def _readers(directory: Path) -> list[str]:
    return [thread.name for thread in threading.enumerate() if str(directory) in thread.name]


async def test_files_that_cannot_be_read_are_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(b"not packed\n")
    (tmp_path / "short.gz").write_bytes(gzip.compress(os.urandom(10_000))[:5_000])
    damaged = bytearray(gzip.compress(b"abcdefgh\n" * 1_000))
    damaged[12] ^= 0xFF
    (tmp_path / "damaged.gz").write_bytes(damaged)
    for name, reason in {
        "absent": "No such file",
        "plain.gz": "Not a gzipped file",
        "short.gz": "damaged gzip data",
        "damaged.gz": "damaged gzip data",
    }.items():
        with pytest.raises(SourceUnusable, match=f"{name}: {reason}"):
            await lines(tmp_path / name)
    with pytest.raises(SourceUnusable, match="Is a directory"):
        await lines(tmp_path)


async def test_a_line_without_end_is_not_gathered_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_source, "LONGEST_LINE_BYTES", 1_000)
    monkeypatch.setattr(line_source, "READ_BYTES", 600)
    (tmp_path / "a").write_bytes(b"ok\n" + b"x" * 5_000)
    with pytest.raises(SourceUnusable, match="a:2: is longer than 1,000 bytes: is it NDJSON"):
        await lines(tmp_path / "a")
