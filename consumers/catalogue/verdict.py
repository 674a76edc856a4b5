"""Explains as text whether and why a stored ticket counts in a filter. Reads no store, changes nothing."""

from collections.abc import Iterator
from typing import NamedTuple

from consumers.catalogue.explaining import Explained, is_available, shown_column
from consumers.catalogue.printing import instant, printed, value
from service.domain.conditions.condition import AllOf, AnyOf, Asks, Condition, Leaf, Not, Question
from service.domain.conditions.fields import CUSTOM_PREFIX, FieldKind, kind_of
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.columns import QUESTIONS, Answers
from service.domain.counting.compiling import compiled, getter
from service.domain.counting.local_days import LocalDay
from service.domain.counting.scopes import visible
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.counting.windows import on_day
from service.domain.tenants.lowering import lower
from service.domain.tenants.record import numbered
from service.domain.tickets.ticket import Instant, Ticket, TicketState

Verdict = bool | None
"""Whether a node holds; None when that depends on an unknown viewer."""


class When(NamedTuple):
    """The instant and the viewer's local day of the evaluation."""

    now: Instant
    day: LocalDay


_WORDS: dict[Verdict, str] = {True: "yes", False: "no", None: "?"}

_FIELDS = ("status", "priority", "category", "team", "assignee", "requester", "createdAt", "updatedAt", "dueAt",
           "slaDueAt", "closedAt", "slaBreached", "tags")  # fmt: skip


def verdict(
    filter_: Explained,
    ticket_state: TicketState,
    viewer: Viewer | None,
    only: tuple[Role | None, Perspective | None],
    when: When,
) -> Iterator[str]:
    """Yields the ticket's fields, the answers, the condition's nodes, the viewers who count it, and its columns."""
    ticket = ticket_state.ticket
    if ticket is None:
        yield f"deleted at sequence {ticket_state.sequence}: counts nowhere"
        return
    yield from _fields(ticket_state, ticket)
    answers = answers_of(ticket, viewer)
    yield f"answers at {instant(when.now)}"
    for question, answer in answers.items():
        yield f"  {_WORDS[answer]:<4}{question} {printed(Asks(question))}"
    yield "condition"
    yield from _nodes(filter_, filter_.written, ticket, answers, when, 1)
    yield "counts for"
    yield from _counted_for(filter_, ticket, answers, only, when)
    yield from _columns(filter_, ticket_state, ticket, when)


def answers_of(ticket: Ticket, viewer: Viewer | None) -> dict[Question, Verdict]:
    """Answers the three questions about the viewer for this ticket; None without a viewer."""
    if viewer is None:
        return dict.fromkeys(QUESTIONS)
    return {
        Question.ASSIGNED: ticket.assignee == viewer.user,
        Question.REQUESTED: ticket.requester == viewer.user,
        Question.TEAM: ticket.team in viewer.teams,
    }


def holds(
    filter_: Explained,
    condition: Condition,
    ticket: Ticket,
    answers: dict[Question, Verdict],
    when: When,
) -> Verdict:
    """Evaluates a condition as written; None when the result depends on an unknown viewer.

    Example with an unknown viewer: `assignee = @me AND status = new` is None for a new ticket, False for any other.
    """
    match condition:
        case Asks(question):
            return answers[question]
        case Not(child):
            inner = holds(filter_, child, ticket, answers, when)
            return None if inner is None else not inner
        case AllOf(children):
            return _every([holds(filter_, child, ticket, answers, when) for child in children])
        case AnyOf(children):
            none = _every([_not(holds(filter_, child, ticket, answers, when)) for child in children])
            return _not(none)
    return compiled(on_day(lower(condition, filter_.record.newest.settings), when.day))(ticket, when.now)


def _every(verdicts: list[Verdict]) -> Verdict:
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _not(verdict: Verdict) -> Verdict:
    return None if verdict is None else not verdict


