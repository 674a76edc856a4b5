"""Reads, checks and explains settings: environment variables, secret files, a TOML file. Knows no setting by name."""

import argparse
import difflib
import os
import sys
import textwrap
import tomllib
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, NoReturn, Self, TypeVar, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from service.version import ABOUT

PREFIX = "TICKET_COUNTS_"

CONFIG = f"{PREFIX}CONFIG"
"""Variable that names the TOML file, unless `--config` does."""

CONFIG_HELP = f"TOML file of settings: names in lower case without the prefix (default: ${CONFIG})"

TESTS_OWN = f"{PREFIX}TEST_"
"""Prefix of the test suite's variables, which the processes ignore."""

EXIT_WRONG_USE = 2
"""Exit status for a wrong setting or argument, as in argparse and the shells."""

HELP_WIDTH = 100
"""Longest line of `--help`, in characters: fits into half a screen."""


class SettingsError(ValueError):
    """A setting or the command line is wrong: print the message, which is one line, and exit with status 2."""

    def __init__(self, problem: str) -> None:
        super().__init__(" ".join(problem.splitlines()))


class _Given(NamedTuple):
    """The text of a setting, and the place that an operator mends: a variable, or a file and its key."""

    text: str
    place: str


def _readable(path: str) -> str:
    if path:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise ValueError(f"can't read {path!r}: {error.strerror}") from None
    return path


ReadableFile = Annotated[str, AfterValidator(_readable)]
"""A setting that names a file, or "" for none. The file must be readable when the process starts."""


class Environment(BaseSettings):
    """Base of all settings: frozen, and built from arguments alone. Only `read` takes environment variables."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, allow_inf_nan=False, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leaves only arguments: settings built by a test or a demo must not pick up the variables of its caller."""
        return (init_settings,)

    others: ClassVar[frozenset[str]] = frozenset()
    """Names of settings that only another process reads: no mistake in a file or an environment that both share."""

    @classmethod
    def names(cls) -> frozenset[str]:
        """Returns the names of these settings, and for each secret the name of its file's setting."""
        return frozenset({*cls.model_fields, *(f"{name}_file" for name in _secrets(cls))})

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Returns every variable that this process or another one reads."""
        return frozenset({CONFIG, *map(variable, cls.names() | cls.others)})

    @classmethod
    def read(cls, environ: Mapping[str, str], config: str = "") -> Self:
        """Returns the settings in `environ`, else in the files of secrets, else in the TOML file `config` or CONFIG.

        An empty one counts as unset: compose files write unset ones so. Raises SettingsError, which names every wrong
        variable, or file and key.
        """
        given = _given(cls, environ, config)
        source = EnvSettingsSource(cls, case_sensitive=False)
        source.env_vars = {variable(name).lower(): one.text for name, one in given.items()}
        try:
            return cls(**source())
        except ValidationError as error:
            raise SettingsError("; ".join(_complaint(cls, one, given) for one in error.errors())) from None


def variable(field: str) -> str:
    """Returns the environment variable of a field."""
    return PREFIX + field.upper()


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Returns a warning for each variable with our prefix that no process reads, with the name most like it."""
    names = {name.removeprefix(PREFIX) for name in known}
    ours = (name.removeprefix(PREFIX) for name in sorted(environ) if name.startswith(PREFIX))
    return [
        f"{PREFIX}{name}: no such setting, ignored{_meant(name, names, PREFIX)}"
        for name in ours
        if name not in names and not f"{PREFIX}{name}".startswith(TESTS_OWN)
    ]


def _meant(name: str, names: Collection[str], prefix: str = "") -> str:
    # Compared without the prefix, which would make all names alike.
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


