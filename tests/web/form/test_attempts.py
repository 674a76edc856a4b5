"""Guessing is slowed, by network and by name; who has the right secret is not."""

import asyncio

import pytest

from service.store.ports.errors import StoreUnavailable
from service.web.form import attempts
from service.web.form.attempts import FREE, Attempts
from service.web.http.errors import Refused
from tests.fakes.memory_store import MemoryStore
from tests.web.form.panel import PATH, a_panel
from tests.web.world import NOW_US, SetClock

SECOND_US = 1_000_000


class Waited:
    """Stands for the clock's passing while an attempt is held back."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.holds: list[float] = []

    async def sleep(self, hold_s: float) -> None:
        if hold_s:
            self.holds.append(hold_s)
            self.clock.now += round(hold_s * SECOND_US)


@pytest.fixture
def waited() -> Waited:
    return Waited(SetClock(NOW_US))


def judging(per_min: int, waited: Waited, store: MemoryStore | None = None) -> Attempts:
    """One process's attempts; several share a store."""
    return Attempts(store or store_of(waited.clock), per_min, waited.sleep)


def store_of(clock: SetClock) -> MemoryStore:
    return MemoryStore(clock_ms=lambda: clock.now_us() // 1_000)


async def fail(judged: Attempts, address: str, name: str) -> None:
    async with judged.attempt(address, name) as attempt:
        attempt.failed = True


async def succeed(judged: Attempts, address: str, name: str) -> None:
    async with judged.attempt(address, name):
        pass


async def test_the_first_failures_are_free_and_the_next_are_held_to_the_rate(waited: Waited) -> None:
    judged = judging(60, waited)
    for _ in range(FREE):
        await fail(judged, "a", "ann")
    assert waited.holds == []
    for _ in range(5):
        await fail(judged, "a", "ann")
    assert waited.holds == [1.0] * 5
    waited.clock.now += 60 * SECOND_US
    for _ in range(FREE):
        await fail(judged, "a", "ann")
    assert len(waited.holds) == 5


async def test_a_network_is_slowed_at_every_name(waited: Waited) -> None:
    judged = judging(60, waited)
    for _ in range(FREE):
        await fail(judged, "a", "ann")
    await fail(judged, "b", "bob")
    assert waited.holds == []
    await fail(judged, "a", "bob")
    assert waited.holds == [1.0]


async def test_a_name_that_fails_from_many_networks_has_one_attempt_a_minute_from_each(waited: Waited) -> None:
    judged = judging(60, waited)
    for number in range(FREE):
        await fail(judged, f"network {number}", "ann")
    for network in ("a", "b"):
        await fail(judged, network, "ann")
        with pytest.raises(Refused) as refused:
            await succeed(judged, network, "ann")
        assert refused.value.headers == {"retry-after": "60"}
    await fail(judged, "a", "bob")
    assert waited.holds == [], "other names are judged as ever"
    waited.clock.now += 61 * SECOND_US
    await succeed(judged, "a", "ann")


async def test_guesses_from_many_networks_are_those_of_one_and_one_a_minute_of_each(waited: Waited) -> None:
    """A try a second from each of 24 networks for ten minutes, at two workers in turn."""
    store = store_of(waited.clock)
    workers = [judging(60, waited, store) for _ in range(2)]
    judged = 0
    for second in range(600):
        for number in range(24):
            try:
                await fail(workers[second % 2], f"network {number}", "ann")
            except Refused:
                continue
            judged += 1
        waited.clock.now = NOW_US + (second + 1) * SECOND_US
    assert judged <= FREE + 60 * 10 + 24 * 10


async def test_workers_count_together(waited: Waited) -> None:
    store = store_of(waited.clock)
    workers = [judging(6, waited, store) for _ in range(2)]
    for number in range(FREE):
        await fail(workers[number % 2], "a", "ann")
    for judged in workers:
        with pytest.raises(Refused):
            await fail(judged, "a", "ann")
    await succeed(workers[0], "home", "bob")
    for _ in range(FREE):
        await fail(workers[0], "c", "bob")
    await succeed(workers[1], "home", "bob")


async def test_a_proof_is_remembered_for_a_day_after_the_last_call(waited: Waited) -> None:
    judged = judging(6, waited)
    for _ in range(3):
        await succeed(judged, "home", "ann")
        waited.clock.now += 20 * 3_600 * SECOND_US
    for number in range(FREE * 2):
        await fail(judged, f"network {number}", "ann")
    for _ in range(FREE):
        await succeed(judged, "home", "ann")
    waited.clock.now += 25 * 3_600 * SECOND_US
    for _ in range(FREE):
        await fail(judged, "home", "bob")
    with pytest.raises(Refused):
        await succeed(judged, "home", "ann")


async def test_who_would_have_to_wait_too_long_is_told_how_long(waited: Waited) -> None:
    judged = judging(6, waited)
    for _ in range(FREE):
        await fail(judged, "a", "ann")
    with pytest.raises(Refused) as refused:
        await fail(judged, "a", "ann")
    assert refused.value.headers == {"retry-after": "10"}
    waited.clock.now += 10 * SECOND_US
    await fail(judged, "a", "ann")
    assert waited.holds == []


async def test_who_had_the_right_secret_is_let_past_what_others_brought_upon_the_name(waited: Waited) -> None:
    judged = judging(6, waited)
    await succeed(judged, "home", "ann")
    for _ in range(FREE):
        await fail(judged, "a", "ann")
    for _ in range(100):
        await succeed(judged, "home", "ann")
    with pytest.raises(Refused):
        await succeed(judged, "a", "ann")
    await fail(judged, "home", "ann")
    with pytest.raises(Refused):
        await succeed(judged, "home", "ann")


async def test_right_secrets_are_never_slowed_however_many_come_at_once() -> None:
    panel = await a_panel()
    answers = await asyncio.gather(*(panel.call() for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}


async def test_guesses_that_come_at_once_are_not_all_the_first() -> None:
    clock = SetClock(NOW_US)
    judged = Attempts(store_of(clock), 6)
    tried = 0

    async def guess(number: int) -> None:
        nonlocal tried
        async with judged.attempt("a", f"name {number}") as attempt:
            tried += 1
            await asyncio.sleep(0)
            attempt.failed = True

    outcomes = await asyncio.gather(*(guess(number) for number in range(500)), return_exceptions=True)
    assert FREE <= tried <= FREE + attempts.AT_ONCE
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 500 - tried


async def test_zero_is_no_limit(waited: Waited) -> None:
    judged = judging(0, waited)
    for _ in range(1_000):
        await fail(judged, "a", "ann")
    assert waited.holds == []


async def test_a_clock_set_back_locks_nobody_out_for_long(waited: Waited) -> None:
    judged = judging(60, waited)
    for _ in range(FREE):
        await fail(judged, "a", "ann")
    waited.clock.now -= 3_600 * SECOND_US
    with pytest.raises(Refused) as refused:
        await fail(judged, "a", "ann")
    assert int(refused.value.headers["retry-after"]) <= 70
    waited.clock.now += 70 * SECOND_US
    await fail(judged, "a", "ann")
    assert waited.holds == []


@pytest.mark.parametrize("sent", [{"identifier": "key", "secret": "no"}, {"username": "nobody", "password": "no"}])
async def test_wrong_secrets_are_refused_more_and_more_slowly(sent: dict[str, str]) -> None:
    panel = await a_panel(form_failures_per_min=6)
    answers = [await panel.client.post(PATH, data={"action": "x"} | sent) for _ in range(FREE + 1)]
    assert [answer.status_code for answer in answers] == [403] * FREE + [429]
    assert answers[-1].json() == {"result": "error", "message": "Too many requests"}
    assert answers[-1].headers["retry-after"] == "10"
    assert (await panel.call()).status_code == 429, "from here, nobody who wasn't known is let in"
    assert (await panel.call()).json() == {"result": "error", "message": "Too many requests"}
    async with panel.from_address("192.0.2.1") as client:
        allowed = {"action": "getticketcounts", "identifier": "none", "secret": "s-none"}
        assert (await client.post(PATH, data=allowed)).status_code == 200


async def test_guesses_of_an_access_key_are_slowed_and_a_wrong_address_alone_is_not() -> None:
    sent = {"action": "getticketcounts", "identifier": "elsewhere", "secret": "s-elsewhere"}
    panel = await a_panel(form_failures_per_min=6)
    for _ in range(FREE * 2):
        assert (await panel.client.post(PATH, data=sent)).status_code == 403
    statuses = [(await panel.client.post(PATH, data=sent | {"accesskey": str(n)})).status_code for n in range(FREE + 2)]
    assert statuses[-1] == 429


async def test_a_call_without_a_secret_is_no_attempt() -> None:
    panel = await a_panel(form_failures_per_min=6)
    for _ in range(FREE * 2):
        assert (await panel.client.post(PATH, data={"identifier": "key"})).status_code == 403
    assert (await panel.call()).status_code == 200


async def test_a_store_that_is_away_is_nobodys_failure() -> None:
    panel = await a_panel(form_failures_per_min=6)
    panel.store.away = True
    for _ in range(FREE * 2):
        assert (await panel.call()).status_code == 503
    panel.store.away = False
    assert (await panel.call()).status_code == 200


async def test_guesses_from_many_addresses_do_not_lock_the_owner_out_of_a_new_one() -> None:
    panel = await a_panel()
    wrong = {"action": "getticketcounts", "identifier": "none", "secret": "no"}
    for number in range(24):
        async with panel.from_address(f"198.51.100.{number}") as client:
            statuses = [(await client.post(PATH, data=wrong)).status_code for _ in range(FREE)]
            assert statuses[0] == 403
    assert statuses[1:] == [429] * (FREE - 1), "the last ones had one guess each"
    async with panel.from_address("203.0.113.7") as client:
        right = wrong | {"secret": "s-none"}
        answers = [await client.post(PATH, data=right) for _ in range(30)]
        assert {answer.status_code for answer in answers} == {200}


async def test_nothing_is_judged_that_can_not_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = await a_panel()
    wrong = {"action": "getticketcounts", "identifier": "key", "secret": "no"}

    async def away(*arguments: object) -> None:
        raise StoreUnavailable("redis://secret@internal")

    monkeypatch.setattr(panel.store, "extend_marks", away)
    assert (await panel.client.post(PATH, data=wrong)).status_code == 503, "says nothing about the guess"
    monkeypatch.setattr(panel.store, "marks_left", away)
    assert (await panel.client.post(PATH, data=wrong)).status_code == 503
    assert (await panel.call()).status_code == 503
