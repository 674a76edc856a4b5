"""`python -m consumers.catalogue`: connects the commands to files and to Redis. Decides nothing itself."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing

from consumers.catalogue import arguments, explaining, showing, verdict
from consumers.catalogue import showing as unknown
from consumers.catalogue.checking import check
from consumers.catalogue.explaining import Explained, explained
from consumers.catalogue.foreign.importing import Options, imported
from consumers.catalogue.foreign.name_map import NameMap, read_name_map
from consumers.catalogue.foreign.translation import Unusable
from consumers.catalogue.reading import NothingFound, opened, stored_tenant
from consumers.catalogue.verdict import When
from consumers.progress import say_on_stderr
from consumers.publishing.line_source import STDIN, SourceUnusable, lines_of
from consumers.settings import ConsumerSettings
from service import timezones
from service.clock import SystemClock
from service.config.environment import EXIT_WRONG_USE, SettingsError
from service.domain.counting.local_days import LocalDay
from service.domain.counting.plan import plan
from service.domain.counting.scopes import Term
from service.domain.counting.viewer import Role, Viewer
from service.store.ports.catalogue import StoredTenant
from service.store.ports.errors import StoreRefused, StoreUnavailable
from service.store.ports.reading import query_for
from service.store.ports.steps import StoredTicket
from service.store.redis.store import RedisStore

EXIT_FAILED = 1
"""The command reported problems, or the named tenant, filter or ticket doesn't exist."""


async def _check(options: argparse.Namespace) -> int:
    async with aclosing(lines_of(options.files)) as lines:
        checked = await check(lines, print)
    say_on_stderr(str(checked))
    return EXIT_FAILED if checked.problems else 0


async def _show(options: argparse.Namespace) -> int:
    async with opened(ConsumerSettings.read(os.environ, options.config)) as store:
        record = (await stored_tenant(store, options.tenant)).record
        realm = await store.realm(record.newest.settings.realm)
    _print(showing.shown(record, realm))
    return 0


async def _unknown(options: argparse.Namespace) -> int:
    found = 0
    async with opened(ConsumerSettings.read(os.environ, options.config)) as store:
        if options.tenant is not None:
            await stored_tenant(store, options.tenant)
        buckets = range(store.buckets) if options.tenant is None else ()
        tenants = [options.tenant] if options.tenant else [name for one in buckets for name in await store.tenants(one)]
        for tenant in sorted(tenants):
            stored = await store.tenant(tenant)
            if stored is not None:
                settings = stored.record.newest.settings
                for one in unknown.still_unknown(settings, await store.unknown_ids(tenant)):
                    print(unknown.line(tenant, one))
                    found += 1
    say_on_stderr(f"{found:,} ids that the catalogue doesn't know")
    return 0


async def _explain(options: argparse.Namespace) -> int:
    roles = frozenset((str(options.role),)) if options.role else frozenset[str]()
    viewer = Viewer(options.user, options.role or Role.ADMIN, frozenset(options.teams), roles) if options.user else None
    async with opened(ConsumerSettings.read(os.environ, options.config)) as store:
        stored = await stored_tenant(store, options.tenant)
        now = SystemClock().now_us()
        day = timezones.day_at(now, options.timezone)
        filter_ = explained(stored.record, options.filter, options.profile, day)
        kinds = list(explaining.kinds(filter_, options.role, options.perspective))
        terms = {term for _, _, sum_ in kinds for term in sum_ or ()}
        counts = await _counts(store, stored, filter_, terms, viewer, day) if viewer else {}
        found = await _ticket(store, options.tenant, stored, options.ticket) if options.ticket else None
    _print(explaining.text(filter_))
    _print(explaining.sums(filter_, kinds, viewer, counts))
    if found is not None and found.ticket_state is not None:
        _print(
            verdict.verdict(filter_, found.ticket_state, viewer, (options.role, options.perspective), When(now, day))
        )
    return 0


async def _counts(
    store: RedisStore,
    stored: StoredTenant,
    filter_: Explained,
    terms: Iterable[Term],
    viewer: Viewer,
    day: LocalDay,
) -> Mapping[Term, int]:
    """Returns the count of each term, all from one snapshot.

    Omits terms whose column isn't filled. Returns nothing when the catalogue has changed meanwhile.
    """
    record = filter_.record
    filled = [term for term in terms if term.column in record.numbers and term.column not in record.filling]
    # Plan each term with sign 1, so that it shows its own count.
    planned = plan([(term._replace(sign=1),) for term in filled], record.numbers, viewer)
    tenant = record.newest.settings.id
    snapshot = await store.snapshot(query_for(tenant, stored.record_version, stored.generation, planned, day))
    if snapshot is None:
        return {}
    return dict(zip(filled, planned.evaluate(snapshot.columns, snapshot.counters, snapshot.timed), strict=True))


async def _ticket(store: RedisStore, tenant: str, stored: StoredTenant, ticket: str) -> StoredTicket:
    loaded = await store.load(store.bucket(tenant), {tenant: [ticket]}, {tenant: stored.generation})
    found = loaded.tickets[tenant, ticket]
    if found.ticket_state is None:
        raise NothingFound(f"ticket {ticket!r}: never seen")
    return found


async def _import(options: argparse.Namespace) -> int:
    names = read_name_map(*await _whole(options.map)) if options.map else NameMap()
    result = imported(options.system, *await _whole(options.file), Options(options.tenant, options.owner, names))
    for line in result.lines:
        print(line)
    for message in result.messages:
        say_on_stderr(message)
    say_on_stderr(f"{len(result.lines)} filters, {result.left_out} left out")
    return EXIT_FAILED if result.left_out and not options.skip else 0


async def _whole(name: str) -> tuple[str, bytes]:
    """Returns the name of a file for messages, and its content."""
    async with aclosing(lines_of([name])) as lines:
        text = b"\n".join([line.text async for line in lines])
    return ("stdin" if name == STDIN else name), text


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


_COMMANDS = {"check": _check, "show": _show, "unknown": _unknown, "explain": _explain, "import": _import}


async def run(options: argparse.Namespace) -> int:
    """Runs the command. Returns the exit status: 0, 1 for problems or a name that doesn't exist, 2 for wrong use."""
    try:
        return await _COMMANDS[options.command](options)
    except (SettingsError, SourceUnusable, StoreRefused, Unusable) as error:
        say_on_stderr(str(error))
        return EXIT_WRONG_USE
    except NothingFound as error:
        say_on_stderr(str(error))
    except StoreUnavailable as error:
        say_on_stderr(f"TICKET_COUNTS_REDIS: {error}")
    return EXIT_FAILED


def main(argv: Sequence[str]) -> int:
    """Runs the command line. Returns the exit status."""
    return asyncio.run(run(arguments.parse(argv)))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
