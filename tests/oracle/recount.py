"""The recount: computes the correct counts from the contract, ticket by ticket. Never shares code with the product.

    oracle = recount(catalogue, log)  # with upto={partition: next offset}: only that prefix of the log
    oracle.counts("acme", Viewer(frozenset({"ticket_agent"}), "ann", frozenset({"network"})),
                  "agent", ["all", "3745"], None, now_us, "Asia/Kathmandu")
    # {"counts": {"all": 7, "3745": 2}, "summary": {"totalOpen": 5, "totalClosed": 2, "slaBreached": 0, …}}

- `catalogue`: records in order, `(offset, key, value)` or `{"kind", "value"}`. `learn` adds more.
- `log`: the tickets' records in order, each a `Record` (without a value: a tombstone) or a structured CloudEvent as a
  dict. `feed` adds more, so one recount can be compared at every prefix.
- Instants are whole microseconds since the Unix epoch. The caller passes `now_us`.
- Refused records are kept in `dead_letters` and `catalogue.refused`, and change no count.

It evaluates every ticket for every number, so a few thousand tickets are its limit. It doesn't model three things:
records that the log no longer holds, a tenant that is removed and added again, and authentication.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from tests.oracle.conditions import ConditionContext, holds, is_breached, is_closed, is_empty, is_past
from tests.oracle.generated.grammar import check
from tests.oracle.instants import parse_instant, window
from tests.oracle.published.catalogue import PERSPECTIVES, Catalogue, CatalogueItem, Entry, Viewer
from tests.oracle.published.records import LogItem, Record, Refused, read
from tests.oracle.tickets import Ticket, after

ROLES = ("ticket_admin", "ticket_agent", "ticket_user")  # Strongest first.


class Forbidden(Exception):
    """The viewer has no role that allows this request."""


class InvalidFilterIds(Exception):
    """Ids that are unknown or hidden from this viewer, in request order, with the profile's last."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(list(ids))
        self.ids = list(ids)


class Answer(TypedDict):
    """The answer to a request for counts."""

    counts: dict[str, int]
    summary: dict[str, int]


class Recount:
    """Every ticket of every tenant after all records in `feed`."""

    def __init__(self, catalogue: Iterable[CatalogueItem] = ()) -> None:
        self.catalogue = Catalogue()
        self.dead_letters: list[tuple[LogItem, str]] = []
        self._tickets: dict[str, dict[str, Ticket]] = {}
        self.learn(catalogue)

    def learn(self, items: Iterable[CatalogueItem]) -> None:
        """Adds catalogue records. Earlier events of a tenant that was unknown stay dead letters."""
        for item in items:
            self.catalogue.learn(item)

    def feed(self, items: Iterable[LogItem]) -> None:
        """Adds records of the log. Each record may be added only once."""
        for item in items:
            try:
                self._apply(item)
            except Refused as error:
                self.dead_letters.append((item, str(error)))

    def _apply(self, item: LogItem) -> None:
        event = read(item)
        if event.tenant not in self.catalogue.tenants:
            raise Refused("unknown tenant")
        tickets = self._tickets.setdefault(event.tenant, {})
        ticket = after(tickets.get(event.ticket), event)
        if ticket is not None:
            tickets[event.ticket] = ticket

    def tickets(self, tenant: str) -> dict[str, Ticket]:
        """Returns the tenant's tickets by id, without deleted ones."""
        return {name: one for name, one in self._tickets.get(tenant, {}).items() if one.data is not None}

    def counts(
        self,
        tenant: str,
        viewer: Viewer,
        perspective: str,
        filter_ids: Sequence[str],
        profile_id: str | None,
        now_us: int,
        timezone: str = "UTC",
        day_us: int | None = None,
    ) -> Answer:
        """Returns the counts and the summary. Raises Forbidden, InvalidFilterIds, and KeyError for an unknown tenant.

        `day_us`: an instant of the viewer's local day, if that isn't the day of `now_us`.
        """
        check_allowed(viewer, perspective)
        self._check_ids(tenant, viewer, perspective, filter_ids, profile_id)
        context = ConditionContext(self.catalogue.tenants[tenant], viewer.user, viewer.teams, now_us, timezone, day_us)
        seen = self._seen(tenant, viewer, perspective, profile_id, context)
        counts = {}
        for filter_id in filter_ids:
            where = self.catalogue.where(tenant, filter_id)
            counts[filter_id] = sum(holds(where, ticket, context) for ticket in seen)
        return {"counts": counts, "summary": summary(seen, context)}

    def preview(
        self,
        tenant: str,
        viewer: Viewer,
        perspective: str,
        where: Entry,
        profile_id: str | None,
        now_us: int,
        timezone: str = "UTC",
    ) -> int:
        """Returns the count of an unsaved condition. Raises DoesNotCompile, Forbidden, InvalidFilterIds."""
        check(where)
        check_allowed(viewer, perspective)
        self._check_ids(tenant, viewer, perspective, (), profile_id)
        context = ConditionContext(self.catalogue.tenants[tenant], viewer.user, viewer.teams, now_us, timezone)
        return sum(
            holds(where, ticket, context) for ticket in self._seen(tenant, viewer, perspective, profile_id, context)
        )

    def _check_ids(
        self, tenant: str, viewer: Viewer, perspective: str, filter_ids: Sequence[str], profile_id: str | None
    ) -> None:
        known = self.catalogue.filter_ids(tenant, viewer, perspective)
        invalid = [one for one in dict.fromkeys(filter_ids) if one not in known]
        if profile_id is not None and profile_id not in self.catalogue.profile_ids(tenant, viewer):
            invalid.append(profile_id)
        if invalid:
            raise InvalidFilterIds(invalid)

    def _seen(
        self, tenant: str, viewer: Viewer, perspective: str, profile_id: str | None, context: ConditionContext
    ) -> list[Ticket]:
        """Returns the tickets that role, perspective and profile let the viewer see."""
        seen = [ticket for ticket in self.tickets(tenant).values() if in_scope(ticket, viewer, perspective)]
        if profile_id is None:
            return seen
        where = self.catalogue.profiles[tenant, profile_id]["where"]
        return [ticket for ticket in seen if holds(where, ticket, context)]


