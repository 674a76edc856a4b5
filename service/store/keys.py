"""Builds every key name in Redis, and does nothing else.

All keys of a bucket carry the bucket's hash tag, so that a script over them touches one shard of a cluster. Ids chosen
by people are percent-encoded in key names, and literal in fields of hashes.
"""

import hashlib
import zlib
from functools import lru_cache
from urllib.parse import quote, unquote

LAYOUT = "tc:layout"
"""Hash: format and number of buckets. A process refuses a store whose layout differs from its settings."""

REALMS = "tc:{catalogue}:realms"
REALM_OFFSETS = "tc:{catalogue}:realm-offsets"
CREDENTIALS = "tc:{catalogue}:credentials"
CREDENTIAL_OFFSETS = "tc:{catalogue}:credential-offsets"
ADMINS = "tc:{catalogue}:admins"
"""Sorted set, all scores 0: "<admin's name>\0<identifier>" of each credential, an index by name."""
CATALOGUE = "tc:{catalogue}:state"
"""Hash: `topic`, the id of the catalogue's topic; `judged`, its validated offset: bad records below it are dead letters
already."""

TENANTS_WITH_DEMANDS = "tc:wanting"
"""Set: tenants with column demands that are not met yet."""

HINTS = "tc:hints"
"""Channel: "<tenant> <version>" after each change of a tenant's counts."""


def grants(owner: str) -> tuple[str, str]:
    """Hashes with a time to live: an owner's grants (stream tickets, cookies) by name, and their contents by digest."""
    return f"tc:grant:{{{owner}}}", f"tc:grant:{{{owner}}}:content"


@lru_cache(maxsize=65_536)  # tenants in use; called for every event
def bucket_of(tenant: str, buckets: int) -> int:
    """Returns the bucket of a tenant, which never changes: CRC-32 is the same in every process and release."""
    return zlib.crc32(tenant.encode()) % buckets


def state(bucket: int) -> str:
    """Hash: `epoch`, `topic`, `timers`, per partition `p:N` (position) and `f:N` (fresh as of, Redis ms), and `tenants`
    once all of the bucket's tenants have been stored."""
    return f"tc:{{{bucket}}}:state"


def due(bucket: int) -> str:
    """Sorted set: "<tenant> <generation> <ticket>" by due time, in microseconds."""
    return f"tc:{{{bucket}}}:due"


def lease(bucket: int) -> str:
    """String with a time to live: the holder of the bucket's lease."""
    return f"tc:{{{bucket}}}:lease"


def tenant(bucket: int, name: str) -> str:
    """Hash: `token` (record version), `generation`, `record`, `version`, `as_of` of one tenant."""
    return f"tc:{{{bucket}}}:tenant:{name}"


def tenants(bucket: int) -> str:
    """Set: the names of the bucket's tenants."""
    return f"tc:{{{bucket}}}:tenants"


def demands(bucket: int, name: str) -> str:
    """Sorted set: a tenant's column demands (JSON) by the time of the last request, in ms."""
    return f"tc:{{{bucket}}}:asked:{name}"


def unknown_ids(bucket: int, name: str) -> str:
    """Hash with a time to live: unknown ids, "<field> <id>" -> "<ms of the last use> <ticket that used it>"."""
    return f"tc:{{{bucket}}}:unknown:{name}"


def backfill_progress(bucket: int, name: str) -> str:
    """String: progress of a tenant's backfill, for the consumer that continues it."""
    return f"tc:{{{bucket}}}:sweep:{name}"


def rate(bucket: int, scope: str, name: str, holder: str) -> str:
    """String with a time to live: a holder's token bucket, as the instant at which it is full again."""
    return _budget(bucket, scope, f"rate:{name}", holder)


def quota(bucket: int, scope: str, name: str, holder: str) -> str:
    """Sorted set with a time to live: the claimants of a holder's quota by the expiry of their place, in ms."""
    return _budget(bucket, scope, f"quota:{name}", holder)


def mark(bucket: int, scope: str, kind: str, holder: str) -> str:
    """Empty string with a time to live: the mark holds while the key exists."""
    return _budget(bucket, scope, f"mark:{kind}", holder)


