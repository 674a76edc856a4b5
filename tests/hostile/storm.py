"""`python -m tests.hostile.storm URL`: sends the requests on stdin, a JSON object a line, as fast as they are answered.

A process of its own: in the one that measures it would slow the measuring down. Prints how often each status came.
"""

import asyncio
import json
import sys
from collections import Counter
from typing import Any

import httpx

AT_ONCE = 8


async def storm(url: str, requests: list[dict[str, Any]]) -> Counter[int]:
    """Sends each of these once."""
    statuses: Counter[int] = Counter()
    left = iter(requests)

    async def send_on() -> None:
        for request in left:
            statuses[(await client.request(**request)).status_code] += 1

    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        await asyncio.gather(*(send_on() for _ in range(AT_ONCE)))
    return statuses


async def sent(url: str, requests: list[dict[str, Any]]) -> dict[str, int]:
    """Runs the program; how often each status came."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await program.communicate("\n".join(map(json.dumps, requests)).encode())
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    statuses: dict[str, int] = json.loads(out)
    return statuses


if __name__ == "__main__":
    print(json.dumps(asyncio.run(storm(sys.argv[1], [json.loads(line) for line in sys.stdin]))))
