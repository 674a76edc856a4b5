"""Stream tickets: spent once, then a cookie of their own keeps the same URL working until the token expires."""

import json
import re
from http.cookies import SimpleCookie

import httpx
import pytest

from service.domain.tickets.ticket import Ticket
from service.store.ports.grants import Grant
from tests.web.push.streaming.asgi_stream import Stream
from tests.web.push.streaming.streams import STREAM, STREAM_TICKET, Pushing, a_pushing_world, later
from tests.web.world import NOW_S, QUERY

TICKET_S = 60


def cookie_of(stream: Stream) -> str:
    """What a browser sends back."""
    return stream.headers["set-cookie"].partition(";")[0]


async def spent(pushing: Pushing, ticket: str, cookie: str = "") -> Stream:
    """A request with the ticket, and with the cookies that a browser has."""
    return await pushing.request("GET", f"ticket={ticket}", {"cookie": cookie} if cookie else {})


async def test_a_ticket_opens_the_stream_that_it_was_given_for(pushing: Pushing) -> None:
    body = {"filterIds": ["3745", "7471"], "timezone": "Asia/Tokyo"}
    answer = await pushing.world.client.post(
        f"{STREAM_TICKET}?type=user&module=ticketing",
        json=body,
        headers=pushing.world.headers(pushing.world.token("ann", "ticket_agent")),
    )
    data = answer.json()["data"]
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert set(data) == {"ticket", "expiresIn"}
    assert data["expiresIn"] == TICKET_S
    stream = await spent(pushing, data["ticket"])
    first = await stream.next()
    headers = pushing.world.headers(pushing.world.token("ann", "ticket_agent"))
    asked = "type=user&module=ticketing&filterIds=3745,7471&timezone=Asia/Tokyo"
    direct = await (await pushing.request("GET", asked, headers)).next()
    assert (first.name, first.data, first.id) == ("snapshot", direct.data, direct.id)
    await pushing.add(Ticket("3745", 0, assignee="ann", requester="ann"))
    assert (await stream.next()).data["counts"] == {"3745": 1, "7471": 2}


async def test_a_ticket_is_spent_once_and_unknown_ones_are_none(pushing: Pushing) -> None:
    ticket = await pushing.ticket()
    assert (await spent(pushing, ticket)).status == 200
    for bad in (ticket, "", "x", ticket[:-1], ticket + "x", ticket.swapcase()):
        assert await (await spent(pushing, bad)).error() == (401, "UNAUTHORIZED")
    assert await (await spent(pushing, "%FF")).error() == (400, "INVALID_REQUEST")


async def test_of_two_that_spend_a_ticket_at_once_one_gets_the_stream(pushing: Pushing) -> None:
    ticket = await pushing.ticket()
    both = [pushing.begun("GET", f"ticket={ticket}", {}) for _ in range(2)]
    assert sorted([(await stream.started()).status for stream in both]) == [200, 401]


async def test_an_unspent_ticket_ends_after_a_minute_or_with_its_token(pushing: Pushing) -> None:
    store, clock = pushing.world.store, pushing.world.clock
    store._clock_ms = lambda: clock.now_us() // 1000
    early, late = await pushing.ticket(), await pushing.ticket()
    short = await pushing.ticket(bearer=pushing.world.token(exp=NOW_S + 10))
    await later(9)
    assert (await spent(pushing, short)).status == 200
    short = await pushing.ticket(bearer=pushing.world.token(exp=NOW_S + 10))
    await later(2)
    assert await (await spent(pushing, short)).error() == (401, "UNAUTHORIZED")
    await later(TICKET_S - 12)
    assert (await spent(pushing, early)).status == 200
    await later(2)
    assert await (await spent(pushing, late)).error() == (401, "UNAUTHORIZED")


async def test_a_ticket_says_for_how_long_it_is_good(pushing: Pushing) -> None:
    for left_s, said_s in ((10, 9), (1, 1), (600, TICKET_S)):
        answer = await pushing.world.client.post(
            f"{STREAM_TICKET}?{QUERY}",
            json={"filterIds": ["all"]},
            headers=pushing.world.headers(pushing.world.token(exp=NOW_S + left_s)),
        )
        assert answer.json()["data"]["expiresIn"] == said_s


