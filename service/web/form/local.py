"""The form API for code on the same host, which needs no credentials: a call in, a body out. Knows no HTTP."""

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
from service.web.form.authentication import one_admin
from service.web.form.errors import authentication_failed, invalid_action
from service.web.form.failures import FORESEEN, refusal_of
from service.web.form.fields import Fields

Found = TypeVar("Found")

log = logging.getLogger(__name__)
"""The host program's own: structlog would write to its output where nobody has set it up."""


class LocalStore(CounterReader, Protocol):
    """What is needed of a store: it also says which tenants there are."""

    buckets: int

    async def tenants(self, bucket: Bucket) -> Sequence[str]:
        """The tenants in force in a bucket."""

    async def ensure_layout(self) -> None:
        """Raises StoreRefused when the store is laid out otherwise than we are set."""


class LocalPanel:
    """Answers calls. What a credential allows is for callers from outside: here only its admin and teams count."""

    def __init__(self, store: LocalStore, clock: Clock) -> None:
        self._store = store
        self._tallying = TallyQueries(CountQueries(store, clock), store, clock)
        self._is_checked = False

    async def answer(
        self, command: str, values: Mapping[str, object], admin_username: str | None, tenant: str | None
    ) -> Body:
        """The body, an error's too. Raises StoreRefused, which an operator has to see to."""
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
        except FORESEEN as error:
            refused = refusal_of(error)
            log.info("local call of %s refused: %s", command, refused.reason)
        return {"result": "error", "message": refused.message}

    async def _caller(self, admin_username: str | None, tenant: str | None) -> PanelCaller:
        if not admin_username:
            return PanelCaller(tenant or await self._only_tenant())
        theirs = await self._confirmed(partial(self._of_admin, admin_username, tenant))
        if not one_admin(theirs):
            raise authentication_failed("no admin has this name, or several have")
        teams = frozenset(team for credential in theirs for team in credential.teams)
        return PanelCaller(theirs[0].tenant, teams, theirs[0].admin.id)

    async def _of_admin(self, username: str, tenant: str | None) -> Sequence[Credential]:
        found = await self._store.credentials_of(username)
        return [credential for credential in found if tenant in (None, credential.tenant)]

    async def _only_tenant(self) -> str:
        names = await self._confirmed(self._tenants)
        if len(names) != 1:
            raise authentication_failed(f"one tenant has to be named: there are {len(names)}")
        return names[0]

    async def _tenants(self) -> Sequence[str]:
        found = await asyncio.gather(*(self._store.tenants(bucket) for bucket in range(self._store.buckets)))
        return [name for of_bucket in found for name in of_bucket]

    async def _confirmed(self, read: Callable[[], Awaitable[Sequence[Found]]]) -> Sequence[Found]:
        """What `read` finds. Raises Warming for nothing in a store that never had the whole catalogue."""

        async def anything() -> Sequence[Found] | None:
            return await read() or None

        return await confirmed(anything, self._store.catalogue_read) or ()


def fields_of(values: Mapping[str, object]) -> Fields:
    """Values of the host's language as fields of a form; None is as if left out."""
    return {name.lower(): _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
