"""Reads the text parts of a multipart/form-data body (RFC 7578). Never keeps files, never interprets a value.

The body is in memory as a whole, 1 MiB at most. Of a body that is cut off, only the complete parts count, as with PHP.
"""

import re

_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))', re.IGNORECASE)
"""RFC 2046 section 5.1.1 allows 70 characters; some clients send more."""

_PARAMETER = re.compile(rb';\s*(name|filename\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))', re.IGNORECASE)

_DISPOSITION = re.compile(rb"content-disposition\s*:\s*form-data\s*(;.*)", re.IGNORECASE)

_ESCAPED = re.compile(rb'\\(["\\])')

_ENCODED = {b"%22": b'"', b"%0D": b"\r", b"%0A": b"\n"}
"""The three escapes that browsers use in names (HTML, section 4.10.22.7)."""


def boundary_of(content_type: bytes) -> bytes | None:
    """Returns the boundary that the `content-type` of the request names; None if it names none."""
    match = _BOUNDARY.search(content_type)
    return (match[1] or match[2]) if match else None


def multipart_fields(body: bytes, boundary: bytes, limit: int) -> list[tuple[str, str]]:
    """Returns name and value of each part that isn't a file, in order. Stops after `limit` + 1 fields."""
    fields: list[tuple[str, str]] = []
    # The first boundary has no line end before it.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        if part.startswith(b"--") or len(fields) > limit:
            break
        # After a boundary there may be blanks before the line end.
        head, separator, value = part.partition(b"\r\n")[2].partition(b"\r\n\r\n")
        name = _name_in(head) if separator else None
        if name is not None:
            fields.append((_text(name), _text(value)))
    return fields


def _name_in(head: bytes) -> bytes | None:
    for line in head.split(b"\r\n"):
        disposition = _DISPOSITION.fullmatch(line)
        if disposition is None:
            continue
        parameters = {
            match[1].lower(): match[2] if match[2] is not None else match[3]
            for match in _PARAMETER.finditer(disposition[1])
        }
        if b"filename" in parameters or b"filename*" in parameters or b"name" not in parameters:
            return None
        name = _ESCAPED.sub(rb"\1", parameters[b"name"])
        for escape, character in _ENCODED.items():
            name = name.replace(escape, character)
        return name
    return None


def _text(encoded: bytes) -> str:
    return encoded.decode("utf-8", "surrogateescape")