def _budget(bucket: int, scope: str, name: str, holder: str) -> str:
    """Returns a key with scope and holder as a digest, because some are external texts of any length."""
    digest = hashlib.blake2b(f"{len(scope)}:{scope}{holder}".encode(), digest_size=16).hexdigest()
    return f"tc:{{{bucket}}}:budget:{name}:{digest}"


def audit(bucket: int) -> str:
    """String with a time to live: "<tenant> <generation> <holder>" of the running audit."""
    return f"tc:{{{bucket}}}:audit"


def noted(bucket: int) -> str:
    """Set: tickets of the audited tenant that were written since the audit last looked."""
    return f"tc:{{{bucket}}}:noted"


def building(bucket: int, name: str) -> str:
    """Hash: a tenant's building, with the fields of a bucket's state and of a tenant in one."""
    return f"tc:{{{bucket}}}:building:{name}"


def building_due(bucket: int, name: str) -> str:
    """Sorted set: like `due`, for a tenant's building."""
    return f"tc:{{{bucket}}}:building-due:{name}"


def orphans(bucket: int) -> str:
    """Set: "<tenant> <generation>" whose tickets and counters are still to be removed."""
    return f"tc:{{{bucket}}}:orphans"


def tickets(bucket: int, name: str, generation: str) -> str:
    """Hash: ticket id -> revision and packed ticket state."""
    return f"tc:{{{bucket}}}:tickets:{name}:{generation}"


def counter(bucket: int, name: str, generation: str, scope: str) -> str:
    """String: eight bytes a column for the counter of all tickets; a packed value for every other counter."""
    return f"tc:{{{bucket}}}:count:{name}:{generation}:{_encoded(scope)}"


ANY_BUCKET = "tc:{*"
"""A pattern that matches the keys of all buckets, and a few others."""


def counter_in(key: str) -> tuple[str, str, str] | None:
    """Parses a counter's key into tenant, generation and counter name; None for any other key."""
    _, _, *rest = [*key.split(":", 5), "", ""]
    if rest[0] not in ("count", "time") or len(rest) < 6:
        return None
    return rest[1], rest[2], unquote(rest[3])


def timed(bucket: int, name: str, generation: str, scope: str) -> str:
    """Hash: a counter's counts by time, per column and quarter hour, hour, or day.

    Persons' fields are `<column>:<quarter>:<part>`; all others' `<column>:q<quarter>`, `<column>:h<hour>` and
    `<column>:d<day>`, each since the epoch in UTC.
    """
    return f"tc:{{{bucket}}}:time:{name}:{generation}:{_encoded(scope)}"


MOST_COUNTERS_REMEMBERED = 40
"""Most counters of a viewer whose keys are cached: the keys of 500 teams would take 100 KB per viewer."""


def snapshot(
    bucket: int, name: str, generation: str, counters: tuple[str, ...], timed_counters: tuple[str, ...]
) -> tuple[str, ...]:
    """Returns the keys of the snapshot script: state, tenant, counter of all tickets, others, timed ones."""
    few = len(counters) + len(timed_counters) <= MOST_COUNTERS_REMEMBERED
    return (_remembered_keys if few else _snapshot_keys)(bucket, name, generation, counters, timed_counters)


def _snapshot_keys(
    bucket: int, name: str, generation: str, counters: tuple[str, ...], timed_counters: tuple[str, ...]
) -> tuple[str, ...]:
    others = (counter(bucket, name, generation, scope) for scope in ("*", *counters))
    by_time = (timed(bucket, name, generation, scope) for scope in timed_counters)
    return (state(bucket), tenant(bucket, name), *others, *by_time)


_remembered_keys = lru_cache(maxsize=8_192)(_snapshot_keys)  # viewers in use, 8 KiB each at most


def due_member(name: str, generation: str, ticket: str) -> str:
    """Returns a member of `due`."""
    return f"{name} {generation} {ticket}"


@lru_cache(maxsize=65_536)  # persons and teams in use
def _encoded(scope: str) -> str:
    return quote(scope, safe=":*@.+|")
