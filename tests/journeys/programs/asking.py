"""Asks the service for counts as any client would: tokens, headers, bodies, answers taken apart. Never reads Redis."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx

from service.token import PrivateKey, generate, jwks, mint
from tests.oracle.instants import parse_instant
from tests.oracle.published.catalogue import Viewer

COUNT = "/api/v2/ticketing/ticket/count"
FILTERS = "/api/v2/ticketing/ticket/filters"
TIMEOUT_S = 10.0
"""Above the time in which the service itself gives up on Redis."""


class NotCounted(Exception):
    """The service refused to answer, with this status and code; `details` as it said them."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.code = str(body.get("error", {}).get("code", ""))
        self.details = body.get("error", {}).get("details") or {}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and by whom."""

    tenant: str
    viewer: Viewer
    perspective: str = "template"
    filter_ids: tuple[str, ...] = ("all",)
    profile_id: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One answer, and what its headers say it equals."""

    question: Question
    counts: dict[str, int]
    summary: dict[str, int]
    epoch: str
    version: int
    positions: dict[int, int]
    catalogue: int
    fresh: bool
    as_of: str | None
    timers_us: int
    """The instant through which deadlines are applied; 0 before the first."""
    details: dict[str, Any] = field(default_factory=dict)
    computed_us: int = 0
    """When it was answered: local days are those of this instant."""

    def reaches(self, ends: Mapping[int, int]) -> bool:
        """Whether everything below `ends` is in the numbers."""
        return all(self.positions.get(partition, -1) >= end for partition, end in ends.items())


@cache
def signing_key() -> PrivateKey:
    """The key of the tests' realms; one for a run."""
    return generate()


def realm(name: str) -> dict[str, Any]:
    """The catalogue entry of a realm whose tokens `Asking` mints."""
    return {"kind": "realm", "value": {"name": name, "issuer": issuer(name), "jwks": jwks(signing_key())}}


def issuer(name: str) -> str:
    """The issuer of that realm's tokens."""
    return f"https://id.example/{name}"


def admin(user: str = "boss") -> Viewer:
    """Somebody who sees all of a tenant."""
    return Viewer(frozenset({"ticket_admin"}), user)


class Asking:
    """A client of one service and one realm. Use as an async context manager."""

    def __init__(self, address: str, realm_name: str, tokens: Mapping[tuple[str, Viewer], str] = {}) -> None:
        """`tokens` by tenant and viewer where others minted them; all else is signed with the tests' own key."""
        self._realm = realm_name
        self._client = httpx.AsyncClient(base_url=address, timeout=TIMEOUT_S, trust_env=False, verify=False)
        self._tokens = {**tokens}

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def count(self, question: Question) -> Snapshot:
        """The answer. Raises NotCounted, and httpx.TransportError when nothing answers."""
        answer = await self._client.post(
            COUNT,
            params={"type": question.perspective, "module": "ticketing"},
            json={
                "filterIds": list(question.filter_ids),
                "templateProfileFilterId": question.profile_id,
                "timezone": question.timezone,
            },
            headers=self.headers(question.tenant, question.viewer),
        )
        if answer.status_code != httpx.codes.OK:
            raise NotCounted(answer.status_code, answer.json())
        return _snapshot(question, answer)

    async def all_of(self, tenant: str, filter_ids: Sequence[str] = ("all",)) -> Snapshot:
        """What an administrator of the tenant sees."""
        return await self.count(Question(tenant, admin(), filter_ids=tuple(filter_ids)))

    async def filters(self, tenant: str) -> list[str]:
        """The ids that an administrator may ask for."""
        params = {"type": "template", "module": "ticketing"}
        answer = await self._client.get(FILTERS, params=params, headers=self.headers(tenant, admin()))
        if answer.status_code != httpx.codes.OK:
            raise NotCounted(answer.status_code, answer.json())
        return [each["id"] for each in answer.json()["data"]["filters"]]

    def headers(self, tenant: str, viewer: Viewer) -> dict[str, str]:
        """What this viewer's requests carry."""
        token = self._tokens.get((tenant, viewer))
        if token is None:
            token = self._tokens[tenant, viewer] = mint(
                signing_key(),
                realm=self._realm,
                issuer=issuer(self._realm),
                tenants=[tenant],
                user=viewer.user,
                roles=sorted(viewer.roles),
                teams=sorted(viewer.teams),
                now_s=int(time.time()),
            )
        return {"authorization": f"Bearer {token}", "x-tenantid": tenant, "realmname": self._realm}


def _snapshot(question: Question, answer: httpx.Response) -> Snapshot:
    headers, data = answer.headers, answer.json()["data"]
    epoch, _, version = headers["x-counts-version"].rpartition(".")
    pairs = [pair.split(":") for pair in headers["x-counts-position"].split(",") if pair]
    return Snapshot(
        question,
        data["counts"],
        data["summary"],
        epoch,
        int(version),
        {int(partition): int(offset) for partition, offset in pairs},
        int(headers["x-counts-catalogue"]),
        {"true": True, "false": False}[headers["x-counts-fresh"]],
        headers.get("x-counts-as-of"),
        parse_instant(headers["x-counts-timers"]) if "x-counts-timers" in headers else 0,
        data["filterDetails"],
        parse_instant(data["computedAt"]),
    )
