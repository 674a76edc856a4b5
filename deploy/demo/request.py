"""The API's example request: as a shell command, and sent once. Checks no number of the answer but the total."""

import http.client
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from deploy.demo.desk.example import EXAMPLE_IDS, PROFILE, REALM, TENANT, VIP, ZONE

PATH = "/api/v2/ticketing/ticket/count?type=template&module=ticketing"

IDS_WIDTH = 90
"""Columns of the filter ids: the printed command stays within 100."""

ANSWER_S = 10.0
"""Longest wait for the answer; it takes milliseconds."""


@dataclass(frozen=True, slots=True)
class ExampleRequest:
    """A POST to the service at `base_url`."""

    base_url: str
    headers: Mapping[str, str]
    body: str

    def curl(self) -> str:
        """Returns the request as a shell command."""
        lines = [f"--url '{self.base_url}{PATH}'"]
        lines += [f"--header '{name}: {value}'" for name, value in self.headers.items()]
        lines.append(f"--data '{self.body}'")
        return " \\\n  ".join(["curl --silent --show-error --request POST", *lines])

    def send(self) -> tuple[int, Message, str]:
        """Sends it and returns status, headers and body. Raises OSError, http.client.HTTPException."""
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=ANSWER_S)
        try:
            connection.request("POST", PATH, self.body.encode(), dict(self.headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()


def all_counted(request: ExampleRequest, tickets: int) -> bool:
    """Whether the service answers with fresh counts and this total of tickets."""
    try:
        status, headers, body = request.send()
    except (OSError, http.client.HTTPException):
        return False
    if status != http.client.OK or headers.get("X-Counts-Fresh") != "true":
        return False
    return bool(json.loads(body)["data"]["counts"]["all"] == tickets)


def printed_answer(request: ExampleRequest) -> tuple[bool, str]:
    """Sends the request. Returns whether its status is 200, and the answer formatted for a person."""
    try:
        status, _, body = request.send()
    except (OSError, http.client.HTTPException) as error:
        return False, f"no answer: {error!r}"
    return status == http.client.OK, json.dumps(json.loads(body), indent=2, ensure_ascii=False)


def example_request(base_url: str, token: str) -> ExampleRequest:
    """Returns the example's request with `token`."""
    return ExampleRequest(base_url, _headers(token), _body(EXAMPLE_IDS, None))


def profile_request(base_url: str, token: str) -> ExampleRequest:
    """Returns a request for two filters with the demo's profile as base filter."""
    return ExampleRequest(base_url, _headers(token), _body(("all", VIP), PROFILE["id"]))


def _headers(token: str) -> Mapping[str, str]:
    return {
        "accept": "application/json",
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "x-tenantid": TENANT,
        "realmname": REALM,
        "issupportrequest": "false",
    }


def _body(ids: Sequence[str], profile_id: str | None) -> str:
    rows = textwrap.wrap(", ".join(map(json.dumps, ids)), IDS_WIDTH, break_long_words=False, break_on_hyphens=False)
    listed = "\n      ".join(rows)
    return (
        "{\n"
        f'    "templateProfileFilterId": {json.dumps(profile_id)},\n'
        f'    "filterIds": [\n      {listed}\n    ],\n'
        f'    "timezone": {json.dumps(ZONE)}\n'
        "  }"
    )
