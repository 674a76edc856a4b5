"""A link does to connections what its name says, and no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.servers.link import Link
from tests.servers.ports import HOST
from tests.support.waiting import wait_until

WITHIN_S = 5.0
A_WHILE_S = 0.1
"""Time enough for what may not arrive to arrive."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Upper:
    """A server that answers each line in upper case, after its name, and remembers what it was told."""

    def __init__(self, name: bytes = b"") -> None:
        self.told: list[bytes] = []
        self.port = 0
        self._name = name

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Upper"]:
        async with await asyncio.start_server(self._answer, HOST, 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.told.append(line)
                writer.write(self._name + line.upper())
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def connected(link: Link) -> AsyncIterator[Ends]:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(ends: Ends, line: bytes) -> bytes:
    reader, writer = ends
    writer.write(line)
    async with asyncio.timeout(WITHIN_S):
        return await reader.readline()


async def test_a_link_carries_questions_and_answers() -> None:
    async with Upper().serving() as server, Link() as link:
        link.lead_to(server.port)
        async with connected(link) as ends:
            assert await answer(ends, b"a\n") == b"A\n"
            assert (link.broken, link.refused, link.held) == (0, 0, 0)


async def test_a_cut_resets_what_is_there_and_what_comes_until_it_is_healed() -> None:
    async with Upper().serving() as server, Link() as link:
        link.lead_to(server.port)
        async with connected(link) as ends:
            assert await answer(ends, b"a\n") == b"A\n"
            link.cut()
            with pytest.raises(ConnectionResetError):
                await answer(ends, b"b\n")
        async with connected(link) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.readline()
        assert (link.broken, link.refused) == (1, 1)
        link.heal()
        async with connected(link) as ends:
            assert await answer(ends, b"c\n") == b"C\n"


async def test_a_black_hole_holds_everything_and_then_loses_nothing() -> None:
    async with Upper().serving() as server, Link() as link:
        link.lead_to(server.port)
        async with connected(link) as old:
            assert await answer(old, b"a\n") == b"A\n"
            link.black_hole()
            async with connected(link) as new:
                for ends in (old, new):
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(answer(ends, b"b\n"), A_WHILE_S)
                assert server.told == [b"a\n"]
                assert link.held > 0
                link.heal()
                for reader, _ in (old, new):
                    async with asyncio.timeout(WITHIN_S):
                        assert await reader.readline() == b"B\n"


async def test_what_a_client_sent_before_it_gave_up_arrives_all_the_same() -> None:
    async with Upper().serving() as server, Link() as link:
        link.lead_to(server.port)
        async with connected(link) as ends:
            assert await answer(ends, b"a\n") == b"A\n"
            link.black_hole()
            ends[1].write(b"too late\n")
        await wait_until(lambda: link.held > 0, WITHIN_S, "the link to hold it")
        link.heal()
        await wait_until(lambda: server.told == [b"a\n", b"too late\n"], WITHIN_S, "it to arrive")


async def test_swallowed_answers_are_to_questions_that_arrived() -> None:
    async with Upper().serving() as server, Link() as link:
        link.lead_to(server.port)
        async with connected(link) as (reader, writer):
            link.swallow_answers()
            writer.write(b"a\n")
            await wait_until(lambda: server.told == [b"a\n"], WITHIN_S, "the question to arrive")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), A_WHILE_S)
            link.heal()
            async with asyncio.timeout(WITHIN_S):
                assert await reader.readline() == b"A\n"


async def test_a_link_that_leads_elsewhere_ends_what_led_here() -> None:
    async with Upper(b"1 ").serving() as one, Upper(b"2 ").serving() as two, Link() as link:
        link.lead_to(one.port)
        async with connected(link) as ends:
            assert await answer(ends, b"a\n") == b"1 A\n"
            link.lead_to(two.port)
            with pytest.raises(ConnectionResetError):
                await answer(ends, b"b\n")
        async with connected(link) as ends:
            assert await answer(ends, b"c\n") == b"2 C\n"
        assert one.told == [b"a\n"]
