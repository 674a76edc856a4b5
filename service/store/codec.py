"""How values are packed in Redis: MessagePack, versioned by position. Pure, and knows no key."""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec

from service.domain.catalogue.catalogue import Credential, Realm
from service.domain.counting.contributions import column_changes, numbers_in
from service.domain.tenants.record import ColumnDemand, TenantRecord
from service.domain.tickets.ticket import Ticket, TicketState

REVISION_BYTES = 8


class _Packed(msgspec.Struct, array_like=True, gc=False):
    """An Image whose mask, which can pass 64 bits, is bytes."""

    sequence: int
    ticket: Ticket | None
    changed_at: int
    mask: bytes
    due_at: int | None
    time_buckets: tuple[int, ...] = ()
    """Columns and quarters that take turns."""


_ticket_state_encoder = msgspec.msgpack.Encoder()
_ticket_state_decoder = msgspec.msgpack.Decoder(_Packed)
_record_decoder = msgspec.msgpack.Decoder(TenantRecord)
_realm_decoder = msgspec.msgpack.Decoder(Realm)
_credential_decoder = msgspec.msgpack.Decoder(Credential)
_counter_decoder = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_masks_decoder = msgspec.msgpack.Decoder(dict[str, int])
_base_decoder = msgspec.msgpack.Decoder(dict[int, int] | list[int])

BASE = "+"
"""Before the name of a part: its counts by column, to which those by mask are added. No part's name begins so."""

_LENGTH_BYTES = {0xD9: 1, 0xDA: 2, 0xDB: 4}
"""Of MessagePack's longer strings, by their first byte; the shortest ones have their length in it."""

pack = msgspec.msgpack.Encoder().encode
"""Any plain value, for the arguments of scripts. Text only: the scripts' unpacker knows no binary type."""


def pack_ticket_state(ticket_state: TicketState) -> bytes:
    """An image without its revision."""
    mask = ticket_state.mask.to_bytes((ticket_state.mask.bit_length() + 7) // 8, "little")
    time_buckets = tuple(number for moment in ticket_state.time_buckets for number in moment)
    return _ticket_state_encoder.encode(
        _Packed(
            ticket_state.sequence, ticket_state.ticket, ticket_state.changed_at, mask, ticket_state.due_at, time_buckets
        )
    )


def unpack_ticket_state(packed: bytes) -> TicketState:
    """The image after the revision."""
    stored = _ticket_state_decoder.decode(memoryview(packed)[REVISION_BYTES:])
    mask, flat = int.from_bytes(stored.mask, "little"), stored.time_buckets
    time_buckets = tuple(zip(flat[::2], flat[1::2], strict=True)) if flat else ()
    return TicketState(stored.sequence, stored.ticket, stored.changed_at, mask, stored.due_at, time_buckets)


def mask_text(mask: int) -> str:
    """A mask as a key in a packed part: the script's packer calls bytes text, and text has to be UTF-8."""
    return f"{mask:x}"


def unpack_counter(packed: bytes, asked: int) -> dict[str, dict[int, int]]:
    """part -> column number -> count, for the columns in the mask `asked` (and perhaps others)."""
    counter: dict[str, dict[int, int]] = {}
    for name, string in _counter_decoder.decode(packed).items():
        packed_part = _in_string(string)
        cells = counter.setdefault(name.removeprefix(BASE), {})
        if name.startswith(BASE):
            _add_base(cells, _base_decoder.decode(packed_part))
        else:
            _add_masks(cells, _masks_decoder.decode(packed_part), asked)
    return counter


def counter_plan(masks: Mapping[str, Mapping[int, int]]) -> dict[str, dict[str, int] | dict[int, int]]:
    """A whole counter (part -> mask -> tickets) as the repair script packs it, in the manner of the apply script.

    A part of many masks is added up by column; mask 0 then says of how many tickets (see `apply.lua`).
    """
    parts: dict[str, dict[str, int] | dict[int, int]] = {}
    for part, tickets in masks.items():
        if len(tickets) > MASKS_IN_PART:
            cells = column_changes(tickets)
            parts[BASE + part] = cells
            parts[part] = {mask_text(0): cells[0]}
        elif tickets:
            parts[part] = {mask_text(mask): count for mask, count in tickets.items()}
    return parts


def pack_columns(counts: Mapping[int, int]) -> bytes:
    """The counter of all tickets: eight bytes a column from 0 on, the last of them not 0. Raises ValueError below 0."""
    if min(counts.values(), default=0) < 0:
        raise ValueError(f"a count below zero: {counts}")
    size = max((column + 1 for column, count in counts.items() if count), default=0)
    return struct.pack(f"<{size}q", *(counts.get(column, 0) for column in range(size)))


def unpack_columns(packed: bytes) -> tuple[int, ...]:
    """The counter of all tickets, by column; those beyond its end are 0."""
    return struct.unpack(f"<{len(packed) // COLUMN_BYTES}q", packed)


def columns_in(packed: bytes) -> dict[int, int]:
    """The counter of all tickets as column -> count, without zeros."""
    return {column: count for column, count in enumerate(unpack_columns(packed)) if count}


COLUMN_BYTES = 8
"""Of the counter of all tickets: any number that Lua holds exactly, always at the same place."""

MASKS_IN_PART = 4
"""Of more different ones a repaired part is added up: what the apply script allows the narrowest masks."""


def _add_masks(cells: dict[int, int], masks: dict[str, int], asked: int) -> None:
    for mask, tickets in masks.items():
        for column in numbers_in(int(mask, 16) & asked):
            cells[column] = cells.get(column, 0) + tickets


def _add_base(cells: dict[int, int], base: dict[int, int] | list[int]) -> None:
    counts = base if isinstance(base, dict) else _from_array(base)
    if not cells:
        cells |= counts
        return
    for column, count in counts.items():
        cells[column] = cells.get(column, 0) + count


def _in_string(raw: msgspec.Raw) -> memoryview:
    """What is in a packed string: the script's packer knows no binary type, and calls bytes text."""
    string = memoryview(raw)
    return string[1 + _LENGTH_BYTES.get(string[0], 0) :]


def _from_array(cells: list[int]) -> dict[int, int]:
    """Lua writes keys 1..n as an array. Column 0 is in every sound part, so this is met only where there is drift."""
    return dict(enumerate(cells, 1))


def pack_entry(value: TenantRecord | Realm | Credential) -> bytes:
    """A catalogue value."""
    return pack(value)


def unpack_record(packed: bytes) -> TenantRecord:
    """A tenant's record."""
    return _record_decoder.decode(packed)


def unpack_realm(packed: bytes) -> Realm:
    """A realm."""
    return _realm_decoder.decode(packed)


def unpack_credential(packed: bytes) -> Credential:
    """A credential of the form API."""
    return _credential_decoder.decode(packed)


_ask_decoder = msgspec.json.Decoder(ColumnDemand)


def pack_ask(ask: ColumnDemand) -> bytes:
    """What was asked for, as a member of a set."""
    return msgspec.json.encode(ask)


def unpack_ask(packed: bytes) -> ColumnDemand:
    """What was asked for."""
    ask: ColumnDemand = _ask_decoder.decode(packed)
    return ask


def text(value: Any) -> str:
    """A reply that is text."""
    return value.decode() if isinstance(value, bytes) else str(value)
