"""The judge of the fault runs itself: it lets nothing wrong pass, and finds nothing wrong in what is right."""

import json
from dataclasses import replace

import pytest

from tests.journeys.faults.runs.judge import CatalogueRecord, Judge, impossible
from tests.journeys.programs.asking import Question, Snapshot, admin
from tests.journeys.programs.catalogue_lines import CLOSED, OPEN, deletion, event, saved_filter, tenant
from tests.oracle.instants import DAY_US, parse_instant
from tests.oracle.published.records import Record

WHERE = {"field": "status", "op": "eq", "value": OPEN}
QUESTION = Question("acme", admin(), filter_ids=("all", "f"))
SUMMARY = {"totalOpen": 0, "totalClosed": 0, "slaBreached": 0, "dueToday": 0, "overdue": 0}


def judge() -> Judge:
    """Two tickets in partition 0, one of them closed later; one in partition 1, deleted later; a bad record there."""
    lines = (
        (0, event("acme", "INC1", 1)),
        (0, event("acme", "INC2", 1)),
        (0, event("acme", "INC2", 2, status=CLOSED)),
        (1, event("acme", "INC3", 1)),
        (1, {**event("acme", "INC4", 1), "sequence": "no number"}),
        (1, deletion("acme", "INC3", 2)),
    )
    log: list[Record] = []
    for partition, line in lines:
        offset = sum(record.partition == partition for record in log)
        key = f"acme/{line['subject']}".encode()
        log.append(Record(json.dumps(line).encode(), key, partition=partition, offset=offset))
    entries = (
        (b"tenant/acme", tenant("acme")),
        (b"filter/acme/f", saved_filter("acme", "f", WHERE)),
        (b"filter/acme/f", saved_filter("acme", "f", {"not": WHERE})),
    )
    catalogue: list[CatalogueRecord] = [
        (offset, key, json.dumps(entry["value"]).encode()) for offset, (key, entry) in enumerate(entries)
    ]
    return Judge(log, catalogue)


def snapshot(positions: dict[int, int], counted: tuple[int, int], closed: int = 0, catalogue: int = 1) -> Snapshot:
    """One that says these counts of `all` and `f`."""
    counts = dict(zip(("all", "f"), counted, strict=True))
    summary = {**SUMMARY, "totalOpen": counts["all"] - closed, "totalClosed": closed}
    return Snapshot(QUESTION, counts, summary, "epoch", 1, positions, catalogue, True, None, 0)


RIGHT = (
    snapshot({0: 0, 1: 0}, (0, 0)),
    snapshot({0: 2, 1: 0}, (2, 2)),
    snapshot({0: 2, 1: 2}, (3, 3)),
    snapshot({0: 3, 1: 1}, (3, 2), closed=1),
    snapshot({0: 3, 1: 3}, (2, 1), closed=1),
    snapshot({0: 3, 1: 3}, (2, 1), closed=1, catalogue=2),
    snapshot({0: 2, 1: 3}, (2, 0), catalogue=2),
)


def test_what_is_right_at_its_position_and_catalogue_differs_in_nothing() -> None:
    judging = judge()
    assert judging.differences(RIGHT) == []
    assert judging.differences(RIGHT[::-1]) == []
    assert judging.dead_letters == {(1, 1)}


def test_a_difference_names_the_numbers_that_differ_and_no_others() -> None:
    wrong = replace(RIGHT[3], counts={**RIGHT[3].counts, "f": 7})
    (line,) = judge().differences([wrong])
    assert line.startswith("acme, ")
    assert line.endswith("at position {0: 3, 1: 1}, catalogue 1, timers 0: count f is 7, not 2")


@pytest.mark.parametrize("index", range(len(RIGHT)))
def test_one_more_one_less_and_another_position_are_differences(index: int) -> None:
    right = RIGHT[index]
    wrong = [
        replace(right, counts={**right.counts, "f": right.counts["f"] + 1}),
        replace(right, counts={**right.counts, "all": right.counts["all"] - 1}),
        replace(right, summary={**right.summary, "slaBreached": 1}),
        replace(right, positions={0: 1, 1: 0}),
    ]
    assert len(judge().differences([*RIGHT, *wrong])) == len(wrong)


def test_a_timed_log_is_judged_at_each_snapshots_timers() -> None:
    due = parse_instant("2026-11-21T12:00:00Z")
    line = event("acme", "INC1", 1, dueAt="2026-11-21T12:00:00Z")
    log = [Record(json.dumps(line).encode(), b"acme/INC1", partition=0, offset=0)]
    judging = Judge(log, [(0, b"tenant/acme", json.dumps(tenant("acme")["value"]).encode())], timed=True)
    whole = replace(snapshot({0: 1}, (1, 1)), question=Question("acme", admin()), counts={"all": 1}, catalogue=0)
    before = replace(whole, timers_us=due, computed_us=due, summary={**whole.summary, "dueToday": 1})
    after = replace(before, timers_us=due + 1, summary={**whole.summary, "dueToday": 1, "overdue": 1})
    tomorrow = replace(after, computed_us=due + DAY_US, summary={**whole.summary, "overdue": 1})
    assert judging.differences([before, after, tomorrow]) == []
    early, late = replace(after, timers_us=due), replace(before, timers_us=due + 1)
    other_day = replace(after, computed_us=due + DAY_US)
    assert len(judging.differences([early, late, other_day])) == 3


def test_what_no_row_of_snapshots_may_show_is_named() -> None:
    first = snapshot({0: 2, 1: 0}, (2, 2))
    later = replace(first, version=2, positions={0: 2, 1: 1})
    other = replace(first, epoch="other")
    assert impossible([first, first, later, other]) == []
    rows = {
        "went back: ": [later, replace(later, version=1)],
        "position went back": [later, replace(first, version=3)],
        "came again": [first, other, first],
        "two answers": [first, replace(first, counts={"all": 2, "f": 1})],
        "not all": [replace(first, summary={**first.summary, "totalClosed": 1})],
        "negative": [replace(first, counts={"all": 2, "f": -1})],
    }
    for said, row in rows.items():
        assert any(said in line for line in impossible(row)), said
