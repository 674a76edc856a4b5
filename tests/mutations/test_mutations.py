"""The mutations still fit the code, the tests and the table of guards, so that walking them means something."""

from collections import Counter

from tests.mutations.mutation import ROOT, DoesNotApply, Mutation, guards, mutations

FIRST = 53
"""Guards that the table began with."""


def problem(mutation: Mutation) -> str:
    """Why it can't be applied; "" where it can."""
    try:
        mutation.applied((ROOT / mutation.file).read_text("utf-8"))
    except (DoesNotApply, OSError) as error:
        return f"{mutation.guard}: {error}"
    return ""


def exists(node: str) -> bool:
    path, _, name = node.partition("::")
    return (ROOT / path).is_file() and f"def {name}(" in (ROOT / path).read_text("utf-8")


def test_every_mutation_applies_to_the_code() -> None:
    assert [why for why in map(problem, mutations()) if why] == []


def test_every_test_of_a_mutation_exists() -> None:
    assert [(each.guard, test) for each in mutations() for test in each.tests if not exists(test)] == []


def test_every_mutation_has_its_row_in_the_table_with_that_file_and_those_tests() -> None:
    rows = {row.guard: row for row in guards()}
    for each in mutations():
        assert each.guard in rows, "no row of docs/reliability.md has these words"
        row = rows[each.guard]
        assert any(each.file == place or each.file.startswith(f"{place}/") for place in row.where), each
        assert set(each.tests) == set(row.tests), each.guard


def test_every_row_of_the_table_has_a_mutation_or_says_that_it_has_none() -> None:
    guards_taken_out = [each.guard for each in mutations()]
    assert [guard for guard, times in Counter(guards_taken_out).items() if times > 1] == []
    assert [row.guard for row in guards() if row.by_hand == (row.guard in guards_taken_out)] == []


def test_the_first_guards_are_all_there() -> None:
    assert sum(each.core for each in mutations()) == FIRST
