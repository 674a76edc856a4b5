"""Reads: `POST …/count` with 30 ids at 64 concurrent, beside a bare POST of the same sizes. Checks every status."""

import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from service import token
from tests.benchmarks.ingest import filled
from tests.benchmarks.rig.cpu import cpu_s
from tests.benchmarks.rig.figures import Figure, ratios
from tests.benchmarks.rig.ground import Ground
from tests.benchmarks.rig.http_load import Order, Result
from tests.benchmarks.rig.programs import REPOSITORY, Program, bare_service, service
from tests.benchmarks.rig.workload import AGENTS, ISSUER, REALM, TEAMS, agent, filter_ids, team, tenant_ids
from tests.servers.ports import HOST
from tests.servers.redis.redis_server import RedisServer

CONNECTIONS = 64
IDS = 30

WARM_UP_S, ROUND_S = 1.0, 4.0
"""Long enough for some thousand answers a round, short enough that both meet the same machine."""

TARGET = 35.0
"""Per cent of the bare route."""

PATH = "/api/v2/ticketing/ticket/count"
QUERY = "type=template&module=ticketing"

HEAD_BYTES = 130
"""Of the bare answer's own head; its body makes up for what the product's head has more."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of viewer, each connection another one of them."""

    name: str
    role: str
    teams: int


KINDS = (
    Kind("admin", "ticket_admin", 0),
    Kind("agent, 3 teams", "ticket_agent", 3),
    Kind("agent, 20 teams", "ticket_agent", 20),
)


@dataclass(frozen=True, slots=True)
class Round:
    """One round against one server; CPU of the server, and of Redis where it has one."""

    per_s: float
    cpu_us: float
    redis_us: float
    p99_ms: float
    generator: float
    """Share of a core that the generator took."""


async def compared(ground: Ground, rounds: int) -> dict[str, list[Figure]]:
    """Alternating rounds for each kind of viewer."""
    results = {}
    with ground.redis() as redis:
        await filled(ground, redis)
        limits = {"TICKET_COUNTS_ADDRESS_REQUESTS_PER_MIN": "0", "TICKET_COUNTS_CREDENTIAL_REQUESTS_PER_MIN": "0"}
        product = service(ground.directory, ground.environ(redis.url) | limits)
        product.start()
        try:
            for kind in KINDS:
                results[f"reads, {kind.name}"] = await asyncio.to_thread(_kind, ground, kind, product, redis, rounds)
        finally:
            product.stop()
    return results


def _kind(ground: Ground, kind: Kind, product: Program, redis: RedisServer, rounds: int) -> list[Figure]:
    requests = [_request(ground, kind, number) for number in range(CONNECTIONS)]
    sizes = [_answer_bytes(product.port, request) for request in requests]
    answer_bytes = sum(sizes) // len(sizes) - HEAD_BYTES
    bare = bare_service(ground.directory, PATH, answer_bytes)
    bare.start()
    try:
        bares, ours = [], []
        for number in range(1, rounds + 1):
            bares.append(_round(bare, None, requests))
            ours.append(_round(product, redis, requests))
            ground.say(
                f"reads, {kind.name} {number}/{rounds}: {ours[-1].per_s:,.0f}/s ({ours[-1].cpu_us:.0f} µs CPU), "
                f"bare {bares[-1].per_s:,.0f}/s ({bares[-1].cpu_us:.0f} µs CPU)"
            )
    finally:
        bare.stop()
    return _figures(bares, ours, len(requests[0]), answer_bytes)


def _figures(bares: Sequence[Round], ours: Sequence[Round], request_bytes: int, answer_bytes: int) -> list[Figure]:
    return [
        ratios("product ÷ bare, answers a second", [o.per_s for o in ours], [b.per_s for b in bares], TARGET),
        ratios("bare ÷ product, CPU (server and Redis)", [b.cpu_us for b in bares], [o.cpu_us for o in ours]),
        Figure("product", "answers/s", tuple(o.per_s for o in ours)),
        Figure("bare", "answers/s", tuple(b.per_s for b in bares)),
        Figure("product, CPU an answer", "µs", tuple(o.cpu_us for o in ours)),
        Figure("  of it Redis", "µs", tuple(o.redis_us for o in ours)),
        Figure("bare, CPU an answer", "µs", tuple(b.cpu_us for b in bares)),
        Figure("product, p99", "ms", tuple(o.p99_ms for o in ours)),
        Figure("load generator, busy", "%", tuple(100 * r.generator for r in (*bares, *ours))),
        Figure("request", "B", (float(request_bytes),)),
        Figure("answer without the bare head", "B", (float(answer_bytes),)),
    ]


def _round(program: Program, redis: RedisServer | None, requests: Sequence[bytes]) -> Round:
    """Raises RuntimeError when any answer was not a 200."""
    order = Order(HOST, program.port, list(requests), WARM_UP_S, ROUND_S)
    load = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.rig.http_load"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert load.stdin is not None
    load.stdin.write(msgspec.json.encode(order))
    load.stdin.close()
    load.stdin = None
    before = (cpu_s(program.pid), 0.0 if redis is None else cpu_s(redis.pid))
    out, _ = load.communicate(timeout=60 + WARM_UP_S + ROUND_S)
    after = (cpu_s(program.pid), 0.0 if redis is None else cpu_s(redis.pid))
    found = msgspec.json.decode(out, type=Result)
    if found.failures or not found.answers:
        raise RuntimeError(f"{found.failures} of {found.answers} requests failed; the log ends:\n{program.tail()}")
    # The warm-up's answers are in the CPU time: the same rate all along is assumed for them.
    answers = found.answers * (WARM_UP_S + found.seconds) / found.seconds
    server_us, redis_us = (1e6 * (b - a) / answers for a, b in zip(before, after, strict=True))
    return Round(
        found.answers / found.seconds,
        server_us + redis_us,
        redis_us,
        found.p99_ms,
        found.cpu_s / found.seconds,
    )


def _request(ground: Ground, kind: Kind, number: int) -> bytes:
    """A whole request of one viewer; another tenant and another agent for each connection."""
    tenant = tenant_ids(ground.size)[number % ground.size.tenants]
    first = number % TEAMS
    bearer = token.mint(
        ground.key,
        realm=REALM,
        issuer=ISSUER,
        tenants=[tenant],
        user=agent(number % AGENTS),
        roles=[kind.role],
        teams=[team((first + place) % TEAMS) for place in range(kind.teams)],
        now_s=int(time.time()),
    )
    body = json.dumps({"filterIds": filter_ids(ground.size)[:IDS], "timezone": "Europe/Berlin"}).encode()
    head = (
        f"POST {PATH}?{QUERY} HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {bearer}\r\nx-tenantid: {tenant}\r\n"
        f"realmname: {REALM}\r\ncontent-type: application/json\r\naccept: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _answer_bytes(port: int, request: bytes) -> int:
    """Bytes of the answer, head and body. Raises RuntimeError unless it is a 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.connect()
        assert connection.sock is not None
        connection.sock.sendall(request)
        answer = http.client.HTTPResponse(connection.sock, method="POST")
        answer.begin()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {body.decode()}")
        head = sum(len(name) + len(value) + 4 for name, value in answer.getheaders())
        return len("HTTP/1.1 200 OK\r\n\r\n") + head + len(body)
    finally:
        connection.close()
