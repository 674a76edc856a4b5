"""Everything that can go wrong with a call, as this API's own refusals. Never tells a caller about the inside."""

from service.domain.tenants.view import Warming
from service.queries.counts import UnknownTenant
from service.store.ports.errors import StoreUnavailable
from service.web.failures import translated
from service.web.form.errors import FormRefused, authentication_failed, in_this_dialect
from service.web.http.errors import Code, Refused

FORESEEN = (FormRefused, Refused, UnknownTenant, Warming, StoreUnavailable)
"""What handling a call may raise."""


def refusal_of(error: FormRefused | Refused | UnknownTenant | Warming | StoreUnavailable) -> FormRefused:
    """What the caller is told."""
    if isinstance(error, FormRefused):
        return error
    if isinstance(error, UnknownTenant):  # what the credential is for is gone: no better than none
        return authentication_failed("the credential's tenant is not in force")
    return in_this_dialect(error if isinstance(error, Refused) else translated(error))


def unforeseen(error: Exception) -> FormRefused:
    """A mistake of ours."""
    message = "Something went wrong on our side"
    return in_this_dialect(Refused(Code.INTERNAL_ERROR, message, reason=type(error).__name__))
