"""Every regular expression of service and consumers takes time in proportion to the text, whatever the text."""

import ast
import gc
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, AnyStr

import msgspec
import pytest

import consumers
import service
from service.domain.json_reading import read_json

Use = Callable[["re.Pattern[Any]", Any], object]


def fullmatch(pattern: "re.Pattern[AnyStr]", text: AnyStr) -> object:
    return pattern.fullmatch(text)


def match(pattern: "re.Pattern[AnyStr]", text: AnyStr) -> object:
    return pattern.match(text)


def search(pattern: "re.Pattern[AnyStr]", text: AnyStr) -> object:
    return pattern.search(text)


def find_all(pattern: "re.Pattern[AnyStr]", text: AnyStr) -> object:
    return pattern.findall(text)


def reading(pattern: "re.Pattern[bytes]", text: bytes) -> object:
    """As the one function that uses them does, which looks first whether it is JSON."""
    assert pattern.pattern.startswith(b"((?:")
    try:
        return read_json(DECODER, text, exact=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


DECODER = msgspec.json.Decoder()

PATTERNS: dict[str, tuple[Use, str]] = {
    "consumers.catalogue.checking._WITH_PATH": (match, "where.all[0]: no such field"),
    "consumers.catalogue.printing._BARE": (fullmatch, "agent-12@x"),
    "consumers.decoding.json_document._STRING": (find_all, r'{"a": "b\"c\\", "d": ["e"]}'),
    "consumers.dead_letters.arguments._OFFSETS": (fullmatch, "12-34"),
    "consumers.settings.PLACE": (fullmatch, "0:120"),
    "consumers.settings.TOPIC_NAME": (fullmatch, "ticket-events.v1"),
    "service.domain.conditions.durations._DURATION": (fullmatch, "P1W2DT3H4.5M6,7S"),
    "service.domain.conditions.durations._WITH_YEARS": (match, "P1Y2M"),
    "service.domain.catalogue.entry_text._MISSING": (search, "Object missing required field `name`"),
    "service.domain.tickets.ids._TENANT": (fullmatch, "7a1c-b_2"),
    "service.domain.tickets.ids._UNPRINTABLE": (search, "agent\x7f12"),
    "service.domain.tickets.instant._FULL_DATE": (fullmatch, "2026-11-21"),
    "service.domain.tickets.instant._SECONDS_AND_OFFSET": (fullmatch, ":59.123456+05:45"),
    "service.domain.json_reading._ESCAPED_HALF": (search, r'{"a": "\ud83d\ude00 \ud83d"}'),
    "service.domain.json_reading._HALF": (find_all, "a\ud83db"),
    "service.domain.json_reading._UP_TO_HALF": (reading, r'["\ud83d\ude00 \ud83d\\u","\ude00"]'),
    "service.domain.json_reading._UP_TO_LARGE_NUMBER": (reading, r'["a\"1" ,[12.5e3,1234,"2\\",-1E+400]]'),
    "service.domain.conditions.leaf_values._NOW": (fullmatch, "@now-PT24H"),
    "service.config.settings.PORT": (fullmatch, "8080"),
    "service.config.shared_settings.DATABASE": (fullmatch, "/15"),
    "service.config.shared_settings.HOST_AND_PORT": (fullmatch, "[::1]:6379"),
    "service.web.api.parameters.MEDIA_TYPE": (fullmatch, ' application/json ; charset = "utf-8" ; '),
    "service.web.auth.claims.UNPAIRED": (search, "a\ud83db"),
    "service.web.http.etag.ENTITY_TAG": (find_all, '"a", W/"b.1.c" , "d"'),
    "service.web.form.multipart._BOUNDARY": (search, 'multipart/form-data; charset=x; boundary="a b"; boundary=c'),
    "service.web.form.multipart._DISPOSITION": (fullmatch, "Content-Disposition : form-data ; name=a"),
    "service.web.form.multipart._ESCAPED": (find_all, r"a\"b\\c"),
    "service.web.form.multipart._PARAMETER": (find_all, r'; name = "a\"b" ; filename*=c;filename="d\\"'),
    "service.web.form.authentication._MD5": (fullmatch, "0123456789abcdef0123456789ABCDEF"),
    "service.web.http.large_bodies._HALF": (find_all, r"\ud83d\ude00 \ud83d\ude00\ude00\n"),
    "service.web.http.large_bodies._NUMBER": (find_all, "[-1.5e+300,12,1E9]"),
    "service.web.http.large_bodies._SECOND_OF_PAIR": (search, r"\ud83d\ude00 \ud83d\ude00\n"),
    "service.web.http.large_bodies._SOME_IDS": (match, r' "a\"b" , "c\\" ,"d" '),
    "service.web.http.large_bodies._UP_TO_STRING": (match, r'[1,{"a\"b\\": 2}]'),
    "service.web.form.xml._FORBIDDEN": (find_all, "a\x01b"),
    "service.web.auth.gate.BEARER": (fullmatch, "Bearer  abc.def-_~+/=="),
    "service.web.http.hosts.HOST": (fullmatch, "a-b.example:8080"),
    "service.web.push.view_state.IDENTITY": (fullmatch, "ab12.34.View_-1"),
    "service.web.api.stream_tickets.TICKET_FORM": (fullmatch, "0123456789abcdef.ABCDEFGHIJKLMNOPqrstuvwxyz0-_456"),
    "service.web.api.streaming.TICKET": (search, "a=b&ticketing=c&ticket=d"),
}
"""How each is used, and a text with all that it knows: each part of it is repeated."""

SMALL, LARGE = 1_000, 8_000
"""Times that a part is repeated. In proportion: 8 times the time; quadratic: 64 times."""

MOST_GROWTH = 24

NOTHING_S = 0.0005
"""Within this time the larger text is surely taken in proportion: some 30 ns a character and less."""


def patterns() -> dict[str, "re.Pattern[Any]"]:
    """Those of all modules, by the name in the module that they are made in."""
    found: dict[str, re.Pattern[Any]] = {}
    for package in (service, consumers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern) and f"{name} = re.compile(" in source_of(module.name):
                    found[f"{module.name}.{name}"] = value
    return found


def source_of(module: str) -> str:
    spec = importlib.import_module(module).__spec__
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


def grown(example: str, times: int) -> Iterator[str]:
    """The example with each of its parts repeated, and what keeps it from matching behind that or at the end."""
    for length in (1, 2, 3):
        for start in range(len(example) - length + 1):
            until = start + length
            repeated = example[:start] + example[start:until] * times
            yield repeated + "\0"
            yield repeated + example[until:] + "\0"
            yield repeated + example[until:]


def spent_s(use: Use, pattern: "re.Pattern[Any]", text: Any, tries: int) -> float:
    """Of this thread's own time: other work on the machine isn't counted."""
    best = float("inf")
    for _ in range(tries):
        began = time.thread_time()
        use(pattern, text)
        best = min(best, time.thread_time() - began)
    return best


def worst(use: Use, pattern: "re.Pattern[Any]", example: str) -> str:
    """The start of a text that takes more than its share of time when it grows; "" where there is none."""
    for small, large in zip(grown(example, SMALL), grown(example, LARGE), strict=True):
        texts: tuple[Any, Any] = (small, large)
        if isinstance(pattern.pattern, bytes):
            texts = (small.encode("latin-1"), large.encode("latin-1"))
        if spent_s(use, pattern, texts[1], 1) < NOTHING_S:
            continue
        if spent_s(use, pattern, texts[1], 5) > MOST_GROWTH * spent_s(use, pattern, texts[0], 5):
            return small[:60]
    return ""


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_every_pattern_is_in_the_table_and_none_is_made_where_it_is_used() -> None:
    assert patterns().keys() == PATTERNS.keys()
    for package in (service, consumers):
        for path in Path(package.__path__[0]).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("re."):
                    assert ast.unparse(call.func) in ("re.compile", "re.escape"), f"{path}: {ast.unparse(call)}"


@pytest.mark.parametrize("name", PATTERNS)
def test_time_grows_in_proportion_to_the_text(name: str) -> None:
    use, example = PATTERNS[name]
    assert worst(use, patterns()[name], example) == ""


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        (rb"\s*application/json\s*(?:;\s*charset=utf-8\s*)?;?\s*", " application/json ; charset=utf-8 ; "),
        (r"a*b?a*c", "abac"),
    ],
)  # fmt: skip
def test_one_that_does_not_is_found(pattern: Any, example: str) -> None:
    assert worst(fullmatch, re.compile(pattern), example)
