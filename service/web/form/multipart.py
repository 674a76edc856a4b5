"""The text parts of a multipart/form-data body (RFC 7578). Never keeps files, never decodes what a part says.

Parts are looked for in a body that is there as a whole and at most 1 MiB; a body that is cut off has the parts that
are whole, as with PHP.
"""

import re

_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))', re.IGNORECASE)
"""RFC 2046 section 5.1.1 allows 70 characters; some clients send more."""

_PARAMETER = re.compile(rb';\s*(name|filename\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))', re.IGNORECASE)

_DISPOSITION = re.compile(rb"content-disposition\s*:\s*form-data\s*(;.*)", re.IGNORECASE)

_ESCAPED = re.compile(rb'\\(["\\])')

_ENCODED = {b"%22": b'"', b"%0D": b"\r", b"%0A": b"\n"}
"""What browsers send for these three in names (HTML, section 4.10.22.7)."""


def boundary_of(content_type: bytes) -> bytes | None:
    """What stands between the parts, by the `content-type` of the request."""
    match = _BOUNDARY.search(content_type)
    return (match[1] or match[2]) if match else None


def multipart_fields(body: bytes, boundary: bytes, most: int) -> list[tuple[str, str]]:
    """Name and value of each part that is no file, in order; stops one after `most`."""
    fields: list[tuple[str, str]] = []
    # The first boundary has no line before it.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        if part.startswith(b"--") or len(fields) > most:
            break
        # Behind a boundary there may be blanks, then the line ends.
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
        said = {
            match[1].lower(): match[2] if match[2] is not None else match[3]
            for match in _PARAMETER.finditer(disposition[1])
        }
        if b"filename" in said or b"filename*" in said or b"name" not in said:
            return None
        name = _ESCAPED.sub(rb"\1", said[b"name"])
        for sent, meant in _ENCODED.items():
            name = name.replace(sent, meant)
        return name
    return None


def _text(encoded: bytes) -> str:
    return encoded.decode("utf-8", "surrogateescape")
