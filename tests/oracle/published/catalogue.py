"""The catalogue in force: the last valid entry of each id, and the visibility rules. Counts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.generated.grammar import DoesNotCompile, check
from tests.oracle.published.records import MAX_ID_CHARACTERS, TENANT, Refused, as_read, check_id, parse_json

Entry = Mapping[str, Any]
CatalogueItem = Entry | tuple[int, str | bytes, Any]
FILTER_TYPES = ("system", "status", "priority", "category", "assignment", "team", "time", "sla", "custom")
PERSPECTIVES = ("template", "agent", "user")


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer as the token names them. The strongest of the three known roles applies."""

    roles: frozenset[str]
    user: str
    teams: frozenset[str] = frozenset()


@dataclass(slots=True)
class Catalogue:
    """Tenants by id, filters and profiles by (tenant, id), and the refused entries with their reasons."""

    tenants: dict[str, Entry] = field(default_factory=dict)
    filters: dict[tuple[str, str], Entry] = field(default_factory=dict)
    profiles: dict[tuple[str, str], Entry] = field(default_factory=dict)
    refused: list[tuple[CatalogueItem, str]] = field(default_factory=list)

    def learn(self, item: CatalogueItem) -> None:
        """Adds a record: `(offset, key, value)` with the value as bytes, object or None, or `{"kind", "value", …}`.

        Realms and credentials are ignored: they authenticate viewers and don't change answers.
        """
        try:
            kind, tenant, id_, value = opened(item)
            if kind == "tenant":
                self._put(self.tenants, id_, None if value is None else good_tenant(value))
            elif kind in ("filter", "profile"):
                entries = self.filters if kind == "filter" else self.profiles
                self._put(entries, (tenant, id_), None if value is None else good_filter(value, kind))
        except (DoesNotCompile, Refused) as error:
            self.refused.append((item, str(error)))

    @staticmethod
    def _put(entries: dict[Any, Entry], key: Any, value: Entry | None) -> None:
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value

    def filter_ids(self, tenant: str, viewer: Viewer, perspective: str) -> list[str]:
        """Returns every id that this viewer may request, once: `all`, statuses, priorities, visible filters."""
        entry = self.tenants[tenant]
        ids = ["all", *(one["id"] for one in (*entry["statuses"], *entry["priorities"]))]
        ids += [
            id_
            for (of, id_), one in self.filters.items()
            if of == tenant and is_visible(one, viewer) and stands_in(one, perspective)
        ]
        return list(dict.fromkeys(ids))

    def profile_ids(self, tenant: str, viewer: Viewer) -> list[str]:
        """Returns every profile that this viewer may use."""
        return [id_ for (of, id_), one in self.profiles.items() if of == tenant and is_visible(one, viewer)]

    def where(self, tenant: str, filter_id: str) -> Entry:
        """Returns the condition of a filter id. Of colliding ids `all` wins, then a status, a priority, a filter."""
        entry = self.tenants[tenant]
        if filter_id == "all":
            return {"all": []}
        for plural, name in (("statuses", "status"), ("priorities", "priority")):
            if any(one["id"] == filter_id for one in entry[plural]):
                return {"field": name, "op": "eq", "value": filter_id}
        return good_where(self.filters[tenant, filter_id])


def opened(item: CatalogueItem) -> tuple[str, str, str, Entry | None]:
    """Returns kind, tenant ("" for none), id and value of a catalogue record. Raises Refused."""
    if isinstance(item, tuple):
        _, key, value = item
        kind, _, rest = (key.decode() if isinstance(key, bytes) else key).partition("/")
        tenant, _, id_ = rest.partition("/") if kind in ("filter", "profile") else ("", "", rest)
        value = parse_json(value) if isinstance(value, bytes) else value
        if value is not None and not isinstance(value, dict):
            raise Refused("not a JSON object")
        return kind, tenant, id_, value
    value = item["value"]
    named = item if value is None else value
    return item["kind"], str(named.get("tenant", "")), str(named.get("id", named.get("name", ""))), value


def good_tenant(value: Entry) -> Entry:
    """Returns the tenant entry. Raises Refused for an entry without a valid id or without its lists."""
    if not isinstance(value.get("id"), str) or TENANT.fullmatch(value["id"]) is None:
        raise Refused("id: no tenant id")
    for plural in ("statuses", "priorities", "teams"):
        if not isinstance(value.get(plural), list):
            raise Refused(f"{plural}: no list")
        for entry in value[plural]:
            check_id(f"{plural}.id", entry.get("id"))
    return value


def good_filter(value: Entry, kind: str) -> Entry:
    """Returns the filter or profile entry. Raises Refused or DoesNotCompile."""
    check_id("id", value.get("id"))
    if not isinstance(value.get("name"), str):
        raise Refused("name: missing or no text")
    if kind == "filter" and value.get("type") not in FILTER_TYPES:
        raise Refused("type: unknown")
    if value.get("perspectives") == []:
        raise Refused("perspectives: none")
    if any(one not in PERSPECTIVES for one in value.get("perspectives") or []):
        raise Refused("perspectives: unknown")
    owner = value.get("owner")
    if owner is not None and not (isinstance(owner, str) and 1 <= len(owner) <= MAX_ID_CHARACTERS):
        raise Refused("owner: no user id")
    check(value.get("where"))
    return {**value, "where": as_read(value["where"])}


def good_where(entry: Entry) -> Entry:
    where: Entry = entry["where"]
    return where


def is_visible(entry: Entry, viewer: Viewer) -> bool:
    """Whether the entry has no owner, is the viewer's, or is shared with their role or team; admins see all."""
    owner, shared = entry.get("owner"), entry.get("sharedWith") or {}
    if owner is None or owner == viewer.user or "ticket_admin" in viewer.roles:
        return True
    return not viewer.roles.isdisjoint(shared.get("roles") or []) or not viewer.teams.isdisjoint(
        shared.get("teams") or []
    )


def stands_in(entry: Entry, perspective: str) -> bool:
    perspectives = entry.get("perspectives")
    return perspectives is None or perspective in perspectives
