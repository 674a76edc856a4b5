"""Reads a CloudEvents 1.0 event from a Kafka record, in structured or binary mode. Validates only `specversion`.

Source: the CloudEvents Kafka protocol binding, 1.0.2.
"""

import base64
from collections.abc import Sequence
from enum import Enum

import msgspec

from consumers.decoding.json_document import check_document, read_document
from consumers.decoding.ticket_data import EXACT_DATA
from service.domain.json_reading import EXACT, Exact
from service.domain.tickets.event import PoisonEvent
from service.domain.tickets.event_shapes import Attributes, StructuredEvent, TicketData

Headers = Sequence[tuple[str, bytes | None]]
"""A record's headers, as the Kafka client returns them. Kafka allows null values; they are ignored."""

_FORMATS = "application/cloudevents"
_JSON_FORMAT = "application/cloudevents+json"
_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"


EXACT_EVENT: Exact = {**dict.fromkeys(("id", "source", "subject", "tenantid", "time"), EXACT), "data": EXACT_DATA}

_ATTRIBUTE_HEADERS = tuple(f"ce_{name}" for name in Attributes.__struct_fields__)
_HEADERS = frozenset({*_ATTRIBUTE_HEADERS, "content-type"})


class DataKind(Enum):
    """How to interpret `data`."""

    WHOLE = "the whole ticket"
    PATCH = "an RFC 7396 merge patch"


class CloudEvent(msgspec.Struct, gc=False):
    """An event. `data` is decoded (a TicketData) or not decoded yet (a JSON document, empty without data)."""

    attributes: Attributes
    kind: DataKind
    data: TicketData | bytes


class _Envelope(Attributes, gc=False):
    """Any event, with its data still encoded."""

    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None


_STRUCTURED = msgspec.json.Decoder(StructuredEvent)
_ENVELOPE = msgspec.json.Decoder(_Envelope)


def read_event(value: bytes, headers: Headers) -> CloudEvent:
    """Reads the event in a record. Raises PoisonEvent unless it is a CloudEvent with JSON or a merge patch as data."""
    binary = binary_headers(headers) if headers else {}
    content_type = binary.get("content-type")
    if content_type is None:
        return _binary_event(value, binary) if binary else _structured_event(value)
    media_type = _media_type(content_type)
    if not media_type.startswith(_FORMATS):
        return _binary_event(value, binary)
    if media_type != _JSON_FORMAT:
        raise PoisonEvent(f"content-type: of the CloudEvents formats only {_JSON_FORMAT} is supported")
    event = _structured_event(value)
    header = binary.get("ce_datacontenttype")  # the binding allows copies of the attributes as headers
    if header is not None and _data_kind(header) is not event.kind:
        raise PoisonEvent("ce_datacontenttype: contradicts datacontenttype")
    return event


def binary_headers(headers: Headers) -> dict[str, str]:
    """Returns `content-type` and the known `ce_` headers by lower-case name.

    Raises PoisonEvent when two headers of one name differ, or a value isn't UTF-8.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        if value is None or name not in _HEADERS:
            continue
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise PoisonEvent(f"{name}: not UTF-8") from None
        if found.setdefault(name, text) != text:
            raise PoisonEvent(f"{name}: two headers of this name differ")
    return found


def header_attributes(binary: dict[str, str]) -> Attributes:
    """Returns the attributes in a binary record's headers. All values are text."""
    return Attributes(*map(binary.get, _ATTRIBUTE_HEADERS))


def check_specversion(specversion: str | None) -> None:
    """Raises PoisonEvent unless `specversion` is 1.0, which also stands for CloudEvents 1.0.1 and 1.0.2."""
    if specversion != "1.0":
        raise PoisonEvent("specversion: missing" if specversion is None else "specversion: only 1.0 is supported")


def _structured_event(value: bytes) -> CloudEvent:
    check_document(value, "value")
    try:
        event = _STRUCTURED.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _structured_event_in_parts(value)  # finds the exact error
    check_specversion(event.specversion)
    kind = _data_kind(event.datacontenttype)
    if kind is DataKind.PATCH or event.data is None or event.data_base64 is not None:
        return _structured_event_in_parts(value)
    return CloudEvent(event, kind, event.data)


def _structured_event_in_parts(value: bytes) -> CloudEvent:
    event = read_document(_ENVELOPE, value, "", EXACT_EVENT)
    check_specversion(event.specversion)
    kind = _data_kind(event.datacontenttype)
    data = bytes(event.data)
    if event.data_base64 is not None:
        if data and data != b"null":
            raise PoisonEvent("data_base64: not allowed together with data")
        data = _decoded(event.data_base64)
    return CloudEvent(event, kind, data)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error for wrong characters or padding, plain ValueError for non-ASCII text
        raise PoisonEvent("data_base64: not base64") from None


def _binary_event(value: bytes, binary: dict[str, str]) -> CloudEvent:
    attributes = header_attributes(binary)
    check_specversion(attributes.specversion)
    return CloudEvent(attributes, _binary_kind(binary.get("content-type"), attributes.datacontenttype), value)


def _binary_kind(content_type: str | None, attribute: str | None) -> DataKind:
    """Takes the type from `content-type`, as the binding says. Some clients send only `ce_datacontenttype`."""
    if content_type is None:
        return _data_kind(attribute)
    if attribute is not None and _media_type(attribute) != _media_type(content_type):
        raise PoisonEvent("ce_datacontenttype: contradicts content-type")
    return _data_kind(content_type)


def _data_kind(content_type: str | None) -> DataKind:
    """Returns the kind for a media type. Refuses other `+json` types: they share JSON's syntax, not the meaning."""
    media_type = _JSON if content_type is None else _media_type(content_type)
    if media_type == _JSON:
        return DataKind.WHOLE
    if media_type == _MERGE_PATCH:
        return DataKind.PATCH
    raise PoisonEvent(f"datacontenttype: neither {_JSON} nor {_MERGE_PATCH}")


def _media_type(content_type: str) -> str:
    """Returns the media type in lower case, without parameters such as `; charset=utf-8` (RFC 9110, section 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()
