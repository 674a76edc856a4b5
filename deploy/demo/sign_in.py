"""The demo's identity realm: its key, and a token for each role. Stands in for an identity provider, checks nothing."""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.demo.desk.example import ISSUER, PEOPLE, REALM, TENANT, TENANT_NAME, Person
from service.token import PrivateKey, load_key, mint, new_key

TOKENS_LAST_S = 30 * 24 * 3_600
"""A dashboard on a wall is signed in once; the key ends with the demo anyway."""


def realm_key(path: Path) -> PrivateKey:
    """The key in the file, made with mode 0600 if there is none. Raises KeyFileUnusable."""
    return load_key(path) if path.exists() else new_key(path)


def tokens(key: PrivateKey, now_s: int) -> Mapping[str, str]:
    """Role -> token of the demo's person in it."""
    return {person.role: _token(key, person, now_s) for person in PEOPLE}


NOBODY_YET = json.dumps({"viewers": []})
"""What the page finds until everything is counted."""


def page_sign_in(signed_in: Mapping[str, str]) -> str:
    """What the page at / signs in with by itself, as JSON."""
    viewers = [
        {
            "role": person.role,
            "label": f"{person.role.removeprefix('ticket_').title()} ({person.user})",
            "realm": REALM,
            "tenant": TENANT,
            "tenantName": TENANT_NAME,
            "token": signed_in[person.role],
        }
        for person in PEOPLE
    ]
    return json.dumps({"viewers": viewers})


def _token(key: PrivateKey, person: Person, now_s: int) -> str:
    return mint(
        key,
        realm=REALM,
        issuer=ISSUER,
        tenants=[TENANT],
        user=person.user,
        roles=[person.role],
        teams=person.teams,
        now_s=now_s,
        ttl_s=TOKENS_LAST_S,
    )
