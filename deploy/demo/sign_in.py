"""The demo's realm: its key, and a token for each role. Stands in for an identity provider, and checks nothing."""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.demo.desk.example import ISSUER, PEOPLE, REALM, TENANT, TENANT_NAME, Person
from service.token import PrivateKey, load_key, mint, new_key

TOKENS_LAST_S = 30 * 24 * 3_600
"""Long enough for a wall display that signs in once. The key is deleted with the demo anyway."""


def realm_key(path: Path) -> PrivateKey:
    """Returns the key in the file. Makes the file, with mode 0600, if it is absent. Raises KeyFileUnusable."""
    return load_key(path) if path.exists() else new_key(path)


def tokens(key: PrivateKey, now_s: int) -> Mapping[str, str]:
    """Returns role -> token of the demo's person with that role."""
    return {person.role: _token(key, person, now_s) for person in PEOPLE}


NOBODY_YET = json.dumps({"viewers": []})
"""The page's sign-in file until everything is counted."""


def page_sign_in(by_role: Mapping[str, str]) -> str:
    """Returns the JSON from which the page at / signs in by itself; `by_role` has the tokens."""
    viewers = [
        {
            "role": person.role,
            "label": f"{person.role.removeprefix('ticket_').title()} ({person.user})",
            "realm": REALM,
            "tenant": TENANT,
            "tenantName": TENANT_NAME,
            "token": by_role[person.role],
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
