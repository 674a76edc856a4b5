"""Settings as environment variables: reads, checks and explains them. Opens nothing, and knows no setting by name."""

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
"""Variables of the test suite; the processes leave them alone."""

EXIT_WRONG_USE = 2
"""Exit status of a wrong setting or argument: what argparse and the shells use for wrong use."""

HELP_WIDTH = 100
"""Columns of `--help`: readable, and narrow enough for half a screen."""


class SettingsError(ValueError):
    """This environment or command line can't be used: show the message, which is one line, and end with status 2."""


def _readable(path: str) -> str:
    if path:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise ValueError(f"can't read {path!r}: {error.strerror}") from None
    return path


ReadableFile = Annotated[str, AfterValidator(_readable)]
"""A setting that names a file, "" for none: it is there and can be read when the process starts."""


class Environment(BaseSettings):
    """Base of all settings: frozen, and built from what it is given alone; only `read` looks at variables."""

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
        """Only what is passed in: a test or a demo that builds settings must not meet the caller's variables."""
        return (init_settings,)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """The settings these variables give; an empty variable is as good as none, as compose files write them.

        Raises SettingsError, which names every variable that is wrong.
        """
        source = EnvSettingsSource(cls, case_sensitive=False, env_ignore_empty=True)
        source.env_vars = {name.lower(): value for name, value in environ.items() if value}
        try:
            return cls(**source())
        except ValidationError as error:
            raise SettingsError("; ".join(_complaint(cls, one) for one in error.errors())) from None


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """A line for each variable with our prefix that no process reads, with the name that was probably meant."""
    names = sorted(known)
    lines = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(TESTS_OWN) or name in names:
            continue
        # Without what all have in common, or everything would be close to everything.
        near = difflib.get_close_matches(
            name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in names], n=1
        )
        lines.append(f"{name}: no such setting, ignored" + (f"; did you mean {PREFIX}{near[0]}?" if near else ""))
    return lines


def refuse_arguments(argv: Sequence[str]) -> None:
    """Raises SettingsError when there is anything behind the program's name."""
    if len(argv) > 1:
        raise SettingsError(f"unknown argument {argv[1]!r}: settings are environment variables, --help lists them")


def table(settings: type[Environment], names: Container[str] | None = None) -> str:
    """Every setting (or only those named) with its default and its meaning, in the order they are declared."""
    fields = settings.model_fields.items()
    return "\n".join(_entry(name, field) for name, field in fields if names is None or name in names)


def usage(settings: type[Environment], program: str, purpose: str) -> str:
    """What `--help` of a process prints."""
    lead = f"{purpose} All settings are environment variables; an empty one is as good as none."
    return f"usage: {program} [--help | --version]\n\n{textwrap.fill(lead, HELP_WIDTH)}\n\n{table(settings)}"


Settings = TypeVar("Settings", bound=Environment)


def load(
    argv: Sequence[str],
    parse: Callable[[Sequence[str], Mapping[str, str]], Settings],
    help_text: Callable[[], str],
    known: Iterable[str],
) -> Settings:
    """The settings of this process.

    Ends it for `--help` and `--version` (status 0), and with one line on stderr when a setting is wrong (2).

    A variable with our prefix that isn't `known` costs a line on stderr, no more: an old one must not stop an upgrade.
    """
    asked = {*argv[1:]}
    if asked & {"-h", "--help", "--version"}:
        print(ABOUT if "--version" in asked else help_text())
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
    # Kubernetes writes TICKET_COUNTS_PORT=tcp://… into every pod beside a Service named ticket-counts.
    return problem + (" (a service link of Kubernetes: set enableServiceLinks: false)" if "tcp://" in value else "")


def _is_bounded(field: FieldInfo) -> bool:
    return any(isinstance(rule, Ge | Le) for rule in field.metadata) or get_origin(field.annotation) is Literal


def _requirement(field: FieldInfo) -> str:
    """What a value must be, in words; the bounds are those that are enforced."""
    if get_origin(field.annotation) is Literal:
        *most, last = (str(choice) for choice in get_args(field.annotation))
        return f"{', '.join(most)} or {last}"
    kind = "a whole number" if field.annotation is int else "a number" if field.annotation is float else "text"
    low = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    return f"{kind} from {low} to {high}" if low is not None and high is not None else kind
