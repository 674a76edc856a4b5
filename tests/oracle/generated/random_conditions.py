"""Random conditions with values of the tickets. Never a condition that the contract leaves ambiguous."""

from typing import Any

from tests.oracle.generated.choices import Choices
from tests.oracle.generated.grammar import BOOLEAN, EMPTY, EQUAL, LISTS, ORDER, SPANS, TEXT, WORDS
from tests.oracle.generated.random_tickets import (
    CATEGORIES,
    FIELDS,
    LARGE,
    SCALARS,
    TAGS,
    Pools,
    Shape,
    format_instant,
    past_us,
)
from tests.oracle.published.records import ID_FIELDS, INSTANT_FIELDS

CUSTOM_FIELDS = tuple(f"fields.{name}" for name in FIELDS)
# Some fields are drawn more often: those of the viewer questions, and custom fields, whose values differ in type.
PLAIN_FIELDS = (*ID_FIELDS, "assignee", "requester", "team", "state", *CUSTOM_FIELDS, *CUSTOM_FIELDS)
PARTS = ("a", "ß", "SS", "net", "P-4", "2", "/", "ÄRGER", "É")
DURATIONS = ("PT24H", "P1D", "PT0S", "P3DT1H", "PT1H30M", "P1W", "PT0.5S")
NUMBERS = (0, 1, 1.0, 2.5, -3)
FLAT = sorted(EQUAL | EMPTY)


def condition(choices: Choices, shape: Shape, pools: Pools) -> dict[str, Any]:
    """Returns a valid `where`: flat, or a tree of up to five levels."""
    if shape.language == "full":
        return tree(choices, shape, pools, 4)
    if choices.chance(40):
        return leaf(choices, shape, pools)
    return {"all": [leaf(choices, shape, pools) for _ in range(choices.integer(1, 3))]}


def tree(choices: Choices, shape: Shape, pools: Pools, levels: int) -> dict[str, Any]:
    """Returns a node with at most that many levels above its leaves."""
    kind = choices.pick(("leaf", "all", "any", "not", "both")) if levels else "leaf"
    if kind == "leaf":
        return leaf(choices, shape, pools)
    if kind == "not":
        return {"not": tree(choices, shape, pools, levels - 1)}
    below = [tree(choices, shape, pools, levels - 1) for _ in range(choices.integer(1, 3 if levels == 4 else 2))]
    if kind == "both":
        return {"all": below[:1], "any": below[1:]}
    return {kind: below}


def leaf(choices: Choices, shape: Shape, pools: Pools) -> dict[str, Any]:
    fields = (*PLAIN_FIELDS, "slaBreached", "tags", *INSTANT_FIELDS)
    field = choices.pick(fields)
    op = choices.pick(operators(field, shape))
    if op in EMPTY or op in BOOLEAN:
        return {"field": field, "op": op}
    return {"field": field, "op": op, "value": value(choices, shape, pools, field, op)}


def operators(field: str, shape: Shape) -> list[str]:
    """Returns the operators of the field that the shape allows and the contract defines without ambiguity."""
    if shape.language == "flat":
        return sorted(EMPTY) if field == "tags" else FLAT
    if field == "tags":
        return sorted(LISTS | EMPTY)
    if field in INSTANT_FIELDS:
        timed = SPANS | {"before", "after", "within"} if shape.times else {"before", "after"}
        return sorted(EQUAL | ORDER | EMPTY | timed)
    if field == "slaBreached":
        return sorted(EQUAL | EMPTY | BOOLEAN)
    if field in ("priority", "status"):
        return sorted(EQUAL | EMPTY | TEXT | (ORDER - {"between"}))
    if field.startswith("fields."):
        return sorted(EQUAL | ORDER | EMPTY | TEXT | LISTS | BOOLEAN)
    return sorted(EQUAL | EMPTY) if field == "state" else sorted(EQUAL | EMPTY | TEXT)


def value(choices: Choices, shape: Shape, pools: Pools, field: str, op: str) -> Any:
    if op in ("in", "nin"):
        word = viewer_word(field)
        if word and choices.chance(30):
            return word
        return [one(choices, shape, pools, field) for _ in range(choices.integer(0 if choices.chance(10) else 1, 3))]
    if op in LISTS:
        return choices.some(TAGS if field == "tags" else SCALARS, 1, 3)
    if op in TEXT:
        return choices.pick(PARTS)
    if op == "within":
        return choices.pick(WORDS)
    if op in SPANS:
        return choices.pick(DURATIONS)
    if field.startswith("fields.") and op in ORDER:
        ends: tuple[Any, ...] = NUMBERS if choices.chance(60) else PARTS
        return [choices.pick(ends), choices.pick(ends)] if op == "between" else choices.pick(ends)
    if op == "between":
        return [one(choices, shape, pools, field), one(choices, shape, pools, field)]
    return one(choices, shape, pools, field)


def viewer_word(field: str) -> str | None:
    return {"assignee": "@me", "requester": "@me", "team": "@my_teams"}.get(field)


def one(choices: Choices, shape: Shape, pools: Pools, field: str) -> Any:
    """Returns a single value, for `eq` and similar operators."""
    word = viewer_word(field)
    if word is not None and choices.chance(40):
        return word
    if field in INSTANT_FIELDS:
        return moment(choices, shape)
    if field.startswith("fields."):
        return choices.pick(LARGE if choices.chance(5) else SCALARS)
    if field == "slaBreached":
        return choices.chance(50)
    if field == "state":
        return choices.pick(("open", "closed", "pending"))
    if choices.chance(10):
        return choices.pick(("nobody knows this", ""))
    named = {"status": pools.statuses, "priority": pools.priorities, "team": pools.teams, "category": CATEGORIES}
    return choices.pick(named.get(field, pools.users))


def moment(choices: Choices, shape: Shape) -> str:
    """Returns an instant; with `times` also one relative to `@now`."""
    if shape.times and choices.chance(50):
        return "@now" + (choices.pick("+-") + choices.pick(DURATIONS) if choices.chance(80) else "")
    return format_instant(choices, past_us(choices, shape))
