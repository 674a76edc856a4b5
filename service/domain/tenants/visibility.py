"""Which of a tenant's entries a viewer sees, and what they are called. Pure; knows one version of the entries."""

from typing import Protocol

import msgspec

from service.domain.catalogue.catalogue import Filter, FilterType, Profile, Sharing
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.record import Entries


class FilterDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry of `filterDetails` and of the list of filters."""

    id: str
    name: str
    type: FilterType
    color: str | None = None


class Asking(Protocol):
    """Who asks, and in which perspective."""

    @property
    def viewer(self) -> Viewer: ...

    @property
    def perspective(self) -> Perspective: ...


class Visibility:
    """What the entries show to whom."""

    def __init__(self, entries: Entries) -> None:
        settings = entries.settings
        self.builtin = frozenset(("all", *(s.id for s in settings.statuses), *(p.id for p in settings.priorities)))
        """Ids that everybody sees, and that win over filters with the same."""
        self.details = details(entries)
        self.profiles = entries.profiles
        self._filters = entries.filters

    def has_filter(self, name: str, asking: Asking) -> bool:
        """Whether there is such an id for this viewer, in this perspective."""
        if name in self.builtin:
            return True
        saved = self._filters.get(name)
        if saved is None or (saved.perspectives is not None and asking.perspective not in saved.perspectives):
            return False
        return is_visible(saved, asking.viewer)

    def has_profile(self, name: str, viewer: Viewer) -> bool:
        """Whether there is such a profile for this viewer."""
        profile = self.profiles.get(name)
        return profile is not None and is_visible(profile, viewer)


def details(entries: Entries) -> dict[str, FilterDetail]:
    """Every id that may be asked for. Where ids collide `all`, then a status, a priority, a filter wins."""
    found = {"all": FilterDetail("all", "All Tickets", "system")}
    for status in entries.settings.statuses:
        found.setdefault(status.id, FilterDetail(status.id, status.name, "status", status.color))
    for priority in entries.settings.priorities:
        found.setdefault(priority.id, FilterDetail(priority.id, priority.name, "priority", priority.color))
    for saved in entries.filters.values():
        found.setdefault(saved.id, FilterDetail(saved.id, saved.name, saved.type, saved.color))
    return found


def is_visible(entry: Filter | Profile, viewer: Viewer) -> bool:
    """Whether a viewer sees a saved entry."""
    if entry.owner is None or viewer.role is Role.ADMIN or entry.owner == viewer.user:
        return True
    shared: Sharing = entry.shared_with
    return bool(shared.roles & viewer.roles or shared.teams & viewer.teams)
