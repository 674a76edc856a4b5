"""Long computations share the slices of an event loop: however many there are, others have their turns."""

import asyncio
import itertools

import pytest

from service import turns
from service.domain.steps import Steps
from service.turns import TURNS_OF_OTHERS, in_turns


@pytest.fixture(autouse=True)
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice is over after one step."""
    monkeypatch.setattr(turns, "SLICE_S", 0.0)


class Diary:
    """Which computation took a step in which iteration of the event loop."""

    def __init__(self) -> None:
        self.iteration = 0
        self.steps: list[tuple[int, str]] = []

    def steps_of(self, name: str, count: int) -> Steps[str]:
        for _ in range(count):
            self.steps.append((self.iteration, name))
            yield
        return name

    async def counting(self) -> None:
        while True:
            self.iteration += 1
            await asyncio.sleep(0)


async def written(works: int, steps: int) -> Diary:
    """The diary of so many computations at once, each waiting for its first slice too."""
    diary = Diary()
    counting = asyncio.create_task(diary.counting())
    names = [str(n) for n in range(works)]
    results = await asyncio.gather(*[in_turns(diary.steps_of(name, steps), from_first=True) for name in names])
    counting.cancel()
    assert results == names
    return diary


@pytest.mark.parametrize("works", [1, 2, 30])
async def test_there_is_one_slice_in_some_iterations_of_the_loop_however_many_want_one(works: int) -> None:
    diary = await written(works, 5)
    iterations = [iteration for iteration, _ in diary.steps]
    assert len(iterations) == works * 5
    assert all(later - earlier >= TURNS_OF_OTHERS for earlier, later in itertools.pairwise(iterations))


async def test_slices_go_round() -> None:
    diary = await written(3, 4)
    assert [name for _, name in diary.steps] == ["0", "1", "2"] * 4


async def test_one_that_gives_up_holds_up_nobody() -> None:
    diary = Diary()
    first, second, third = [
        asyncio.create_task(in_turns(diary.steps_of(name, 3), from_first=True)) for name in ("a", "b", "c")
    ]
    await asyncio.sleep(0)
    second.cancel()
    async with asyncio.timeout(20):
        assert [await first, await third] == ["a", "c"]
    with pytest.raises(asyncio.CancelledError):
        await second
    assert "b" not in {name for _, name in diary.steps}