@pytest.mark.parametrize(
    ("scheme", "forwarded", "secure"),
    [
        ("http", "", False),
        ("https", "", True),
        ("http", "https", True),
        ("http", "HTTPS, http", True),
        ("http", "http", False),
    ],
)
async def test_the_cookie_is_for_this_stream_alone(pushing: Pushing, scheme: str, forwarded: str, secure: bool) -> None:
    ticket = await pushing.ticket()
    headers = {"x-forwarded-proto": forwarded} if forwarded else {}
    stream = await pushing.request("GET", f"ticket={ticket}", headers, scheme=scheme)
    ((name, morsel),) = SimpleCookie(stream.headers["set-cookie"]).items()
    assert re.fullmatch(r"stream-[0-9a-f]{16}", name)
    assert ticket not in stream.headers["set-cookie"]
    assert (morsel["path"], morsel["httponly"], morsel["samesite"]) == (STREAM, True, "Lax")
    assert int(morsel["max-age"]) == 599, "as long as the token"
    assert bool(morsel["secure"]) is secure
    assert morsel["domain"] == ""


@pytest.mark.parametrize(
    ("origin", "scheme", "same_site"),
    [
        ("https://desk.example", "https", "None; Secure; Partitioned"),
        ("https://other.example", "https", "Lax; Secure"),
        ("https://desk.example", "http", "Lax"),
        ("", "https", "Lax; Secure"),
    ],
)
async def test_pages_of_allowed_origins_get_a_cookie_that_is_sent_from_their_site(
    origin: str, scheme: str, same_site: str
) -> None:
    async with a_pushing_world(cors_origins="https://desk.example") as pushing:
        headers = {"origin": origin} if origin else {}
        stream = await pushing.request("GET", f"ticket={await pushing.ticket()}", headers, scheme=scheme)
        assert stream.headers["set-cookie"].endswith(f"; HttpOnly; SameSite={same_site}")
        allowed = "https://desk.example" if origin == "https://desk.example" else None
        assert stream.headers.get("access-control-allow-origin") == allowed


async def test_the_browsers_reconnects_work_until_the_token_expires(pushing: Pushing) -> None:
    bearer = pushing.world.token(exp=NOW_S + 2_000)
    ticket = await pushing.ticket(bearer=bearer)
    stream = await spent(pushing, ticket)
    cookie = cookie_of(stream)
    last = await stream.next()
    await stream.leave()
    for _ in range(3):
        await later(400)
        stream = await pushing.request("GET", f"ticket={ticket}", {"cookie": cookie, "last-event-id": last.id})
        assert (stream.status, "set-cookie" in stream.headers) == (200, False)
        last = await stream.next()
        assert last.name == "current"
        await stream.leave()
    stream = await spent(pushing, ticket, cookie)
    await later(790)
    (*_, bye) = await stream.rest()
    assert bye.data["reason"] in ("expired", "rotation")
    await later(20)
    assert await (await spent(pushing, ticket, cookie)).error() == (401, "UNAUTHORIZED")


async def test_a_token_that_was_shown_once_keeps_its_stream_no_longer_than_is_set() -> None:
    async with a_pushing_world(stream_token_life_s=300) as pushing:
        bearer = pushing.world.token(exp=NOW_S + 90_000)
        ticket = await pushing.ticket(bearer=bearer)
        streams = [await spent(pushing, ticket), await pushing.open(bearer=bearer)]
        cookie = cookie_of(streams[0])
        assert "Max-Age=299;" in streams[0].headers["set-cookie"] or "Max-Age=300;" in streams[0].headers["set-cookie"]
        await later(200)
        await (await spent(pushing, ticket, cookie)).leave()
        await later(101)
        for stream in streams:
            (*_, bye) = await stream.rest()
            assert bye.data["reason"] == "expired"
        assert await (await spent(pushing, ticket, cookie)).error() == (401, "UNAUTHORIZED")
        assert (await pushing.open(bearer=bearer)).status == 200, "shown again"


