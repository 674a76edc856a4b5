"""Encodes server-sent events (WHATWG HTML, section 9.2): one `data` line of JSON with `id` and `retry`. Pure."""

from typing import Any, NamedTuple

from sse_starlette import ServerSentEvent

from service.one_line import one_line
from service.web.http.replies import encode


class Frame(NamedTuple):
    """One encoded event, or two that are sent together; `event` is the name of the first."""

    event: str
    encoded: bytes


def frame(event: str, identity: str, data: dict[str, Any], retry_ms: int | None = None) -> Frame:
    """Returns one event with its `data` as JSON. `retry` goes with data, since clients disagree about `retry` alone."""
    # `one_line` keeps the data in one `data` line. LF is the shortest line end that all clients accept.
    block = ServerSentEvent(one_line(encode(data).decode()), event=event, id=identity, retry=retry_ms, sep="\n")
    return Frame(event, block.encode())
