"""The name map of `--map`: the other system's ids and fields -> ours. Never guesses a name."""

from typing import Literal

import msgspec

from consumers.catalogue.foreign.translation import NoEquivalent, Unusable, read_export
from service.domain.conditions.fields import FieldKind, kind_of
from service.domain.json_reading import EXACT

ValueType = Literal["text", "number", "boolean", "list", "instant"]

_TYPES: dict[FieldKind, ValueType] = {
    FieldKind.TEXT: "text",
    FieldKind.RANKED: "text",
    FieldKind.CUSTOM: "text",
    FieldKind.INSTANT: "instant",
    FieldKind.FLAG: "boolean",
    FieldKind.TAGS: "list",
}


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field of ours and the type of its values. A field of a known kind has a fixed type; the default is text."""

    field: str
    type: ValueType | None = None

    @property
    def values(self) -> ValueType:
        """The type of the values."""
        kind = kind_of(self.field)
        return self.type or _TYPES.get(kind or FieldKind.CUSTOM, "text")


class NameMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Maps names of the other system to ids of ours. A map that is None means that both systems have the same ids."""

    statuses: dict[str, str | list[str]] | None = None
    priorities: dict[str, str | list[str]] | None = None
    teams: dict[str, str] | None = None
    users: dict[str, str] | None = None
    fields: dict[str, str | Target] = {}

    def statuses_of(self, name: str) -> list[str]:
        """Returns our statuses for this one: several, one, or none. Raises NoEquivalent."""
        return _ids("statuses", self.statuses, name)

    def priorities_of(self, name: str) -> list[str]:
        """Returns our priorities for this one: several, one, or none. Raises NoEquivalent."""
        return _ids("priorities", self.priorities, name)

    def team(self, name: str) -> str:
        """Returns our id of the team. Raises NoEquivalent."""
        return _ids("teams", self.teams, name)[0]

    def user(self, name: str) -> str:
        """Returns our id of the user. Raises NoEquivalent."""
        return _ids("users", self.users, name)[0]

    def field(self, name: str, default: str | None = None) -> Target:
        """Returns our field for this one. Raises NoEquivalent."""
        mapped = self.fields.get(name, default)
        if mapped is None:
            raise NoEquivalent(f'no field of ours for {name}; name one under "fields" in the --map file')
        return mapped if isinstance(mapped, Target) else Target(mapped)


def read_name_map(name: str, text: bytes) -> NameMap:
    """Reads a name map; `name` is the file's name for messages. Raises Unusable with the path of the problem."""
    names = read_export(NameMap, name, text, dict.fromkeys(("statuses", "priorities", "teams", "users"), EXACT))
    for foreign, mapped in names.fields.items():
        target = mapped if isinstance(mapped, Target) else Target(mapped)
        kind = kind_of(target.field)
        if kind is None or kind is FieldKind.STATE:
            raise Unusable(f"{name}: fields.{foreign}: {target.field!r} is no field of tickets")
        if kind is not FieldKind.CUSTOM and target.values != _TYPES[kind]:
            raise Unusable(f"{name}: fields.{foreign}: values of {target.field} are of type {_TYPES[kind]}")
    return names


def _ids(sort: str, known: dict[str, str] | dict[str, str | list[str]] | None, name: str) -> list[str]:
    if known is None:
        return [name]
    if name not in known:
        raise NoEquivalent(f'{name!r} isn\'t under "{sort}" in the --map file')
    mapped = known[name]
    return [mapped] if isinstance(mapped, str) else mapped
