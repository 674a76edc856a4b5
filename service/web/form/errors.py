"""The errors of the form API, with the texts and statuses that its clients expect. Never decides when to raise one."""

from collections.abc import Mapping

from service.domain.tenants.view import Warming
from service.queries.counts import UnknownTenant
from service.store.ports.errors import StoreUnavailable
from service.web.failures import translated
from service.web.http.errors import Refused


class FormRefused(Exception):
    """Answer the call with an error body. `code` and `reason` go to the access log only, and hold no secret."""

    def __init__(
        self, status: int, message: str, code: str, *, headers: Mapping[str, str] | None = None, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}
        self.reason = reason or message


EXPECTED_ERRORS = (FormRefused, Refused, UnknownTenant, Warming, StoreUnavailable)
"""The errors that a call may raise. Any other one is a bug."""


def authentication_failed(reason: str) -> FormRefused:
    """Wrong credentials. The reason goes to the log only, because it would help to guess."""
    return FormRefused(403, "Authentication Failed", "AUTHENTICATION_FAILED", reason=reason)


def invalid_ip(address: str) -> FormRefused:
    """The credential is right, but may not be used from this address."""
    return FormRefused(403, f"Invalid IP {address}", "INVALID_IP")


def invalid_action(action: str) -> FormRefused:
    """An unknown action, with status 200 as clients expect it."""
    message = f'Invalid API Action: "{action}" is not a valid API action'
    return FormRefused(200, message, "INVALID_ACTION", reason="no such action")


def not_permitted(action: str) -> FormRefused:
    """The credential does not allow the action."""
    return FormRefused(403, f'Invalid Permissions: API action "{action}" is not allowed', "INVALID_PERMISSIONS")


def get_is_off() -> FormRefused:
    """GET while it is off. Tells why, because some clients can only send GET."""
    message = "Method Not Allowed: GET is off here, because secrets in a URL end up in logs; send the fields by POST"
    return FormRefused(405, message, "METHOD_NOT_ALLOWED", headers={"allow": "POST"})


def method_not_allowed(allowed: str) -> FormRefused:
    """Any method but POST and, where it is on, GET."""
    return FormRefused(405, "Method Not Allowed", "METHOD_NOT_ALLOWED", headers={"allow": allowed})


def as_form_refused(refused: Refused) -> FormRefused:
    """Converts a refusal of the JSON API: same status, text and headers, in the body of this API."""
    return FormRefused(refused.status, refused.message, refused.code, headers=refused.headers, reason=refused.reason)


def refusal_of(error: Exception) -> FormRefused:
    """Returns the refusal that answers an expected error."""
    if isinstance(error, FormRefused):
        return error
    if isinstance(error, UnknownTenant):  # the credential's tenant was removed, so the credential is worth nothing
        return authentication_failed("the credential's tenant is not in force")
    return as_form_refused(error if isinstance(error, Refused) else translated(error))
