"""Settings that both processes read, and the check of Redis addresses. Never opens a connection."""

import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator

from service.config.environment import Environment

REDIS_SCHEMES = ("redis", "rediss", "redis+cluster", "rediss+cluster")

HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s,:/\[\]@]+)(?::(?P<port>[0-9]{1,5}))?")

DATABASE = re.compile("/[0-9]{1,5}")


class SharedSettings(Environment):
    """Settings that must be the same in both processes, or that mean the same in both."""

    redis: SecretStr = Field(  # may hold a password, and settings end up in logs
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis that holds the counters: redis://[user:password@]host[:port][/database], rediss:// for TLS, "
        "or redis+cluster://[user:password@]host:port,host:port,… (rediss+cluster:// for TLS) for a cluster. Name a "
        "few servers of a cluster: the others are discovered.",
    )
    redis_timeout_s: float = Field(
        default=3.0,
        ge=0.1,
        le=60,
        description="Longest wait for an answer of Redis, in seconds. It starts with the call, so it includes the wait "
        "for the connection and for other calls. Above the 2 s for which a slow disk may block Redis with appendfsync "
        "everysec, below the 5 s after which counts are stale.",
    )
    buckets: int = Field(
        default=64,
        ge=1,
        le=16_384,
        description="Buckets that tenants are hashed onto. Each is one Redis hash tag, so their number bounds how far "
        "a cluster spreads. Redis stores it at the first use, and a process with another number is refused. Calls, "
        "leases and positions grow with it, not with tenants. At most one per hash slot.",
    )
    profile_pairs: int = Field(
        default=2_000,
        ge=0,
        le=1_000_000,
        description="Most pairs of profile and filter per tenant that are counted at a time. A pair is made at its "
        "first request, and dropped after a day without one. At the limit a new pair replaces the one that was "
        "requested least recently, unless that was less than an hour ago: then the new one is refused with 429. A "
        "dashboard of 30 filters with a profile has 31 pairs.",
    )
    dated_columns: int = Field(
        default=200,
        ge=0,
        le=100_000,
        description="Most filters per tenant, alone or with a profile, that test the days of two fields, such as "
        "created and due today. Each counts once per local day that is requested; time zones with the same day share "
        "one. Its columns are made at the first request. At the limit new ones are refused with 429, and one without "
        "a request for a day makes room. One user may request half of them a day.",
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
        description="Longest time after SIGTERM to finish work under way, in seconds. With the default the process "
        "ends within the 10 s after which container engines kill it.",
    )

    @property
    def redis_url(self) -> str:
        """The address in `redis`, with its password."""
        return self.redis.get_secret_value()

    @field_validator("redis")
    @classmethod
    def _is_redis_url(cls, value: SecretStr) -> SecretStr:
        problem = redis_url_problem(value.get_secret_value())
        if problem:
            raise ValueError(f"{problem}; its value isn't shown here because it may hold a password")
        return value


def redis_url_problem(value: str) -> str:
    """Returns why this is no address of Redis, "" for a valid one. Never quotes the value."""
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
