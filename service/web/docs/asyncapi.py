"""`/asyncapi.json`: the events and catalogue records that come in by Kafka, as AsyncAPI 3.0. Never checks an event."""

from typing import Any

import msgspec

from service.domain.catalogue import entry_shapes
from service.version import VERSION

Json = dict[str, Any]

INSTANT: Json = {"type": "string", "format": "date-time", "examples": ["2025-07-10T12:34:56.789Z"]}

TYPES = ["ticket.created", "ticket.updated", "ticket.closed", "ticket.deleted"]

ID: Json = {"type": "string", "minLength": 1, "maxLength": 128, "description": "Without control characters."}
MAYBE_ID: Json = {"type": ["string", "null"], "maxLength": 128}
MAYBE_INSTANT: Json = {"type": ["string", "null"], "format": "date-time"}
TENANT_ID: Json = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}

ENTRIES = {
    "realm": (entry_shapes.RealmShape, "realm/<name>"),
    "tenant": (entry_shapes.TenantShape, "tenant/<id>"),
    "filter": (entry_shapes.FilterShape, "filter/<tenant>/<id>"),
    "profile": (entry_shapes.ProfileShape, "profile/<tenant>/<id>"),
    "credential": (entry_shapes.CredentialShape, "credential/<identifier>"),
}
"""Kind -> the shape that decodes its entries, and their key."""

REMOVAL: Json = {
    "title": "Removal",
    "summary": "A null value removes the entry that its key names.",
    "contentType": "application/json",
    "payload": {"type": "null"},
}


def asyncapi() -> Json:
    """The whole document. Topics have their default names; settings may give them others."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ticket Counts: events in",
            "version": VERSION,
            "description": "Ticket changes and catalogue entries that counts are made of.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "events": {
                "address": "ticket-events",
                "title": "Ticket events",
                "description": "Keyed `<tenant>/<ticket>`. A null value deletes the ticket.",
                "messages": {"ticket": {"$ref": "#/components/messages/ticket"}},
            },
            "catalogue": {
                "address": "ticket-catalogue",
                "title": "Catalogue",
                "description": "Compacted. Keyed `<kind>/<id>`, or `<kind>/<tenant>/<id>`; a null value removes it.",
                "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in (*ENTRIES, "removal")},
            },
        },
        "operations": {
            "applyTicketEvent": {
                "action": "receive",
                "channel": {"$ref": "#/channels/events"},
                "summary": "Every counter moves to the ticket's new state, once.",
                "messages": [{"$ref": "#/channels/events/messages/ticket"}],
            },
            "applyCatalogueEntry": {
                "action": "receive",
                "channel": {"$ref": "#/channels/catalogue"},
                "summary": "Names, filters and who may ask.",
                "messages": [{"$ref": f"#/channels/catalogue/messages/{kind}"} for kind in (*ENTRIES, "removal")],
            },
        },
        "components": {
            "messages": {
                "ticket": {
                    "title": "Ticket event",
                    "summary": "CloudEvents 1.0, Kafka binding, structured or binary content mode.",
                    "contentType": "application/cloudevents+json",
                    "payload": {"$ref": "#/components/schemas/TicketEvent"},
                },
                **{kind: _entry(kind) for kind in ENTRIES},
                "removal": REMOVAL,
            },
            "schemas": {"TicketEvent": _event(), "Ticket": _ticket(), **_shapes()},
        },
    }


def obj(properties: Json, optional: tuple[str, ...] = (), **more: Any) -> Json:
    """An object of which all properties are required but the `optional` ones."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        **more,
    }


def _event() -> Json:
    return obj(
        {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "minLength": 1},
            "source": {"type": "string", "minLength": 1},
            "type": {"enum": TYPES},
            "subject": {**ID, "description": "The ticket's id."},
            "tenantid": TENANT_ID,
            "sequence": {
                "description": "Up to 2^63-1, as number or text. One that is not above the last changes nothing.",
                "oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,19}$"}],
            },
            "time": INSTANT,
            "datacontenttype": {
                "enum": ["application/json", "application/merge-patch+json"],
                "description": "With the latter `data` is an RFC 7396 patch on the last state.",
            },
            "data": {"$ref": "#/components/schemas/Ticket"},
        },
        optional=("time", "datacontenttype", "data"),
    )


def _ticket() -> Json:
    properties: Json = {"status": ID, "createdAt": INSTANT}
    properties |= dict.fromkeys(("priority", "category", "team", "assignee", "requester"), MAYBE_ID)
    properties |= dict.fromkeys(("updatedAt", "dueAt", "slaDueAt", "closedAt"), MAYBE_INSTANT)
    properties |= {
        "slaBreached": {"type": ["boolean", "null"]},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
        "fields": {"type": ["object", "null"], "description": "Custom fields of any JSON type."},
    }
    optional = tuple(name for name in properties if name not in ("status", "createdAt"))
    return obj(properties, optional, description="The whole ticket after the change.")


def _entry(kind: str) -> Json:
    shape, key = ENTRIES[kind]
    return {
        "title": f"Catalogue entry: {kind}",
        "summary": f"Keyed `{key}`.",
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{shape.__name__}"},
    }


def _shapes() -> Json:
    """The schemas of the shapes that decode entries. JSON Schema's patterns are ECMAScript's."""
    shapes = [shape for shape, _ in ENTRIES.values()]
    _, schemas = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    ours: Json = _with_ecmascript_patterns(schemas)
    return ours


def _with_ecmascript_patterns(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_ecmascript_patterns(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name: value.replace(r"\A", "^").replace(r"\Z", "$") if name == "pattern" else _with_ecmascript_patterns(value)
        for name, value in node.items()
    }
