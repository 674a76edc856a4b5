"""Encodes a body as XML: an element per key, list members as repeated elements. Any status title stays well-formed."""

import re
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat

ROOT = "whmcsapi"
"""The root element that clients expect."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 (section 2.2) can't represent, not even escaped."""


def xml_document(action: str, body: dict[str, Any]) -> bytes:
    """Returns the document in UTF-8, with the action as its first element."""
    root = ET.Element(ROOT)
    _add(root, "action", action)
    for key, value in body.items():
        _add(root, key, value)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    # The serializer doesn't escape a carriage return, and a parser would turn it into a line feed (section 2.11).
    return written.replace(b"\r", b"&#13;")


def element_name(key: str) -> str:
    """Returns the key as an element name. Escapes forbidden characters: `_x00B2_` for "²" (ISO 9075-14 section 9.1)."""
    name = "".join(character if _is_name("_" + character) else f"_x{ord(character):04X}_" for character in key)
    return name if _is_name(name) else "_" + name


def _add(parent: ET.Element, key: str, value: Any) -> None:
    if isinstance(value, list):
        for member in value:
            _add(parent, key, member)
        return
    element = ET.SubElement(parent, element_name(key))
    if isinstance(value, dict):
        for inner_key, inner_value in value.items():
            _add(element, inner_key, inner_value)
    else:
        element.text = _FORBIDDEN.sub("\ufffd", str(value))


@lru_cache(maxsize=4_096)  # keys are few: those of this API, and the status titles in use
def _is_name(name: str) -> bool:
    """Whether expat accepts the name. It is the strictest parser in use: it has the names of XML's fourth edition."""
    if not name or not all(character.isalnum() or character == "_" for character in name):
        return False
    try:
        expat.ParserCreate().Parse(f"<{name}/>".encode(), True)
    except expat.ExpatError:
        return False
    return True
