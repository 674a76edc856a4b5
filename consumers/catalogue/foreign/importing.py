"""Turns the saved filters of another help desk into lines to publish. Reads no file and publishes nothing."""

from collections.abc import Callable, Iterator

import msgspec

from consumers.catalogue.foreign import chatwoot, zendesk
from consumers.catalogue.foreign.name_map import NameMap
from consumers.catalogue.foreign.translation import Found, Node
from consumers.publishing.ndjson import BadLine, record
from service.domain.catalogue.catalogue import EntryError
from service.domain.catalogue.entries import parse_record
from service.one_line import one_line

_Read = Callable[[str, bytes, NameMap, str | None], Iterator[Found]]

_SYSTEMS: dict[str, _Read] = {"zendesk": zendesk.filters, "chatwoot": chatwoot.filters}


class Options(msgspec.Struct, frozen=True):
    """The tenant and the owner of the imported filters, and the name map."""

    tenant: str
    owner: str | None = None
    names: NameMap = NameMap()


class Imported(msgspec.Struct, frozen=True):
    """The lines to publish, the messages about problems and approximations, and the number of filters left out."""

    lines: tuple[str, ...]
    messages: tuple[str, ...]
    left_out: int


def imported(system: str, name: str, text: bytes, options: Options) -> Imported:
    """Translates the filters of an export. Raises Unusable when the text isn't an export of that system.

    The consumers would accept every line. Leaves out each filter of which any part has no equivalent.
    """
    lines: list[str] = []
    messages: list[str] = []
    left_out = 0
    for found in _SYSTEMS[system](name, text, options.names, options.owner):
        line, problems = _line(found, options.tenant)
        left_out += bool(problems)
        messages += [f"{found.title}: {problem}" for problem in problems]
        messages += [f"{found.title}: note: {note}" for note in found.notes if not problems]
        if line is not None:
            lines.append(line)
    return Imported(tuple(lines), tuple(messages), left_out)


def _line(found: Found, tenant: str) -> tuple[str | None, list[str]]:
    problems = list(found.problems)
    if problems or found.value is None:
        return None, problems
    value: Node = {"id": found.value["id"], "tenant": tenant, **found.value}
    encoded = msgspec.json.encode({"kind": "filter", "value": value})
    try:
        published = record(encoded)
        parse_record(published.key, published.value)
    except (BadLine, EntryError) as error:
        return None, [str(error)]
    return one_line(encoded.decode()), []
