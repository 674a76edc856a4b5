"""Compares snapshots with a recount of the log at exactly their positions and timers. Takes every one; samples nothing.

A ticket's records all lie in one partition, so a count at a vector of positions is the sum of the partitions' counts
at each of them: each partition is gone through once, from its start, stopping wherever a snapshot stands.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date

from tests.journeys.programs.asking import Question, Snapshot
from tests.oracle.instants import local_date
from tests.oracle.published.catalogue import Catalogue, CatalogueItem
from tests.oracle.published.records import Record
from tests.oracle.recount import Recount

CatalogueRecord = tuple[int, bytes, bytes | None]
"""Offset, key and value, as they lie in the topic."""


STARTED_US = time.time_ns() // 1000
"""Any instant will do where nothing depends on it."""


class Judge:
    """One log and one catalogue, both from their first record."""

    def __init__(self, log: Sequence[Record], catalogue: Sequence[CatalogueRecord], *, timed: bool = False) -> None:
        """`timed`: time alone changes some of the counts, so each snapshot needs a recount of its own."""
        self._partitions: dict[int, list[Record]] = defaultdict(list)
        for record in log:
            self._partitions[record.partition].append(record)
        self._timed = timed
        for records in self._partitions.values():
            assert [record.offset for record in records] == list(range(len(records)))
        homes = Counter(key for key, _ in {(record.key, record.partition) for record in log if record.key is not None})
        assert not homes or max(homes.values()) == 1, "a ticket in two partitions: the sum of partitions is no recount"
        self._catalogue: list[CatalogueItem] = [*catalogue]
        self._in_force: dict[int, Catalogue] = {}
        self.dead_letters: set[tuple[int, int]] = set()
        """Partition and offset of every record that can't be applied."""

    def differences(self, snapshots: Sequence[Snapshot]) -> list[str]:
        """A line for every snapshot that isn't what a recount says."""
        expected: list[Counter[str]] = [Counter() for _ in snapshots]
        for partition in self._partitions:
            for index, numbers in self._counted(partition, snapshots):
                expected[index].update(numbers)
        return [
            _difference(snapshot, wanted)
            for snapshot, wanted in zip(snapshots, expected, strict=True)
            if _numbers(snapshot.counts, snapshot.summary) != wanted
        ]

    def _counted(self, partition: int, snapshots: Sequence[Snapshot]) -> Iterator[tuple[int, dict[str, int]]]:
        records = self._partitions[partition]
        everything = self._catalogue_at(None)
        walk = _Walk()
        order = sorted(range(len(snapshots)), key=lambda index: snapshots[index].positions.get(partition, 0))
        for index in order:
            snapshot = snapshots[index]
            walk.oracle.catalogue = everything  # a tenant that is known at all was known from the start
            walk.forward(records, snapshot.positions.get(partition, 0))
            now_us, day_us = (snapshot.timers_us, snapshot.computed_us) if self._timed else (STARTED_US, STARTED_US)
            catalogue = self._catalogue_at(snapshot.catalogue)
            yield index, walk.counted(snapshot.question, snapshot.catalogue, catalogue, now_us, day_us)
        walk.oracle.catalogue = everything
        walk.forward(records, len(records))
        for item, _ in walk.oracle.dead_letters:
            assert isinstance(item, Record)
            self.dead_letters.add((item.partition, item.offset))

    def _catalogue_at(self, version: int | None) -> Catalogue:
        """The catalogue with the records up to that offset; None: with all."""
        key = -1 if version is None else version
        if key not in self._in_force:
            catalogue = Catalogue()
            for item in self._catalogue:
                assert isinstance(item, tuple)
                if version is None or item[0] <= version:
                    catalogue.learn(item)
            assert not catalogue.refused, catalogue.refused
            self._in_force[key] = catalogue
        return self._in_force[key]


