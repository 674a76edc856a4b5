"""The limits of one tenant's catalogue. Within them no tenant delays the others. Pure.

Measured on two cores, with a tenant at its limits: an edit blocks the process for at most 10 ms at a time, an event
costs a tenth of a millisecond, and a ticket's mask takes a kilobyte. An entry beyond the limits is refused, and its
previous version stays.
"""

from typing import TypeVar

import msgspec

from service.domain.catalogue.catalogue import Filter, Profile
from service.domain.counting.columns import written
from service.domain.steps import Steps
from service.domain.tenants.tenant_entries import Entries

MOST_FILTERS = 2_000
MOST_PROFILES = 500

MOST_WRITTEN_BYTES = 2 << 20
"""Encoded size of the conditions of all filters and profiles of a tenant. Ten leaves take some 250 bytes."""

BEYOND_LIMITS = (
    f"beyond what one tenant may have: {MOST_FILTERS} filters and {MOST_PROFILES} profiles, "
    f"with conditions of {MOST_WRITTEN_BYTES} bytes in all"
)

_Saved = TypeVar("_Saved", bound=Filter | Profile)


def limiting(entries: Entries, before: Entries | None) -> Steps[Entries]:
    """Returns the entries without the filters and profiles that exceed the limits. Those stay as they were `before`.

    Entries that existed before come first, so that a new entry never displaces an older one.
    """
    last = before or Entries(entries.settings)
    profiles, left = yield from _fitting(entries.profiles, last.profiles, MOST_PROFILES, MOST_WRITTEN_BYTES)
    filters, _ = yield from _fitting(entries.filters, last.filters, MOST_FILTERS, left)
    return msgspec.structs.replace(entries, filters=filters, profiles=profiles)


def _fitting(
    entries: dict[str, _Saved], before: dict[str, _Saved], most: int, most_bytes: int
) -> Steps[tuple[dict[str, _Saved], int]]:
    """Returns the entries that fit, and the bytes that are left."""
    old: list[str] = [name for name in entries if name in before]
    new: list[str] = [name for name in entries if name not in before]
    fitting: dict[str, _Saved] = {}
    left = most_bytes
    for name in old:
        fitting[name] = before[name]
        left -= len(written(before[name].where))
        yield
    for name in old + new:
        last = before.get(name)
        more = len(written(entries[name].where)) - (0 if last is None else len(written(last.where)))
        if (more <= left or more <= 0) and (last is not None or len(fitting) < most):
            fitting[name] = entries[name]
            left -= more
        yield
    return fitting, left
