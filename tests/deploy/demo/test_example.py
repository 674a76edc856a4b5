"""The demo's tenant is the example's, and what it prints can be pasted."""

import json
import shlex
from pathlib import Path

from deploy.demo.desk import example
from deploy.demo.desk.example import EXAMPLE_IDS, entries
from deploy.demo.request import example_request
from deploy.demo.sign_in import realm_key, tokens
from deploy.demo.welcome import environment, welcome
from service.domain.catalogue.entries import Entry, parse_record
from service.token import generate, jwks

URL = "http://127.0.0.1:8080"


def catalogue() -> list[example.Json]:
    return list(entries(jwks(generate())))


def key_of(entry: example.Json) -> bytes:
    value = entry["value"]
    owner = f"{value['tenant']}/" if entry["kind"] in ("filter", "profile") else ""
    return f"{entry['kind']}/{owner}{value.get('id') or value['name']}".encode()


def test_every_entry_comes_into_force() -> None:
    for entry in catalogue():
        assert isinstance(parse_record(key_of(entry), json.dumps(entry["value"]).encode()), Entry)


def test_every_id_of_the_example_is_a_status_a_priority_or_a_filter() -> None:
    [tenant] = [entry["value"] for entry in catalogue() if entry["kind"] == "tenant"]
    known = [each["id"] for each in (*tenant["statuses"], *tenant["priorities"], *example.FILTERS)]
    assert sorted(known) == sorted(EXAMPLE_IDS[1:])
    assert EXAMPLE_IDS[0] == "all"


def test_the_request_is_the_one_of_the_api_document() -> None:
    """The ids in their order, the zone, and no profile, as it stands there."""
    body = json.loads(example_request(URL, "a.b.c").body)
    assert body == {"templateProfileFilterId": None, "filterIds": list(EXAMPLE_IDS), "timezone": "Asia/Calcutta"}
    assert len(EXAMPLE_IDS) == 30


def test_the_curl_says_what_the_request_sends() -> None:
    request = example_request(URL, "a.b.c")
    words = shlex.split(request.curl().replace("\\\n", " "))
    assert words[words.index("--url") + 1].startswith(f"{URL}/api/v2/ticketing/ticket/count?")
    assert f"authorization: Bearer {'a.b.c'}" in words
    body = json.loads(words[words.index("--data") + 1])
    assert body == json.loads(request.body)
    assert body["filterIds"] == list(EXAMPLE_IDS)
    assert body["timezone"] == "Asia/Calcutta"


def test_the_welcome_has_a_token_for_each_role_and_fits_a_terminal() -> None:
    signed_in = {"ticket_admin": "t1", "ticket_agent": "t2", "ticket_user": "t3"}
    text = welcome(URL, signed_in, "headline", "last line")
    assert [f"  {token}\n" in text for token in signed_in.values()] == [True] * 3
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_environment_can_be_read_by_a_shell(tmp_path: Path) -> None:
    signed_in = tokens(realm_key(tmp_path / "key.pem"), 0)
    text = environment({"TICKET_COUNTS_KAFKA": "h:1"}, URL, tmp_path / "it's a key.pem", signed_in)
    said = dict(shlex.split(line.removeprefix("export "))[0].split("=", 1) for line in text.splitlines())
    assert said["TICKET_COUNTS_KAFKA"] == "h:1"
    assert said["DEMO_KEY"] == str(tmp_path / "it's a key.pem")
    assert said["DEMO_ADMIN"] == signed_in["ticket_admin"]