class _Arguments(argparse.ArgumentParser):
    """Raises SettingsError where argparse would print its usage, too."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(message)


def config_argument(argv: Sequence[str]) -> str:
    """Returns the file of `--config`, "" without one. Raises SettingsError for any other argument."""
    parser = _Arguments(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", default="")
    options, rest = parser.parse_known_args(argv[1:])
    if rest:
        raise SettingsError(f"unknown argument {rest[0]!r}: settings are environment variables, --help lists them")
    return str(options.config)


def table(settings: type[Environment], names: Container[str] | None = None) -> str:
    """Returns the help of all settings, or of those in `names`: default and meaning, in the order of declaration."""
    fields = settings.model_fields.items()
    return "\n".join(_entry(name, field) for name, field in fields if names is None or name in names)


def usage(settings: type[Environment], program: str, purpose: str) -> str:
    """Returns the `--help` text of a process."""
    lead = (
        f"{purpose} All settings are environment variables; an empty one counts as unset. Each may also stand in a "
        f"TOML file that --config or {CONFIG} names, in lower case without the prefix; both processes may share one. "
        "Each secret may be in a file that a variable with _FILE behind its name gives; a last line feed is dropped. "
        "The environment wins over the secret's file, and that over the TOML file."
    )
    start = f"usage: {program} [--config FILE] [--help | --version]"
    return f"{start}\n\n{textwrap.fill(lead, HELP_WIDTH)}\n\n{table(settings)}"


Settings = TypeVar("Settings", bound=Environment)


def load(
    argv: Sequence[str],
    parse: Callable[[Sequence[str], Mapping[str, str]], Settings],
    help_text: Callable[[], str],
    known: Iterable[str],
) -> Settings:
    """Returns the settings of this process, as `read_or_exit` does.

    Exits for `--help` and `--version`, with status 0.
    """
    options = {*argv[1:]}
    if options & {"-h", "--help", "--version"}:
        print(ABOUT if "--version" in options else help_text())
        raise SystemExit(0)
    return read_or_exit(lambda: parse(argv, os.environ), known)


def read_or_exit(read: Callable[[], Settings], known: Iterable[str]) -> Settings:
    """Returns the settings that `read` gives. Exits with one line on stderr for a wrong one, with status 2.

    A variable with our prefix that isn't `known` gets only a warning on stderr: an old one must not stop an upgrade.
    """
    try:
        settings = read()
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(EXIT_WRONG_USE) from None
    for line in unknown_variables(os.environ, known):
        print(line, file=sys.stderr)
    return settings


def _given(settings: type[Environment], environ: Mapping[str, str], config: str) -> dict[str, _Given]:
    """Returns all that is set for this process, by name. Raises SettingsError for a file that can't be used."""
    set_here = {name.upper(): value for name, value in environ.items() if value}
    given = _in_config(config, "--config") if config else _in_config(set_here.get(CONFIG, ""), CONFIG)
    known = settings.names() | settings.others
    unknown = [f"{one.place}: no such setting{_meant(name, known)}" for name, one in given.items() if name not in known]
    if unknown:
        raise SettingsError("; ".join(unknown))
    given |= {name: _Given(set_here[variable(name)], variable(name)) for name in known if variable(name) in set_here}
    for name in _secrets(settings):
        file = given.get(f"{name}_file")
        if file is not None:
            secret = _Given(_text_of(file.text, file.place).removesuffix("\n"), file.place)
            given[name] = given[name] if variable(name) in set_here else secret
    return given


def _in_config(path: str, place: str) -> dict[str, _Given]:
    """Returns what a TOML file sets, as the text that a variable would have. `place` names the file's setting."""
    if not path:
        return {}
    keys = _parsed(_text_of(path, place), f"{place}: {path!r} is no TOML")
    for name, value in keys.items():
        if isinstance(value, dict | list):
            raise SettingsError(f"{path}: {name}: must be a single value, not a table or a list")
    return {name: _Given(str(value), f"{path}: {name}") for name, value in keys.items() if value != ""}


def _parsed(text: str, problem: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{problem}: {error}") from None
    except ValueError:  # tomllib leaves to int() how many digits are allowed
        raise SettingsError(f"{problem} that can be read: a number is too long") from None
    except RecursionError:
        raise SettingsError(f"{problem} that can be read: it is nested too deeply") from None


def _text_of(path: str, place: str) -> str:
    if "\0" in path:  # open() raises a bare ValueError for it; only a TOML file can hold one
        raise SettingsError(f"{place}: can't read {path!r}: its name holds a NUL")
    try:
        return Path(path).read_bytes().decode()
    except OSError as error:
        raise SettingsError(f"{place}: can't read {path!r}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{place}: {path!r} is not UTF-8 text") from None


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr


def _secrets(settings: type[Environment]) -> list[str]:
    return [name for name, field in settings.model_fields.items() if _is_secret(field)]


def _entry(name: str, field: FieldInfo) -> str:
    default = field.default.get_secret_value() if _is_secret(field) else field.default  # a declared one is no secret
    secret = f" A secret: {variable(name)}_FILE may name a file with it instead." if _is_secret(field) else ""
    meaning = textwrap.fill(
        f"{field.description} ({_requirement(field)})" if _is_bounded(field) else f"{field.description}{secret}",
        HELP_WIDTH,
        initial_indent=" " * 6,
        subsequent_indent=" " * 6,
    )
    return f"  {variable(name)} = {default}\n{meaning}"


def _complaint(settings: type[Environment], error: ErrorDetails, given: Mapping[str, _Given]) -> str:
    if not error["loc"]:
        return str(error["ctx"]["error"])
    name = str(error["loc"][0])
    place = given[name].place if name in given else variable(name)
    if error["type"] == "value_error":
        return f"{place}: {error['ctx']['error']}"
    field, value = settings.model_fields[name], str(error["input"])
    problem = f"{place}: must be {_requirement(field)}" + ("" if _is_secret(field) else f", not {value!r}")
    # Kubernetes sets TICKET_COUNTS_PORT=tcp://… in every pod where a Service is named ticket-counts.
    return problem + (" (a service link of Kubernetes: set enableServiceLinks: false)" if "tcp://" in value else "")


def _is_bounded(field: FieldInfo) -> bool:
    return any(isinstance(rule, Ge | Le) for rule in field.metadata) or get_origin(field.annotation) is Literal


def _requirement(field: FieldInfo) -> str:
    """Describes the values that a setting accepts, from the bounds that are enforced."""
    if get_origin(field.annotation) is Literal:
        *most, last = (str(choice) for choice in get_args(field.annotation))
        return f"{', '.join(most)} or {last}"
    kind = "a whole number" if field.annotation is int else "a number" if field.annotation is float else "text"
    low = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    return f"{kind} from {low} to {high}" if low is not None and high is not None else kind
