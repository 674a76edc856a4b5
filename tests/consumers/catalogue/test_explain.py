"""`consumers.catalogue explain`: a filter's columns and sums, what they count now, and why a ticket counts."""

import pytest

from tests.consumers.catalogue import stored
from tests.consumers.catalogue.command import catalogue
from tests.consumers.catalogue.test_show import put, redis_settings

__all__ = ["redis_settings"]


@pytest.fixture(autouse=True)
async def a_tenant(redis_settings: str) -> None:
    await put(redis_settings, stored.record())


async def explain(*more: str) -> int:
    return await catalogue("explain", "--tenant", stored.TENANT, *more)


async def test_columns_and_every_viewers_sum_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain("--filter", "mine") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "filter mine: Mine (assignment)",
        "  the tenant's; every perspective",
        "condition  state = open AND (assignee = @me OR team in @my_teams)",
        "lowered    NOT (closed by status in [done]) AND (assignee = @me OR team in @my_teams)",
    ]
    assert lines[4] == "columns: 1"
    number, name, stage, *_ = lines[5].split()
    assert (len(name), stage) == (24, "in")
    assert lines[5].endswith("in force: NOT (closed by status in [done])")
    sums = dict(line.split(": ", 1) for line in lines[6:])
    assert len(sums) == 9
    assert sums["ticket_user × agent"] == "not available"
    assert sorted(sums["ticket_agent × template"].replace("− ", "−").replace("+ ", "").split(" ")) == sorted(
        f"−{number}[assignee = @me ∧ my teams] {number}[my teams] {number}[assignee = @me]".split(" ")
    )


async def test_with_a_viewer_the_sum_is_what_there_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain("--filter", "mine", "--user", "ann", "--team", "net", "--role", "ticket_agent") == 0
    out = capsys.readouterr().out
    # Tickets 1 and 2 are in her team and 1 is hers as well: 2 + 1 − 1.
    assert [line.rsplit(" = ", 1)[1] for line in out.splitlines() if line.startswith("ticket_agent × ")] == [
        "2",
        "2",
        "1",
    ]
    assert "  − #" in out
    assert "over a:ann t:net" in out


async def test_a_filter_below_a_profile_has_columns_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain("--filter", "p1", "--profile", "vips", "--user", "ann", "--role", "ticket_admin") == 0
    out = capsys.readouterr().out
    assert "narrowed by profile vips: VIPs" in out
    assert "condition  tags contains any [vip] AND priority = p1" in out
    assert "not created yet: " in out
    assert " = " not in next(line for line in out.splitlines() if line.startswith("ticket_admin × template"))


async def test_perspectives_of_a_filter_are_kept_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain("--filter", "urgent", "--role", "ticket_admin") == 0
    out = capsys.readouterr().out
    assert "owner ann; shared with roles lead; shared with teams net; agent" in out
    assert "ticket_admin × template: not available" in out


async def test_a_ticket_is_judged_node_by_node(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        await explain(
            "--filter", "mine", "--ticket", "2", "--user", "ann", "--team", "net", "--perspective", "template"
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "ticket at sequence 1, changed 2026-11-18T" in out
    assert "  priority: p2\n" in out
    assert "  fields.n: 1\n" in out
    assert "  no  A assignee = @me\n  yes R requester = @me\n  yes T team in @my_teams\n" in out
    assert (
        "condition\n"
        "  yes all of\n"
        "    yes state = open    (status is open)\n"
        "    yes any of\n"
        "      no  assignee = @me\n"
        "      yes team in @my_teams\n"
        "counts for\n"
        "  yes ticket_user × template: in scope, and the condition holds\n"
        "  yes ticket_agent × template: in scope, and the condition holds\n"
        "  yes ticket_admin × template: in scope, and the condition holds\n"
        "columns: stored, computed now\n"
        "  yes yes #"
    ) in out
    assert out.endswith("columns of the tenant 0 differ\n")


async def test_what_depends_on_an_unknown_viewer_is_left_open(capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain("--filter", "mine", "--ticket", "3") == 0
    out = capsys.readouterr().out
    assert "  ?   A assignee = @me\n" in out
    assert "  no  all of\n    no  state = open    (status is done)\n    ?   any of\n" in out
    assert "  no  ticket_admin × template: the condition doesn't hold\n" in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--filter", "nobody's"), 'filter "nobody\'s": no such id\n'),
        (("--filter", "mine", "--profile", "mine"), "profile 'mine': no such id\n"),
        (("--filter", "mine", "--ticket", "77"), "ticket '77': never seen\n"),
    ],
)
async def test_what_there_is_not_is_told(more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain(*more) == 1
    assert capsys.readouterr() == ("", said)


async def test_a_deleted_ticket_counts_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert await explain("--filter", "all", "--ticket", "5") == 0
    assert capsys.readouterr().out.endswith("deleted at sequence 8: counts nowhere\n")


async def test_teams_without_a_user_are_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        await explain("--filter", "mine", "--team", "net")
    assert ended.value.code == 2
    assert "--team needs --user" in capsys.readouterr().err
