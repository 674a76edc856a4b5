"""`python -m tests.benchmarks`: runs the benchmarks, shows tables, writes JSON. Judges by the targets it is given."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import bulk_import, crowd, edit, ingest, latency, month, reads, streams
from tests.benchmarks.answers import recounted
from tests.benchmarks.rig.figures import Figure, ratios, table
from tests.benchmarks.rig.ground import Ground, kafka, prepared
from tests.benchmarks.rig.workload import Size
from tests.servers.guardian import close_guardian

Results = dict[str, list[Figure]]

ON_KAFKA = ("ingest", "reads", "latency", "filters", "edit", "crowd", "import", "month")
BENCHMARKS = (*ON_KAFKA, "streams")

MANY_FILTERS = 500
"""What a large tenant has saved over the years."""


def say(message: str) -> None:
    """Progress, with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:6.1f} s] {message}", file=sys.stderr, flush=True)


IMPORTED, PACED = 200_000, 4_000
"""A minute and a half; the first million of a large help desk takes seven. A quiet machine applies three times as many
a second, so the pace leaves room for others."""

MOST_DEARER = 130.0
"""Per cent of an event's CPU with the usual number of filters."""

STARTED = time.monotonic()


async def run(asked: argparse.Namespace) -> Results:
    """Every benchmark asked for, over one Kafka where they need it."""
    results: Results = {}
    if "streams" in asked.only:
        results |= await streams.measured(asked.runs, say)
    if not set(asked.only) & set(ON_KAFKA):
        return results
    with kafka(say) as broker:
        ground = await prepared(broker, Size(events=asked.events), say)
        if "ingest" in asked.only:
            results["ingest"] = await _ingest(ground, asked.runs)
        if "reads" in asked.only:
            results |= await reads.compared(ground, asked.runs)
        if "latency" in asked.only:
            results["latency at low load"] = await latency.measured(ground)
        if "edit" in asked.only:
            results["edit of a filter"] = await edit.measured(ground)
        if "crowd" in asked.only:
            results["a crowd due at one instant"] = await crowd.measured(ground)
        if "import" in asked.only:
            results["an import beside live events"] = await bulk_import.measured(ground, asked.imported, asked.paced)
        if "month" in asked.only:
            results["a month of quarters"] = await month.measured(ground)
        if "filters" in asked.only:
            results["filters"] = await _filters(ground, asked.runs)
    return results


async def _ingest(ground: Ground, runs: int) -> list[Figure]:
    say("recounting by hand what the answers must be")
    expected = await asyncio.to_thread(recounted, ground)
    bares, wholes = await ingest.compared(ground, expected, runs)
    return ingest.figures(ground, bares, wholes)


async def _filters(ground: Ground, runs: int) -> list[Figure]:
    """What an event costs with many filters, beside what it costs with the usual number."""
    many = await ground.with_filters(MANY_FILTERS)
    say(f"recounting by hand with {MANY_FILTERS} filters")
    expected = await asyncio.to_thread(recounted, many)
    with_few, with_many = [], []
    for number in range(1, runs + 1):
        with_few.append(await ingest.whole(ground, ()))
        with_many.append(await ingest.whole(many, expected))
        say(
            f"filters {number}/{runs}: {with_few[-1].cpu_us:.1f} µs an event with {ground.size.filters}, "
            f"{with_many[-1].cpu_us:.1f} µs with {MANY_FILTERS}"
        )
    title = f"CPU an event, {MANY_FILTERS} ÷ {ground.size.filters} filters"
    found = [
        ratios(title, [run.cpu_us for run in with_many], [run.cpu_us for run in with_few], MOST_DEARER, at_most=True)
    ]
    for filters, several in ((ground.size.filters, with_few), (MANY_FILTERS, with_many)):
        found += [
            Figure(f"{filters} filters: CPU an event", "µs", tuple(run.cpu_us for run in several)),
            Figure("  of it the client", "µs", tuple(run.client_us for run in several)),
            Figure("  of it Redis", "µs", tuple(run.redis_us for run in several)),
            Figure("  Redis memory a ticket", "B", tuple(run.bytes_per_ticket for run in several)),
        ]
    return found


def main(argv: Sequence[str]) -> int:
    """The exit status: 1 when an answer was wrong; a missed target is shown, not an error."""
    asked = _parser().parse_args(argv[1:])
    try:
        results = asyncio.run(run(asked))
    except ingest.Wrong as wrong:
        print(f"WRONG: {wrong}", file=sys.stderr)
        return 1
    finally:
        close_guardian()
    for title, found in results.items():
        print(table(title, found))
    if asked.json is not None:
        document = {"size": asdict(Size(events=asked.events)), "results": {}}
        document["results"] = {title: [one.document() for one in found] for title, found in results.items()}
        asked.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Throughput against bare loops.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="passes of each (default: %(default)s)")
    parser.add_argument("--events", type=int, default=Size().events, metavar="N", help="events (default: %(default)s)")
    parser.add_argument(
        "--imported", type=int, default=IMPORTED, metavar="N", help="tickets of the import (default: %(default)s)"
    )
    parser.add_argument(
        "--paced", type=int, default=PACED, metavar="N", help="a second of the paced import (default: %(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS, help="these alone")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
