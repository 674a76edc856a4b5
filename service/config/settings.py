"""The settings of the HTTP process, each with its unit and reason. Opens no connection, reads nothing at import."""

import re
from collections.abc import Mapping, Sequence

from pydantic import Field, field_validator

from service.config import environment
from service.config.environment import ReadableFile
from service.config.origins import origin_problem, origins_in
from service.config.shared_settings import HOST_AND_PORT, SharedSettings

PROGRAM = "python -m service"
PURPOSE = "Serves exact ticket counts over HTTP and server-sent events, from the counters in Redis."

CONSUMERS_OWN = frozenset(
    {
        "kafka", "events_topic", "catalogue_topic", "dead_letter_topic", "group", "metrics_host", "metrics_port",
        "partitions", "replication_factor", "batch_records", "apply_events", "session_timeout_s", "metadata_max_age_s",
        "accept_topic_id", "accept_log_start", "bad_records_in_a_row", "bad_records_window",
        "bad_records_share", "audit_every_s", "largest_batch_bytes",
    }
)  # fmt: skip
"""Settings that only the consumers read. Both processes often get the same environment, so these are no mistakes."""

PORT = re.compile("[0-9]{1,5}")


class ServiceSettings(SharedSettings):
    """Settings of `python -m service`."""

    others = CONSUMERS_OWN

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all of IPv4.")
    port: int = Field(default=8080, ge=0, le=65_535, description="Port to listen on; 0 takes any free one.")
    service_metrics_port: str = Field(
        default="",
        description="Port of their own for /metrics and /docs, which PORT then doesn't answer; 0 takes any free one. "
        "For networks that reach PORT from outside. Empty: both are on PORT. Either way one scrape covers all workers.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Processes that share the port. They are stateless, so one per core is the most that helps. Each "
        "has its own caches and its own count of requests for the limits below. Several workers exchange their metrics "
        "in a folder below the system's temporary one.",
    )
    address_requests_per_min: int = Field(
        default=120_000,
        ge=0,
        le=100_000_000,
        description="Requests a minute from one network address before it gets 429; 0 means no limit. The default of "
        "2,000 a second is about what one process answers: it keeps one host from taking all of it, and lets offices "
        "and proxies through that speak for thousands.",
    )
    credential_requests_per_min: int = Field(
        default=60_000,
        ge=0,
        le=100_000_000,
        description="Requests a minute of one user or form API credential before it gets 429; 0 means no limit. A "
        "dashboard needs 10, but a back end may send the requests of all its users with one token. The default is half "
        "of an address's.",
    )
    form_failures_per_min: int = Field(
        default=60,
        ge=0,
        le=100_000_000,
        description="Failed attempts a minute at the form API, of one network at one name and at all names, that "
        "aren't slowed; 0 means no limit. Ten at once are free. Beyond them each attempt waits, for up to 5 s, and one "
        "that would wait longer gets 429. Where many networks fail at one name, each network has one attempt a minute "
        "at it. A network that sent the right secret in the last day isn't slowed by others. Redis counts for all "
        "workers together; while it is away every call gets 503.",
    )
    form_get: bool = Field(
        default=False,
        description="Whether the form API also accepts GET. Off by default, because GET puts secrets into URLs, which "
        "proxies and clients write to their logs.",
    )
    expose_positions: bool = Field(
        default=False,
        description="Whether answers have X-Counts-Position, the applied positions of the events topic, for checks "
        "against the log. Off by default, because offsets show every caller how many tickets change in all tenants "
        "together.",
    )
    access_log: bool = Field(default=True, description="Whether each request gets a line in the log.")
    dashboard: bool = Field(default=True, description="Whether the page at / and its files in /dashboard/ are served.")
    development_sign_in: ReadableFile = Field(
        default="",
        description="File with tokens with which the page at / signs in by itself; it must exist at the start. For "
        "demos only: everybody who reaches the page gets the tokens. Empty for none.",
    )
    streams: int = Field(
        default=4_000,
        ge=0,
        le=1_000_000,
        description="Most event streams that one process has open; further clients are told to come back later. Each "
        "takes some 16 KiB and a file descriptor.",
    )
    streams_per_user: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000,
        description="Most streams of one user; 0 means no limit. A dashboard needs one per tab, but a back end may "
        "open the streams of all its users with one token. Beyond 10, a user has no more than are still free for its "
        "tenant.",
    )
    streams_per_tenant: int = Field(
        default=3_000,
        ge=0,
        le=1_000_000,
        description="Most streams of one tenant; 0 means no limit, which is right where there is one tenant only. "
        "Beyond 10, a tenant has no more than three times as many as are still free.",
    )
    stream_tickets_per_user: int = Field(
        default=20,
        ge=0,
        le=10_000,
        description="Most valid stream tickets and cookies of one user; 0 means no limit. A further one invalidates "
        "the least recently used one, whose page then requests another. A tab needs one; a back end that gives tickets "
        "to all its users with one token needs as many as they have tabs. Before 429, a user may request six times as "
        "many a minute, and all users of a tenant together six hundred times as many.",
    )
    stream_ticket_users_per_tenant: int = Field(
        default=5_000,
        ge=0,
        le=1_000_000,
        description="Most users of one tenant with valid stream tickets or cookies; 0 means no limit. Further users "
        "get 429. A user counts until the expiry of the token that requested the last ticket. Redis keeps some 2 KB "
        "for a user with one dashboard, and 160 KB at most.",
    )
    stream_token_life_s: int = Field(
        default=0,
        ge=0,
        le=31_536_000,
        description="Longest time, in seconds, for which a token that was sent once keeps its stream open, including "
        "reconnects with a ticket's cookie; 0 means until the token expires. For tokens that live for days: a user "
        "whom the identity provider locks out keeps the stream until a token has to be sent again.",
    )
    streams_per_address: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Most streams from one network address; 0 means no limit, which is right behind a proxy, because "
        "all streams come from its address.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins of web pages that may call this service, also with their users' cookies: exact origins, "
        "separated by commas, like https://desk.example,https://desk.example:8443. Empty for none but our own.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Host names that PORT answers, without a port, separated by commas, like "
        "counts.example,localhost,[::1]; probes must send one of them. Other names get 400, so that a page of another "
        "site can't read anything by pointing its name here (DNS rebinding). Empty for any.",
    )
    new_pairs_per_user_per_day: int = Field(
        default=600,
        ge=0,
        le=1_000_000_000,
        description="New pairs of profile and filter that one user may request, at once or over a day, before 429; 0 "
        "means no limit. For each new pair the consumers go over all tickets of the tenant. The largest possible "
        "dashboard has 501; a back end that sends the requests of all its users with one token may need more.",
    )
    new_pairs_per_tenant_per_hour: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000_000,
        description="The same for all users of a tenant together, per hour. The default is as many as are kept at a "
        "time.",
    )
    preview_tickets: int = Field(
        default=1_000_000,
        ge=1,
        le=1_000_000_000,
        description="Most stored tickets of a tenant, deleted ones included, over which a preview counts a filter that "
        "isn't saved. Reading and evaluating takes some 6 µs per ticket.",
    )
    preview_deadline_s: float = Field(
        default=10.0,
        ge=0.1,
        le=600,
        description="Longest time that one preview may take, in seconds. A person who edits a filter doesn't wait "
        "longer.",
    )
    previews: int = Field(
        default=4,
        ge=1,
        le=1_000,
        description="Previews that run at once in one process, at most half of them for one tenant and one for a user; "
        "a few more wait. Each delays other answers by a millisecond or two, and may take 16 MB for a million tickets.",
    )
    preview_requests_per_min: int = Field(
        default=60,
        ge=0,
        le=100_000_000,
        description="Previews a minute of one user before 429, counted for all workers together; 0 means no limit. All "
        "users of a tenant together have ten times as many. The default is one for each pause in typing, all day long.",
    )
    token_cache_entries: int = Field(
        default=10_000,
        ge=0,
        le=10_000_000,
        description="Valid tokens in the cache, so that a signature is verified once and not per request (some 0.1 ms "
        "each). An entry takes about 2 KiB; 0 verifies every time.",
    )

    @property
    def own_metrics_port(self) -> int | None:
        """The port in `service_metrics_port`, None where that is empty."""
        return int(self.service_metrics_port) if self.service_metrics_port else None

    @field_validator("service_metrics_port")
    @classmethod
    def _is_port(cls, value: str) -> str:
        if value and not (PORT.fullmatch(value) and int(value) <= 65_535):
            raise ValueError(f"must be a whole number from 0 to 65535, or empty, not {value!r}")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_host_names(cls, value: str) -> str:
        for name in names_in(value):
            found = HOST_AND_PORT.fullmatch(name)
            if found is None or found["port"] is not None:
                raise ValueError(f"{name!r} must be a host name without scheme, port and path")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        problems = filter(None, map(origin_problem, origins_in(value)))
        for problem in problems:
            raise ValueError(problem)
        return value


def names_in(setting: str) -> tuple[str, ...]:
    """Returns the host names of a comma-separated setting, in lower case."""
    return tuple(filter(None, (part.strip().lower() for part in setting.split(","))))


def known_variables() -> frozenset[str]:
    """Returns every variable that one of the two processes reads."""
    return ServiceSettings.variables()


def help_text() -> str:
    """Returns the text of `python -m service --help`."""
    return environment.usage(ServiceSettings, PROGRAM, PURPOSE)


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> ServiceSettings:
    """Returns the settings in `environ` and its files. `argv` begins with the program's name. Raises SettingsError."""
    return ServiceSettings.read(environ, environment.config_argument(argv))


def load(argv: Sequence[str]) -> ServiceSettings:
    """Returns the settings of this process. Exits for `--help` (status 0) and for a wrong setting or argument (2)."""
    return environment.load(argv, parse, help_text, known_variables())