class _Walk:
    """One partition's recount on its way through the log."""

    def __init__(self) -> None:
        self.oracle = Recount()
        self._next = 0
        self._touched: Counter[str] = Counter()
        self._answers: dict[Hashable, tuple[int, dict[str, int]]] = {}

    def forward(self, records: Sequence[Record], position: int) -> None:
        """Counts everything below the position, which is never behind the last one."""
        assert position <= len(records), "a position beyond the log's end"
        for record in records[self._next : position]:
            self._touched[(record.key or b"").decode(errors="replace").partition("/")[0]] += 1
        self.oracle.feed(records[self._next : position])
        self._next = max(self._next, position)

    def counted(
        self, question: Question, version: int, catalogue: Catalogue, now_us: int, day_us: int
    ) -> dict[str, int]:
        """Counts and summary at that instant, in the local day of another; remembered until a record of the tenant
        comes by."""
        key = (question, version, now_us, day_us)
        known = self._answers.get(key)
        if known is None or known[0] != self._touched[question.tenant]:
            self.oracle.catalogue = catalogue
            answer = self.oracle.counts(
                question.tenant,
                question.viewer,
                question.perspective,
                question.filter_ids,
                question.profile_id,
                now_us,
                question.timezone,
                day_us,
            )
            known = self._touched[question.tenant], _numbers(answer["counts"], answer["summary"])
            self._answers[key] = known
        return known[1]


def _numbers(counts: Mapping[str, int], summary: Mapping[str, int]) -> dict[str, int]:
    return {**{f"count {id_}": n for id_, n in counts.items()}, **{f"summary {key}": n for key, n in summary.items()}}


def _difference(snapshot: Snapshot, wanted: Counter[str]) -> str:
    told, asked = Counter(_numbers(snapshot.counts, snapshot.summary)), snapshot.question
    wrong = [f"{name} is {told[name]}, not {wanted[name]}" for name in {**told, **wanted} if told[name] != wanted[name]]
    return (
        f"{asked.tenant}, {asked.viewer}, profile {asked.profile_id}, {asked.perspective}, {asked.timezone}: "
        f"version {snapshot.epoch}.{snapshot.version} at position {snapshot.positions}, "
        f"catalogue {snapshot.catalogue}, timers {snapshot.timers_us}: {', '.join(wrong)}"
    )


def impossible(snapshots: Iterable[Snapshot]) -> list[str]:
    """What no row of snapshots, in the order in which they were taken, may ever show; no recount is needed for it."""
    found = []
    latest: dict[str, Snapshot] = {}
    left: set[tuple[str, str]] = set()
    told: dict[tuple[Question, str, int, date], Snapshot] = {}
    for snapshot in snapshots:
        tenant, before = snapshot.question.tenant, latest.get(snapshot.question.tenant)
        if min(*snapshot.counts.values(), *snapshot.summary.values()) < 0:
            found.append(f"a negative number: {snapshot}")
        if snapshot.summary["totalOpen"] + snapshot.summary["totalClosed"] != snapshot.counts["all"]:
            found.append(f"open and closed are not all: {snapshot}")
        if before is not None and before.epoch != snapshot.epoch:
            left.add((tenant, before.epoch))
        elif before is not None and before.version > snapshot.version:
            found.append(f"the version went back: {before}, {snapshot}")
        elif before is not None and not snapshot.reaches(before.positions):
            found.append(f"the position went back: {before}, {snapshot}")
        if (tenant, snapshot.epoch) in left:
            found.append(f"an epoch came again: {snapshot}")
        day = local_date(snapshot.computed_us, snapshot.question.timezone)
        same = told.setdefault((snapshot.question, snapshot.epoch, snapshot.version, day), snapshot)
        if (same.counts, same.summary, same.catalogue) != (snapshot.counts, snapshot.summary, snapshot.catalogue):
            found.append(f"two answers at one version: {same}, {snapshot}")
        latest[tenant] = snapshot
    return found
