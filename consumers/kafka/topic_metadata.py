"""Reads topic metadata from the brokers: ids, partitions, leaders. Never creates a topic, not even by auto-creation.

aiokafka 0.14 implements Metadata requests up to version 5, which return no topic ids and may auto-create topics. So
this module defines version 12 (KIP-516), which Apache Kafka 2.8 and newer and Tansu implement.
"""

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from consumers.kafka.closing import closed

NO_ID = bytes(16)
"""The null id: a broker sends it for "no id", a client for "look up by name"."""

ANSWER_TIMEOUT_MS = 10_000
"""Longest wait for one broker before the request goes to the next."""


@dataclass(frozen=True, slots=True)
class TopicMetadata:
    """One existing topic. `id` is in the form of `kafka-topics.sh --describe`; "" when the broker has no topic ids."""

    id: str
    partitions: int
    has_leaders: bool
    """Whether every partition has a leader, so that it can be written and read."""


class _Uuid(AbstractType):  # type: ignore[misc]  # aiokafka ships no types
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


_PARTITION = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    ("tags", TaggedFields),
)
_TOPIC = (
    ("error_code", Int16),
    ("name", CompactString()),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("authorized_operations", Int32),
    ("tags", TaggedFields),
)
_BROKER = (
    ("node_id", Int32),
    ("host", CompactString()),
    ("port", Int32),
    ("rack", CompactString()),
    ("tags", TaggedFields),
)


class _MetadataResponseV12(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        ("tags", TaggedFields),
    )


class _MetadataRequestV12(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponseV12
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV12]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        return request_struct_class([(NO_ID, topic, {}) for topic in self._topics], False, False, {})


async def describe_topics(bootstrap: str, topics: Collection[str]) -> Mapping[str, TopicMetadata]:
    """Returns the metadata of the topics that exist. `bootstrap` is `host:port,…`.

    Raises KafkaConnectionError when no broker answers, another KafkaError when a topic may not be described.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=ANSWER_TIMEOUT_MS)
    try:
        await client.bootstrap()
        response = await _ask_any_broker(client, _MetadataRequest(topics))
    finally:
        await closed(client.close())
    described = {}
    for error_code, name, topic_id, _, partitions, *_ in response.topics:
        error = for_code(error_code)
        if error is UnknownTopicOrPartitionError:
            continue
        if error not in (NoError, LeaderNotAvailableError):
            raise error(name)
        described[name] = TopicMetadata(
            id=_printed(topic_id),
            partitions=len(partitions),
            has_leaders=bool(partitions) and all(leader >= 0 for _, _, leader, *_ in partitions),
        )
    return described


async def _ask_any_broker(client: AIOKafkaClient, request: _MetadataRequest) -> _MetadataResponseV12:
    failure: KafkaError = KafkaConnectionError("the cluster's metadata lists no brokers")
    for broker in client.cluster.brokers():
        try:
            response: _MetadataResponseV12 = await client.send(broker.nodeId, request)
            return response
        except NotImplementedError:
            raise IncompatibleBrokerVersion("Kafka 2.8 or newer is needed: this broker has no topic ids") from None
        except KafkaError as error:  # this broker is away; another may answer
            failure = error
    raise failure


def _printed(topic_id: bytes) -> str:
    """Formats an id as Kafka does: base64url without padding."""
    return "" if topic_id == NO_ID else base64.urlsafe_b64encode(topic_id).rstrip(b"=").decode()
