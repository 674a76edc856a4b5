"""What a server says of itself, and what of many servers is the worst of each."""

import pytest

from service.store.redis.server_status import ServerStatus, server_status_in, worst

WELL = ServerStatus(10, 100, "noeviction", 0, True)


def info(**fields: object) -> str:
    """An answer to INFO."""
    return "# Memory\r\n" + "".join(f"{name}:{value}\r\n" for name, value in fields.items())


def test_what_is_still_to_be_given_to_replicas_and_to_the_disk_does_not_count() -> None:
    said = info(used_memory=1_000, mem_not_counted_for_evict=300, maxmemory=5_000, maxmemory_policy="noeviction")
    assert (server_status_in(said, "").used, server_status_in(said, "").limit) == (700, 5_000)


@pytest.mark.parametrize(
    ("appends", "save", "persistent"),
    [(1, "", True), (1, None, True), (0, "3600 1", True), (0, "", False), (0, None, None)],
)
def test_it_is_kept_on_disk_where_it_is_appended_or_saved(
    appends: int, save: str | None, persistent: bool | None
) -> None:
    assert server_status_in(info(aof_enabled=appends), save).persistent is persistent


@pytest.mark.parametrize(
    ("limit", "policy", "drops"),
    [(0, "allkeys-lru", False), (100, "noeviction", False), (100, "allkeys-lru", True), (100, "volatile-ttl", True)],
)
def test_keys_are_dropped_only_at_a_limit_and_by_any_other_policy(limit: int, policy: str, drops: bool) -> None:
    assert bool(ServerStatus(0, limit, policy, 0, True).drops) is drops


def test_of_many_servers_each_is_as_bad_as_the_worst() -> None:
    fuller = ServerStatus(90, 100, "noeviction", 2, None)
    assert worst([WELL]) == WELL
    assert worst([WELL, fuller, WELL]) == fuller
    assert worst([fuller, ServerStatus(5, 100, "allkeys-lru", 1, False)]) == ServerStatus(
        5, 100, "allkeys-lru", 3, False
    )
    assert worst([ServerStatus(10**9, 0, "allkeys-lru", 0, True), fuller]) == fuller, (
        "without a limit nothing is dropped"
    )
