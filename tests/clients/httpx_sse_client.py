"""httpx-sse, told by a line of JSON on stdin what to open; says as JSON lines what happens.

It doesn't come back by itself: here is the loop that its documentation leaves to its users, as our own page shows it.
"""

import asyncio
import json
import sys
from typing import Any

import httpx
import httpx_sse


def say(stream: str, **what: object) -> None:
    """One line."""
    print(json.dumps({"stream": stream, **what}), flush=True)


async def follow(stream: str, url: str, headers: dict[str, str]) -> None:
    """Until the server refuses."""
    last_id, retry_s = "", 1.0
    async with httpx.AsyncClient(timeout=30, trust_env=False, verify=False) as client:
        while True:
            known = {"last-event-id": last_id} if last_id else {}
            try:
                async with httpx_sse.aconnect_sse(client, "GET", url, headers=headers | known) as source:
                    if source.response.status_code != httpx.codes.OK:
                        say(stream, closed=True)
                        return
                    async for event in source.aiter_sse():
                        last_id, retry_s = event.id, (event.retry or retry_s * 1000) / 1000
                        say(stream, name=event.event, id=event.id, data=event.data)
            except httpx.TransportError:
                pass
            say(stream, closed=False)
            await asyncio.sleep(retry_s)


async def main() -> None:
    """All streams of the line."""
    asked: list[dict[str, Any]] = json.loads(sys.stdin.readline())
    await asyncio.gather(*(follow(**one) for one in asked))


if __name__ == "__main__":
    asyncio.run(main())
