"""Checks that the log is neither trimmed nor compacted. Only asks the brokers."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    NoError,
    UnsupportedVersionError,
    for_code,
)

from consumers.errors import RebuildRefused
from consumers.kafka.closing import closed
from consumers.progress import Say
from service.store.ports.catalogue import Position

INSTEAD = "use --from-store, which recomputes the counts from the stored tickets"

POLICY = "cleanup.policy"

ATTEMPTS = 2
"""Attempts, each on a new connection: one may fail by chance, two failures mean that the broker doesn't answer."""


def check_beginnings(beginnings: Mapping[int, Position]) -> None:
    """Raises RebuildRefused when the log is trimmed."""
    trimmed = [f"partition {number} begins at {offset:,}" for number, offset in beginnings.items() if offset > 0]
    if trimmed:
        raise RebuildRefused(f"the log was trimmed: {', '.join(trimmed)}; {INSTEAD}")


async def check_policy(kafka: str, topic: str, say: Say) -> None:
    """Raises RebuildRefused when the log is compacted, and KafkaError. Warns when the broker doesn't tell."""
    policy = await _policy(kafka, topic)
    if policy is None:
        say("this broker doesn't tell whether the log is compacted: going on as if it weren't")
        return
    if "compact" in policy.split(","):
        raise RebuildRefused(f"the log is compacted ({POLICY}={policy}): patches and deletes may be missing; {INSTEAD}")


async def _policy(kafka: str, topic: str) -> str | None:
    """Returns the topic's cleanup policy; None when the broker doesn't answer (the embedded one hangs up)."""
    responses: Sequence[Any] | None = None
    for _ in range(ATTEMPTS):
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        try:
            await admin.start()
            responses = await _described(admin, topic)
        finally:
            await closed(admin.close())
        if responses is not None:
            return _policy_in(responses)
    return None


async def _described(admin: AIOKafkaAdminClient, topic: str) -> Sequence[Any] | None:
    try:
        described: Sequence[Any] = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, {POLICY: ""})]
        )
    except (IncompatibleBrokerVersion, UnsupportedVersionError, KafkaConnectionError):
        return None
    return described


def _policy_in(responses: Sequence[Any]) -> str:
    resources: Sequence[Sequence[Any]] = [one for response in responses for one in response.resources]
    for code, message, _, _, entries in resources:
        error: type[KafkaError] = for_code(code)
        if error is not NoError:
            raise error(message)
        for name, value, *_ in entries:
            if name == POLICY:
                return value or ""
    return ""
