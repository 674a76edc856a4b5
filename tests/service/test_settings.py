"""Settings of the HTTP process: what they refuse, how they say it, and what `--help` explains."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from consumers.settings import ConsumerSettings as ConsumerSettings
from service.config import settings
from service.config.environment import SettingsError, unknown_variables
from service.config.settings import CONSUMERS_OWN, ServiceSettings
from service.config.shared_settings import SharedSettings, redis_url_problem
from tests.support.starting import start_here


def parsed(**variables: str) -> ServiceSettings:
    return settings.parse(["service"], {f"TICKET_COUNTS_{name}": value for name, value in variables.items()})


def complaint(**variables: str) -> str:
    with pytest.raises(SettingsError) as raised:
        parsed(**variables)
    return str(raised.value)


def test_defaults_are_those_of_the_contract() -> None:
    chosen = parsed()
    assert (chosen.redis_url, chosen.host, chosen.port, chosen.workers) == (
        "redis://127.0.0.1:6379/0",
        "127.0.0.1",
        8080,
        1,
    )


def test_variables_change_settings() -> None:
    chosen = parsed(PORT="0", REDIS_TIMEOUT_S="0.5", LOG_FORMAT="console")
    assert (chosen.port, chosen.redis_timeout_s, chosen.log_format) == (0, 0.5, "console")


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert parsed(PORT="").port == 8080


def test_allowed_hosts_are_names_without_a_port() -> None:
    assert parsed(ALLOWED_HOSTS="counts.example, LOCALHOST,[::1]").allowed_hosts
    for wrong in ("https://counts.example", "counts.example:443", "a b", "counts.example/"):
        assert complaint(ALLOWED_HOSTS=f"localhost,{wrong}").startswith(
            f"TICKET_COUNTS_ALLOWED_HOSTS: {wrong!r} must be"
        )


def test_metrics_may_have_a_port_of_their_own() -> None:
    assert [parsed(SERVICE_METRICS_PORT=value).own_metrics_port for value in ("", "0", "9465")] == [None, 0, 9465]


def test_building_settings_reads_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKET_COUNTS_PORT", "81")
    assert ServiceSettings().port == 8080


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ServiceSettings().port = 81  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "abc", "TICKET_COUNTS_PORT: must be a whole number from 0 to 65535, not 'abc'"),
        ("PORT", "65536", "TICKET_COUNTS_PORT: must be a whole number from 0 to 65535, not '65536'"),
        ("WORKERS", "0", "TICKET_COUNTS_WORKERS: must be a whole number from 1 to 256, not '0'"),
        ("WORKERS", "1.5", "TICKET_COUNTS_WORKERS: must be a whole number from 1 to 256, not '1.5'"),
        ("REDIS_TIMEOUT_S", "nan", "TICKET_COUNTS_REDIS_TIMEOUT_S: must be a number from 0.1 to 60, not 'nan'"),
        (
            "SERVICE_METRICS_PORT",
            "65536",
            "TICKET_COUNTS_SERVICE_METRICS_PORT: must be a whole number from 0 to 65535, or empty, not '65536'",
        ),
        ("LOG_FORMAT", "xml", "TICKET_COUNTS_LOG_FORMAT: must be json or console, not 'xml'"),
        ("LOG_LEVEL", "INFO", "TICKET_COUNTS_LOG_LEVEL: must be debug, info, warning or error, not 'INFO'"),
    ],
)
def test_a_wrong_value_is_answered_with_its_name_and_what_it_must_be(name: str, value: str, said: str) -> None:
    assert complaint(**{name: value}) == said


def test_every_wrong_variable_is_named_in_one_line() -> None:
    said = complaint(PORT="a\nb", WORKERS="x")
    assert "TICKET_COUNTS_PORT: " in said
    assert "TICKET_COUNTS_WORKERS: " in said
    assert "\n" not in said


def test_the_service_link_of_kubernetes_is_recognised() -> None:
    assert "enableServiceLinks" in complaint(PORT="tcp://10.0.0.1:8080")


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://localhost",
        "redis://user:p%40ss@db.example.org:6380/15",
        "rediss://db.example.org:6380?ssl_cert_reqs=required",
        "redis://[::1]:6379/0",
        "redis+cluster://10.0.0.1:7000,10.0.0.2:7001",
        "rediss+cluster://user:pass@a.example.org:7000,b.example.org:7000/0",
    ],
)
def test_addresses_of_redis_are_taken_as_they_are(url: str) -> None:
    assert parsed(REDIS=url).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "redis://",
        "redis://a,b",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:port",
        "redis://h/one",
        "redis://h/0/1",
        "redis://h#frag",
        "redis://[::1",
        "redis+cluster://a:7000,",
        "redis+cluster://a,b",
        "redis+cluster://a:7000/1",
        "redis+cluster://a:7000?x=1",
    ],
)
def test_what_is_no_address_of_redis_has_a_problem(url: str) -> None:
    assert redis_url_problem(url).startswith("must ")


def test_a_password_is_neither_complained_about_nor_shown() -> None:
    said = complaint(REDIS="redis://user:sesame@h:port")
    assert said.startswith("TICKET_COUNTS_REDIS: must name one host")
    assert "sesame" not in said
    assert "sesame" not in repr(parsed(REDIS="redis://user:sesame@h"))


def test_an_unknown_variable_is_named_with_the_one_probably_meant() -> None:
    known = settings.known_variables()
    assert unknown_variables({"TICKET_COUNTS_PROT": "1"}, known) == [
        "TICKET_COUNTS_PROT: no such setting, ignored; did you mean TICKET_COUNTS_PORT?"
    ]
    assert unknown_variables({"TICKET_COUNTS_XYZZYPLUGH": "1"}, known) == [
        "TICKET_COUNTS_XYZZYPLUGH: no such setting, ignored"
    ]


def test_variables_of_the_consumers_the_tests_and_others_are_no_mistakes() -> None:
    environ = {
        "TICKET_COUNTS_KAFKA": "k:1",
        "TICKET_COUNTS_TEST_KAFKA": "k:1",
        "PATH": "/bin",
        "TICKET_COUNTS_PORT": "1",
    }
    assert unknown_variables(environ, settings.known_variables()) == []


def test_the_service_knows_the_names_of_all_settings_of_the_consumers() -> None:
    assert ConsumerSettings.names() - SharedSettings.names() == CONSUMERS_OWN


def test_arguments_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"unknown argument '--port': settings are environment variables"):
        settings.parse(["service", "--port", "1"], {})


def test_help_explains_every_setting_with_its_default() -> None:
    text = settings.help_text()
    for name, field in ServiceSettings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        assert f"  TICKET_COUNTS_{name.upper()} = {default}\n" in text
        assert len(field.description or "") > 20, f"{name} isn't explained"
    assert max(len(line) for line in text.splitlines()) <= 100


def test_help_ends_the_process_well() -> None:
    done = start_here("service", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m service")


def test_a_wrong_setting_ends_the_process_with_status_2_and_one_line() -> None:
    done = start_here("service", PORT="abc")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "TICKET_COUNTS_PORT: must be a whole number from 0 to 65535, not 'abc'\n"


FILES = [
    (kind, name)
    for kind in (ServiceSettings, ConsumerSettings)
    for name in kind.model_fields
    if name.endswith("_file") or name == "development_sign_in"
]


@pytest.mark.parametrize(("kind", "name"), FILES, ids=[f"{kind.__module__}:{name}" for kind, name in FILES])
def test_a_setting_that_names_a_file_needs_it_there_and_readable(
    kind: type[SharedSettings], name: str, tmp_path: Path
) -> None:
    variable = f"TICKET_COUNTS_{name.upper()}"
    for path, why in ((tmp_path / "absent", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(SettingsError) as raised:
            kind.read({variable: str(path)})
        assert f"{variable}: can't read {str(path)!r}: {why}" in str(raised.value)


def test_a_missing_file_ends_the_process_with_one_line() -> None:
    done = start_here("service", DEVELOPMENT_SIGN_IN="/nowhere/at all")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "TICKET_COUNTS_DEVELOPMENT_SIGN_IN: can't read '/nowhere/at all': No such file or directory\n"


def test_an_unknown_argument_ends_the_process_with_status_2_and_one_line() -> None:
    done = start_here("service", "serve")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_an_unknown_variable_costs_a_line_and_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICKET_COUNTS_PROT", "1")
    assert settings.load(["service"]).port == 8080
    assert capsys.readouterr().err == "TICKET_COUNTS_PROT: no such setting, ignored; did you mean TICKET_COUNTS_PORT?\n"
