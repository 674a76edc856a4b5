"""The command line: `python -m tests.mutations`. Tells what becomes of each mutation, and a table at the end."""

import argparse
import sys
from collections.abc import Sequence
from itertools import count

from tests.mutations.mutation import mutations
from tests.mutations.runs import Became
from tests.mutations.walk import Tried, Verdict, unmutated, walk


def main(argv: Sequence[str]) -> int:
    """Exit status 0 where every mutation is seen by a test, else 1."""
    asked = _parser().parse_args(argv[1:])
    chosen = [each for each in mutations() if asked.only in f"{each.guard}\n{each.file}\n{' '.join(each.tests)}"]
    if asked.list:
        for each in chosen:
            print(f"{each.file}: {each.guard}")
        return 0
    if not asked.no_baseline:
        print(f"first the tests of {len(chosen)} mutations without any of them", flush=True)
        without = unmutated(chosen, asked.workers)
        if without.became is not Became.GREEN:
            print(f"{without.became.value} without any mutation: {without.detail}")
            return 1
    numbers = count(1)

    def tell(one: Tried) -> None:
        said = f"{one.verdict.value}: {one.mutation.guard}: {one.detail}"
        print(f"{next(numbers)}/{len(chosen)} {one.seconds:.0f} s: {said}", flush=True)

    results = walk(chosen, asked.workers, tell)
    print()
    print(table(results))
    return 0 if all(one.verdict.seen for one in results) else 1


def table(results: Sequence[Tried]) -> str:
    """Each mutation with the test that saw it, then totals."""
    lines = ["| guard | where | verdict | by |", "|---|---|---|---|"]
    for one in results:
        detail = one.detail.replace("|", "\\|")
        lines.append(f"| {one.mutation.guard} | {one.mutation.file} | {one.verdict.value} | {detail} |")
    lines += ["", "| verdict | of the first 53 | of all |", "|---|---|---|"]
    core = [one for one in results if one.mutation.core]
    for verdict in Verdict:
        lines.append(f"| {verdict.value} | {_how_many(core, verdict)} | {_how_many(results, verdict)} |")
    return "\n".join([*lines, f"| together | {len(core)} | {len(results)} |"])


def _how_many(results: Sequence[Tried], verdict: Verdict) -> int:
    return sum(one.verdict is verdict for one in results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations",
        description="Takes each guard of docs/reliability.md out of a copy of the project, and runs the tests that "
        "should fail. A test that hangs counts only where its own time-out makes it fail.",
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="those with TEXT in guard, file or tests")
    parser.add_argument("--list", action="store_true", help="name them, run nothing")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="how many at once (default: 2)")
    parser.add_argument("--no-baseline", action="store_true", help="don't run the tests without mutations first")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
