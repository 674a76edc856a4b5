"""Interprets what Redis servers report on memory, persistence and eviction. Pure: sends no command."""

from collections.abc import Sequence

import msgspec

from service.store.replies import info_field

SECTIONS = ("memory", "persistence", "stats")
"""Sections of INFO to request: the other sections cost more than these together."""

KEEPING = "noeviction"


class ServerStatus(msgspec.Struct, frozen=True):
    """The status of a server. `used` are the bytes that count against `limit`; `limit` 0 means no limit."""

    used: int
    limit: int
    policy: str
    evicted: int
    """Keys evicted since the server started."""
    persistent: bool | None
    """Whether the server persists to disk, by AOF or RDB; None when it doesn't report it."""

    @property
    def drops(self) -> str:
        """Why the server may evict counters; "" when it may not."""
        if not self.limit or self.policy == KEEPING:
            return ""
        return f"Redis would drop counters when full: set maxmemory-policy {KEEPING}, not {self.policy}"


def worst(servers: Sequence[ServerStatus]) -> ServerStatus:
    """Combines many servers: the fullest memory, an evicting policy if any has one, not persistent if any isn't."""
    fullest = max(servers, key=lambda one: one.used / one.limit if one.limit else 0)
    dropping = next((one for one in servers if one.drops), fullest)
    persistent = [one.persistent for one in servers]
    return ServerStatus(
        dropping.used if dropping.drops else fullest.used,
        dropping.limit if dropping.drops else fullest.limit,
        dropping.policy,
        sum(one.evicted for one in servers),
        False if False in persistent else None if None in persistent else True,
    )


def server_status_in(info: str, save: str | None) -> ServerStatus:
    """Returns the status in an INFO reply; `save` is the setting of that name, None when the server hides it."""
    appends = info_field(info, "aof_enabled") == "1"
    # Buffers for replicas and the append-only file don't count (getMaxmemoryState in evict.c).
    used = int(info_field(info, "used_memory")) - int(info_field(info, "mem_not_counted_for_evict"))
    return ServerStatus(
        used,
        int(info_field(info, "maxmemory")),
        info_field(info, "maxmemory_policy"),
        int(info_field(info, "evicted_keys")),
        True if appends else None if save is None else save != "",
    )
