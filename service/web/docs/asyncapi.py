"""`/asyncapi.json`: the events and catalogue records that come in by Kafka, as AsyncAPI 3.0. Never checks an event."""

from service.version import VERSION
from service.web.docs.event_schemas import ENTRIES, Json, reference, schemas
from service.web.docs.openapi import CONTACT

SECURITY: dict[str, Json] = {
    "plain": {"type": "plain", "description": "SASL PLAIN."},
    "scramSha256": {"type": "scramSha256"},
    "scramSha512": {"type": "scramSha512"},
    "oauthBearer": {
        "type": "oauth2",
        "description": "SASL OAUTHBEARER with client credentials.",
        "flows": {"clientCredentials": {"tokenUrl": "https://identity.example/token", "availableScopes": {}}},
    },
    "certificate": {"type": "X509", "description": "A client certificate."},
}

HOST = "127.0.0.1:9092"

CLOUD_EVENT = "application/cloudevents+json"
PATCH = "application/merge-patch+json"
JSON = "application/json"

EXAMPLE: Json = {
    "specversion": "1.0", "id": "e-991", "source": "/helpdesk/eu", "type": "ticket.updated", "subject": "INC0000045",
    "time": "2026-11-21T10:15:00Z", "tenantid": "acme", "sequence": "7",
    "data": {"status": "3747", "team": "network", "createdAt": "2026-11-21T08:00:00Z", "fields": {"product": "P-424"}},
}  # fmt: skip


def asyncapi() -> Json:
    """The whole document. Topics have their default names; settings may give them others."""
    events, entries = _events(), _entries()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ticket Counts: events in",
            "version": VERSION,
            "description": "Ticket changes and catalogue entries that counts are made of.",
            "contact": CONTACT,
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": "events"}, {"name": "catalogue"}],
        },
        "defaultContentType": CLOUD_EVENT,
        "servers": {
            "plain": {"host": HOST, "protocol": "kafka", "description": "The default, for development."},
            "secure": {
                "host": HOST,
                "protocol": "kafka-secure",
                "description": "TLS with a password, a token or a client certificate (`TICKET_COUNTS_KAFKA_…`).",
                "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY],
            },
        },
        "channels": {
            "events": {
                "address": "ticket-events",
                "title": "Ticket events",
                "description": "CloudEvents 1.0 in both content modes of the Kafka binding, keyed `<tenant>/<ticket>`.",
                "messages": _references("components", events),
                "bindings": _topic({"retention.ms": -1}),
            },
            "catalogue": {
                "address": "ticket-catalogue",
                "title": "Catalogue",
                "description": "Compacted. Keyed `<kind>/<id>`, or `<kind>/<tenant>/<id>`; a null value removes it.",
                "messages": _references("components", entries),
                "bindings": _topic({"cleanup.policy": ["compact"]}),
            },
        },
        "operations": {
            "applyTicketEvent": {
                "action": "receive",
                "channel": {"$ref": "#/channels/events"},
                "summary": "Every counter moves to the ticket's new state, once.",
                "description": "One whose sequence is not above the ticket's last one changes nothing.",
                "messages": [*_references("channels/events", events).values()],
            },
            "applyCatalogueEntry": {
                "action": "receive",
                "channel": {"$ref": "#/channels/catalogue"},
                "summary": "Names, filters and who may ask.",
                "description": "One that can't be compiled is a dead letter, and the last good one stays in force.",
                "messages": [*_references("channels/catalogue", entries).values()],
            },
        },
        "components": {"messages": events | entries, "schemas": schemas(), "securitySchemes": SECURITY},
    }


def _events() -> Json:
    deletion = {**EXAMPLE, "type": "ticket.deleted", "sequence": "9"}
    del deletion["data"]
    patch = {**EXAMPLE, "sequence": "8", "datacontenttype": PATCH, "data": {"team": None, "fields": {"product": None}}}
    tombstone = _message("Tombstone", "A null value deletes the ticket that the key names.", JSON, {"type": "null"})
    return {
        "ticket": _structured("Whole ticket", "TicketEvent", EXAMPLE),
        "patch": _structured("Merge patch", "PatchEvent", patch),
        "deletion": _structured("Deletion", "DeletionEvent", deletion),
        "binaryTicket": _binary("Whole ticket", "Ticket", JSON),
        "binaryPatch": _binary("Merge patch", "Patch", PATCH),
        "binaryDeletion": _binary("Deletion", "Deletion", JSON),
        "tombstone": {**tombstone, "headers": reference("TombstoneHeaders")},
    }


def _structured(title: str, schema: str, example: Json) -> Json:
    message = _message(title, "Structured content mode.", CLOUD_EVENT, reference(schema))
    return {**message, "examples": [{"payload": example}]}


def _binary(title: str, prefix: str, content_type: str) -> Json:
    payload = {} if prefix == "Deletion" else reference(f"{prefix}Data")
    message = _message(f"{title}, binary", "Binary content mode.", content_type, payload or {"description": "Ignored."})
    return {**message, "headers": reference(f"{prefix}Headers")}


def _entries() -> Json:
    removal = _message("Removal", "A null value removes the entry that its key names.", JSON, {"type": "null"})
    found = {
        kind: _message(f"Catalogue entry: {kind}", f"Keyed `{key}`.", JSON, reference(shape.__name__))
        for kind, (shape, key) in ENTRIES.items()
    }
    return {**found, "removal": removal}


def _message(title: str, summary: str, content_type: str, payload: Json) -> Json:
    key = {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}}
    return {"title": title, "summary": summary, "contentType": content_type, "payload": payload, "bindings": key}


def _references(place: str, messages: Json) -> Json:
    return {name: {"$ref": f"#/{place}/messages/{name}"} for name in messages}


def _topic(configuration: Json) -> Json:
    return {"kafka": {"topicConfiguration": configuration, "bindingVersion": "0.5.0"}}
