"""Waiting ends: with the first true answer, or with words about what didn't come."""

import asyncio

import pytest

from tests.support.waiting import wait_until, wait_until_blocking


async def test_the_first_true_answer_is_given_back() -> None:
    answers = iter([0, 0, 7])
    assert await wait_until(lambda: next(answers), 5, "a seven") == 7


async def test_an_async_question_may_be_asked() -> None:
    async def asked() -> str:
        return "yes"

    assert await wait_until(asked, 5, "a yes") == "yes"


async def test_what_does_not_come_is_named() -> None:
    with pytest.raises(AssertionError, match=r"a miracle; last answer: 0"):
        await wait_until(lambda: 0, 0.1, "a miracle")


async def test_a_question_that_hangs_has_an_end() -> None:
    with pytest.raises(AssertionError, match="a sleeper; no answer in time"):
        await wait_until(asyncio.Event().wait, 0.1, "a sleeper")


async def test_what_the_question_raises_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        await wait_until(lambda: 1 // 0, 5, "a number")


async def test_a_time_out_of_the_question_itself_is_passed_on() -> None:
    async def asked() -> bool:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await wait_until(asked, 5, "a number")


def test_blocking_code_waits_the_same_way() -> None:
    answers = iter([None, "ready"])
    assert wait_until_blocking(lambda: next(answers), 5, "a server") == "ready"
    with pytest.raises(AssertionError, match="a miracle"):
        wait_until_blocking(lambda: False, 0.1, "a miracle")
