"""A small panel for the form API: a tenant with departments, credentials, tickets, and calls. Asserts nothing."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import msgspec

from service.config.settings import ServiceSettings
from tests.oracle.published.log import laid_out
from tests.oracle.recount import Recount
from tests.support.pipeline import FakeProducer, Pipeline, published
from tests.web.world import NOW_US, SetClock, World

PATH = "/includes/api.php"
TENANT = "panel"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


STATUSES: list[dict[str, Any]] = [
    {"id": "1", "name": "Open", "color": "#779500", "active": True, "awaiting": True},
    {"id": "2", "name": "Answered", "color": "#000000", "active": True},
    {"id": "3", "name": "Customer-Reply", "color": "#ff6600", "active": True, "awaiting": True},
    {"id": "4", "name": "Closed", "color": "#888888", "closed": True},
    {"id": "5", "name": "On Hold", "color": "#224488", "active": True},
    {"id": "6", "name": "In Progress"},
]
TEAMS: list[dict[str, Any]] = [
    {"id": "sales", "name": "Sales", "departmentId": 1},
    {"id": "tech", "name": "Support", "departmentId": 3},
    {"id": "tech-night", "name": "Support at Night", "departmentId": 3},
    {"id": "billing", "name": 'Billing <&" Co', "departmentId": 2},
    {"id": "lab", "name": "Lab"},
]
TENANT_ENTRY: dict[str, Any] = {
    "kind": "tenant",
    "value": {"id": TENANT, "name": "Panel", "realm": "r", "statuses": STATUSES, "priorities": [], "teams": TEAMS},
}


def credential(identifier: str, **changes: Any) -> dict[str, Any]:
    """An entry; its secret is "s-<identifier>", its admin's password "p-<username>"."""
    username = changes.pop("username", f"admin-{identifier}")
    value = {
        "identifier": identifier,
        "secretSha256": sha256(f"s-{identifier}"),
        "tenant": TENANT,
        "admin": {"id": changes.pop("admin_id", "7"), "name": "Ada", "username": username},
        "teams": ["sales", "tech"],
        "passwordSha256": sha256(md5(f"p-{username}")),
    }
    return {"kind": "credential", "value": value | changes}


def removal(identifier: str) -> dict[str, Any]:
    """The entry that takes a credential away."""
    return {"kind": "credential", "id": identifier, "identifier": identifier, "value": None}


CREDENTIALS = [
    credential("key", username="ada"),
    credential("none", teams=[], admin_id="9"),
    credential("elsewhere", allowedIps=["192.0.2.0/24", "2001:db8::1"], accessKeySha256=[sha256("x"), sha256("open")]),
    credential("narrow", allowedActions=["GetSupportStatuses"]),
    credential("orphan", tenant="gone"),
]


def event(ticket: str, status: str, team: str | None = None, assignee: str | None = None) -> dict[str, Any]:
    data = {"status": status, "createdAt": "2026-11-21T08:00:00Z", "team": team, "assignee": assignee}
    return {
        "specversion": "1.0", "id": ticket, "source": "/panel", "type": "ticket.created", "tenantid": TENANT,
        "subject": ticket, "sequence": 1, "data": data,
    }  # fmt: skip


EVENTS = [
    event("T-1", "1", "sales", "7"),
    event("T-2", "1", "tech"),
    event("T-3", "2", "tech-night", "7"),
    event("T-4", "3", "tech", "8"),
    event("T-5", "4", "tech", "7"),
    event("T-6", "5", "billing", "7"),
    event("T-7", "1", "lab", "7"),
    event("T-8", "1", None, "7"),
    event("T-9", "6", "sales", "7"),
    event("T-10", "no such status", "sales", "7"),
    event("T-11", "1", "no such team", "9"),
]


class Panel(World):
    """The usual HTTP world, with what a panel has published in it, and an independent recount of that."""

    def __init__(self, settings: ServiceSettings, catalogue: Iterable[Mapping[str, Any]], log: Iterable[Any]) -> None:
        super().__init__(settings, SetClock(NOW_US))
        self.oracle = Recount()
        self.topic = published(())
        self.pipeline = Pipeline(self.store, self.topic, FakeProducer(), NOW_US)
        self._catalogue, self._log = list(catalogue), list(log)

    async def publish(self) -> None:
        await self.learn(*self._catalogue)
        self.oracle.feed(self._log)
        await self.pipeline.consume(laid_out(self._log, 1, is_binary=lambda index: False))

    async def learn(self, *items: Mapping[str, Any]) -> None:
        """Publishes catalogue entries, and has them carried into the store."""
        for item in items:
            self.topic.publish(item)
        self.oracle.learn(items)
        await self.pipeline.catch_up()
        assert not self.pipeline.refused

    async def call(self, action: str = "GetTicketCounts", **fields: Any) -> httpx.Response:
        """By POST, as the credential `key` unless another one's fields are given."""
        if not fields.keys() & {"identifier", "username"}:
            fields = {"identifier": "key", "secret": "s-key"} | fields
        return await self.client.post(PATH, data={"action": action, **fields})

    def from_address(self, address: str) -> httpx.AsyncClient:
        """A client at another address."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app, client=(address, 1)), base_url="http://counts")

    def logged(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.lines]


async def a_panel(
    catalogue: Iterable[Mapping[str, Any]] = (TENANT_ENTRY, *CREDENTIALS), log: Iterable[Any] = EVENTS, **settings: Any
) -> Panel:
    made = Panel(ServiceSettings(**settings), catalogue, log)
    await made.publish()
    return made


def parsed(document: bytes) -> tuple[str, list[tuple[str, Any]]]:
    """The root's name, and what is in it: (name, text or the same again) in order."""
    root = ET.fromstring(document)
    return root.tag, _inside(root)


def _inside(element: ET.Element) -> list[tuple[str, Any]]:
    return [(child.tag, _inside(child) if len(child) else child.text or "") for child in element]
