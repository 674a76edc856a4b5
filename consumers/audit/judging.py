"""Checks a ticket against its tenant's columns, and a stored counter against the recount of its tickets. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.columns import SEMANTICS
from service.domain.counting.contributions import column_changes
from service.domain.counting.recount import Recount
from service.domain.tenants.record import numbered
from service.domain.tickets.instant import format_instant_exactly
from service.domain.tickets.ticket import Instant, TicketState
from service.store.apply_plan import timed_fields
from service.store.ports.auditing import AuditedTicket, AuditRead, RightCounter, StoredCounter
from service.store.ports.catalogue import StoredTenant

_Key = TypeVar("_Key", int, str)

_TIMED = "by time"
"""Marks a wrong cell among the time buckets. No part has this name."""


class Judge:
    """Checks tickets against one version of a tenant's record.

    Skips columns that a backfill is filling or clearing, because their contributions are incomplete.
    """

    def __init__(self, stored: StoredTenant) -> None:
        record = stored.record
        columns = numbered(record)
        filling = {record.numbers[name] for name in record.filling}
        self.record_version = stored.record_version
        self._columns = ColumnMatcher(columns)
        self._settled = not (record.filling or record.retired) and record.semantics == SEMANTICS
        self._numbers = columns.keys() - filling
        self._mask = sum(1 << number for number in self._numbers)

    def problem(self, one: AuditedTicket, instants: Sequence[Instant]) -> str:
        """Describes the fault of a ticket that must be right at one of `instants`; "" when it is."""
        ticket_state = one.ticket_state
        if ticket_state is None:
            return "" if one.due_at is None else "is in the due set, but isn't stored"
        if ticket_state.next_change_at != one.due_at:
            own = _shown(ticket_state.next_change_at)
            return f"is due {_shown(one.due_at)} in the due set, but {own} in its own state"
        problems = [self._at(ticket_state, instant) for instant in instants]
        return "" if "" in problems or not problems else problems[0]

    def _at(self, ticket_state: TicketState, instant: Instant) -> str:
        if ticket_state.ticket is None:
            return (
                ""
                if not ticket_state.mask and not ticket_state.time_buckets and ticket_state.next_change_at is None
                else "is deleted, but still counts"
            )
        counted = self._columns.counted(ticket_state.ticket, instant)
        wrong = (ticket_state.mask ^ counted.mask) & (self._mask if self._settled is False else -1)
        if wrong:
            numbers = [number for number in range(wrong.bit_length()) if wrong >> number & 1] if wrong > 0 else []
            return f"counts wrongly in columns {', '.join(map(str, numbers))}"
        if self._kept(ticket_state.time_buckets) != self._kept(counted.time_buckets):
            return "counts in wrong time buckets"
        if self._settled and ticket_state.next_change_at != counted.next_change_at:
            return f"is due {_shown(ticket_state.next_change_at)}, but should be due {_shown(counted.next_change_at)}"
        return ""

    def _kept(self, time_buckets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        return sorted(entry for entry in time_buckets if self._settled or entry[0] in self._numbers)


def instants_of(read: AuditRead, now: Instant) -> list[Instant]:
    """Returns the instants at which a ticket may be right: the bucket's timers, and sometimes a later instant.

    When too many tickets are due at one instant for a single batch, the first batches are already evaluated at that
    instant while the timers still stand before it. Example: timers at 10:00, 5,000 tickets due at 10:15. After the
    first batch some tickets are right at 10:15, the others at 10:00.
    """
    if read.timers is None:
        return []
    crowded = read.next_due is not None and read.timers < read.next_due <= now
    return [read.timers, read.next_due] if crowded and read.next_due is not None else [read.timers]


def _shown(instant: Instant | None) -> str:
    return "never" if instant is None else f"at {format_instant_exactly(instant)}"


class WrongCell(NamedTuple):
    """One cell whose stored count differs from the recount."""

    counter: str
    part: str
    cell: str
    """The number of a column, or the field of a time bucket."""
    stored: int
    right: int


def wrong_cells(counter: str, stored: StoredCounter, recount: Recount) -> list[WrongCell]:
    """Returns every cell of the counter that is wrong, missing, or has a count without any ticket."""
    right = {part: column_changes(masks) for part, masks in recount.masks(counter).items()}
    found = [
        WrongCell(counter, part, str(column), count, should_be)
        for part in sorted(stored.columns.keys() | right.keys())
        for column, count, should_be in _differences(stored.columns.get(part, {}), right.get(part, {}))
    ]
    fields = timed_fields(counter, recount.time_buckets(counter))
    found += [WrongCell(counter, _TIMED, *difference) for difference in _differences(stored.fields, fields)]
    return found


def right_counter(counter: str, wrong: list[WrongCell], recount: Recount) -> RightCounter:
    """Returns the right values of the counter, for a repair."""
    return RightCounter(
        {part: dict(masks) for part, masks in recount.masks(counter).items()},
        {part: dict(time_buckets) for part, time_buckets in recount.time_buckets(counter).items()},
        {cell.cell: cell.right for cell in wrong if cell.part == _TIMED},
    )


def _differences(stored: Mapping[_Key, int], right: Mapping[_Key, int]) -> Iterator[tuple[_Key, int, int]]:
    for key in sorted(stored.keys() | right.keys()):
        if (count := stored.get(key, 0)) != (should_be := right.get(key, 0)):
            yield key, count, should_be
