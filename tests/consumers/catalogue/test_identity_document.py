"""`docs/identity.md` keeps its word: its realm comes into force, and no algorithm and no member is left out."""

import re
from pathlib import Path

from consumers.publishing.ndjson import record
from service.domain.catalogue.catalogue import Realm
from service.domain.catalogue.entries import Entry, parse_record
from service.domain.catalogue.entry_shapes import RealmShape
from service.domain.catalogue.key_set import ALGORITHM_NAMES

DOCUMENT = (Path(__file__).parents[3] / "docs" / "identity.md").read_text()


def test_its_realm_comes_into_force_without_a_warning() -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    published = record(block.replace("\n", " ").encode())
    entry = parse_record(published.key, published.value)
    assert isinstance(entry, Entry)
    assert isinstance(entry.value, Realm)
    assert entry.value.warnings() == ()
    assert (entry.value.required_claims, entry.value.typ) == ({"azp": "desk"}, "at+jwt")


def test_it_names_every_algorithm_and_member() -> None:
    assert set(re.findall(r"`((?:[REP]S|Ed)\w+)`", DOCUMENT)) == ALGORITHM_NAMES
    members = set(RealmShape.__struct_encode_fields__)
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)) == members - {"name", "jwksUri"}