def _fields(ticket_state: TicketState, ticket: Ticket) -> Iterator[str]:
    yield f"ticket at sequence {ticket_state.sequence}, changed {instant(ticket_state.changed_at)}"
    for field in _FIELDS:
        yield f"  {field}: {_read(field, ticket)}"
    for name, stored in ticket.fields.items():
        yield f"  {CUSTOM_PREFIX}{name}: {value(stored)}"
    if ticket.closed_by_event:
        yield "  its last event was ticket.closed"


def _read(field: str, ticket: Ticket) -> str:
    stored = getter("status" if field == "state" else field)(ticket)
    if kind_of(field) is FieldKind.INSTANT and isinstance(stored, int):
        return instant(stored)
    return value(stored)


def _nodes(
    filter_: Explained, node: Condition, ticket: Ticket, answers: dict[Question, Verdict], when: When, level: int
) -> Iterator[str]:
    lead = f"{'  ' * level}{_WORDS[holds(filter_, node, ticket, answers, when)]:<4}"
    match node:
        case AllOf(children) | AnyOf(children):
            yield f"{lead}{'all of' if isinstance(node, AllOf) else 'any of'}"
            for child in children:
                yield from _nodes(filter_, child, ticket, answers, when, level + 1)
        case Not(child) if not isinstance(child, Asks):
            yield f"{lead}not"
            yield from _nodes(filter_, child, ticket, answers, when, level + 1)
        case Leaf(field):
            yield f"{lead}{printed(node)}    ({'status' if field == 'state' else field} is {_read(field, ticket)})"
        case _:
            yield f"{lead}{printed(node)}"


def _counted_for(
    filter_: Explained,
    ticket: Ticket,
    answers: dict[Question, Verdict],
    only: tuple[Role | None, Perspective | None],
    when: When,
) -> Iterator[str]:
    matched = holds(filter_, filter_.written, ticket, answers, when)
    for role in Role if only[0] is None else (only[0],):
        for perspective in Perspective if only[1] is None else (only[1],):
            seen = _seen(role, perspective, answers)
            reason = (
                "not available"
                if not is_available(filter_, role, perspective)
                else "outside the scope of the role and the perspective"
                if seen is False
                else "the condition doesn't hold"
                if matched is False
                else "in scope, and the condition holds"
                if seen and matched
                else "depends on the viewer"
            )
            counted = _every([seen, matched, is_available(filter_, role, perspective)])
            yield f"  {_WORDS[counted]:<4}{role} × {perspective}: {reason}"


def _seen(role: Role, perspective: Perspective, answers: dict[Question, Verdict]) -> Verdict:
    """Whether the ticket is visible to this role and perspective; None when that depends on the viewer."""
    possible = [
        visible(role, perspective, complete)
        for complete in _completed(tuple(answers[question] for question in QUESTIONS))
    ]
    return possible[0] if len(set(possible)) == 1 else None


def _completed(known: tuple[Verdict, ...]) -> Iterator[Answers]:
    for assigned in (False, True) if known[0] is None else (known[0],):
        for requested in (False, True) if known[1] is None else (known[1],):
            for team in (False, True) if known[2] is None else (known[2],):
                yield assigned, requested, team


def _columns(filter_: Explained, ticket_state: TicketState, ticket: Ticket, when: When) -> Iterator[str]:
    """Yields the columns that the ticket counts in: stored, and computed now."""
    conditions = numbered(filter_.record)
    mask = ColumnMatcher(conditions).mask(ticket, when.now)
    yield "columns: stored, computed now"
    for name, column in filter_.columns.items():
        number = filter_.record.numbers.get(name)
        stored = None if number is None else bool(ticket_state.mask >> number & 1)
        fresh = compiled(column.condition)(ticket, when.now) if number not in conditions else bool(mask >> number & 1)
        drift = "" if stored is None or stored == fresh or name in filter_.record.filling else "  DIFFERENT"
        counted = "-" if stored is None else _WORDS[stored]
        yield f"  {counted:<4}{_WORDS[fresh]:<4}{filter_.column(name)} {shown_column(column)}{drift}"
    known = sum(1 << number for number in conditions)
    others = ((ticket_state.mask ^ mask) & known).bit_count()
    yield f"  of all {len(conditions)} columns of the tenant {others} differ"
