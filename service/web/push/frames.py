"""Server-sent events as bytes, by the WHATWG's rules: one `data` line of JSON, `id` beside it. Pure."""

from typing import Any

from service.web.replies import encode


def frame(event: str, identity: str, data: dict[str, Any], retry_ms: int | None = None) -> bytes:
    """One block. `retry` stands inside a data block: clients differ about it anywhere else."""
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return b"event: %s\nid: %s\n%sdata: %s\n\n" % (event.encode(), identity.encode(), retry, encode(data))
