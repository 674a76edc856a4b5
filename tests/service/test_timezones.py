"""Zones come from the `tzdata` package alone."""

import zoneinfo
from datetime import date, timedelta, timezone

import pytest

from service import timezones


def test_every_name_can_be_loaded_and_is_no_system_file() -> None:
    assert len(timezones.names()) > 590
    assert not {name for name in timezones.names() if name.startswith(("posix", "right")) or name == "localtime"}
    assert "Factory" not in timezones.names()
    for name in timezones.names():
        assert str(timezones.zone(name)) == name


def test_the_systems_copy_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(key: str) -> None:
        raise AssertionError(key)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", refuse)
    timezones.zone.cache_clear()
    assert timezones.local_date(0, "Pacific/Kiritimati") == date(1969, 12, 31)


def test_the_local_date_turns_at_local_midnight() -> None:
    midnight_us = 1_000_000 * (18 * 3600 + 15 * 60)
    assert timezones.local_date(midnight_us - 1_800_000_001, "Asia/Kathmandu") == date(1970, 1, 1)
    assert timezones.local_date(midnight_us + 900_000_000, "Asia/Kathmandu") == date(1970, 1, 2)


def test_a_zone_whose_days_do_not_begin_with_a_quarter_of_an_hour_is_uneven() -> None:
    for minutes, even in ((0, True), (345, True), (-210, True), (10, False), (-44, False)):
        assert timezones.is_even(timezone(timedelta(minutes=minutes)), 2026) is even
