"""What the HTTP process can be told, each setting with its unit and reason. Opens nothing, reads only when asked."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator

from service.config import environment
from service.config.environment import Environment, ReadableFile
from service.config.origins import origin_problem, origins_in

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
"""Settings that only the consumers read. Both processes are often given one environment, so these are no mistakes."""

REDIS_SCHEMES = ("redis", "rediss", "redis+cluster", "rediss+cluster")

HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s,:/\[\]@]+)(?::(?P<port>[0-9]{1,5}))?")

PORT = re.compile("[0-9]{1,5}")

DATABASE = re.compile("/[0-9]{1,5}")


class SharedSettings(Environment):
    """What both processes must be told alike, or they would not meet."""

    redis: str = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,  # may hold a password, and settings end up in logs
        description="Redis that holds the counters: redis://[user:password@]host[:port][/database], rediss:// for TLS, "
        "or redis+cluster://[user:password@]host:port,host:port,… (rediss+cluster:// for TLS) for a cluster: a few of "
        "its servers, from which the others are found.",
    )
    redis_timeout_s: float = Field(
        default=3.0,
        ge=0.1,
        le=60,
        description="Longest wait for an answer of Redis, in seconds, from the call on, waiting for the connection and "
        "for other calls included: above the 2 s a slow disk may hold it up with appendfsync everysec, below the 5 s "
        "after which counts are called stale.",
    )
    buckets: int = Field(
        default=64,
        ge=1,
        le=16_384,
        description="Buckets that tenants are hashed onto; each is one Redis hash tag, so this bounds how far a "
        "cluster spreads. Written into Redis when it is first used and refused when it differs later. Calls, leases "
        "and positions grow with it, not with tenants. At most one a hash slot.",
    )
    profile_pairs: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000,
        description="Most pairs of profile and filter per tenant that are counted together; each is made when first "
        "asked for and dropped after a day unused. At this limit the least recently asked one makes room once nobody "
        "has asked for it in an hour; until then new ones are refused with 429. A dashboard of 30 filters with a "
        "profile is 31.",
    )
    dated_columns: int = Field(
        default=200,
        ge=0,
        le=100_000,
        description="Most filters (alone or below a profile) per tenant that look at the days of two fields, such as "
        "created and due today, once for each of the days that they are asked for: zones in which the same instants "
        "are today share one. Their columns are made when first asked for. At the limit further ones are refused with "
        "429; one that nobody asks for in a day makes room. One user may ask for half of them a day.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log lines that are written. It changes nothing else."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="Log lines on stderr: JSON objects for machines, or console for people."
    )
    drain_s: float = Field(
        default=8.0,
        ge=0,
        le=300,
        description="Time after SIGTERM to finish what was begun, in seconds: with it the process is gone within the "
        "10 s that container engines wait before they kill.",
    )

    @field_validator("redis")
    @classmethod
    def _is_redis_url(cls, value: str) -> str:
        problem = redis_url_problem(value)
        if problem:
            raise ValueError(f"{problem}; its value isn't shown here because it may hold a password")
        return value


class ServiceSettings(SharedSettings):
    """Settings of `python -m service`."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all of IPv4.")
    port: int = Field(default=8080, ge=0, le=65_535, description="Port to listen on; 0 takes any free one.")
    service_metrics_port: str = Field(
        default="",
        description="Port of their own for /metrics and /docs, which are then not answered on PORT; 0 takes any free "
        "one. For networks where PORT is reached from outside. Empty: on PORT. Either way one scrape is that of all "
        "workers.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Processes that share the port; they are stateless, so one a core is the most that helps. Each "
        "keeps its own caches and its own count of requests for the limits below. Several meet in a folder below the "
        "temporary one, for their metrics.",
    )
    address_requests_per_min: int = Field(
        default=120_000,
        ge=0,
        le=100_000_000,
        description="Requests a minute from one network address before it gets 429; 0 means no limit. 2,000 a second "
        "is about what one process answers: it stops one host from taking it all, and lets offices and proxies through "
        "that speak for thousands.",
    )
    credential_requests_per_min: int = Field(
        default=60_000,
        ge=0,
        le=100_000_000,
        description="Requests a minute with one token or credential before it gets 429; 0 means no limit. A dashboard "
        "needs 10, but a back end may ask for all its people with one token: half of what an address may.",
    )
    form_failures_per_min: int = Field(
        default=60,
        ge=0,
        le=100_000_000,
        description="Failed attempts a minute at the form API, of one network at one name and at all names, that slow "
        "nobody down; 0 means any number. The first ten are free, then each attempt is held back for up to 5 s, beyond "
        "that it is refused with 429. Where a name fails more often from many networks, each of them has one attempt a "
        "minute at it, also one that never failed. Whoever had the right secret in the last day from the same network "
        "isn't slowed by others. Counted in Redis, so for all workers together; while it is away every call is 503.",
    )
    form_get: bool = Field(
        default=False,
        description="Whether the form API takes GET as well. Off, because then secrets stand in URLs, and those end up "
        "in the logs of proxies and clients.",
    )
    expose_positions: bool = Field(
        default=False,
        description="Whether answers say by X-Counts-Position how far the events topic is counted, for checks against "
        "the log. Off, because offsets tell every caller how many tickets change in all tenants together.",
    )
    access_log: bool = Field(default=True, description="Whether each request gets a line in the log.")
    dashboard: bool = Field(default=True, description="Whether the page at / and its files in /dashboard/ are served.")
    development_sign_in: ReadableFile = Field(
        default="",
        description="File with tokens that the page at / signs in with by itself; it must be there at the start. For "
        "demos only: whoever reaches the page has them. Empty for none.",
    )
    streams: int = Field(
        default=4_000,
        ge=0,
        le=1_000_000,
        description="Most event streams open at one process; one more is told to come back later. Each takes some "
        "16 KiB and a file descriptor.",
    )
    streams_per_user: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000,
        description="Most of them for one user; 0 means no limit. A dashboard needs one a tab, but a back end may open "
        "those of all its people with one token. Beyond 10, a user has no more than are still free for its tenant.",
    )
    streams_per_tenant: int = Field(
        default=3_000,
        ge=0,
        le=1_000_000,
        description="Most of them for one tenant; 0 means no limit, which is right where there is one tenant only. "
        "Beyond 10, a tenant has no more than three times as many as are still free.",
    )
    stream_tickets_per_user: int = Field(
        default=20,
        ge=0,
        le=10_000,
        description="Most stream tickets and cookies of one user that are good at a time; 0 means no limit. With one "
        "more, what was used least recently is good no longer, and its page asks for another. A tab needs one; a back "
        "end that gives tickets to all its people with one token needs as many as they have tabs. Six times as many "
        "may be asked for in a minute, and six hundred times as many by all users of a tenant; then 429.",
    )
    stream_ticket_users_per_tenant: int = Field(
        default=5_000,
        ge=0,
        le=1_000_000,
        description="Most users of one tenant who have good stream tickets or cookies at a time; 0 means no limit. "
        "Others are told to wait (429). A user counts until the token ends with which the last ticket was asked for. "
        "Redis keeps some 2 KB for one user with a dashboard, and 160 KB at most.",
    )
    stream_token_life_s: int = Field(
        default=0,
        ge=0,
        le=31_536_000,
        description="Longest time, in seconds, for which a token that was shown once keeps its stream open, reconnects "
        "by a ticket's cookie included; 0 means until the token expires. For tokens that live for days: whom the "
        "identity provider locks out goes on watching until a token has to be shown again.",
    )
    streams_per_address: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Most of them from one network address; 0 means no limit, which is right behind a proxy: there all "
        "come from its address.",
    )
    cors_origins: str = Field(
        default="",
        description="Web pages of other origins that may ask, with their users' cookies too: exact origins with commas "
        "between, like https://desk.example,https://desk.example:8443. Empty for none but our own.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Host names that are answered on PORT, without a port, with commas between, like "
        "counts.example,localhost,[::1]; probes have to send one of them. Others get 400: a page of another site whose "
        "name points here (DNS rebinding) reads nothing. Empty for any.",
    )
    new_pairs_per_user_per_day: int = Field(
        default=600,
        ge=0,
        le=1_000_000_000,
        description="Pairs of profile and filter that one user may be the first to ask for, all at once or over a day, "
        "before 429; 0 means no limit. Each has the consumers go over all tickets of the tenant. The largest dashboard "
        "there can be is 501; a back end that asks for all its people with one token may need more.",
    )
    new_pairs_per_tenant_per_hour: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000_000,
        description="The same for all users of a tenant together, and an hour: as many as are kept at a time.",
    )
    preview_tickets: int = Field(
        default=1_000_000,
        ge=1,
        le=1_000_000_000,
        description="Most stored tickets of a tenant, deleted ones included, over which a filter is counted before it "
        "is saved: each is read and judged, some 6 µs a ticket.",
    )
    preview_deadline_s: float = Field(
        default=10.0,
        ge=0.1,
        le=600,
        description="Longest time that one such preview may take, in seconds: nobody who edits a filter waits longer.",
    )
    previews: int = Field(
        default=4,
        ge=1,
        le=1_000,
        description="Previews under way at once in one process, at most half of them of one tenant and one of a user; "
        "a few more wait. Each delays other answers by a millisecond or two and may take 16 MB for a million tickets.",
    )
    preview_requests_per_min: int = Field(
        default=60,
        ge=0,
        le=100_000_000,
        description="Previews a minute of one user before 429, over all workers, and a tenth of those of a tenant's "
        "users together; 0 means no limit. One for each pause in typing, all day long.",
    )
    token_cache_entries: int = Field(
        default=10_000,
        ge=0,
        le=10_000_000,
        description="Checked tokens remembered, so that a signature is verified once and not per request (some 0.1 ms "
        "each). About 2 KiB an entry; 0 verifies every time.",
    )

    @property
    def own_metrics_port(self) -> int | None:
        """The number in `service_metrics_port`, None where it is empty."""
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
    """The host names of a setting, which has them with commas between, in lower case."""
    return tuple(filter(None, (part.strip().lower() for part in setting.split(","))))


