"""Answers form API calls of code on the same host, which needs no credentials. Knows no HTTP."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from service.clock import Clock
from service.domain.catalogue.catalogue import Credential
from service.queries.confirmation import confirmed
from service.queries.counts import CountQueries
from service.queries.tallies import TallyQueries
from service.store.ports.catalogue import Bucket
from service.store.ports.reading import CounterReader
from service.web.form.actions import ACTIONS, Body, PanelCaller
from service.web.form.authentication import is_one_admin
from service.web.form.errors import EXPECTED_ERRORS, authentication_failed, invalid_action, refusal_of
from service.web.form.fields import Fields

Found = TypeVar("Found")

log = logging.getLogger(__name__)
"""Standard logging, because structlog writes to the host program's output unless that program configures it."""


class LocalStore(CounterReader, Protocol):
    """The store's interface for local calls: a counter reader that also lists tenants."""

    buckets: int

    async def tenants(self, bucket: Bucket) -> Sequence[str]:
        """Returns the tenants in force in a bucket."""

    async def ensure_layout(self) -> None:
        """Raises StoreRefused when the store's layout is not that of this release and its settings."""


class LocalPanel:
    """Answers calls. A credential's limits apply to remote callers only: here just its admin and teams matter."""

    def __init__(self, store: LocalStore, clock: Clock) -> None:
        self._store = store
        self._tallying = TallyQueries(CountQueries(store, clock), store, clock)
        self._is_checked = False

    async def answer(
        self, command: str, values: Mapping[str, object], admin_username: str | None, tenant: str | None
    ) -> Body:
        """Returns the body of the answer, also of an error. Raises StoreRefused, which an operator has to resolve."""
        try:
            if not self._is_checked:
                await self._store.ensure_layout()
                self._is_checked = True
            caller = await self._caller(admin_username, tenant)
            name = command.lower()
            if name not in ACTIONS:
                raise invalid_action(name)
            action = ACTIONS[name](caller, fields_of(values))
            tally = await self._tallying.tally(caller.tenant, action.slices)
            return action.body(tally.view.settings, tally.counts)
        except EXPECTED_ERRORS as error:
            refused = refusal_of(error)
            log.info("local call of %s refused: %s", command, refused.reason)
        return {"result": "error", "message": refused.message}

    async def _caller(self, admin_username: str | None, tenant: str | None) -> PanelCaller:
        if not admin_username:
            return PanelCaller(tenant or await self._only_tenant())
        credentials = await self._confirmed(partial(self._credentials_of, admin_username, tenant))
        if not is_one_admin(credentials):
            raise authentication_failed("no admin has this name, or several have")
        teams = frozenset(team for credential in credentials for team in credential.teams)
        return PanelCaller(credentials[0].tenant, teams, credentials[0].admin.id)

    async def _credentials_of(self, username: str, tenant: str | None) -> Sequence[Credential]:
        credentials = await self._store.credentials_of(username)
        return [credential for credential in credentials if tenant in (None, credential.tenant)]

    async def _only_tenant(self) -> str:
        names = await self._confirmed(self._tenants)
        if len(names) != 1:
            raise authentication_failed(f"the call must name a tenant: there are {len(names)}")
        return names[0]

    async def _tenants(self) -> Sequence[str]:
        buckets = await asyncio.gather(*(self._store.tenants(bucket) for bucket in range(self._store.buckets)))
        return [name for bucket in buckets for name in bucket]

    async def _confirmed(self, read: Callable[[], Awaitable[Sequence[Found]]]) -> Sequence[Found]:
        """Returns the result of `read`. Raises Warming if it is empty and the store never had the whole catalogue."""

        async def read_or_none() -> Sequence[Found] | None:
            return await read() or None

        return await confirmed(read_or_none, self._store.catalogue_read) or ()


def fields_of(values: Mapping[str, object]) -> Fields:
    """Converts Python values to form fields; None leaves the field out."""
    return {name.lower(): _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
