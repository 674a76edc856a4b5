"""Makes a large JSON body small before it is decoded, in steps, so that no body holds the event loop.

In one piece, 1 MiB of short ids, of nested lists or of halves of surrogate pairs took 40 to 180 ms.
"""

import asyncio
import re
import secrets

import msgspec

from service.domain.json_reading import in_range
from service.domain.steps import Steps
from service.turns import in_turns
from service.web.http.errors import invalid, rate_limited

LARGE_BYTES = 32_768
"""A body up to this size is decoded in one piece, which takes 6 ms at most. 500 ids of 60 characters are 32 KB."""

MADE_SMALL_S = 10.0
"""Longest time until a large body is made small. All large bodies share the slices of the event loop, and one of 1 MiB
takes some 40 ms of them, so 200 at once may be too many."""

MOST_PARTS = 16_000
"""Braces, brackets and commas of a `where`. The largest condition that compiles (64 leaves, 8 levels, 200 values in a
list) has some 15,300."""

PIECES_A_STEP = 200
"""Some 0.2 ms of work."""

NOT_IDS = "must be a list of non-empty ids"

NO_OBJECT = "must be a JSON object"

SEGMENT_BYTES = 16_384
"""The part of a body that one step scans for escapes, in 0.3 ms."""

_ESCAPE_BYTES = 6
"""The longest escape. Two of them make a surrogate pair."""

# These patterns need a text without escaped backslashes, so that each backslash begins an escape.
_HIGH, _LOW = rb"\\u[dD][89abAB]..", rb"\\u[dD][c-fC-F].."
_SECOND_OF_PAIR = re.compile(rb"(?<=%b)%b" % (_HIGH, _LOW), re.DOTALL)
_HALF = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_HIGH, _LOW, _HIGH, _LOW), re.DOTALL)

# Each matches a bounded number of ids, or one string, without backtracking.
_SOME_IDS = re.compile(rb'\s*+(?:"(?:[^"\\]++|\\.)*+"\s*+,?+\s*+){1,500}+', re.DOTALL)
_UP_TO_STRING = re.compile(rb'([^"]*+)("(?:[^"\\]++|\\.)*+"|\Z)', re.DOTALL)
_NUMBER = re.compile(rb"()([0-9][0-9.eE+-]*+)")

_ids_decoder = msgspec.json.Decoder(list[str])


class _Members(msgspec.Struct, rename={"filter_ids": "filterIds", "profile_id": "templateProfileFilterId"}):
    """The members of all endpoints' bodies."""

    filter_ids: msgspec.Raw = msgspec.Raw()
    profile_id: msgspec.Raw = msgspec.Raw()
    timezone: msgspec.Raw = msgspec.Raw()
    where: msgspec.Raw = msgspec.Raw()


_members_decoder = msgspec.json.Decoder(_Members)


async def made_small(body: bytes, shape: type[msgspec.Struct], most_ids: int) -> bytes:
    """Returns what `reduced` does, computed in slices. Raises Refused as it does, and 429 when it takes too long."""
    try:
        async with asyncio.timeout(MADE_SMALL_S):
            return await in_turns(reduced(body, shape, most_ids), from_first=True)
    except TimeoutError:
        raise rate_limited(round(MADE_SMALL_S), "too many large bodies at once") from None


def reduced(body: bytes, shape: type[msgspec.Struct], most_ids: int) -> Steps[bytes]:
    """Returns an equivalent body that is decoded within milliseconds.

    It has only the members that the endpoint's body has by its `shape`, each id once, and at most one id more than
    `most_ids`. Raises Refused for a body that isn't a JSON object, ids that are none, a text of a member with half of a
    surrogate pair, and a `where` with more than MOST_PARTS parts: all of these would be refused in the whole body too.
    """
    mark = secrets.token_hex(8).encode()
    if b"\\" in body:
        body = yield from _marked((yield from _without_escaped_backslashes(body)), mark)
    try:
        members = _members_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("body", NO_OBJECT) from None
    kept, wanted = [], {field.name for field in msgspec.structs.fields(shape)}
    for field in msgspec.structs.fields(members):
        name, value = field.encode_name, bytes(getattr(members, field.name))
        if not value or field.name not in wanted:
            continue
        if mark in value:
            raise invalid(name, "an unpaired surrogate")
        if name == "filterIds":
            value = yield from _distinct(value, most_ids)
        elif name == "where":
            value = yield from _bounded(value)
        kept.append(b'"%s":%s' % (name.encode(), value))
    return b"{%s}" % b",".join(kept)


def _marked(body: bytes, mark: bytes) -> Steps[bytes]:
    """The body with the mark, which nobody can know, for each half of a surrogate pair: no decoder takes one."""
    segments: list[bytes] = []
    place = 0
    while place < len(body):
        end = _between_escapes(body, place + SEGMENT_BYTES)
        segment = body[place:end]
        segments.append(_HALF.sub(mark, segment) if rb"\u" in segment else segment)
        place = end
        yield
    return b"".join(segments)


def _without_escaped_backslashes(body: bytes) -> Steps[bytes]:
    """Returns the body with each escaped backslash written as `\\u005c`, in steps."""
    segments: list[bytes] = []
    place = 0
    while place < len(body):
        segment = body[place : place + SEGMENT_BYTES]
        at_end = len(segment) - len(segment.rstrip(b"\\"))
        if at_end % 2 and len(segment) == SEGMENT_BYTES:
            segment = segment[:-1]  # the last one escapes what follows
        segments.append(segment.replace(rb"\\", rb"\u005c"))
        place += len(segment)
        yield
    return b"".join(segments)


def _between_escapes(body: bytes, place: int) -> int:
    """The place, or a little before it where it is in the middle of an escape or of a pair."""
    escape = body.rfind(b"\\", place - 2 * _ESCAPE_BYTES, place)
    if escape < 0:
        return place
    return escape - _ESCAPE_BYTES if _SECOND_OF_PAIR.match(body, escape) else escape


def _distinct(ids: bytes, most: int) -> Steps[bytes]:
    distinct: dict[str, None] = {}
    place = 1
    while ids.startswith(b"[") and len(distinct) <= most and (found := _SOME_IDS.match(ids, place)):
        distinct |= dict.fromkeys(_decoded(found[0]))
        place = found.end()
        yield
    if len(distinct) <= most and ids[place:].strip() != b"]":
        raise invalid("filterIds", NOT_IDS)
    return msgspec.json.encode(list(distinct)[: most + 1])


def _decoded(ids: bytes) -> list[str]:
    try:
        return _ids_decoder.decode(b"[%s]" % ids.rstrip().removesuffix(b","))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise invalid("body", NO_OBJECT) from None


def _bounded(where: bytes) -> Steps[bytes]:
    """Returns the condition with every number in the range of doubles."""
    rewritten: list[bytes] = []
    parts = place = 0
    while place < len(where):
        found = _UP_TO_STRING.match(where, place)
        assert found is not None, "it is JSON"
        parts += sum(map(found[1].count, (b"{", b"[", b",")))
        if parts > MOST_PARTS:
            raise invalid("where", f"must not have more than {MOST_PARTS} braces, brackets and commas")
        rewritten += _NUMBER.sub(in_range, found[1]), found[2]
        place = found.end()
        if len(rewritten) % PIECES_A_STEP == 0:
            yield
    return b"".join(rewritten)