async def test_a_user_has_twenty_tickets_and_cookies_and_the_newest_are_good(pushing: Pushing) -> None:
    tickets = [await pushing.ticket() for _ in range(30)]
    statuses = [(await spent(pushing, ticket)).status for ticket in tickets]
    assert statuses == [401] * 10 + [200] * 20
    other = await pushing.ticket(bearer=pushing.world.token("bob"))
    assert (await spent(pushing, other)).status == 200


async def test_a_tab_that_comes_back_keeps_its_cookie_and_others_lose_theirs() -> None:
    async with a_pushing_world(stream_tickets_per_user=3) as pushing:
        tickets = [await pushing.ticket() for _ in range(3)]
        cookies = [cookie_of(await spent(pushing, ticket)) for ticket in tickets]
        for _ in range(5):
            assert (await spent(pushing, tickets[0], cookies[0])).status == 200
            newest = await pushing.ticket()
        assert (await spent(pushing, newest)).status == 200
        again = [(await spent(pushing, *tab)).status for tab in zip(tickets, cookies, strict=True)]
        assert again == [200, 401, 401]


async def test_tickets_are_given_at_a_rate_to_a_user_and_to_a_tenant() -> None:
    async with a_pushing_world(stream_tickets_per_user=1) as pushing:
        world = pushing.world
        world.store._clock_ms = lambda: world.clock.now_us() // 1000
        headers = world.headers()
        body = {"filterIds": ["all"]}
        answers = [await world.client.post(f"{STREAM_TICKET}?{QUERY}", json=body, headers=headers) for _ in range(8)]
        assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
        assert answers[-1].json()["error"]["code"] == "RATE_LIMITED"
        assert answers[-1].headers["retry-after"] == "10"
        for number in range(99):
            for _ in range(6):
                await pushing.ticket(bearer=world.token(f"user {number}"))
        everyone = await world.client.post(
            f"{STREAM_TICKET}?{QUERY}", json=body, headers=world.headers(world.token("one more"))
        )
        assert everyone.status_code == 429
        await later(10)
        await pushing.ticket()


async def test_a_tenant_has_so_many_users_with_tickets_and_nobody_takes_the_place_of_another() -> None:
    async with a_pushing_world(stream_ticket_users_per_tenant=2) as pushing:
        world = pushing.world
        world.store.budget_clock_ms = lambda: world.clock.now_us() // 1000

        async def demands(user: str, life_s: int) -> httpx.Response:
            headers = world.headers(world.token(user, exp=NOW_S + life_s))
            return await world.client.post(f"{STREAM_TICKET}?{QUERY}", json={"filterIds": ["all"]}, headers=headers)

        assert [(await demands("ann", 600)).status_code for _ in range(5)] == [200] * 5
        assert (await demands("ann", 60)).status_code == 200
        assert (await demands("bob", 300)).status_code == 200
        refused = await demands("cid", 600)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
        assert refused.headers["retry-after"] == "60"
        assert [(await demands(user, 300)).status_code for user in ("ann", "bob")] == [200, 200]
        await later(301)
        assert (await demands("cid", 600)).status_code == 200, "bob's token is over, and ann's longer one isn't"
        assert (await demands("bob", 600)).status_code == 429


async def test_a_role_that_is_no_text_is_no_reason_to_fail(pushing: Pushing) -> None:
    bearer = pushing.world.token("ann", "ticket_admin", "\ud83d", "lead")
    assert (await spent(pushing, await pushing.ticket("shared", bearer=bearer))).status == 200


async def test_there_may_be_no_limit_of_tickets() -> None:
    async with a_pushing_world(stream_tickets_per_user=0) as pushing:
        tickets = [await pushing.ticket() for _ in range(50)]
        assert {(await spent(pushing, ticket)).status for ticket in tickets} == {200}


