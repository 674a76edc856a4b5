"""JSON Schemas of ticket events and catalogue entries, from the types that decode them. Never checks one."""

import re
from typing import Any

import msgspec

from service.domain.catalogue import entry_shapes
from service.domain.tickets.event import EventType
from service.domain.tickets.event_shapes import Attributes, PatchData, StructuredEvent, TicketData

Json = dict[str, Any]

ENTRIES = {
    "realm": (entry_shapes.RealmShape, "realm/<name>"),
    "tenant": (entry_shapes.TenantShape, "tenant/<id>"),
    "filter": (entry_shapes.FilterShape, "filter/<tenant>/<id>"),
    "profile": (entry_shapes.ProfileShape, "profile/<tenant>/<id>"),
    "credential": (entry_shapes.CredentialShape, "credential/<identifier>"),
}
"""Kind -> the shape that decodes its entries, and their key."""

SHAPES = (StructuredEvent, TicketData, PatchData, *(shape for shape, _ in ENTRIES.values()))

GIVEN = ("status", "createdAt")
REQUIRED = ("specversion", "id", "source", "type", "tenantid", "subject", "sequence")

WHOLE = (EventType.CREATED, EventType.UPDATED, EventType.CLOSED)
"""The types of events whose `data` is a ticket, or a patch of one."""


def reference(schema: str) -> Json:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{schema}"}


def schemas() -> Json:
    """Name -> schema: entries, the data of events, whole events, and the headers of events in binary mode."""
    _, found = msgspec.json.schema_components(SHAPES, ref_template="#/components/schemas/{name}")
    told: Json = _told(found)
    event = told.pop("StructuredEvent")
    told["TicketData"] = _narrowed(told["TicketData"], "The whole ticket after the change.", GIVEN)
    told["PatchData"] = _narrowed(
        told["PatchData"], "An RFC 7396 patch of the last state; null removes a member.", GIVEN
    )
    told["PatchData"]["required"] = []
    types = {"enum": [str(each) for each in WHOLE]}
    told["TicketEvent"] = _with_data(
        event, "A whole ticket.", type=types, data=reference("TicketData"), datacontenttype=_optional(_media("json"))
    )
    told["PatchEvent"] = _with_data(
        event, "A patch.", type=types, data=reference("PatchData"), datacontenttype=_media("merge-patch+json")
    )
    told["PatchEvent"]["required"] += ["datacontenttype"]
    told["DeletionEvent"] = _narrowed(
        event,
        "The ticket is gone.",
        REQUIRED,
        type={"const": str(EventType.DELETED)},
        data={"type": ["object", "null"], "description": "Ignored."},
        datacontenttype=_optional(_media("json", "merge-patch+json")),
    )
    told["TicketHeaders"] = _headers(told["TicketEvent"])
    told["PatchHeaders"] = _headers(told["PatchEvent"])
    told["DeletionHeaders"] = _headers(told["DeletionEvent"])
    tombstone = _narrowed(event, "The attributes of a null value. The key names the ticket without them.", ())
    told["TombstoneHeaders"] = _headers(tombstone)
    return told


def _media(*subtypes: str) -> Json:
    """Media types in any letter case, with or without parameters."""
    either = "|".join(f"application/{re.escape(each)}" for each in subtypes)
    pattern = "".join(f"[{each.upper()}{each}]" if each.isalpha() else each for each in either)
    return {"type": "string", "pattern": f"^\\s*({pattern})\\s*(;|$)", "examples": [f"application/{subtypes[0]}"]}


def _optional(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _with_data(event: Json, description: str, **members: Json) -> Json:
    event = _narrowed(event, description, REQUIRED, **members)
    in_base64 = {
        "required": ["data_base64"],
        "properties": {"data": {"type": "null"}, "data_base64": {"type": "string"}},
    }
    plain = {"required": ["data"], "properties": {"data": {"type": "object"}, "data_base64": {"type": "null"}}}
    event["properties"]["data"] = _optional(event["properties"]["data"])
    return {**event, "anyOf": [plain, in_base64]}


def _narrowed(shape: Json, description: str, required: tuple[str, ...], **members: Json) -> Json:
    """Returns the shape with these members required and never null, and with other schemas for some members."""
    given = {name: _never_null(shape["properties"][name]) for name in required}
    properties = {**shape["properties"], **given, **members}
    return {**shape, "description": description, "properties": properties, "required": list(required)}


def _never_null(schema: Json) -> Json:
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    options = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    return {**options[0], **rest} if len(options) == 1 else {**rest, "anyOf": options}


def _headers(event: Json) -> Json:
    """The attributes of an event in binary mode. All are texts; the type of `data` may be in `content-type` instead."""
    names = Attributes.__struct_fields__
    properties = {f"ce_{name}": _as_text(event["properties"][name]) for name in names}
    content_type = {**properties["ce_datacontenttype"], "description": "Of the value."}
    required = [f"ce_{name}" for name in event["required"] if name in names and name != "datacontenttype"]
    either = [{"required": ["content-type"]}, {"required": ["ce_datacontenttype"]}]
    return {
        "type": "object",
        "properties": {**properties, "content-type": content_type},
        "required": required,
        **({"anyOf": either} if "datacontenttype" in event["required"] else {}),
    }


def _as_text(schema: Json) -> Json:
    texts = [each for each in schema.get("anyOf", []) if each.get("type") == "string"]
    return {**texts[0], **{name: value for name, value in schema.items() if name != "anyOf"}} if texts else schema


def _told(node: Any) -> Any:
    """Patterns are ECMAScript's, and a null as default says nothing."""
    if isinstance(node, list):
        return [_told(each) for each in node]
    if not isinstance(node, dict):
        return node
    told = {name: _told(value) for name, value in node.items() if (name, value) != ("default", None)}
    if isinstance(told.get("pattern"), str):
        told["pattern"] = told["pattern"].replace(r"\A", "^").replace(r"\Z", "$")
    return told
