"""An endpoint whose answer never changes while the process runs."""

from service.web.http.endpoint import Endpoint
from service.web.http.etag import is_not_modified
from service.web.http.replies import Reply
from service.web.http.requests import Request


class Fixed(Endpoint):
    """Always the same reply, and 304 for clients that have it already where it has an `etag`."""

    def __init__(self, reply: Reply) -> None:
        self._whole = reply
        self._etag = dict(reply.raw_headers).get(b"etag")
        unchanging = [header for header in reply.raw_headers if header[0] not in (b"content-type", b"content-length")]
        self._unchanged = Reply(304, unchanging, b"")

    async def get(self, request: Request) -> Reply:
        """Answers with the reply."""
        has_it = self._etag is not None and is_not_modified(request, self._etag)
        return self._unchanged if has_it else self._whole
