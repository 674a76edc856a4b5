"""What the form API says when it doesn't answer: texts and statuses as its clients know them. Never decides when."""

from collections.abc import Mapping

from service.web.http.errors import Refused


class FormRefused(Exception):
    """This call gets an error body. `code` and `reason` are for the access log alone, and hold no secret."""

    def __init__(
        self, status: int, message: str, code: str, *, headers: Mapping[str, str] | None = None, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}
        self.reason = reason or message


def authentication_failed(reason: str) -> FormRefused:
    """Says nothing about why: the reason helps whoever guesses."""
    return FormRefused(403, "Authentication Failed", "AUTHENTICATION_FAILED", reason=reason)


def invalid_ip(address: str) -> FormRefused:
    """The credential is right, and not to be used from there."""
    return FormRefused(403, f"Invalid IP {address}", "INVALID_IP")


def invalid_action(action: str) -> FormRefused:
    """200, as the clients expect it."""
    message = f'Invalid API Action: "{action}" is not a valid API action'
    return FormRefused(200, message, "INVALID_ACTION", reason="no such action")


def not_permitted(action: str) -> FormRefused:
    """The credential may do other things only."""
    return FormRefused(403, f'Invalid Permissions: API action "{action}" is not allowed', "INVALID_PERMISSIONS")


def get_is_off() -> FormRefused:
    """Other methods are refused alike, but somebody who sends GET may have a client that can't do otherwise."""
    message = "Method Not Allowed: GET is off here, because secrets in a URL end up in logs; send the fields by POST"
    return FormRefused(405, message, "METHOD_NOT_ALLOWED", headers={"allow": "POST"})


def method_not_allowed(allowed: str) -> FormRefused:
    """No client of this API sends anything but POST and GET."""
    return FormRefused(405, "Method Not Allowed", "METHOD_NOT_ALLOWED", headers={"allow": allowed})


def in_this_dialect(refused: Refused) -> FormRefused:
    """A refusal that is the same in both dialects: status, text and headers, in this one's body."""
    return FormRefused(refused.status, refused.message, refused.code, headers=refused.headers, reason=refused.reason)
