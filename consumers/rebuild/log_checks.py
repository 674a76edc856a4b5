"""Whether the log still has everything from its start. Only asks the brokers."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, NoError, UnsupportedVersionError, for_code

from consumers.rebuild.refusal import Refused
from service.store.port import Position

INSTEAD = "use --from-store, which recomputes the counts from the stored tickets"

POLICY = "cleanup.policy"


def check_beginnings(beginnings: Mapping[int, Position]) -> None:
    """Raises Refused for a log that was trimmed."""
    trimmed = [f"partition {number} begins at {offset:,}" for number, offset in beginnings.items() if offset > 0]
    if trimmed:
        raise Refused(f"the log was trimmed: {', '.join(trimmed)}; {INSTEAD}")


async def check_policy(kafka: str, topic: str) -> None:
    """Raises Refused for a log that is compacted, and KafkaError. A broker that has no such setting is believed."""
    policy = await _policy(kafka, topic)
    if "compact" in policy.split(","):
        raise Refused(f"the log is compacted ({POLICY}={policy}): patches and deletes may be missing; {INSTEAD}")


async def _policy(kafka: str, topic: str) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        wanted = ConfigResource(ConfigResourceType.TOPIC, topic, {POLICY: ""})
        responses = await admin.describe_configs([wanted])
    except (IncompatibleBrokerVersion, UnsupportedVersionError):
        return ""
    finally:
        await admin.close()
    resources: Sequence[Sequence[Any]] = [one for response in responses for one in response.resources]
    for code, message, _, _, entries in resources:
        error: type[KafkaError] = for_code(code)
        if error is not NoError:
            raise error(message)
        for name, value, *_ in entries:
            if name == POLICY:
                return value or ""
    return ""
