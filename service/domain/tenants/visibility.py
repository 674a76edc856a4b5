"""The entries of a tenant that a viewer sees, with names and colours. Pure; knows one version of the entries."""

from typing import Protocol

import msgspec

from service.domain.catalogue.catalogue import Filter, FilterType, Profile, Sharing
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.tenant_entries import Entries


class FilterDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of `filterDetails`, and of the list of filters."""

    id: str
    name: str
    type: FilterType
    color: str | None = None


class Asking(Protocol):
    """A request with a viewer and a perspective."""

    @property
    def viewer(self) -> Viewer: ...

    @property
    def perspective(self) -> Perspective: ...


class Visibility:
    """Decides which entries a viewer sees."""

    def __init__(self, entries: Entries) -> None:
        settings = entries.settings
        self.builtin = frozenset(("all", *(s.id for s in settings.statuses), *(p.id for p in settings.priorities)))
        """Ids that every viewer sees. They win over filters with the same id."""
        self.details = details(entries)
        self.profiles = entries.profiles
        self._filters = entries.filters

    def has_filter(self, name: str, asking: Asking) -> bool:
        """Whether the filter id exists for this viewer in this perspective."""
        if name in self.builtin:
            return True
        saved = self._filters.get(name)
        if saved is None or (saved.perspectives is not None and asking.perspective not in saved.perspectives):
            return False
        return is_visible(saved, asking.viewer)

    def has_profile(self, name: str, viewer: Viewer) -> bool:
        """Whether the profile exists for this viewer."""
        profile = self.profiles.get(name)
        return profile is not None and is_visible(profile, viewer)


def details(entries: Entries) -> dict[str, FilterDetail]:
    """Returns every filter id with its details. Of colliding ids `all` wins, then a status, a priority, a filter."""
    found = {"all": FilterDetail("all", "All Tickets", "system")}
    for status in entries.settings.statuses:
        found.setdefault(status.id, FilterDetail(status.id, status.name, "status", status.color))
    for priority in entries.settings.priorities:
        found.setdefault(priority.id, FilterDetail(priority.id, priority.name, "priority", priority.color))
    for saved in entries.filters.values():
        found.setdefault(saved.id, FilterDetail(saved.id, saved.name, saved.type, saved.color))
    return found


def is_visible(entry: Filter | Profile, viewer: Viewer) -> bool:
    """Whether a viewer sees an entry: it has no owner, or the viewer is its owner, an admin, or in its sharing."""
    if entry.owner is None or viewer.role is Role.ADMIN or entry.owner == viewer.user:
        return True
    shared: Sharing = entry.shared_with
    return bool(shared.roles & viewer.roles or shared.teams & viewer.teams)
