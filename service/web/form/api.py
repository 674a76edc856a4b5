"""Serves `/includes/api.php`, the form API: from a call to its answer in JSON or XML. Never counts tickets itself."""

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from service.clock import Clock
from service.config.settings import ServiceSettings
from service.domain.catalogue.catalogue import Credential
from service.queries.counts import CountQueries
from service.queries.tallies import TallyQueries
from service.store.ports.budgets import MarkStore
from service.store.ports.reading import CounterReader
from service.web.auth.gate import Gate
from service.web.auth.limits import RateLimit, address_of, caller_address
from service.web.form.actions import ACTIONS, Body, PanelCaller
from service.web.form.attempts import Attempts
from service.web.form.authentication import Authentication
from service.web.form.errors import (
    EXPECTED_ERRORS,
    as_form_refused,
    get_is_off,
    invalid_action,
    method_not_allowed,
    not_permitted,
    refusal_of,
)
from service.web.form.fields import MAX_FIELDS, Fields, fields_in_body, fields_in_query, readable
from service.web.form.xml import xml_document
from service.web.http.errors import internal_error, rate_limited
from service.web.http.replies import JSON, Headers, Reply, encode
from service.web.http.requests import Request
from service.web.http.snapshot_headers import SNAPSHOT_HEADERS, snapshot_headers
from service.web.models.form import FormCall, FormError, FormSupportDepartments, FormSupportStatuses, FormTicketCounts
from service.web.models.operation import ERROR_HEADERS, AnswerDescription, Operation, described

log = structlog.stdlib.get_logger(__name__)

PATH = "/includes/api.php"

XML = (b"content-type", b"application/xml; charset=utf-8")

NO_STORE: Headers = [(b"cache-control", b"no-store")]
"""Some clients send GET, and a proxy must not give one client's answer to another."""

_TYPES = ("application/json", "application/xml")

_ERRORS = {
    400: f"A multipart body without a boundary, or over {MAX_FIELDS} fields.",
    403: "Authentication failed, or the address or the action is not allowed.",
    405: "The method is not allowed; GET only where a setting allows it.",
    413: "The body is too large.",
    429: "Too many requests, or too many failed attempts.",
    500: "A mistake of ours.",
    503: "The store is away, is being filled anew, or columns are still being filled.",
}

FORM_CALL = Operation(
    "postFormCall",
    "counts",
    {
        200: AnswerDescription(
            f"The answer to {', '.join(ACTIONS)} with the headers of its snapshot, or an error about the action.",
            FormTicketCounts | FormSupportStatuses | FormSupportDepartments | FormError,
            {f"{name.removesuffix('?')}?": text for name, text in SNAPSHOT_HEADERS.items()},
            _TYPES,
        )
    }
    | {
        status: AnswerDescription(text, FormError, ERROR_HEADERS.get(status, {}), _TYPES)
        for status, text in _ERRORS.items()
    },
    body=FormCall,
    body_types=("application/x-www-form-urlencoded", "multipart/form-data"),
    token=False,
)


class FormApi:
    """An ASGI application, because every error of this API has its own shape, even that of a wrong method."""

    def __init__(
        self,
        gate: Gate,
        queries: CountQueries,
        reader: CounterReader,
        marks: MarkStore,
        settings: ServiceSettings,
        clock: Clock,
    ) -> None:
        self._gate = gate
        self._clock = clock
        self._tallying = TallyQueries(queries, reader, clock)
        self._authentication = Authentication(reader, Attempts(marks, settings.form_failures_per_min))
        self._credentials = RateLimit(settings.credential_requests_per_min)
        self._positions = settings.expose_positions
        self._methods = ("GET", "HEAD", "POST") if settings.form_get else ("POST",)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = await self.post(Request(scope, receive))
        await reply(scope, receive, send)

    @described(FORM_CALL)
    async def post(self, request: Request) -> Reply:
        """The form API of billing panels. Fields may stand in the query or in the body, the body wins; their names and
        the actions' are in any letter case. Yes is `1`, `true`, `on` or `yes`, all else is no. An unknown action is
        answered with 200 and an error body."""
        fields: Fields = {}
        try:
            fields = fields_in_query(request)  # first, so that every later error has the requested `responsetype`
            self._check_method(request)
            self._gate.check_address(request)
            if request.scope["method"] == "POST":
                fields = {**fields, **await fields_in_body(request)}
            body, headers = await self._answer(request, fields)
            return rendered(fields, 200, body, headers)
        except ClientDisconnect:
            raise
        except EXPECTED_ERRORS as error:
            refused = refusal_of(error)
        except Exception as error:  # last resort: the traceback is logged, and the answer gives no details
            log.exception("request failed", path=PATH, method=request.scope["method"])
            refused = as_form_refused(internal_error(error))
        request.trace.refused, request.trace.reason = refused.code, refused.reason
        error_body = {"result": "error", "message": refused.message}
        headers = [(name.encode(), value.encode()) for name, value in refused.headers.items()]
        return rendered(fields, refused.status, error_body, headers)

    def _check_method(self, request: Request) -> None:
        method = request.scope["method"]
        if method not in self._methods:
            raise get_is_off() if method == "GET" else method_not_allowed(", ".join(self._methods))

    async def _answer(self, request: Request, fields: Fields) -> tuple[Body, Headers]:
        credential = await self._authentication.credential(
            fields, address_of(request.scope), caller_address(request.scope)
        )
        request.trace.tenant, request.trace.user = credential.tenant, credential.admin.id
        wait_s = self._credentials.wait_s(credential.identifier, self._clock.now_us())
        if wait_s:
            raise rate_limited(wait_s)
        caller = PanelCaller(credential.tenant, frozenset(credential.teams), credential.admin.id)
        action = ACTIONS[permitted_action(fields, credential)](caller, fields)
        tally = await self._tallying.tally(credential.tenant, action.slices)
        headers = snapshot_headers(tally.snapshot, tally.view.version, tally.now, positions=self._positions)
        return action.body(tally.view.settings, tally.counts), headers


def action_in(fields: Fields) -> str:
    """Returns the name of the action in lower case and valid UTF-8, as answers repeat it."""
    return readable(fields.get("action", "")).lower()


def permitted_action(fields: Fields, credential: Credential) -> str:
    """Returns the action of the call. Raises FormRefused for an unknown action, and for one that isn't allowed."""
    name = action_in(fields)
    if name not in ACTIONS:
        raise invalid_action(name)
    allowed = credential.allowed_actions
    if allowed is not None and name not in {each.lower() for each in allowed}:
        raise not_permitted(name)
    return name


def rendered(fields: Fields, status: int, body: Body, headers: Headers) -> Reply:
    """Returns the reply in the requested `responsetype`: `xml` is XML, anything else JSON."""
    if fields.get("responsetype", "").lower() == "xml":
        return Reply(status, [XML, *NO_STORE, *headers], xml_document(action_in(fields), body))
    return Reply(status, [JSON, *NO_STORE, *headers], encode(body))
