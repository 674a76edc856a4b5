"""Settings from a TOML file and from files of secrets: which wins, what a mistake is called, what is never shown."""

import os
import traceback
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from consumers.settings import ConsumerSettings
from service.config.environment import Environment, SettingsError, table
from service.config.settings import ServiceSettings
from service.local_api import local_api
from tests.support.starting import start_here

SESAME = "redis://user:sesame@127.0.0.1:6379/0"

HIDDEN = "; its value isn't shown here because it may hold a password"

BOTH = 'port = 8081\nkafka = "k.example:9092"\nform_get = true\nredis_timeout_s = 0.5\nservice_metrics_port = 9465\n'

COMMANDS = (
    ("service",),
    ("consumers",),
    ("consumers.publish",),
    ("consumers.rebuild",),
    ("consumers.audit",),
    ("consumers.catalogue", "show", "--tenant", "acme"),
    ("consumers.dead_letters", "list"),
    ("deploy.publisher", "--key", "key.pem"),
)
"""Every command that reads settings."""


class Sealed(Environment):
    """A secret with a rule of its own."""

    seal: SecretStr = Field(default=SecretStr(""), max_length=8, description="What nobody may read.")
    others = frozenset({"elsewhere"})


def file_with(folder: Path, text: str, name: str = "counts.toml") -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


def complaint(kind: type[Environment], environ: dict[str, str], config: str = "") -> str:
    with pytest.raises(SettingsError) as raised:
        kind.read(environ, config)
    return str(raised.value)


def test_one_file_serves_both_processes(tmp_path: Path) -> None:
    file = file_with(tmp_path, BOTH)
    service, consumers = ServiceSettings.read({}, file), ConsumerSettings.read({"TICKET_COUNTS_CONFIG": file})
    assert (service.port, service.form_get, service.redis_timeout_s, service.own_metrics_port) == (
        8081,
        True,
        0.5,
        9465,
    )
    assert (consumers.kafka, consumers.redis_timeout_s) == ("k.example:9092", 0.5)


def test_the_argument_wins_over_the_variable_that_names_a_file(tmp_path: Path) -> None:
    one, other = file_with(tmp_path, "port = 1", "one.toml"), file_with(tmp_path, "port = 2", "other.toml")
    assert ServiceSettings.read({"TICKET_COUNTS_CONFIG": one}, other).port == 2


def test_the_environment_wins_over_the_secrets_file_and_that_over_the_configuration(tmp_path: Path) -> None:
    config = file_with(tmp_path, 'redis = "redis://config"')
    secret = {"TICKET_COUNTS_REDIS_FILE": file_with(tmp_path, "redis://secret\n", "redis")}
    assert ServiceSettings.read({}, config).redis_url == "redis://config"
    assert ServiceSettings.read(secret, config).redis_url == "redis://secret"
    assert ServiceSettings.read({**secret, "TICKET_COUNTS_REDIS": ""}, config).redis_url == "redis://secret"
    assert ServiceSettings.read({**secret, "TICKET_COUNTS_REDIS": "redis://own"}, config).redis_url == "redis://own"


def test_the_configuration_may_name_a_secrets_file_too(tmp_path: Path) -> None:
    secret = file_with(tmp_path, "redis://secret", "redis")
    config = file_with(tmp_path, f'redis = "redis://config"\nredis_file = "{secret}"')
    assert ServiceSettings.read({}, config).redis_url == "redis://secret"


