"""`/docs`: both API documents for people, as one page of HTML. Never loads anything, and runs no script."""

import base64
import hashlib
from html import escape

from service.web.docs.openapi import Json
from service.web.http.replies import Headers

STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "h2{margin-top:2.5rem}code{font-family:ui-monospace,monospace}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884}"
)

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

HEADERS: Headers = [
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'".encode(),
    ),
    (b"referrer-policy", b"no-referrer"),
]


def docs_page(openapi: Json, asyncapi: Json) -> bytes:
    """Returns the page. Every text of the documents is escaped."""
    info = openapi["info"]
    sections = [_operation(path, method, openapi) for path, method in _operations(openapi)]
    channels = [_channel(channel, asyncapi) for channel in asyncapi["channels"].values()]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        '<p>For machines: <a href="/openapi.json">openapi.json</a>, <a href="/asyncapi.json">asyncapi.json</a>.</p>'
        f"<h2>HTTP</h2>{''.join(sections)}<h2>Events in</h2>{''.join(channels)}</main></body></html>"
    ).encode()


def _operations(document: Json) -> list[tuple[str, str]]:
    return [(path, method) for path, methods in document["paths"].items() for method in methods]


def _operation(path: str, method: str, document: Json) -> str:
    operation = document["paths"][path][method]
    parameters = [_resolved(one, document) for one in operation.get("parameters", [])]
    return (
        f"<h3><code>{method.upper()} {escape(path)}</code></h3>"
        f"<p>{escape(operation['summary'])} {escape(operation.get('description', ''))}</p>"
        + _table(
            ("Parameter", "In", "Meaning"),
            [
                (one["name"] + ("" if one["required"] else " (optional)"), one["in"], one.get("description", ""))
                for one in parameters
            ],
        )
        + _table(
            ("Status", "Meaning"),
            [(status, _resolved(one, document)["description"]) for status, one in operation["responses"].items()],
        )
    )


def _channel(channel: Json, document: Json) -> str:
    messages = [_resolved(one, document) for one in channel["messages"].values()]
    rows: list[tuple[str, ...]] = []
    for message in messages:
        schema = _resolved(message["payload"], document)
        required = schema.get("required", [])
        rows += [
            (name + ("" if name in required else " (optional)"), _resolved(one, document).get("description", ""))
            for name, one in schema.get("properties", {}).items()
        ]
    return (
        f"<h3><code>{escape(channel['address'])}</code></h3><p>{escape(channel['description'])} "
        f"{escape(' '.join(message.get('summary', '') for message in messages))}</p>"
        + _table(("Field", "Meaning"), rows)
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(
        f"<tr><td><code>{escape(first)}</code></td>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _resolved(node: Json, document: Json) -> Json:
    if "$ref" not in node:
        return node
    for name in node["$ref"].removeprefix("#/").split("/"):
        document = document[name]
    return document
