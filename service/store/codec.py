"""Packs and unpacks values for Redis: MessagePack, with ticket states as arrays. Pure, and knows no key."""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec

from service.domain.catalogue.catalogue import Credential, Realm
from service.domain.counting.contributions import column_changes, numbers_in
from service.domain.tenants.record import TenantRecord
from service.domain.tenants.tenant_entries import ColumnDemand
from service.domain.tickets.ticket import Ticket, TicketState

REVISION_BYTES = 8


class _Packed(msgspec.Struct, array_like=True, gc=False):
    """A ticket state as it is stored: the mask is bytes, since it may exceed 64 bits."""

    sequence: int
    ticket: Ticket | None
    changed_at: int
    mask: bytes
    next_change_at: int | None
    time_buckets: tuple[int, ...] = ()
    """Column, quarter hour, column, quarter hour, …"""


_ticket_state_encoder = msgspec.msgpack.Encoder()
_ticket_state_decoder = msgspec.msgpack.Decoder(_Packed)
_record_decoder = msgspec.msgpack.Decoder(TenantRecord)
_realm_decoder = msgspec.msgpack.Decoder(Realm)
_credential_decoder = msgspec.msgpack.Decoder(Credential)
_counter_decoder = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_masks_decoder = msgspec.msgpack.Decoder(dict[str, int])
_base_decoder = msgspec.msgpack.Decoder(dict[int, int] | list[int])

BASE = "+"
"""Prefix of a part's base: counts by column, to which the counts by mask are added. No part's name begins with it."""

_LENGTH_BYTES = {0xD9: 1, 0xDA: 2, 0xDB: 4}
"""Size of the length field of MessagePack's longer strings, by their first byte; short strings have none."""

pack = msgspec.msgpack.Encoder().encode
"""Packs a plain value as a script argument. Use text, no bytes: the scripts' unpacker knows no binary type."""


def pack_ticket_state(ticket_state: TicketState) -> bytes:
    """Packs a ticket state, without a revision."""
    mask = ticket_state.mask.to_bytes((ticket_state.mask.bit_length() + 7) // 8, "little")
    time_buckets = tuple(number for bucket in ticket_state.time_buckets for number in bucket)
    return _ticket_state_encoder.encode(
        _Packed(
            ticket_state.sequence,
            ticket_state.ticket,
            ticket_state.changed_at,
            mask,
            ticket_state.next_change_at,
            time_buckets,
        )
    )


def unpack_ticket_state(packed: bytes) -> TicketState:
    """Unpacks the ticket state that follows the revision."""
    stored = _ticket_state_decoder.decode(memoryview(packed)[REVISION_BYTES:])
    mask, flat = int.from_bytes(stored.mask, "little"), stored.time_buckets
    time_buckets = tuple(zip(flat[::2], flat[1::2], strict=True)) if flat else ()
    return TicketState(stored.sequence, stored.ticket, stored.changed_at, mask, stored.next_change_at, time_buckets)


def mask_text(mask: int) -> str:
    """Returns a mask as a key of a packed part, in hexadecimal: keys must be UTF-8, because Lua packs bytes as text."""
    return f"{mask:x}"


def unpack_counter(packed: bytes, columns_mask: int) -> dict[str, dict[int, int]]:
    """Returns part -> column number -> count, for at least the columns in `columns_mask`.

    Example: a part `t:a` of {"5": 2, "1": 3} has 2 tickets with mask 0b101 and 3 with mask 0b1, so that column 0
    counts 5 and column 2 counts 2. A base `+t:a` of {0: 10, 2: 1} is added: column 0 counts 15, column 2 counts 3.
    """
    counter: dict[str, dict[int, int]] = {}
    for name, string in _counter_decoder.decode(packed).items():
        packed_part = _in_string(string)
        cells = counter.setdefault(name.removeprefix(BASE), {})
        if name.startswith(BASE):
            _add_base(cells, _base_decoder.decode(packed_part))
        else:
            _add_masks(cells, _masks_decoder.decode(packed_part), columns_mask)
    return counter


def counter_plan(masks: Mapping[str, Mapping[int, int]]) -> dict[str, dict[str, int] | dict[int, int]]:
    """Returns a whole counter (part -> mask -> tickets) as the repair script packs it, like the apply script.

    A part of many masks is stored as a base, by column; its mask 0 then has the number of tickets (see `apply.lua`).
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
    """Packs the counter of all tickets: eight bytes a column, without zeros at the end. Raises ValueError below 0."""
    if min(counts.values(), default=0) < 0:
        raise ValueError(f"a count below zero: {counts}")
    size = max((column + 1 for column, count in counts.items() if count), default=0)
    return struct.pack(f"<{size}q", *(counts.get(column, 0) for column in range(size)))


def unpack_columns(packed: bytes) -> tuple[int, ...]:
    """Unpacks the counter of all tickets, by column; columns beyond its end are 0."""
    return struct.unpack(f"<{len(packed) // COLUMN_BYTES}q", packed)


def columns_in(packed: bytes) -> dict[int, int]:
    """Unpacks the counter of all tickets as column -> count, without zeros."""
    return {column: count for column, count in enumerate(unpack_columns(packed)) if count}


COLUMN_BYTES = 8
"""Width of a column in the counter of all tickets: fits every integer that Lua holds exactly."""

MASKS_IN_PART = 4
"""Most masks of a repaired part; more become a base. The same limit that the apply script has for narrow masks."""


def _add_masks(cells: dict[int, int], masks: dict[str, int], columns_mask: int) -> None:
    for mask, tickets in masks.items():
        for column in numbers_in(int(mask, 16) & columns_mask):
            cells[column] = cells.get(column, 0) + tickets


def _add_base(cells: dict[int, int], base: dict[int, int] | list[int]) -> None:
    counts = base if isinstance(base, dict) else _from_array(base)
    if not cells:
        cells |= counts
        return
    for column, count in counts.items():
        cells[column] = cells.get(column, 0) + count


def _in_string(raw: msgspec.Raw) -> memoryview:
    """Returns the content of a packed string: the script's packer knows no binary type, and packs bytes as text."""
    string = memoryview(raw)
    return string[1 + _LENGTH_BYTES.get(string[0], 0) :]


def _from_array(cells: list[int]) -> dict[int, int]:
    """Returns counts that Lua packed as an array, as it does for keys 1..n. A sound part has column 0, so only drift
    leads here."""
    return dict(enumerate(cells, 1))


def pack_entry(value: TenantRecord | Realm | Credential) -> bytes:
    """Packs a catalogue value."""
    return pack(value)


def unpack_record(packed: bytes) -> TenantRecord:
    """Unpacks a tenant's record."""
    return _record_decoder.decode(packed)


def unpack_realm(packed: bytes) -> Realm:
    """Unpacks a realm."""
    return _realm_decoder.decode(packed)


def unpack_credential(packed: bytes) -> Credential:
    """Unpacks a credential of the form API."""
    return _credential_decoder.decode(packed)


_ask_decoder = msgspec.json.Decoder(ColumnDemand)


def pack_ask(ask: ColumnDemand) -> bytes:
    """Packs a column demand as a member of a set."""
    return msgspec.json.encode(ask)


def unpack_ask(packed: bytes) -> ColumnDemand:
    """Unpacks a column demand."""
    ask: ColumnDemand = _ask_decoder.decode(packed)
    return ask


def text(value: Any) -> str:
    """Returns a reply as text."""
    return value.decode() if isinstance(value, bytes) else str(value)
