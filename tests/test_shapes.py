"""No type of ours holds what msgspec frees wrongly: a pattern in one union with a collection. Decodes nothing.

msgspec 0.19 to 0.22 takes the compiled pattern for the collection's type there (`TypeNode_get_traverse_ranges` doesn't
count it): the process crashes at its end, or wherever such a type is freed.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Annotated

import msgspec
import pytest
from msgspec import inspect

import consumers
import service

Pattern = Annotated[str, msgspec.Meta(pattern="x")]


class Crashing(msgspec.Struct):
    """What must not be; it is never decoded."""

    field: tuple[Pattern | list[int], ...]


def shapes() -> list[type[msgspec.Struct]]:
    """Every struct of the product."""
    for package in (service, consumers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return [each for each in _descendants(msgspec.Struct) if each.__module__.startswith(("service.", "consumers."))]


def _descendants(of: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in of.__subclasses__():
        yield each
        yield from _descendants(each)


def crashing_unions(shape: type[msgspec.Struct]) -> list[inspect.UnionType]:
    """The unions anywhere in it that must not be."""
    try:
        told = inspect.type_info(shape)
    except TypeError:  # nothing that msgspec could decode
        return []
    return [each for each in _unions(told, set()) if _crashes(each)]


def _unions(told: object, seen: set[int]) -> Iterator[inspect.UnionType]:
    if id(told) in seen:
        return
    seen.add(id(told))
    if isinstance(told, inspect.UnionType):
        yield told
    if isinstance(told, (msgspec.Struct, tuple)):
        parts = told if isinstance(told, tuple) else [getattr(told, name) for name in told.__struct_fields__]
        for part in parts:
            yield from _unions(part, seen)


def _crashes(union: inspect.UnionType) -> bool:
    pattern = any(isinstance(each, inspect.StrType) and each.pattern is not None for each in union.types)
    return pattern and any(isinstance(each, (inspect.CollectionType, inspect.DictType)) for each in union.types)


def test_what_must_not_be_is_found() -> None:
    assert len(crashing_unions(Crashing)) == 1


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: f"{shape.__module__}.{shape.__name__}")
def test_no_pattern_shares_a_union_with_a_collection(shape: type[msgspec.Struct]) -> None:
    assert crashing_unions(shape) == []
