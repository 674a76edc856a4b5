"""Why a ticket counts: agrees with the oracle node by node, and drift between stored and computed columns is told."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.catalogue.explaining import explained
from consumers.catalogue.verdict import When, answers_of, holds, verdict
from consumers.decoding.ticket_data import read_ticket
from service.domain.catalogue.catalogue import Filter
from service.domain.conditions.where import parse_where
from service.domain.counting.viewer import Role, Viewer
from service.domain.tenants.record import new_record
from service.domain.tenants.tenant_entries import Entries
from service.domain.tickets.ticket import TicketState
from tests.consumers.catalogue import stored
from tests.oracle import conditions as oracle
from tests.oracle.generated.random_conditions import condition
from tests.oracle.generated.random_tickets import Pools, Shape, whole_ticket
from tests.oracle.generated.worlds import DrawnChoices
from tests.oracle.tickets import Ticket as OracleTicket
from tests.support.days import day
from tests.support.examples import examples

SHAPE = Shape(language="full")
POOLS = Pools(("open", "done", "odd"), ("p1", "p2", "odd"), ("net", "desk"), ("ann", "bob", "rob"))
TENANT = {
    "statuses": [{"id": "open", "closed": False}, {"id": "done", "closed": True}],
    "priorities": [{"id": "p1", "rank": 2}, {"id": "p2", "rank": 1}],
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any], frozenset[str]]:
    """A condition, a ticket, and the teams of the viewer."""
    choices = DrawnChoices(draw)
    where, fields = condition(choices, SHAPE, POOLS), whole_ticket(choices, SHAPE, POOLS)
    return where, fields, frozenset(choices.some(("net", "desk"), 0, 2))


@settings(max_examples=examples(200), deadline=None)
@given(cases())
def test_a_condition_is_judged_as_the_oracle_does(
    case: tuple[dict[str, Any], dict[str, Any], frozenset[str]],
) -> None:
    where, fields, teams = case
    saved = Filter("f", "F", "custom", parse_where(where))
    filter_ = explained(new_record(Entries(stored.SETTINGS, {"f": saved}), 1), "f", None, day())
    ticket = read_ticket(json.dumps(fields).encode(), closed_by_event=False)
    answers = answers_of(ticket, Viewer("ann", Role.AGENT, teams))
    context = oracle.ConditionContext(TENANT, "ann", teams, SHAPE.now_us, "UTC")
    expected = oracle.holds(where, OracleTicket(1, "ticket.updated", fields), context)
    assert holds(filter_, filter_.written, ticket, answers, When(SHAPE.now_us, day(now=SHAPE.now_us))) is expected


def test_a_stored_column_that_is_wrong_is_told() -> None:
    record = stored.record()
    filter_ = explained(record, "p1", None, day())
    right = stored.ticket_state(record, stored.TICKETS["1"])
    (column,) = filter_.columns
    wrong = TicketState(right.sequence, right.ticket, right.changed_at, right.mask ^ 1 << record.numbers[column])
    assert "DIFFERENT" not in "\n".join(verdict(filter_, right, None, (None, None), When(stored.NOW_US, day())))
    lines = list(verdict(filter_, wrong, None, (None, None), When(stored.NOW_US, day())))
    assert lines[-2].startswith("  no  yes #")
    assert lines[-2].endswith("priority = p1  DIFFERENT")
    assert lines[-1].endswith("columns of the tenant 1 differ")
