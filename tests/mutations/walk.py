"""Walks the mutations: each is applied to a copy of the project, and its tests are run there."""

import queue
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from tests.mutations.mutation import DoesNotApply, Mutation
from tests.mutations.runs import ALL, QUICK, Became, Run, run
from tests.mutations.tree import Tree

UNMUTATED_LIMIT_S = 3_600
"""The run of all their tests without any mutation: minutes on a quiet machine."""


class Verdict(Enum):
    """What is said of one mutation."""

    QUICK = "red in make test"
    ALL = "red in make test-all only"
    GREEN = "STILL GREEN"
    NOT_APPLIED = "DOES NOT APPLY"
    NOT_RUN = "DOES NOT RUN"
    """The tests didn't run as tests do, so that nothing is known."""

    @property
    def seen(self) -> bool:
        """Whether a test has seen that the guard is gone."""
        return self in (Verdict.QUICK, Verdict.ALL)


class Tried(NamedTuple):
    """One mutation that was tried."""

    mutation: Mutation
    verdict: Verdict
    detail: str
    """Which test failed, or why nothing is known."""
    seconds: float


def tried(tree: Tree, mutation: Mutation) -> Tried:
    """Applies one mutation and runs its tests: those of `make test`, and where these stay green, all."""
    began = time.monotonic()
    try:
        with tree.mutated(mutation):
            verdict, detail = _verdict(tree, mutation)
    except (DoesNotApply, OSError) as error:
        verdict, detail = Verdict.NOT_APPLIED, str(error)
    return Tried(mutation, verdict, detail, time.monotonic() - began)


def _verdict(tree: Tree, mutation: Mutation) -> tuple[Verdict, str]:
    quick = run(tree, mutation.tests, QUICK)
    if quick.became is Became.RED:
        return Verdict.QUICK, quick.detail
    every = run(tree, mutation.tests, ALL)
    if every.became is Became.RED:
        return Verdict.ALL, f"{every.detail} (in make test: {quick.became.value})"
    if every.became is Became.GREEN:
        return Verdict.GREEN, ", ".join(mutation.tests)
    return Verdict.NOT_RUN, f"{every.became.value}: {every.detail}"


def walk(chosen: Sequence[Mutation], workers: int, tell: Callable[[Tried], None]) -> Sequence[Tried]:
    """Tries mutations, several at once, each worker in a copy of its own. Tells each as it is done.

    Raises NotTheCopy.
    """
    with ExitStack() as open_now, ThreadPoolExecutor(workers) as pool:
        trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
        for _ in range(workers):
            tree = Tree(Path(open_now.enter_context(tempfile.TemporaryDirectory(prefix="mutations-"))))
            tree.check()
            trees.put(tree)

        def one(mutation: Mutation) -> Tried:
            tree = trees.get()
            try:
                result = tried(tree, mutation)
            finally:
                trees.put(tree)
            tell(result)
            return result

        return list(pool.map(one, chosen))


def unmutated(chosen: Sequence[Mutation], workers: int) -> Run:
    """Runs the tests of all chosen mutations without any: what fails anyway would see nothing."""
    tests = sorted({test for mutation in chosen for test in mutation.tests})
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        return run(Tree(Path(folder)), tests, (*ALL, f"--numprocesses={workers}", "--dist=loadfile"), UNMUTATED_LIMIT_S)
