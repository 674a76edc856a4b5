"""Columns: plain conditions without any viewer in them, known by the hash of their meaning. Pure."""

import hashlib
from itertools import product

import msgspec

from service.domain.conditions.condition import (
    ALWAYS,
    NEVER,
    AllOf,
    AnyOf,
    Asks,
    Condition,
    Const,
    Not,
    Question,
    leaves_of,
)

SEMANTICS = 1
"""Raise it whenever the same condition starts to mean something else: old columns are then filled anew."""

QUESTIONS = (Question.ASSIGNED, Question.REQUESTED, Question.TEAM)

Answers = tuple[bool, bool, bool]
"""What a ticket says to `QUESTIONS`, in their order."""

ALL_ANSWERS: tuple[Answers, ...] = tuple(product((False, True), repeat=3))  # type: ignore[arg-type]

ColumnId = str
"""The hash of a column's meaning and of the version of the semantics."""


class Column(msgspec.Struct, frozen=True):
    """Tickets that are counted together: those that fit a plain condition, of each quarter of an hour where `by` says.

    `by` is the field whose instants the count is kept by, and None where it is one number.
    """

    condition: Condition
    by: str | None = None


_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def written(*conditions: Condition) -> bytes:
    """The conditions as a key: values of Python are equal that mean something else here, such as 1 and True."""
    return _encode((SEMANTICS, conditions))


def column_id(column: Column) -> ColumnId:
    """The name of a column whose condition is simplified; equal meanings written alike get one name.

    "Every ticket" has the same name in all semantics: its number is 0 for ever.
    """
    if column == Column(ALWAYS):
        return EVERY_TICKET
    return hashlib.blake2b(_encode((SEMANTICS, column)), digest_size=12).hexdigest()


EVERY_TICKET: ColumnId = "every ticket"
"""The column each ticket counts in. Its number is always 0, which the packed counters rely on."""


def residuals(condition: Condition) -> dict[Answers, Condition]:
    """What is left of a lowered condition once the viewer's three answers are put in; `NEVER` where nothing is."""
    asked = questions(condition)
    if not asked:
        return dict.fromkeys(ALL_ANSWERS, simplify(condition))
    plain: dict[Answers, Condition] = {}
    for answers in ALL_ANSWERS:
        relevant: Answers = tuple(  # type: ignore[assignment]
            answer and question in asked for question, answer in zip(QUESTIONS, answers, strict=True)
        )
        if relevant not in plain:
            plain[relevant] = simplify(condition, dict(zip(QUESTIONS, relevant, strict=True)))
        plain[answers] = plain[relevant]
    return plain


def questions(condition: Condition) -> frozenset[Question]:
    """Which of the three questions about the viewer the condition asks anywhere."""
    match condition:
        case Asks(question):
            return frozenset((question,))
        case AllOf(children) | AnyOf(children):
            return frozenset().union(*(questions(child) for child in children))
        case Not(child):
            return questions(child)
    return frozenset()


def simplify(condition: Condition, answers: dict[Question, bool] | None = None) -> Condition:
    """The same condition with answers put in, constants folded, nests flattened and children in a fixed order."""
    match condition:
        case Asks(question) if answers is not None:
            return Const(answers[question])
        case Not(child):
            return _negated(simplify(child, answers))
        case AllOf(children):
            return _joined(AllOf, [simplify(child, answers) for child in children], ALWAYS, NEVER)
        case AnyOf(children):
            return _joined(AnyOf, [simplify(child, answers) for child in children], NEVER, ALWAYS)
    return condition


def _negated(child: Condition) -> Condition:
    match child:
        case Const(holds):
            return Const(not holds)
        case Not(inner):
            return inner
    return Not(child)


def _joined(kind: type[AllOf] | type[AnyOf], children: list[Condition], neutral: Const, absorbing: Const) -> Condition:
    flat: dict[bytes, Condition] = {}
    for child in children:
        for part in child.children if isinstance(child, kind) else (child,):
            if part == absorbing:
                return absorbing
            if part != neutral:
                flat[_encode(part)] = part
    if not flat:
        return neutral
    if len(flat) == 1:
        return next(iter(flat.values()))
    return kind(tuple(flat[key] for key in sorted(flat)))


def fields_of(condition: Condition) -> frozenset[str]:
    """Names of the stored fields that the condition reads."""
    return frozenset(leaf.field for leaf in leaves_of(condition))
