"""The text that the demo prints when it is ready: addresses, tokens, and commands to paste. Prints nothing itself."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.demo.desk.example import ADMIN, ISSUER, PEOPLE, PROFILE, REALM, TENANT, Person
from deploy.demo.request import example_request, profile_request


def welcome(url: str, tokens: Mapping[str, str], first_line: str, *last_lines: str, kafka: str = "") -> str:
    """Returns the text. `tokens` is role -> token, `kafka` the line about the broker; other lines are put in as is."""
    return "\n".join(
        [
            "",
            first_line,
            "",
            f"  page      {url}/",
            f"  API       {url}/docs",
            *([f"  Kafka     {kafka}"] if kafka else ()),
            f"  tenant    {TENANT}    realm  {REALM}",
            "",
            *(line for person in PEOPLE for line in (_about(person), f"  {tokens[person.role]}", "")),
            "Paste this to count:",
            "",
            example_request(url, tokens[ADMIN.role]).curl(),
            "",
            f"And this for VIP customers within the profile {PROFILE['name']}:",
            "",
            profile_request(url, tokens[ADMIN.role]).curl(),
            "",
            *last_lines,
        ]
    )


def environment(settings: Mapping[str, str], url: str, key_file: Path, tokens: Mapping[str, str]) -> str:
    """Returns `export` commands with which the shell of another terminal can use the demo."""
    values = {
        **settings,
        "DEMO_URL": url,
        "DEMO_TENANT": TENANT,
        "DEMO_REALM": REALM,
        "DEMO_ISSUER": ISSUER,
        "DEMO_KEY": str(key_file),
        **{f"DEMO_{person.role.removeprefix('ticket_').upper()}": tokens[person.role] for person in PEOPLE},
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def _about(person: Person) -> str:
    teams = f", teams {' and '.join(person.teams)}" if person.teams else ""
    return f"Token of {person.user} ({person.role}{teams}):"
