"""Maps every error of a call to a refusal of the form API. Never tells a caller about internals."""

from service.domain.tenants.view import Warming
from service.queries.counts import UnknownTenant
from service.store.ports.errors import StoreUnavailable
from service.web.failures import translated
from service.web.form.errors import FormRefused, as_form_refused, authentication_failed
from service.web.http.errors import Code, Refused

EXPECTED_ERRORS = (FormRefused, Refused, UnknownTenant, Warming, StoreUnavailable)
"""The errors that a call may raise. Any other one is a bug."""


def refusal_of(error: FormRefused | Refused | UnknownTenant | Warming | StoreUnavailable) -> FormRefused:
    """Returns the refusal that answers an expected error."""
    if isinstance(error, FormRefused):
        return error
    if isinstance(error, UnknownTenant):  # the credential's tenant was removed, so the credential is worth nothing
        return authentication_failed("the credential's tenant is not in force")
    return as_form_refused(error if isinstance(error, Refused) else translated(error))


def internal_error(error: Exception) -> FormRefused:
    """Returns the refusal that answers any other error."""
    message = "Something went wrong on our side"
    return as_form_refused(Refused(Code.INTERNAL_ERROR, message, reason=type(error).__name__))
