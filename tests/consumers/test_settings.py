"""Settings of the consumers: what they refuse beyond the shared rules, and what `--help` explains."""

import pytest
from pydantic import SecretStr

from consumers import settings
from consumers.settings import ConsumerSettings
from service.config.environment import SettingsError, unknown_variables


def parsed(**variables: str) -> ConsumerSettings:
    return settings.parse(["consumers"], {f"TICKET_COUNTS_{name}": value for name, value in variables.items()})


def test_defaults_are_those_of_the_contract() -> None:
    chosen = parsed()
    assert chosen.kafka == "127.0.0.1:9092"
    assert chosen.redis_url == "redis://127.0.0.1:6379/0"
    assert (chosen.events_topic, chosen.catalogue_topic) == ("ticket-events", "ticket-catalogue")
    assert chosen.dead_letter_topic == "ticket-events-dead-letters"
    assert (chosen.group, chosen.metrics_port, chosen.buckets) == ("ticket-counts", 9464, 64)
    flood = (chosen.bad_records_in_a_row, chosen.bad_records_window, chosen.bad_records_share)
    assert flood == (1_000, 10_000, 0.5)


@pytest.mark.parametrize("brokers", ["127.0.0.1:9092", "a.example.org:9092,b.example.org:9093", "[::1]:9092"])
def test_lists_of_brokers_are_taken_as_they_are(brokers: str) -> None:
    assert parsed(KAFKA=brokers).kafka == brokers


@pytest.mark.parametrize("brokers", ["localhost", "a:9092,", "a:0", "a:65536", "a:9092 b:9092", "kafka://a:9092"])
def test_what_is_no_list_of_brokers_is_refused(brokers: str) -> None:
    with pytest.raises(SettingsError, match=r"^TICKET_COUNTS_KAFKA: must be host:port"):
        parsed(KAFKA=brokers)


@pytest.mark.parametrize("topic", ["with space", ".", "..", "a/b", "ä", "x" * 250])
def test_what_kafka_takes_for_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(SettingsError, match=r"^TICKET_COUNTS_EVENTS_TOPIC: must be 1 to 249 letters"):
        parsed(EVENTS_TOPIC=topic)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("EVENTS_TOPIC", "CATALOGUE_TOPIC"),
        ("EVENTS_TOPIC", "DEAD_LETTER_TOPIC"),
        ("CATALOGUE_TOPIC", "DEAD_LETTER_TOPIC"),
    ],
)
def test_two_topics_of_one_name_are_refused_by_both_names(one: str, other: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parsed(**{one: "same", other: "same"})
    assert str(raised.value) == f"TICKET_COUNTS_{other}: must be another topic than TICKET_COUNTS_{one}, not 'same' too"


@pytest.mark.parametrize("name", ["BATCH_RECORDS", "APPLY_EVENTS", "PARTITIONS", "BAD_RECORDS_SHARE", "METRICS_PORT"])
def test_numbers_have_bounds(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^TICKET_COUNTS_{name}: must be a (whole )?number from .*, not '-1'$"):
        parsed(**{name: "-1"})


def test_accepted_starts_are_taken_by_partition() -> None:
    assert parsed().accepted_starts == {}
    assert parsed(ACCEPT_LOG_START="0:12").accepted_starts == {0: 12}
    assert parsed(ACCEPT_LOG_START="0:12,11:9007199254740993").accepted_starts == {0: 12, 11: 9007199254740993}


@pytest.mark.parametrize("places", ["12", "0:", ":5", "0:1,", "0:1 1:2", "-1:5", "0:-5", "a:b", "0:1:2"])
def test_what_is_no_list_of_offsets_is_refused(places: str) -> None:
    with pytest.raises(SettingsError, match=r"^TICKET_COUNTS_ACCEPT_LOG_START: must be partition:offset"):
        parsed(ACCEPT_LOG_START=places)


def test_variables_of_both_processes_are_known() -> None:
    environ = {"TICKET_COUNTS_PORT": "8080", "TICKET_COUNTS_KAFKA": "k:1", "TICKET_COUNTS_KAKFA": "k:1"}
    assert unknown_variables(environ, settings.known_variables()) == [
        "TICKET_COUNTS_KAKFA: no such setting, ignored; did you mean TICKET_COUNTS_KAFKA?"
    ]


def test_help_explains_every_setting_with_its_default() -> None:
    text = settings.help_text()
    for name, field in ConsumerSettings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        assert f"  TICKET_COUNTS_{name.upper()} = {default}\n" in text
        assert len(field.description or "") > 20, f"{name} isn't explained"