def recount(
    catalogue: Iterable[CatalogueItem], log: Iterable[LogItem], upto: Mapping[int, int] | None = None
) -> Recount:
    """Returns a recount of catalogue and log. `upto`: partition -> offset; only records below it are applied."""
    oracle = Recount(catalogue)
    oracle.feed(item for item in log if upto is None or is_below(item, upto))
    return oracle


def is_below(item: LogItem, upto: Mapping[int, int]) -> bool:
    """Whether a record is below its partition's position (default 0). Raises TypeError for a dict: it has no offset."""
    if not isinstance(item, Record):
        raise TypeError("only a Record has a partition and an offset")
    return item.offset < upto.get(item.partition, 0)


def strongest(viewer: Viewer) -> str:
    """Returns the viewer's strongest role. Raises Forbidden when no role is known."""
    for role in ROLES:
        if role in viewer.roles:
            return role
    raise Forbidden("no known role")


def check_allowed(viewer: Viewer, perspective: str) -> None:
    """Raises Forbidden for a `ticket_user` in the agent's perspective, ValueError for an unknown perspective."""
    if perspective not in PERSPECTIVES:
        raise ValueError(f"no such perspective: {perspective!r}")
    if strongest(viewer) == "ticket_user" and perspective == "agent":
        raise Forbidden("the agent's perspective needs an agent or an admin")


def in_scope(ticket: Ticket, viewer: Viewer, perspective: str) -> bool:
    """Whether role and perspective both let the viewer see the ticket."""
    data = ticket.data or {}
    mine = data.get("assignee") == viewer.user or data.get("team") in viewer.teams
    requested = data.get("requester") == viewer.user
    by_role = {"ticket_admin": True, "ticket_agent": mine, "ticket_user": requested}[strongest(viewer)]
    return by_role and {"template": True, "agent": mine, "user": requested}[perspective]


def summary(seen: Sequence[Ticket], context: ConditionContext) -> dict[str, int]:
    """Returns the five numbers of the summary."""
    total_open = total_closed = breached = due_today = overdue = 0
    start, beyond = window("today", context.today_us, context.timezone)
    for ticket in seen:
        breached += is_breached(ticket, context)
        if is_closed(ticket, context.tenant):
            total_closed += 1
            continue
        total_open += 1
        due = (ticket.data or {}).get("dueAt")
        overdue += is_past(due, context.now_us)
        due_today += not is_empty(due) and start <= parse_instant(str(due)) < beyond
    return {
        "totalOpen": total_open,
        "totalClosed": total_closed,
        "slaBreached": breached,
        "dueToday": due_today,
        "overdue": overdue,
    }


__all__ = ["Answer", "Forbidden", "InvalidFilterIds", "LogItem", "Record", "Recount", "Viewer", "recount"]
