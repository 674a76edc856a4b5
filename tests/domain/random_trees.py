"""Random conditions, tickets and viewers with few values, so that they match often; and a naive evaluation."""

from collections.abc import Mapping

from hypothesis import strategies as st

from service.domain.conditions.condition import AllOf, AnyOf, Asks, Condition, Const, Leaf, Not, Question
from service.domain.conditions.predicates import predicate
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.columns import Answers, Column
from service.domain.counting.viewer import Viewer
from service.domain.tickets.ticket import Ticket

USERS = ("ann", "bob", "cid")
TEAMS = ("net", "dba", "web")
STATUSES = ("1", "2", "3")
FIELD_VALUES = (1, 1.0, True, "1", 0, False, "", None, (), (1, True), ["a"], "a", 2.5)
SCALARS = (1, 1.0, True, "1", 0, False, "a", 2.5)

leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Leaf, st.just("status"), st.sampled_from(("eq", "ne")), st.sampled_from(STATUSES)),
    st.builds(Leaf, st.just("team"), st.sampled_from(("in", "nin")), st.lists(st.sampled_from(TEAMS)).map(tuple)),
    st.builds(Leaf, st.just("category"), st.sampled_from(("is_empty", "is_not_empty"))),
    st.builds(Leaf, st.just("slaBreached"), st.sampled_from(("is_true", "is_false"))),
    st.builds(Leaf, st.just("fields.x"), st.sampled_from(("eq", "ne")), st.sampled_from(SCALARS)),
    st.builds(Leaf, st.just("fields.x"), st.just("contains_any"), st.lists(st.sampled_from(SCALARS)).map(tuple)),
    st.builds(Leaf, st.just("tags"), st.just("contains_any"), st.just(("vip",))),
)
plain_leaves = st.one_of(leaves, st.builds(Const, st.booleans()))
asking_leaves = st.one_of(leaves, st.builds(Const, st.booleans()), st.builds(Asks, st.sampled_from(list(Question))))


def trees(atoms: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    """Draws trees over these leaves, also with empty lists."""
    return st.recursive(
        atoms,
        lambda children: st.one_of(
            st.builds(AllOf, st.lists(children, max_size=3).map(tuple)),
            st.builds(AnyOf, st.lists(children, max_size=3).map(tuple)),
            st.builds(Not, children),
        ),
        max_leaves=8,
    )


tickets = st.builds(
    Ticket,
    status=st.sampled_from(STATUSES),
    created_at=st.just(0),
    category=st.sampled_from((None, "c")),
    team=st.sampled_from((None, *TEAMS)),
    assignee=st.sampled_from((None, *USERS)),
    requester=st.sampled_from((None, *USERS)),
    sla_breached=st.booleans(),
    tags=st.sampled_from(((), ("vip",), ("a", "vip"))),
    fields=st.sampled_from(FIELD_VALUES).map(lambda value: {"x": value}),
    closed_by_event=st.booleans(),
)

_STORED = {"slaBreached": "sla_breached"}


def value_of(ticket: Ticket, field: str) -> object:
    """Returns the ticket's value of a field in these trees."""
    if field == "fields.x":
        return ticket.fields.get("x")
    value: object = getattr(ticket, _STORED.get(field, field))
    return value


def answers_of(ticket: Ticket, viewer: Viewer) -> Answers:
    return ticket.assignee == viewer.user, ticket.requester == viewer.user, ticket.team in viewer.teams


def means(condition: Condition, ticket: Ticket, answers: Answers = (False, False, False)) -> bool:
    """Evaluates a tree node by node, without simplification."""
    match condition:
        case Const(holds):
            return holds
        case Asks(question):
            return answers["ART".index(question.value)]
        case Leaf(field):
            return predicate(condition)(value_of(ticket, field), 0)
        case Not(child):
            return not means(child, ticket, answers)
        case AllOf(children):
            return all(means(child, ticket, answers) for child in children)
        case AnyOf(children):
            return any(means(child, ticket, answers) for child in children)


def columns_of(conditions: Mapping[int, Condition]) -> ColumnMatcher:
    """Returns a matcher of columns that are not kept by time."""
    return ColumnMatcher({number: Column(condition) for number, condition in conditions.items()})
