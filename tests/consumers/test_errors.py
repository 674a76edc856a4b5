"""The table of errors: every class of the two clients has a row, and every row does what it says."""

import inspect
from types import ModuleType
from typing import Any

import pytest
from aiokafka import errors as kafka_errors
from redis import exceptions as redis_errors

from consumers.errors import Incurable
from consumers.kafka_errors import KAFKA_ERRORS, InvalidRecord, cause_of, check_retry, remedy_of
from service.store.client.redis_errors import REDIS_ERRORS, Remedy, redis_remedy
from service.store.ports.errors import StoreDenied, StoreUnable, StoreUnavailable


def classes_of(module: ModuleType) -> dict[str, type[Exception]]:
    """Returns the error classes that a module of a Kafka or Redis client defines, and those that we add to it."""
    own = {"InvalidRecord": InvalidRecord} if module is kafka_errors else {}
    return own | {
        one.__name__: one  # not its name there: some have an older one beside it
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Exception) and one.__module__ == module.__name__
    }


@pytest.mark.parametrize(
    ("module", "table"), [(kafka_errors, KAFKA_ERRORS), (redis_errors, REDIS_ERRORS)], ids=["Kafka", "Redis"]
)
def test_every_class_of_error_has_a_row_and_every_row_a_class(module: ModuleType, table: dict[str, Remedy]) -> None:
    assert set(classes_of(module)) == set(table)


def raised(name: str) -> Any:
    """An error of that class as the client raises it, whatever its constructor wants."""
    kind = classes_of(kafka_errors)[name]
    error = kind.__new__(kind)
    error.args = ("said by the broker",)
    return error


KAFKA_ROWS = [
    name for name in sorted(KAFKA_ERRORS) if issubclass(classes_of(kafka_errors)[name], kafka_errors.KafkaError)
]


@pytest.mark.parametrize("name", KAFKA_ROWS)
def test_each_row_of_kafka_is_retried_or_stops_with_its_name(name: str) -> None:
    error = raised(name)
    assert remedy_of(error) is KAFKA_ERRORS[name]
    if KAFKA_ERRORS[name] is Remedy.AGAIN:
        check_retry(error)
    else:
        with pytest.raises(Incurable, match=f"Kafka: {name}: .*said by the broker"):
            check_retry(error)


def test_a_record_that_its_topic_refuses_is_an_error_that_no_retry_cures() -> None:
    refused = kafka_errors.for_code(87)()  # what aiokafka's producer makes of the broker's INVALID_RECORD
    with pytest.raises(Incurable, match=r"Kafka: InvalidRecord: .*compact takes none without a key"):
        check_retry(refused)


@pytest.mark.parametrize("name", sorted(REDIS_ERRORS))
def test_each_row_of_redis_says_what_helps(name: str) -> None:
    kind = classes_of(redis_errors)[name]
    error = kind.__new__(kind)
    assert redis_remedy(error) is REDIS_ERRORS[name]


@pytest.mark.parametrize("name", [name for name in KAFKA_ROWS if raised(name).retriable])
def test_what_the_client_calls_retriable_is_retried(name: str) -> None:
    assert KAFKA_ERRORS[name] is Remedy.AGAIN


def test_a_class_that_the_table_does_not_know_has_the_remedy_of_its_base() -> None:
    class NewAuthorization(kafka_errors.TopicAuthorizationFailedError):  # type: ignore[misc]  # ships no types
        pass

    class NewLoading(redis_errors.BusyLoadingError):
        pass

    assert remedy_of(NewAuthorization("topic")) is Remedy.STOP
    assert redis_remedy(NewLoading()) is Remedy.AGAIN
    assert redis_remedy(OSError()) is Remedy.AGAIN


def test_what_the_store_says_is_retried_unless_it_refuses_this_client() -> None:
    for passing in (StoreUnavailable("Redis: away"), StoreUnable("Redis: OOM"), TimeoutError()):
        check_retry(passing)
    with pytest.raises(StoreDenied, match="WRONGPASS"):
        check_retry(StoreDenied("Redis: WRONGPASS"))


def test_a_cause_names_its_class_and_what_was_said() -> None:
    assert cause_of(TimeoutError()) == "TimeoutError"
    assert cause_of(kafka_errors.KafkaConnectionError("no route")) == "Kafka: KafkaConnectionError: no route"
    assert cause_of(StoreUnavailable("Redis: away")) == "Redis: away"
