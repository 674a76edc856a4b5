"""Looks at the answer to the example's request: is everything counted yet? Checks no number but the total."""

import http.client
import json
from typing import Any

from deploy.demo.request import ExampleRequest

OK = 200


def all_counted(request: ExampleRequest, tickets: int) -> bool:
    """Whether the service answers, says that its counts are fresh, and counts so many tickets."""
    try:
        status, headers, body = request.send()
    except (OSError, http.client.HTTPException):
        return False
    if status != OK or headers.get("X-Counts-Fresh") != "true":
        return False
    return bool(json.loads(body)["data"]["counts"]["all"] == tickets)


def printed_answer(request: ExampleRequest) -> tuple[bool, str]:
    """Whether the request is answered well, and the answer for a person to read."""
    try:
        status, _, body = request.send()
    except (OSError, http.client.HTTPException) as error:
        return False, f"no answer: {error!r}"
    answer: Any = json.loads(body)
    return status == OK, json.dumps(answer, indent=2, ensure_ascii=False)
