"""What the consumers can be told, each setting with its unit and reason. Opens nothing, reads only when asked."""

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
"""What Kafka takes as a topic's name (org.apache.kafka.common.internals.Topic), but for `.` and `..`."""


PLACE = re.compile(r"[0-9]{1,9}:[0-9]{1,18}")
"""A partition and an offset in it."""


class ConsumerSettings(SharedSettings):
    """Settings of `python -m consumers` and of the programs beside it."""

    kafka: str = Field(
        default="127.0.0.1:9092",
        description="Brokers to ask first, host:port,host:port,…; they name the others.",
    )
    events_topic: str = Field(
        default="ticket-events",
        description="Topic of ticket events. Made with unlimited retention if absent: it is the truth, and a rebuild "
        "reads it from its start.",
    )
    catalogue_topic: str = Field(
        default="ticket-catalogue",
        description="Topic of realms, tenants, filters, profiles and credentials. Made compacted, with one partition, "
        "if absent: its offsets are the catalogue's versions.",
    )
    dead_letter_topic: str = Field(
        default="ticket-events-dead-letters",
        description="Topic for records that can't be applied. Made with unlimited retention if absent.",
    )
    accept_topic_id: str = Field(
        default="",
        description="Id of an events or catalogue topic that was made anew under its old name and is to be read from "
        "its start, on top of what was counted before; ids of both with a comma between. Without it such a topic is "
        "refused: its offsets mean something else.",
    )
    accept_log_start: str = Field(
        default="",
        description="Where the log begins too late and is to be read on from there all the same, as "
        "partition:offset,partition:offset,…: what was lost below these offsets stays uncounted. Without it a log that "
        "retention has cut before everything was counted stops the consumer.",
    )
    group: str = Field(
        default="ticket-counts",
        min_length=1,
        description="Consumer group: consumers with the same one share the partitions.",
    )
    partitions: int = Field(
        default=8,
        ge=1,
        le=10_000,
        description="Partitions of an events topic that is made here, and so the most consumers that can share the "
        "work. Eight consumers are more than one Redis can follow; each partition costs a position in every bucket. "
        "More can be added later.",
    )
    replication_factor: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Copies of each topic that is made here; 0 takes as many as there are brokers, at most 3, which "
        "outlives the loss of one broker without a pause.",
    )
    batch_records: int = Field(
        default=10_000,
        ge=1,
        le=100_000,
        description="Most records taken from Kafka at once. With 50 tenants, 10,000 cost a fifth less per event than "
        "4,000; more would keep SIGTERM waiting for over a second. Only a backlog fills it.",
    )
    largest_batch_bytes: int = Field(
        default=67_108_864,
        ge=4_194_304,
        le=1_073_741_824,
        description="Most bytes of one batch of a producer when it is unpacked; a larger one becomes a dead letter as "
        "it is, with all records in it: 2 MiB of packed zeros would be gigabytes. As much is held for each partition "
        "while its batch is read.",
    )
    apply_events: int = Field(
        default=256,
        ge=1,
        le=10_000,
        description="Most events in one script call. Redis answers nobody else meanwhile: some 40 ms at 200 events, "
        "228 ms at 2,000.",
    )
    session_timeout_s: float = Field(
        default=10.0,
        ge=1,
        le=1_800,
        description="Silence after which the group gives a consumer's partitions to the others, in seconds. Brokers "
        "refuse less than 6 by default; more means a longer stop after a crash.",
    )
    metadata_max_age_s: float = Field(
        default=5.0,
        ge=0.5,
        le=3_600,
        description="How often the brokers are asked for new partitions, in seconds: those in a new one wait as long.",
    )
    bad_records_in_a_row: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000_000,
        description="Bad records one after another that stop the consumer with an alarm: so many mean that the "
        "publisher or this program is wrong, and the topic must not be emptied into the dead letters.",
    )
    bad_records_window: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="Last records in which the share of bad ones is watched; nothing is concluded from fewer.",
    )
    bad_records_share: float = Field(
        default=0.5,
        ge=0.001,
        le=1,
        description="Share of bad ones among those last records that stops the consumer with an alarm, from 0 to 1.",
    )
    audit_every_s: float = Field(
        default=0.0,
        ge=0,
        le=31_536_000,
        description="How often each consumer recounts the tenants of its buckets and compares their counters, in "
        "seconds; 0 means never. It repairs nothing. A day is usual: it reads every stored ticket once, at half speed.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address on which /metrics, /healthz and /readyz are served; 0.0.0.0 for all of IPv4.",
    )
    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65_535,
        description="Port of /metrics, /healthz and /readyz; 0 takes any free one. 9464 is what OpenTelemetry's "
        "Prometheus exporters use.",
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
        """`accept_topic_id`, one by one."""
        return frozenset(one.strip() for one in self.accept_topic_id.split(",") if one.strip())

    @property
    def accepted_starts(self) -> Mapping[int, int]:
        """`accept_log_start`, by partition."""
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
    """Every variable that some process of this system reads."""
    return frozenset(
        environment.variable(name) for name in (*ConsumerSettings.model_fields, *ServiceSettings.model_fields)
    )


def help_text() -> str:
    """What `python -m consumers --help` prints."""
    return environment.usage(ConsumerSettings, PROGRAM, PURPOSE)


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> ConsumerSettings:
    """The settings in `environ`; `argv` begins with the program's name. Raises SettingsError with one line."""
    environment.refuse_arguments(argv)
    return ConsumerSettings.read(environ)


def load(argv: Sequence[str]) -> ConsumerSettings:
    """The settings of this process, which ends here for `--help` (status 0) or a wrong setting or argument (2)."""
    return environment.load(argv, parse, help_text, known_variables())