@pytest.mark.parametrize(("text", "kept"), [("a", "a"), ("a\n", "a"), ("a\n\n", "a\n"), (" a\r\n", " a\r"), ("", "")])
def test_only_the_last_line_feed_of_a_secret_is_dropped(text: str, kept: str, tmp_path: Path) -> None:
    secret = {"TICKET_COUNTS_SEAL_FILE": file_with(tmp_path, text, "seal")}
    assert Sealed.read(secret).seal.get_secret_value() == kept


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 99999", "{file}: port: must be a whole number from 0 to 65535, not '99999'"),
        ("port = true", "{file}: port: must be a whole number from 0 to 65535, not 'True'"),
        ('log_level = "loud"', "{file}: log_level: must be debug, info, warning or error, not 'loud'"),
        ("prot = 1", "{file}: prot: no such setting; did you mean port?"),
        ("PORT = 1", "{file}: PORT: no such setting"),
        ('"a\\nb" = 1', "{file}: a b: no such setting"),
        ("[service]\nport = 1", "{file}: service: must be a single value, not a table or a list"),
        ("allowed_hosts = ['a']", "{file}: allowed_hosts: must be a single value, not a table or a list"),
        ("port = ", "TICKET_COUNTS_CONFIG: '{file}' is no TOML: Invalid value (at end of document)"),
        (
            f"port = {'1' * 5000}",
            "TICKET_COUNTS_CONFIG: '{file}' is no TOML that can be read: a number is too long",
        ),
        (
            f"port = {'[' * 5000}",
            "TICKET_COUNTS_CONFIG: '{file}' is no TOML that can be read: it is nested too deeply",
        ),
        ('redis_file = "a\\u0000b"', "{file}: redis_file: can't read 'a\\x00b': its name holds a NUL"),
        (
            'redis = "redis://user:sesame@h/x"',
            "{file}: redis: must end in the number of a database, like /0, or nothing" + HIDDEN,
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_file_and_key(text: str, said: str, tmp_path: Path) -> None:
    file = file_with(tmp_path, text)
    assert complaint(ServiceSettings, {"TICKET_COUNTS_CONFIG": file}) == said.format(file=file)


def test_a_file_that_is_not_there_is_named_by_what_names_it(tmp_path: Path) -> None:
    absent, latin = str(tmp_path / "absent"), tmp_path / "latin"
    latin.write_bytes(b"\xe9")
    why = f"can't read {absent!r}: No such file or directory"
    assert complaint(ServiceSettings, {}, absent) == f"--config: {why}"
    for name in ("CONFIG", "REDIS_FILE"):
        assert complaint(ServiceSettings, {f"TICKET_COUNTS_{name}": absent}) == f"TICKET_COUNTS_{name}: {why}"
        assert complaint(ServiceSettings, {f"TICKET_COUNTS_{name}": str(latin)}) == (
            f"TICKET_COUNTS_{name}: {str(latin)!r} is not UTF-8 text"
        )


def test_a_wrong_secret_is_named_and_neither_shown_nor_kept_in_the_traceback(tmp_path: Path) -> None:
    file = file_with(tmp_path, "open sesame", "seal")
    for environ, place in (
        ({"TICKET_COUNTS_SEAL": "open sesame"}, "TICKET_COUNTS_SEAL"),
        ({"TICKET_COUNTS_SEAL_FILE": file}, "TICKET_COUNTS_SEAL_FILE"),
    ):
        with pytest.raises(SettingsError) as raised:
            Sealed.read(environ)
        assert str(raised.value) == f"{place}: must be text"
        assert "sesame" not in "".join(traceback.format_exception(raised.value))


def test_a_secret_is_shown_by_neither_settings_nor_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKET_COUNTS_REDIS", SESAME)
    settings = ServiceSettings.read(os.environ)
    assert settings.redis_url == SESAME
    assert "sesame" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    for command, *_ in COMMANDS:
        said = start_here(command, "--help")
        assert said.returncode == 0
        assert "sesame" not in said.stdout
        assert "--config" in said.stdout
    assert "TICKET_COUNTS_SEAL_FILE" in table(Sealed)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_reads_the_file(command: tuple[str, ...], tmp_path: Path) -> None:
    file = file_with(tmp_path, "buckets = 0")
    said = (2, "", f"{file}: buckets: must be a whole number from 1 to 16384, not '0'\n")
    assert start_here(*command, "--config", file) == said
    assert start_here(*command, CONFIG=file) == said
    assert start_here(command[0], "--config", file, *command[1:]) == said


def test_code_on_the_same_host_reads_the_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_with(tmp_path, 'port = 1\nkafka = "k:1"\nredis = "nonsense"')
    monkeypatch.delenv("TICKET_COUNTS_REDIS", raising=False)
    monkeypatch.setenv("TICKET_COUNTS_CONFIG", file)
    with pytest.raises(SettingsError, match=r"counts\.toml: redis: must begin with"):
        local_api("GetTicketCounts")


def test_an_option_without_its_file_is_one_line() -> None:
    assert start_here("service", "--config") == (2, "", "argument --config: expected one argument\n")
