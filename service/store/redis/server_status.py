"""What Redis servers say of themselves that counting depends on, and what each of it means. Pure: asks for nothing."""

from collections.abc import Sequence

import msgspec

from service.store.replies import info_field

SECTIONS = ("memory", "persistence", "stats")
"""Of INFO: what is told in the others costs more than all of this."""

KEEPING = "noeviction"


class ServerStatus(msgspec.Struct, frozen=True):
    """One look at a server. Bytes are those that count against its limit; `limit` 0 is none."""

    used: int
    limit: int
    policy: str
    evicted: int
    """Keys that it has dropped for want of room since it was started."""
    persistent: bool | None
    """Whether it keeps what it has on disk, by AOF or RDB; None where it doesn't tell."""

    @property
    def drops(self) -> str:
        """Why counters might be dropped at any time; "" when they aren't."""
        if not self.limit or self.policy == KEEPING:
            return ""
        return f"Redis would drop counters when full: set maxmemory-policy {KEEPING}, not {self.policy}"


def worst(servers: Sequence[ServerStatus]) -> ServerStatus:
    """Of many servers in one: the fullest, a policy that drops where one has it, no disk where one has none."""
    fullest = max(servers, key=lambda one: one.used / one.limit if one.limit else 0)
    dropping = next((one for one in servers if one.drops), fullest)
    told = [one.persistent for one in servers]
    return ServerStatus(
        dropping.used if dropping.drops else fullest.used,
        dropping.limit if dropping.drops else fullest.limit,
        dropping.policy,
        sum(one.evicted for one in servers),
        False if False in told else None if None in told else True,
    )


def server_status_in(info: str, save: str | None) -> ServerStatus:
    """The condition as INFO has it; `save` is the setting of that name, None where the server doesn't tell."""
    appends = info_field(info, "aof_enabled") == "1"
    # What replicas and the append-only file are still to be given doesn't count (getMaxmemoryState in evict.c).
    used = int(info_field(info, "used_memory")) - int(info_field(info, "mem_not_counted_for_evict"))
    return ServerStatus(
        used,
        int(info_field(info, "maxmemory")),
        info_field(info, "maxmemory_policy"),
        int(info_field(info, "evicted_keys")),
        True if appends else None if save is None else save != "",
    )
