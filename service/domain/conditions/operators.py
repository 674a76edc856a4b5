"""The operators of conditions, and which operators each kind of field takes. Only names: never applies one."""

from service.domain.conditions.fields import FieldKind

EQUALITY = frozenset(("eq", "ne"))
MEMBERSHIP = frozenset(("in", "nin"))
ORDER = frozenset(("lt", "le", "gt", "ge"))
BETWEEN = "between"
EMPTINESS = frozenset(("is_empty", "is_not_empty"))
TEXT = frozenset(("contains", "not_contains", "starts_with", "ends_with"))
LISTS = frozenset(("contains_any", "contains_all", "contains_none"))
FLAGS = frozenset(("is_true", "is_false"))
STRICT = frozenset(("before", "after"))
AGES = frozenset(("older_than", "newer_than", "due_within"))
"""Compare an instant with now plus or minus a duration."""
WITHIN = "within"

WITHOUT_VALUE = EMPTINESS | FLAGS

COMPARISONS = EQUALITY | MEMBERSHIP | ORDER | {BETWEEN}
EVERY_OPERATOR = COMPARISONS | EMPTINESS | TEXT | LISTS | FLAGS | STRICT | AGES | {WITHIN}

OPERATORS = {
    FieldKind.TEXT: COMPARISONS | EMPTINESS | TEXT,
    FieldKind.RANKED: COMPARISONS | EMPTINESS | TEXT,
    FieldKind.INSTANT: COMPARISONS | EMPTINESS | STRICT | AGES | {WITHIN},
    FieldKind.FLAG: EQUALITY | MEMBERSHIP | EMPTINESS | FLAGS,  # true and false have no order
    FieldKind.TAGS: EMPTINESS | LISTS,
    FieldKind.STATE: COMPARISONS | EMPTINESS | TEXT,  # a text that is always "open" or "closed"
    FieldKind.CUSTOM: EVERY_OPERATOR,
}

OPPOSITES = {
    "ne": "eq",
    "nin": "in",
    "not_contains": "contains",
    "contains_none": "contains_any",
    "is_not_empty": "is_empty",
}
"""Negative operator -> what it negates. All but `is_not_empty` therefore hold for empty and mistyped values."""

WORDS = ("today", "yesterday", "tomorrow", "this_week", "this_month")
"""The values of `within`: days in the viewer's time zone."""
