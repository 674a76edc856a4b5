"""The answer to whom there is no place for: an event stream of one `bye`. Takes no place, and reads nothing."""

from starlette.types import Receive, Scope, Send

from service.web.push.frames import Frame
from service.web.push.stream import HEADERS
from service.web.replies import Headers


class TurnedAway:
    """Softly: any other status than 200 would end an `EventSource` for good."""

    def __init__(self, bye: Frame, headers: Headers) -> None:
        self._bye = bye
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS + self._headers})
        await send({"type": "http.response.body", "body": self._bye.encoded})
