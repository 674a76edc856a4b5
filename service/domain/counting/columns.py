"""Columns: conditions without viewer questions, named by a hash of their content. Pure."""

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
"""The version of what conditions mean. Raise it when that changes: all columns are then filled again."""

QUESTIONS = (Question.ASSIGNED, Question.REQUESTED, Question.TEAM)

Answers = tuple[bool, bool, bool]
"""A ticket's answers to `QUESTIONS`, in their order."""

ALL_ANSWERS: tuple[Answers, ...] = tuple(product((False, True), repeat=3))  # type: ignore[arg-type]

ColumnId = str
"""The hash of a column's condition and of `SEMANTICS`."""


class Column(msgspec.Struct, frozen=True):
    """A count of the tickets that fit a condition without viewer questions.

    With `by` it is kept by time: one count per quarter of an hour, by the instant in that field.
    """

    condition: Condition
    by: str | None = None


_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def written(*conditions: Condition) -> bytes:
    """Encodes conditions as a dictionary key. The conditions themselves won't do: Python has 1 == True."""
    return _encode((SEMANTICS, conditions))


def column_id(column: Column) -> ColumnId:
    """Returns the name of a column with a simplified condition. Equal simplified conditions have equal names.

    The column of every ticket has a fixed name, also when `SEMANTICS` changes, so that its number stays 0.
    """
    if column == Column(ALWAYS):
        return EVERY_TICKET
    return hashlib.blake2b(_encode((SEMANTICS, column)), digest_size=12).hexdigest()


EVERY_TICKET: ColumnId = "every ticket"
"""The column that every ticket counts in. Its number is always 0; the packed counters rely on that."""


def residuals(condition: Condition) -> dict[Answers, Condition]:
    """Returns the residual of a lowered condition for each combination of answers to the viewer questions.

    Example: `assignee = @me and status = "open"` leaves `status = "open"` for each combination whose first answer is
    True, and `NEVER` for the others.
    """
    relevant_questions = questions(condition)
    if not relevant_questions:
        return dict.fromkeys(ALL_ANSWERS, simplify(condition))
    residual: dict[Answers, Condition] = {}
    for answers in ALL_ANSWERS:
        relevant: Answers = tuple(  # type: ignore[assignment]
            answer and question in relevant_questions for question, answer in zip(QUESTIONS, answers, strict=True)
        )
        if relevant not in residual:
            residual[relevant] = simplify(condition, dict(zip(QUESTIONS, relevant, strict=True)))
        residual[answers] = residual[relevant]
    return residual


def questions(condition: Condition) -> frozenset[Question]:
    """Returns the viewer questions in the condition."""
    match condition:
        case Asks(question):
            return frozenset((question,))
        case AllOf(children) | AnyOf(children):
            return frozenset().union(*(questions(child) for child in children))
        case Not(child):
            return questions(child)
    return frozenset()


def simplify(condition: Condition, answers: dict[Question, bool] | None = None) -> Condition:
    """Replaces viewer questions by `answers`, folds constants, flattens nested lists, and sorts children."""
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
    """Returns the fields that the condition reads."""
    return frozenset(leaf.field for leaf in leaves_of(condition))
