"""A bucket's events cut into calls: every call's positions are true once it is done, and nothing is left out."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.batch_processor import portions
from consumers.types import Goal, Incoming
from service.domain.tickets.event import EventType, TicketEvent
from tests.support.pipeline import KafkaRecord


def incoming(partition: int, offset: int) -> Incoming:
    event = TicketEvent("acme", f"T{offset}", 1, EventType.DELETED, 0, None)
    return Incoming(partition, offset, event, KafkaRecord(partition, offset, None, None))


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[Incoming], dict[int, Goal]]:
    """Events of some partitions one after another, each in its order, with gaps where other buckets' events were."""
    events: list[Incoming] = []
    goals: dict[int, Goal] = {}
    for partition in range(draw(st.integers(1, 4))):
        offsets = sorted(draw(st.frozensets(st.integers(5, 40), max_size=12)))
        events += [incoming(partition, offset) for offset in offsets]
        end = max(offsets, default=4) + 1 + draw(st.integers(0, 5))
        goals[partition] = Goal(end, draw(st.integers(0, 9)))
    return events, goals


@given(rounds(), st.integers(1, 15))
def test_every_portion_s_positions_are_true_and_the_last_ones_are_the_goals(
    given_round: tuple[list[Incoming], dict[int, Goal]], size: int
) -> None:
    events, goals = given_round
    done: list[Incoming] = []
    reached: list[dict[int, int]] = []
    for part, positions in portions(events, goals, size):
        done += part
        assert len(part) <= size
        assert positions.keys() == goals.keys()
        for partition, goal in positions.items():
            is_last = goal.position == goals[partition].position
            assert goal.through_s == (goals[partition].through_s if is_last else None), "it says no more than is true"
            left = [one.offset for one in events[len(done) :] if one.partition == partition]
            assert goal.position <= goals[partition].position
            assert all(goal.position <= offset for offset in left), "what isn't applied lies at or above the position"
            assert goal.position > max((one.offset for one in done if one.partition == partition), default=-1)
        reached.append({partition: goal.position for partition, goal in positions.items()})
    assert done == events
    assert reached[-1] == {partition: goal.position for partition, goal in goals.items()}
    for earlier, later in pairwise(reached):
        assert all(earlier[partition] <= later[partition] for partition in goals)


def test_without_events_there_is_one_portion_that_raises_the_positions() -> None:
    goals = {0: Goal(7, 0), 2: Goal(9, 5)}
    assert list(portions([], goals, 100)) == [([], goals)]


def test_events_that_fill_calls_exactly_leave_no_empty_call() -> None:
    events = [incoming(0, offset) for offset in range(6)]
    parts = list(portions(events, {0: Goal(6, 0)}, 3))
    assert [len(part) for part, _ in parts] == [3, 3]
    assert [goals[0].position for _, goals in parts] == [3, 6]
