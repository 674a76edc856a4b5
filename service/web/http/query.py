"""The query of a request: each parameter once, decoded strictly. Never looks at a body."""

from service.web.http.errors import Code, Refused, invalid
from service.web.http.requests import MAX_BODY_BYTES, Request
from service.web.http.urlencoded import TooMany, pairs

MAX_QUERY_BYTES = MAX_BODY_BYTES
"""A query may hold as many bytes of ids as a body."""

MAX_PARAMETERS = 2_000
"""Four times the most distinct ids of a request, each in its own parameter."""

SUPPORT_FLAGS = {b"true": True, b"false": False}


class Query:
    """The parameters of one request. Unknown ones are ignored."""

    def __init__(self, encoded: bytes) -> None:
        if len(encoded) > MAX_QUERY_BYTES:
            raise Refused(Code.INVALID_REQUEST, f"The query must not be over {MAX_QUERY_BYTES} bytes")
        self._values: dict[str, list[str]] = {}
        try:
            for name, value in pairs(encoded, MAX_PARAMETERS):
                self._values.setdefault(name, []).append(value)
        except TooMany as error:
            raise invalid("query", str(error)) from None

    def all(self, name: str) -> list[str]:
        """Every value in the order sent. Raises Refused for one that is no UTF-8."""
        values = self._values.get(name, [])
        for value in values:
            if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
                raise invalid(name, "must be UTF-8")
        return values

    def garbled(self, name: str) -> str:
        """Returns the decoded value, "" when it was not sent. Raises Refused when it was sent twice."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise invalid(name, "must be sent once")
        return values[0] if values else ""

    def one(self, name: str) -> str | None:
        """Returns the value, None when it was not sent. Raises Refused when it was sent twice."""
        values = self.all(name)
        if len(values) > 1:
            raise invalid(name, "must be sent once")
        return values[0] if values else None

    def members(self, *names: str, lists: tuple[str, ...] = ()) -> dict[str, str | list[str]]:
        """Returns the parameters of these names that were sent. Raises Refused when one was sent twice.

        The `lists` may be sent again and again.
        """
        once = {name: value for name in names if (value := self.one(name)) is not None}
        return once | {name: values for name in lists if (values := self.all(name))}


def support_flag(request: Request) -> bool | None:
    """Returns `issupportrequest`. It is logged, and changes no count. Raises Refused."""
    value = request.header(b"issupportrequest")
    if value is None:
        return None
    flag = SUPPORT_FLAGS.get(value.strip())
    if flag is None or request.is_repeated(b"issupportrequest"):
        raise invalid("issupportrequest", "must be true or false, once")
    return flag
