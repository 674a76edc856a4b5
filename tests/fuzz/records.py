"""Records of the events topic, good ones and altered ones, in both content modes. Never judges them."""

from typing import Any

from hypothesis import strategies as st

from tests.consumers.records import DATA, KEY, MERGE_PATCH, TENANT, TICKET, Json, cloud_event
from tests.fuzz.damage import PIECES, altered, damaged, written
from tests.oracle.published.records import HALF, STRUCTURED, Record

GOOD: st.SearchStrategy[Json] = st.sampled_from(
    (
        cloud_event(),
        cloud_event(type="ticket.closed", sequence=8),
        cloud_event(type="ticket.created", data={"status": "3747", "createdAt": "2026-11-21T08:00:00Z"}),
        cloud_event(datacontenttype=MERGE_PATCH, data={"assignee": None, "fields": {"product": None, "x": [1]}}),
        cloud_event(type="ticket.deleted", data=...),
        cloud_event(subjectLine="ignored", data={**DATA, "tags": None, "fields": None, "dueAt": ""}),
    )
)
ALTERED = altered(GOOD)
WRONG_KEYS = st.sampled_from((b"", b"acme", f"{TENANT}/other".encode(), b"\xff/x")) | st.binary(max_size=6)
KEYS = st.none() | st.just(KEY) | WRONG_KEYS


def structured(event: Json, key: bytes | None = None) -> Record:
    """The whole event as JSON."""
    return Record(written(event), key, (("content-type", STRUCTURED.encode()),))


def binary(event: Json, key: bytes | None = None) -> Record | None:
    """Its attributes in headers; None where those can't say what the event does."""
    attributes = {name: value for name, value in event.items() if name not in ("data", "datacontenttype")}
    content_type = event.get("datacontenttype", "application/json")
    if not all(isinstance(text, str) and not HALF.search(text) for text in (*attributes.values(), content_type)):
        return None
    headers = [("content-type", content_type.encode())]
    headers += [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return Record(written(event["data"]) if "data" in event else b"", key, tuple(headers))


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    """A record with whatever Kafka lets through."""
    event = draw(ALTERED)
    said: dict[str, Any] = {name: value for name, value in event.items() if isinstance(value, str)}
    names = st.sampled_from(("content-type", "CE_ID", *(f"ce_{name}" for name in ("tenantid", "subject", "time")), "x"))
    texts = st.sampled_from((STRUCTURED, "application/json", MERGE_PATCH, "text/plain", TENANT, TICKET, "7", "", ";"))
    values = texts.map(str.encode) | st.sampled_from(PIECES)
    headers = draw(st.lists(st.tuples(names, values), max_size=4))
    if draw(st.booleans()):
        headers += [(f"ce_{name}", str(text).encode(errors="replace")) for name, text in said.items()]
    value = draw(st.none() | damaged(st.just(written(event))) | st.just(written(event)) | st.binary(max_size=20))
    return Record(value, draw(KEYS), tuple(headers))
