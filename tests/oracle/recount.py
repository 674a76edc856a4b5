"""The recount: what the counts must be, counted by hand from the contract. Never shares code with the product.

    oracle = recount(catalogue, log)  # or upto={partition: next offset}: that prefix of the log
    oracle.counts("acme", Viewer(frozenset({"ticket_agent"}), "ann", frozenset({"network"})),
                  "agent", ["all", "3745"], None, now_us, "Asia/Kathmandu")
    # {"counts": {"all": 7, "3745": 2}, "summary": {"totalOpen": 5, "totalClosed": 2, "slaBreached": 0, …}}

- `catalogue`: records in their order, `(offset, key, value)` or `{"kind", "value"}`; `learn` takes later ones.
- `log`: the tickets' records in their order, each a `Record` (bytes, headers, partition, offset; no value: a tombstone)
  or simply a structured CloudEvent as a dict. `feed` takes later ones, so one recount can stop at every prefix.
- Instants are whole microseconds since the Unix epoch; `now_us` is always given.
- What the contract refuses is kept in `dead_letters` and `catalogue.refused`, and counts nothing.

It goes through every ticket for every number, one after another: a few thousand tickets are its limit.
Three things lie outside: what a log no longer holds, a tenant that was removed and came again, and authentication.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from tests.oracle.conditions import Sight, holds, is_breached, is_closed, is_empty, is_past
from tests.oracle.generated.grammar import check
from tests.oracle.instants import parse_instant, window
from tests.oracle.published.catalogue import PERSPECTIVES, Catalogue, CatalogueItem, Entry, Viewer
from tests.oracle.published.records import LogItem, Record, Refused, read
from tests.oracle.tickets import Ticket, after

ROLES = ("ticket_admin", "ticket_agent", "ticket_user")  # The strongest first.


class Forbidden(Exception):
    """The viewer has no role that may ask this."""


class InvalidFilterIds(Exception):
    """These ids are unknown, or not this viewer's to see, in the order of the request, the profile's last."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(list(ids))
        self.ids = list(ids)


class Answer(TypedDict):
    """What a count answers."""

    counts: dict[str, int]
    summary: dict[str, int]


class Recount:
    """Every ticket of every tenant, after all the records that it was fed."""

    def __init__(self, catalogue: Iterable[CatalogueItem] = ()) -> None:
        self.catalogue = Catalogue()
        self.dead_letters: list[tuple[LogItem, str]] = []
        self._tickets: dict[str, dict[str, Ticket]] = {}
        self.learn(catalogue)

    def learn(self, items: Iterable[CatalogueItem]) -> None:
        """The next catalogue records. What was dead-lettered for an unknown tenant stays so."""
        for item in items:
            self.catalogue.learn(item)

    def feed(self, items: Iterable[LogItem]) -> None:
        """The next records of the log, each read for the first time."""
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
        """The tenant's tickets by id, without the deleted ones."""
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
        """The counts and the summary for a viewer. Raises Forbidden, InvalidFilterIds; KeyError for no such tenant.

        `day_us`: an instant of the viewer's local day, where deadlines are judged at another one.
        """
        check_allowed(viewer, perspective)
        self._check_ids(tenant, viewer, perspective, filter_ids, profile_id)
        sight = Sight(self.catalogue.tenants[tenant], viewer.user, viewer.teams, now_us, timezone, day_us)
        seen = self._seen(tenant, viewer, perspective, profile_id, sight)
        counts = {}
        for filter_id in filter_ids:
            where = self.catalogue.where(tenant, filter_id)
            counts[filter_id] = sum(holds(where, ticket, sight) for ticket in seen)
        return {"counts": counts, "summary": summary(seen, sight)}

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
        """The count of a condition that isn't saved. Raises DoesNotCompile, Forbidden, InvalidFilterIds."""
        check(where)
        check_allowed(viewer, perspective)
        self._check_ids(tenant, viewer, perspective, (), profile_id)
        sight = Sight(self.catalogue.tenants[tenant], viewer.user, viewer.teams, now_us, timezone)
        return sum(holds(where, ticket, sight) for ticket in self._seen(tenant, viewer, perspective, profile_id, sight))

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
        self, tenant: str, viewer: Viewer, perspective: str, profile_id: str | None, sight: Sight
    ) -> list[Ticket]:
        """The tickets in the role's scope, in the perspective and in the profile."""
        seen = [ticket for ticket in self.tickets(tenant).values() if in_scope(ticket, viewer, perspective)]
        if profile_id is None:
            return seen
        where = self.catalogue.profiles[tenant, profile_id]["where"]
        return [ticket for ticket in seen if holds(where, ticket, sight)]


def recount(
    catalogue: Iterable[CatalogueItem], log: Iterable[LogItem], upto: Mapping[int, int] | None = None
) -> Recount:
    """Everything counted from nothing. With `upto`, of each partition only the records below its offset there."""
    oracle = Recount(catalogue)
    oracle.feed(item for item in log if upto is None or is_below(item, upto))
    return oracle


def is_below(item: LogItem, upto: Mapping[int, int]) -> bool:
    """Whether a record lies below the positions; a partition that isn't named has none. TypeError for a bare event."""
    if not isinstance(item, Record):
        raise TypeError("only a Record has a partition and an offset")
    return item.offset < upto.get(item.partition, 0)


def strongest(viewer: Viewer) -> str:
    """The role that counts. Raises Forbidden where there is none."""
    for role in ROLES:
        if role in viewer.roles:
            return role
    raise Forbidden("no known role")


def check_allowed(viewer: Viewer, perspective: str) -> None:
    """Raises Forbidden for the agent's perspective without such a role, ValueError for an unknown perspective."""
    if perspective not in PERSPECTIVES:
        raise ValueError(f"no such perspective: {perspective!r}")
    if strongest(viewer) == "ticket_user" and perspective == "agent":
        raise Forbidden("the agent's perspective needs an agent or an admin")


def in_scope(ticket: Ticket, viewer: Viewer, perspective: str) -> bool:
    """Whether the role lets the viewer see the ticket, and the perspective keeps it."""
    data = ticket.data or {}
    mine = data.get("assignee") == viewer.user or data.get("team") in viewer.teams
    requested = data.get("requester") == viewer.user
    by_role = {"ticket_admin": True, "ticket_agent": mine, "ticket_user": requested}[strongest(viewer)]
    return by_role and {"template": True, "agent": mine, "user": requested}[perspective]


def summary(seen: Sequence[Ticket], sight: Sight) -> dict[str, int]:
    """The five numbers over the tickets seen."""
    total_open = total_closed = breached = due_today = overdue = 0
    start, beyond = window("today", sight.today_us, sight.timezone)
    for ticket in seen:
        breached += is_breached(ticket, sight)
        if is_closed(ticket, sight.tenant):
            total_closed += 1
            continue
        total_open += 1
        due = (ticket.data or {}).get("dueAt")
        overdue += is_past(due, sight.now_us)
        due_today += not is_empty(due) and start <= parse_instant(str(due)) < beyond
    return {
        "totalOpen": total_open,
        "totalClosed": total_closed,
        "slaBreached": breached,
        "dueToday": due_today,
        "overdue": overdue,
    }


__all__ = ["Answer", "Forbidden", "InvalidFilterIds", "LogItem", "Record", "Recount", "Viewer", "recount"]
