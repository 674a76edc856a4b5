"""Reads the fields of a call from its query and its body. Never interprets their values.

Names are in lower case. Of a field that is sent twice the last one counts, and the body wins over the query, as the
clients expect.
"""

from collections.abc import Mapping

from service.web.form.multipart import boundary_of, multipart_fields
from service.web.http.errors import Code, Refused
from service.web.http.requests import MAX_BODY_BYTES, Request
from service.web.http.urlencoded import TooMany, pairs

MAX_FIELDS = 1_000
"""PHP's default limit (max_input_vars): panels never accepted more, so no client of theirs sends more."""

Fields = Mapping[str, str]
"""Name in lower case -> value. Bytes that aren't UTF-8 are lone surrogates (`surrogateescape`): a secret may have any
bytes."""

TRUE = frozenset(("1", "true", "on", "yes"))
"""The values of a flag that mean yes, in any letter case. Every other value means no."""


def fields_in_query(request: Request) -> Fields:
    """Returns the query's fields. Raises Refused when they are too long or too many."""
    if len(request.query) > MAX_BODY_BYTES:
        raise Refused(Code.INVALID_REQUEST, f"The query must not be over {MAX_BODY_BYTES} bytes")
    return _urlencoded(request.query)


async def fields_in_body(request: Request) -> Fields:
    """Returns the body's fields; none for a content type other than the two of forms.

    Raises Refused and ClientDisconnect.
    """
    content_type = request.header(b"content-type") or b"application/x-www-form-urlencoded"
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == b"application/x-www-form-urlencoded":
        return _urlencoded(await request.body())
    if kind == b"multipart/form-data":
        boundary = boundary_of(content_type)
        if boundary is None:
            raise Refused(Code.INVALID_REQUEST, "The content type must name the boundary of the parts")
        return _named(multipart_fields(await request.body(), boundary, MAX_FIELDS))
    return {}


def flag(fields: Fields, name: str) -> bool:
    """Whether the field says yes."""
    return fields.get(name, "").lower() in TRUE


def readable(text: str) -> str:
    """Returns the text with replacement characters for bytes that aren't UTF-8, so that an answer can repeat it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _urlencoded(encoded: bytes) -> Fields:
    if encoded.count(b"&") >= MAX_FIELDS:
        raise _too_many()
    try:
        return _named(pairs(encoded, MAX_FIELDS))
    except TooMany as error:
        raise Refused(Code.INVALID_REQUEST, f"The fields {error}") from None


def _named(fields: list[tuple[str, str]]) -> Fields:
    if len(fields) > MAX_FIELDS:
        raise _too_many()
    return {name.lower(): value for name, value in fields}


def _too_many() -> Refused:
    return Refused(Code.INVALID_REQUEST, f"There must not be over {MAX_FIELDS} fields")
