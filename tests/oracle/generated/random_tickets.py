"""Random tickets with unusual ids, field values and instants. Makes data, no events."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from tests.oracle.generated.choices import Choices
from tests.oracle.instants import DAY_US, EPOCH, HOUR_US, MICROSECOND, parse_instant, window

NOW = "2026-11-21T10:15:00Z"

# Values that often break keys, patterns, quoting or comparisons. Two differ only in Unicode normalization.
USERS = (
    "agent-12", "auth0|1", "a+b@x.org", "/x", "ünï çødé", "{x}", "caf\u00e9", "cafe\u0301", "Agent-12", "a:b", "*",
    "%2F", "back\\slash", 'quo"te', "🎫", "network",
)  # fmt: skip
TEAMS = ("network", "/support/l2", "{net}", "Netz ärger", "net:work", "Network", "network*", "a|b")
CATEGORIES = ("55", "56", "/")
TAGS = ("vip", "VIP", "late, again", "ß", "1")
FIELDS = ("product", "reopenCount", "vip größe")
FIELD_VALUES: tuple[Any, ...] = (
    "P-424", "p-424", "1", "Straße", "STRASSE", "true", 0, 1, 1.0, 2.5, -3, True, False, None, "", [], ["a", "b"],
    [1, True], ["P-424"], {}, {"a": 1},
)  # fmt: skip
SCALARS: tuple[Any, ...] = tuple(
    value for value in FIELD_VALUES if isinstance(value, str | int | float) and value != ""
)
ZONES = (
    "UTC", "Asia/Calcutta", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Kiritimati",
    "America/Havana", "Asia/Beirut", "Africa/Cairo", "America/Santiago", "America/St_Johns", "Australia/Lord_Howe",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of random worlds, and the features that they use."""

    language: Literal["flat", "full"] = "flat"
    times: bool = False  # Time operators, and deadlines around now. If False, deadlines are absent or decades away.
    patches: bool = True
    tombstones: bool = True
    reorder: bool = True  # Whole-ticket events out of order.
    equal_sequences: bool = True  # The same sequence with other content: the order of the log then matters.
    bad: bool = False  # Dead letters between the good records.
    shadows: bool = False  # Filters under the id of a status or a priority.
    edits: bool = False  # Filters published twice, or removed again.
    tenants: int = 3
    tickets: int = 8
    steps: int = 6
    filters: int = 6
    least_filters: int = 0
    now: str = NOW

    @property
    def now_us(self) -> int:
        return parse_instant(self.now)


def format_instant(choices: Choices, at_us: int) -> str:
    """Returns the instant in one of the forms that RFC 3339 allows."""
    offset = choices.pick((0, 0, 345, -210, 840))
    local = EPOCH + at_us * MICROSECOND + timedelta(minutes=offset)
    text = local.strftime("%Y-%m-%dT%H:%M:%S")
    if local.microsecond:
        text += f".{local.microsecond:06d}"
    hours, minutes = divmod(abs(offset), 60)
    return text + (f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}" if offset else "Z")


def past_us(choices: Choices, shape: Shape) -> int:
    """Returns one of few past instants, so that some are equal. With `times`, an instant around today in some zone."""
    if shape.times:
        return near_us(choices, shape)
    return shape.now_us - choices.pick((1, 2, 30, 400)) * DAY_US - choices.pick((0, 1, 1_000_000))


def near_us(choices: Choices, shape: Shape) -> int:
    """Returns an instant at or next to now, a duration from now, or a bound of a calendar word in some zone."""
    shift_us = choices.pick((0, -1, 1, 1_000_000))
    if choices.chance(50):
        word = choices.pick(("today", "yesterday", "tomorrow", "this_week", "this_month"))
        return choices.pick(window(word, shape.now_us, choices.pick(ZONES))) + shift_us
    return shape.now_us + choices.pick((0, -1, 1, -24, 24, -72, 200)) * HOUR_US + shift_us


def deadline(choices: Choices, shape: Shape) -> str | None:
    """Returns a due date: around now with `times`, else none or decades ahead."""
    if choices.chance(40):
        return choices.pick((None, ""))
    far_us = shape.now_us + choices.pick((25_000, 25_001)) * DAY_US
    return format_instant(choices, near_us(choices, shape) if shape.times else far_us)


def blank_or(choices: Choices, options: tuple[str, ...]) -> str | None:
    """Returns one of the ids, or null or an empty text."""
    return choices.pick(options) if choices.chance(80) else choices.pick((None, ""))


@dataclass(frozen=True, slots=True)
class Pools:
    """The values of one tenant's tickets: few, so that many tickets share them."""

    statuses: tuple[str, ...]
    priorities: tuple[str, ...]
    teams: tuple[str, ...]
    users: tuple[str, ...]


def field_value(choices: Choices, shape: Shape, pools: Pools, name: str) -> Any:
    """Returns a valid value for one field of a ticket."""
    if name == "status":
        return choices.pick(pools.statuses)
    if name == "fields":
        values = (*LARGE, *HALVES) if choices.chance(5) else FIELD_VALUES
        return {one: choices.pick(values) for one in choices.some(FIELDS, 0, 3)} if choices.chance(90) else None
    if name == "tags":
        return choices.some(TAGS, 0, 3) if choices.chance(90) else None
    if name == "slaBreached":
        return choices.pick((False, None, True))
    if name in ("dueAt", "slaDueAt"):
        return deadline(choices, shape)
    if name in ("createdAt", "updatedAt"):
        return format_instant(choices, past_us(choices, shape))
    if name == "closedAt":
        return choices.pick((None, "", format_instant(choices, past_us(choices, shape))))
    pool = {"priority": pools.priorities, "team": pools.teams, "category": CATEGORIES}.get(name, pools.users)
    return blank_or(choices, pool)


LARGE = (10**30, 1e30, -(2**64), 10**400)
HALVES: tuple[Any, ...] = ("P\ud83d", ["\ude00", "a"], {"\ud83d": "\ud83d\ud83d\ude00"})
"""Numbers beyond 64 bits are stored as doubles, and half a surrogate pair, which JSON can contain, as U+FFFD."""

OPTIONAL = (
    "assignee", "team", "requester", "priority", "fields", "tags", "slaBreached", "category", "dueAt", "slaDueAt",
    "updatedAt", "closedAt",
)  # fmt: skip


def whole_ticket(choices: Choices, shape: Shape, pools: Pools) -> dict[str, Any]:
    """Returns a whole ticket: some fields are missing, and sometimes there is an unknown one."""
    names = ["status", "createdAt", *OPTIONAL[:4], *choices.some(OPTIONAL[4:], 0, len(OPTIONAL))]
    data = {name: field_value(choices, shape, pools, name) for name in names}
    if choices.chance(10):
        data["unheardOf"] = choices.pick(({"status": 7}, "\ud83d", 10**400))
    return data


def patch_of(choices: Choices, shape: Shape, pools: Pools) -> dict[str, Any]:
    """Returns a merge patch: new values, null to remove a field, custom fields to set or remove."""
    patch: dict[str, Any] = {}
    for name in choices.some(("status", *OPTIONAL), 0, 3):
        value = field_value(choices, shape, pools, name)
        patch[name] = None if name != "status" and choices.chance(25) else value
    return patch