async def test_a_ticket_of_another_form_is_not_looked_up(pushing: Pushing, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where it is kept: what somebody makes up must not become the name of a key."""
    asked: list[str] = []
    exchange = pushing.world.store.exchange_grant

    async def watched(owner: str, name: str, new_name: str) -> Grant | None:
        asked.append(owner)
        return await exchange(owner, name, new_name)

    monkeypatch.setattr(pushing.world.store, "exchange_grant", watched)
    good = await pushing.ticket()
    for bad in (good[1:], good + "%0A", good.replace(".", ":"), "x" * 5_000, "}{." + "A" * 32, good.upper()):
        assert await (await spent(pushing, bad)).error() == (401, "UNAUTHORIZED")
    assert asked == []
    assert (await spent(pushing, good)).status == 200


async def test_two_tabs_never_meet(pushing: Pushing) -> None:
    tickets = [await pushing.ticket("3745"), await pushing.ticket("3748")]
    streams = [await spent(pushing, ticket) for ticket in tickets]
    cookies = [cookie_of(stream) for stream in streams]
    assert len({cookie.partition("=")[0] for cookie in cookies}) == 2
    jar = "; ".join(cookies)
    for ticket, shown in zip(tickets, ("3745", "3748"), strict=True):
        stream = await spent(pushing, ticket, jar)
        assert list((await stream.next()).data["counts"]) == [shown]
    secrets = [cookie.partition("=")[2] for cookie in cookies]
    names = [cookie.partition("=")[0] for cookie in cookies]
    assert await (await spent(pushing, tickets[0], cookies[1])).error() == (401, "UNAUTHORIZED")
    crossed = f"{names[0]}={secrets[1]}"
    assert await (await spent(pushing, tickets[0], crossed)).error() == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "others", ["a=b", "{bad}", 'json={"x": [1, 2]}', "x[y]=1", "=", ";;", "stream-0123456789abcdef=x", "ü=ö"]
)
async def test_other_cookies_of_the_host_do_not_matter(pushing: Pushing, others: str) -> None:
    ticket = await pushing.ticket()
    cookie = cookie_of(await spent(pushing, ticket, others))
    for jar in (f"{others}; {cookie}", f"{cookie}; {others}"):
        assert (await spent(pushing, ticket, jar)).status == 200


async def test_a_ticket_is_not_spent_by_a_request_that_is_refused_for_its_query(pushing: Pushing) -> None:
    ticket = await pushing.ticket()
    for query in (f"ticket={ticket}&ticket={ticket}", f"ticket={ticket}&last_event_id=1&last_event_id=2"):
        assert await (await pushing.request("GET", query, {})).error() == (400, "INVALID_REQUEST")
    pushing.world.store.away = True
    pushing.world.store.away = False
    assert (await spent(pushing, ticket)).status == 200


async def test_what_was_taken_from_the_caller_since_is_refused(pushing: Pushing) -> None:
    ticket = await pushing.ticket("7472")
    stream = await spent(pushing, ticket)
    await pushing.put_entries(filters={})
    (*_, bye) = await stream.rest()
    assert bye.data["reason"] == "access"
    again = await spent(pushing, ticket, cookie_of(stream))
    assert await again.error() == (422, "INVALID_FILTER_ID")


async def test_secrets_are_neither_logged_nor_stored(pushing: Pushing) -> None:
    bearer = pushing.world.token()
    ticket = await pushing.ticket(bearer=bearer)
    stream = await spent(pushing, ticket)
    cookie = cookie_of(stream)
    await stream.leave()
    await (await spent(pushing, ticket, cookie)).leave()
    await spent(pushing, "nonsense")
    log = "".join(pushing.world.lines)
    stored = repr(pushing.world.store._grants)
    for secret in (ticket, cookie.partition("=")[2], bearer, "nonsense"):
        assert secret not in log
        assert secret not in stored
    line = json.loads(pushing.world.lines[1])
    assert (line["path"], line["status"], line["user"], line["tenant"]) == (STREAM, 200, "ann", "acme")