def known_variables() -> frozenset[str]:
    """Every variable that some process of this system reads."""
    return frozenset(environment.variable(name) for name in (*ServiceSettings.model_fields, *CONSUMERS_OWN))


def help_text() -> str:
    """What `python -m service --help` prints."""
    return environment.usage(ServiceSettings, PROGRAM, PURPOSE)


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> ServiceSettings:
    """The settings in `environ`; `argv` begins with the program's name. Raises SettingsError with one line."""
    environment.refuse_arguments(argv)
    return ServiceSettings.read(environ)


def load(argv: Sequence[str]) -> ServiceSettings:
    """The settings of this process, which ends here for `--help` (status 0) or a wrong setting or argument (2)."""
    return environment.load(argv, parse, help_text, known_variables())


def redis_url_problem(value: str) -> str:
    """What keeps this from being a Redis address, or "" for a good one. Never quotes the value."""
    try:
        url = urlsplit(value)
    except ValueError:  # unbalanced brackets around an IPv6 address
        return "must be an address like redis://127.0.0.1:6379/0"
    if url.scheme not in REDIS_SCHEMES:
        return f"must begin with {', '.join(f'{scheme}://' for scheme in REDIS_SCHEMES[:-1])} or {REDIS_SCHEMES[-1]}://"
    return _cluster_problem(url) if url.scheme.endswith("+cluster") else _server_problem(url)


def _server_problem(url: SplitResult) -> str:
    if not is_host_and_port(_host_part(url)):
        return "must name one host, with a port from 1 to 65535 if any"
    if url.path not in ("", "/") and not DATABASE.fullmatch(url.path):
        return "must end in the number of a database, like /0, or nothing"
    return "must not have a #fragment: write a # in a password as %23" if url.fragment else ""


def _cluster_problem(url: SplitResult) -> str:
    hosts = _host_part(url).split(",")
    if not all(is_host_and_port(host, port_needed=True) for host in hosts):
        return "must list its nodes as host:port,host:port,… with ports from 1 to 65535"
    if url.path not in ("", "/", "/0") or url.query or url.fragment:
        return "must have nothing behind the nodes: a cluster has only database 0"
    return ""


def _host_part(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2]


def is_host_and_port(value: str, *, port_needed: bool = False) -> bool:
    """Whether this is `host` or `host:port`, with brackets around an IPv6 address."""
    match = HOST_AND_PORT.fullmatch(value)
    if match is None:
        return False
    port = match["port"]
    return not port_needed if port is None else 1 <= int(port) <= 65_535
