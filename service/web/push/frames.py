"""Server-sent events as bytes, by the WHATWG's rules: one `data` line of JSON, `id` and `retry` beside it. Pure."""

from typing import Any, NamedTuple

from sse_starlette import ServerSentEvent

from service.one_line import one_line
from service.web.http.replies import encode


class Frame(NamedTuple):
    """One block, or two that belong together, ready to be sent; `event` is the name of the first."""

    event: str
    encoded: bytes


def frame(event: str, identity: str, data: dict[str, Any], retry_ms: int | None = None) -> Frame:
    """One block. `retry` stands inside a data block: clients differ about it anywhere else."""
    # So there is one `data` line; LF alone is the shortest end of a line that all clients take.
    block = ServerSentEvent(one_line(encode(data).decode()), event=event, id=identity, retry=retry_ms, sep="\n")
    return Frame(event, block.encode())
