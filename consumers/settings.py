"""Settings of the consumers, each with its unit and reason. Importing this module reads no environment variable."""

import re
from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import Field, field_validator, model_validator

from service.config import environment
from service.config.settings import ServiceSettings as ServiceSettings
from service.config.shared_settings import SharedSettings, is_host_and_port

PROGRAM = "python -m consumers"
PURPOSE = "Keeps the counters in Redis equal to the ticket events and the catalogue in Kafka."

TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""Legal topic names in Kafka (org.apache.kafka.common.internals.Topic), except `.` and `..`."""

PLACE = re.compile(r"[0-9]{1,9}:[0-9]{1,18}")
"""`partition:offset`."""


class ConsumerSettings(SharedSettings):
    """Settings of `python -m consumers` and of the `consumers` commands."""

    others = ServiceSettings.names() - SharedSettings.names()

    kafka: str = Field(
        default="127.0.0.1:9092",
        description="Bootstrap brokers, host:port,host:port,…; they name the other brokers.",
    )
    events_topic: str = Field(
        default="ticket-events",
        description="Topic of ticket events. Created with unlimited retention if absent: it is the source of truth, "
        "and a rebuild reads it from its start.",
    )
    catalogue_topic: str = Field(
        default="ticket-catalogue",
        description="Topic of realms, tenants, filters, profiles and credentials. Created compacted, with one "
        "partition, if absent: its offsets are the catalogue's versions.",
    )
    dead_letter_topic: str = Field(
        default="ticket-events-dead-letters",
        description="Topic for records that can't be applied. Created with unlimited retention if absent.",
    )
    accept_topic_id: str = Field(
        default="",
        description="Id of an events or catalogue topic that was deleted and created again under the same name: the "
        "consumers read it from its start and add it to the existing counts. For both topics, two ids with a comma. "
        "Without the id a new topic is refused, because the stored offsets are those of the old one.",
    )
    accept_log_start: str = Field(
        default="",
        description="First offsets from which to go on after retention has deleted records that weren't counted, as "
        "partition:offset,partition:offset,…: the deleted records stay uncounted. Without it such a loss stops the "
        "consumer.",
    )
    group: str = Field(
        default="ticket-counts",
        min_length=1,
        description="Consumer group: consumers of the same group share the partitions.",
    )
    partitions: int = Field(
        default=8,
        ge=1,
        le=10_000,
        description="Partitions of the events topic when the consumers create it, and so the most consumers that can "
        "share the work. Eight consumers write more than one Redis can take; each partition costs a position in every "
        "bucket. Partitions can be added later.",
    )
    replication_factor: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Replication factor of each topic that the consumers create. 0 means one replica per broker, at "
        "most 3: three survive the loss of one broker without a pause.",
    )
    batch_records: int = Field(
        default=10_000,
        ge=1,
        le=100_000,
        description="Most records in one batch from Kafka. With 50 tenants, batches of 10,000 cost a fifth less per "
        "event than batches of 4,000; larger ones would delay SIGTERM by over a second. Only a backlog fills a batch.",
    )
    largest_batch_bytes: int = Field(
        default=67_108_864,
        ge=4_194_304,
        le=1_073_741_824,
        description="Most bytes of a producer's batch after decompression. A larger batch becomes one dead letter, "
        "still compressed: 2 MiB of compressed zeros would be gigabytes. Each partition may hold that much memory "
        "while a batch is read.",
    )
    apply_events: int = Field(
        default=256,
        ge=1,
        le=10_000,
        description="Most events in one script call. The call blocks Redis: for some 40 ms with 200 events, for "
        "228 ms with 2,000.",
    )
    session_timeout_s: float = Field(
        default=10.0,
        ge=1,
        le=1_800,
        description="Seconds without a heartbeat after which the group assigns a consumer's partitions to others. "
        "Brokers refuse less than 6 by default; a longer time-out means a longer stop after a crash.",
    )
    metadata_max_age_s: float = Field(
        default=5.0,
        ge=0.5,
        le=3_600,
        description="Seconds between two metadata refreshes: events in a new partition wait that long.",
    )
    bad_records_in_a_row: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000_000,
        description="Consecutive bad records that stop the consumer with an alarm. That many mean that the publisher "
        "or this program is wrong, and then the topic must not be moved to the dead letters.",
    )
    bad_records_window: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="Number of latest records over which the share of bad records is computed, once there are as many.",
    )
    bad_records_share: float = Field(
        default=0.5,
        ge=0.001,
        le=1,
        description="Share of bad records among the latest ones that stops the consumer with an alarm, from 0 to 1.",
    )
    audit_every_s: float = Field(
        default=0.0,
        ge=0,
        le=31_536_000,
        description="Seconds between two audits, in which each consumer recounts the tenants of its buckets and "
        "compares their counters; 0 means never. An audit repairs nothing. Once a day is usual: it reads every stored "
        "ticket, and rests half of the time.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address that serves /metrics, /healthz and /readyz; 0.0.0.0 for all of IPv4.",
    )
    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65_535,
        description="Port of /metrics, /healthz and /readyz; 0 picks a free port. 9464 is the usual port of "
        "OpenTelemetry's Prometheus exporters.",
    )

    @field_validator("kafka")
    @classmethod
    def _is_list_of_brokers(cls, value: str) -> str:
        if not all(is_host_and_port(broker, port_needed=True) for broker in value.split(",")):
            raise ValueError(f"must be host:port,host:port,… with ports from 1 to 65535, not {value!r}")
        return value

    @field_validator("events_topic", "catalogue_topic", "dead_letter_topic")
    @classmethod
    def _is_topic_name(cls, value: str) -> str:
        if not TOPIC_NAME.fullmatch(value) or value in (".", ".."):
            raise ValueError(f"must be 1 to 249 letters, digits, dots, dashes or underscores, not {value!r}")
        return value

    @field_validator("accept_log_start")
    @classmethod
    def _is_list_of_offsets(cls, value: str) -> str:
        if value and not all(PLACE.fullmatch(place) for place in value.split(",")):
            raise ValueError(f"must be partition:offset,partition:offset,…, not {value!r}")
        return value

    @property
    def accepted_topics(self) -> frozenset[str]:
        """The topic ids in `accept_topic_id`."""
        return frozenset(one.strip() for one in self.accept_topic_id.split(",") if one.strip())

    @property
    def accepted_starts(self) -> Mapping[int, int]:
        """The first offset by partition, from `accept_log_start`."""
        places = (place.split(":") for place in self.accept_log_start.split(",") if place)
        return {int(partition): int(offset) for partition, offset in places}

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        topics = {"events_topic": self.events_topic, "catalogue_topic": self.catalogue_topic}
        for name, topic in topics.items():
            if topic == self.dead_letter_topic:
                raise ValueError(_same("dead_letter_topic", name, topic))
        if self.events_topic == self.catalogue_topic:
            raise ValueError(_same("catalogue_topic", "events_topic", self.events_topic))
        return self


def _same(name: str, other: str, topic: str) -> str:
    return f"{environment.variable(name)}: must be another topic than {environment.variable(other)}, not {topic!r} too"


def known_variables() -> frozenset[str]:
    """Returns every environment variable that the service or the consumers read."""
    return ConsumerSettings.variables()


def help_text() -> str:
    """Returns the text of `python -m consumers --help`."""
    return environment.usage(ConsumerSettings, PROGRAM, PURPOSE)


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> ConsumerSettings:
    """Returns the settings in `environ` and its files. `argv` begins with the program's name. Raises SettingsError."""
    return ConsumerSettings.read(environ, environment.config_argument(argv))


def load(argv: Sequence[str]) -> ConsumerSettings:
    """Reads this process' settings. Exits after `--help` (status 0) or a wrong setting or argument (status 2)."""
    return environment.load(argv, parse, help_text, known_variables())
