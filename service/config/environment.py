"""Reads, checks and explains settings from environment variables. Knows no setting by name."""

import difflib
import os
import sys
import textwrap
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import AfterValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from service.version import ABOUT

PREFIX = "TICKET_COUNTS_"

TESTS_OWN = f"{PREFIX}TEST_"
"""Prefix of the test suite's variables, which the processes ignore."""

EXIT_WRONG_USE = 2
"""Exit status for a wrong setting or argument, as in argparse and the shells."""

HELP_WIDTH = 100
"""Longest line of `--help`, in characters: fits into half a screen."""


class SettingsError(ValueError):
    """The environment or the command line is wrong: print the message, which is one line, and exit with status 2."""


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

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Returns the settings in `environ`. An empty variable counts as unset: compose files write unset ones so.

        Raises SettingsError, which names every wrong variable.
        """
        source = EnvSettingsSource(cls, case_sensitive=False, env_ignore_empty=True)
        source.env_vars = {name.lower(): value for name, value in environ.items() if value}
        try:
            return cls(**source())
        except ValidationError as error:
            raise SettingsError("; ".join(_complaint(cls, one) for one in error.errors())) from None


def variable(field: str) -> str:
    """Returns the environment variable of a field."""
    return PREFIX + field.upper()


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Returns a warning for each variable with our prefix that no process reads, with the name most like it."""
    names = sorted(known)
    lines = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(TESTS_OWN) or name in names:
            continue
        # Compared without the prefix, which would make all names alike.
        near = difflib.get_close_matches(
            name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in names], n=1
        )
        lines.append(f"{name}: no such setting, ignored" + (f"; did you mean {PREFIX}{near[0]}?" if near else ""))
    return lines


def refuse_arguments(argv: Sequence[str]) -> None:
    """Raises SettingsError when there are arguments behind the program's name."""
    if len(argv) > 1:
        raise SettingsError(f"unknown argument {argv[1]!r}: settings are environment variables, --help lists them")


def table(settings: type[Environment], names: Container[str] | None = None) -> str:
    """Returns the help of all settings, or of those in `names`: default and meaning, in the order of declaration."""
    fields = settings.model_fields.items()
    return "\n".join(_entry(name, field) for name, field in fields if names is None or name in names)


def usage(settings: type[Environment], program: str, purpose: str) -> str:
    """Returns the `--help` text of a process."""
    lead = f"{purpose} All settings are environment variables; an empty one counts as unset."
    return f"usage: {program} [--help | --version]\n\n{textwrap.fill(lead, HELP_WIDTH)}\n\n{table(settings)}"


Settings = TypeVar("Settings", bound=Environment)


def load(
    argv: Sequence[str],
    parse: Callable[[Sequence[str], Mapping[str, str]], Settings],
    help_text: Callable[[], str],
    known: Iterable[str],
) -> Settings:
    """Returns the settings of this process.

    Exits for `--help` and `--version` (status 0), and with one line on stderr for a wrong setting (status 2).

    A variable with our prefix that isn't `known` gets only a warning on stderr: an old one must not stop an upgrade.
    """
    options = {*argv[1:]}
    if options & {"-h", "--help", "--version"}:
        print(ABOUT if "--version" in options else help_text())
        raise SystemExit(0)
    try:
        settings = parse(argv, os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(EXIT_WRONG_USE) from None
    for line in unknown_variables(os.environ, known):
        print(line, file=sys.stderr)
    return settings


def _entry(name: str, field: FieldInfo) -> str:
    meaning = textwrap.fill(
        f"{field.description} ({_requirement(field)})" if _is_bounded(field) else f"{field.description}",
        HELP_WIDTH,
        initial_indent=" " * 6,
        subsequent_indent=" " * 6,
    )
    return f"  {variable(name)} = {field.default}\n{meaning}"


def _complaint(settings: type[Environment], error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        problem = str(error["ctx"]["error"])
        return f"{variable(str(error['loc'][0]))}: {problem}" if error["loc"] else problem
    name = str(error["loc"][0])
    value = str(error["input"])
    problem = f"{variable(name)}: must be {_requirement(settings.model_fields[name])}, not {value!r}"
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
