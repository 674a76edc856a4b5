"""A mutation is what runs, and red is said only where a test failed as tests do."""

from pathlib import Path

import pytest

from tests.mutations.mutation import ROOT, DoesNotApply, Mutation
from tests.mutations.runs import Became, became
from tests.mutations.tree import Tree
from tests.mutations.walk import Verdict, tried

FILE = "service/lru.py"
CODE = "value = self._entries.get(key)"
TEST = "tests/service/test_lru.py::test_without_places_nothing_is_remembered"


def mutation(new: str, old: str = CODE) -> Mutation:
    return Mutation("what is remembered", FILE, old, new, (TEST,))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_code_that_raises_in_the_copy_is_seen_and_the_copy_is_whole_again(tree: Tree) -> None:
    tree.check()
    result = tried(tree, mutation('raise RuntimeError("it was me")'))
    assert result.verdict is Verdict.QUICK
    assert "test_without_places_nothing_is_remembered" in result.detail
    assert (tree.folder / FILE).read_bytes() == (ROOT / FILE).read_bytes()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (f"{CODE}  # as before", Verdict.GREEN),
        (f"from service import nothing_of_this_name\n        {CODE}", Verdict.NOT_RUN),
        ("value = not_defined_anywhere", Verdict.NOT_RUN),
    ],
    ids=["changes nothing", "can't be imported", "breaks the program"],
)
def test_what_no_test_has_seen_is_not_called_red(tree: Tree, new: str, verdict: Verdict) -> None:
    assert tried(tree, mutation(new)).verdict is verdict


def test_a_mutation_of_code_that_has_changed_does_not_apply(tree: Tree) -> None:
    assert tried(tree, mutation("pass", "code that nobody wrote")).verdict is Verdict.NOT_APPLIED
    with pytest.raises(DoesNotApply, match="occurs 2 times"):
        mutation("pass").applied(f"{CODE}\n{CODE}")
    with pytest.raises(DoesNotApply, match="no longer Python"):
        mutation("if:").applied(CODE)


def report(inside: str) -> str:
    return f'<testsuites><testsuite><testcase classname="tests.a" name="t">{inside}</testcase></testsuite></testsuites>'


@pytest.mark.parametrize(
    ("inside", "expected", "detail"),
    [
        ("", Became.GREEN, ""),
        ('<failure message="assert 1 == 2">assert 1 == 2</failure>', Became.RED, "tests.a.t: assert 1 == 2"),
        (
            '<failure message="Failed: Timeout (&gt;60.0s) from pytest-timeout.">stacks</failure>',
            Became.RED,
            "tests.a.t: Failed: Timeout (>60.0s) from pytest-timeout.",
        ),
        ('<failure message="NameError: name">…</failure>', Became.BROKEN, "NameError: name"),
        (
            '<failure message="redis.exceptions.ResponseError">Error compiling script (new function)</failure>',
            Became.BROKEN,
            "redis.exceptions.ResponseError",
        ),
        ('<error message="failed on setup with …"/>', Became.BROKEN, "failed on setup with …"),
        ('<skipped message="no browser"/>', Became.SKIPPED, "no browser"),
    ],
)
def test_a_report_is_red_only_by_a_failure_of_the_test_itself(inside: str, expected: Became, detail: str) -> None:
    assert became(report(inside), "") == (expected, detail)
