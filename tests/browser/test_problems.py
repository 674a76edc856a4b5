"""What goes wrong in a page, its token or the settings is said, once, and everything that passes heals by itself."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.browser.page import SHOWN_S, Page
from tests.browser.test_states import no_demo, signed_in
from tests.browser.world import REALM, TENANT, World
from tests.deploy.clone import ROOT
from tests.servers.ports import free_port
from tests.support.waiting import wait_until_blocking

Told = Callable[[str], Any]

WATCH = """
const { connect } = await import(args[0]);
window.counts = connect(args[1]);
counts.watch(args[2], (state) => { window.state = state });
"""
"""`args`: address of the client, options, ids. The newest state is `window.state`."""


def test_a_token_that_could_not_be_got_is_got_a_moment_later(told: Told) -> None:
    seen = told("""
        let calls = 0;
        const failing = () => { throw new Error("no session"); };
        const one = await viewer({ token: () => ((calls += 1) < 3 ? failing() : "t1") });
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live", "live");
        return [calls, one.statuses[0], one.codes, one.state.problem, one.state.counts.all];
    """)
    assert seen == [3, "reconnecting", ["TOKEN_FAILED"], None, 1]


def test_a_renewal_that_fails_is_no_end(told: Told) -> None:
    seen = told("""
        let fails = 2;
        const token = async (refused) => {
          if (!refused) return "token-1";
          if ((fails -= 1) >= 0) throw new Error("the session's server is away");
          return "token-2";
        };
        const one = await viewer({ token });
        (await source(0)).send("snapshot", SNAPSHOT);
        const usual = answer;
        answer = (question) => (question.token === "token-1" ? refusal(401, "UNAUTHORIZED") : usual(question));
        FakeSource.all[0].send("bye", { reason: "expired" });
        (await source(1)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live", "live again");
        return [one.statuses, one.codes, asked.at(-1).token];
    """)
    assert seen == [["connecting", "live", "reconnecting", "live"], ["TOKEN_FAILED"], "token-2"]


def test_one_tab_that_gets_no_token_does_not_keep_the_others_from_one(told: Told) -> None:
    seen = told("""
        const one = tab({ newToken: () => { throw new Error("never answers"); } });
        const two = tab({ newToken: () => "token-2" });
        answer = ({ token }) => (token === "token-1" ? refusal(401, "UNAUTHORIZED") : { data: { ticket: "t" } });
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live" && two.statuses.at(-1) === "live", "both live");
        return one.statuses.includes("expired");
    """)
    assert seen is False


def test_a_token_that_does_not_come_is_said_and_taken_once_it_comes(told: Told) -> None:
    seen = told("""
        let calls = 0;
        let give = null;
        const token = () => { calls += 1; return new Promise((resolve) => { give = resolve; }); };
        const one = await viewer({ token, limits: { tokenMs: 30 } });
        await until(() => one.codes.length > 0, "a problem");
        const said = one.statuses.at(-1);
        give("token-1");
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live", "live");
        return [said, one.codes, calls];
    """)
    assert seen == ["reconnecting", ["TOKEN_FAILED"], 1]


def test_the_refused_token_once_more_is_none(told: Told) -> None:
    seen = told("""
        const one = await viewer({ token: () => "token-1", limits: { tokenMs: 60_000 } });
        answer = () => refusal(401, "UNAUTHORIZED");
        await until(() => one.statuses.at(-1) === "expired", "expired");
        return one.state.problem.code;
    """)
    assert seen == "UNAUTHORIZED"


@pytest.mark.parametrize("wrong", ["'<html>no session</html>'", "{}", "'zwölf'"], ids=["page", "object", "letters"])
def test_what_is_no_token_is_never_sent_and_asked_for_again(told: Told, wrong: str) -> None:
    seen = told(f"""
        let calls = 0;
        const one = await viewer({{ token: () => ((calls += 1) === 1 ? {wrong} : "token-1") }});
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live", "live");
        return [one.codes, asked.map(({{ token }}) => token)];
    """)
    assert seen == [["TOKEN_FAILED"], ["token-1"]]


def test_nobody_signed_in_asks_nothing(told: Told) -> None:
    seen = told("""
        const one = await viewer({ token: () => null });
        await until(() => one.state?.status === "expired", "expired");
        const refused = await one.counts.filters().catch(({ code, status }) => [code, status]);
        return [refused, asked.length];
    """)
    assert seen == [["UNAUTHORIZED", 401], 0]


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (400, "INVALID_REQUEST", "invalid"),
        (405, "METHOD_NOT_ALLOWED", "invalid"),
        (413, "PAYLOAD_TOO_LARGE", "invalid"),
        (431, "", "invalid"),
        (403, "FORBIDDEN", "denied"),
        (404, "TENANT_NOT_FOUND", "denied"),
        (429, "RATE_LIMITED", "reconnecting"),
        (500, "INTERNAL_ERROR", "reconnecting"),
        (503, "COUNTS_UNAVAILABLE", "reconnecting"),
    ],
)
def test_a_refusal_says_who_can_do_something_about_it(told: Told, status: int, code: str, says: str) -> None:
    seen = told(f"""
        answer = () => refusal({status}, "{code}");
        const one = await viewer();
        await until(() => one.state?.problem, "a problem");
        return [one.state.status, one.state.problem.code, one.state.problem.status];
    """)
    assert seen == [says, code, status]


def test_an_answer_of_something_else_is_not_taken_for_counts(told: Told) -> None:
    seen = told("""
        answer = () => ({ text: "<html>Welcome to the airport's network</html>" });
        const one = await viewer({ limits: { firstEventMs: 20 } });
        await until(() => asked.length > 3, "some questions");
        const meanwhile = [one.statuses.includes("live"), one.statuses.includes("polling"), one.codes];
        answer = () => ({ status: 404, text: "not here" });
        await until(() => one.state.status === "invalid", "the wrong address to be said");
        return [...meanwhile, one.state.problem.message.includes("404")];
    """)
    assert seen == [False, False, ["INVALID_ANSWER"], True]


def test_a_time_out_is_a_network_failure_without_a_code(told: Told) -> None:
    seen = told("""
        answer = () => { throw new DOMException("signal timed out", "TimeoutError"); };
        const one = await viewer();
        await until(() => one.state?.problem, "a problem");
        return [one.state.status, one.state.problem];
    """)
    assert seen == ["reconnecting", {"code": "", "status": 0, "message": "signal timed out"}]


def test_an_event_that_was_cut_short_costs_its_stream(told: Told) -> None:
    seen = told("""
        const one = await viewer();
        (await source(0)).send("snapshot", SNAPSHOT);
        FakeSource.all[0].dispatchEvent(new MessageEvent("counts", { data: '{"counts": {"al' }));
        (await source(1)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live", "live again");
        return [FakeSource.all[0].ended, one.statuses];
    """)
    assert seen == [True, ["connecting", "live", "reconnecting", "live"]]


def test_a_frame_that_may_have_no_locks_streams_all_the_same(told: Told) -> None:
    seen = told("""
        navigator.locks.request = async () => { throw new DOMException("denied", "SecurityError"); };
        const one = await viewer();
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live", "live");
        return one.state.counts.all;
    """)
    assert seen == 1


def test_a_listener_that_throws_takes_nothing_from_the_others(told: Told) -> None:
    seen = told("""
        const reported = [];
        window.addEventListener("error", (event) => { reported.push(event.message); event.preventDefault(); });
        const one = await viewer();
        let second = null;
        one.counts.watch(["all"], () => { throw new Error("mine"); });
        one.counts.watch(["all"], (state) => { second = state.counts.all; });
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => second === 1, "the count");
        return reported.length > 0;
    """)
    assert seen is True


def test_elements_show_numbers_below_a_language_that_is_none(told: Told) -> None:
    seen = told("""
        await viewer();
        document.body.innerHTML = `<p lang="en_US"><ticket-count filter="all"></ticket-count></p>`;
        (await source(0)).send("snapshot", SNAPSHOT);
        const shown = document.querySelector("ticket-count");
        await until(() => shown.textContent !== "–", "a number");
        return shown.textContent;
    """)
    assert seen == "1"


def watching(page: Page, ids: list[str], client: str = "/dashboard/ticket-counts.js", **options: Any) -> None:
    """Has this page watch these counts by the real client."""
    page.run_async(WATCH, client, {"tenant": TENANT, "realm": REALM, **options}, ids)


def state(page: Page) -> dict[str, Any]:
    """The newest; empty before the first."""
    found: dict[str, Any] = page.run("return window.state ?? {}")
    return found


def warnings(page: Page) -> list[str]:
    """What the client has written to the console since it was last asked."""
    return [problem for problem in page.problems() if "ticket-counts: " in problem]


def test_a_filter_that_there_is_not_is_named_once_and_the_others_are_counted(world: World, blank: Page) -> None:
    watching(blank, ["all", "no-such-filter"], token=world.token())
    wait_until_blocking(lambda: state(blank).get("status") == "live", SHOWN_S, "live")
    seen = state(blank)
    assert seen["problem"]["code"] == "INVALID_FILTER_ID"
    assert "no-such-filter" in seen["problem"]["message"]
    assert (seen["invalid"], "all" in seen["counts"]) == (["no-such-filter"], True)
    blank.run("""document.body.innerHTML = '<ticket-count filter="no-such-filter"></ticket-count>'
        + '<ticket-count filter="all"></ticket-count><ticket-count summary="totalOpne"></ticket-count>'""")
    problems = "return [...document.querySelectorAll('ticket-count')].map((each) => each.dataset.problem ?? '')"
    expected = ["INVALID_FILTER_ID", "", "INVALID_FILTER_ID"]
    wait_until_blocking(lambda: blank.run(problems) == expected, SHOWN_S, "each element's problem")
    world.new_ticket()
    all_before = seen["counts"]["all"]
    wait_until_blocking(lambda: state(blank)["counts"]["all"] == all_before + 1, SHOWN_S, "another state")
    said = warnings(blank)
    assert len(said) == 2, said
    assert "no-such-filter" in said[0]
    assert "totalOpne" in said[1]


def test_a_question_that_is_wrong_is_not_called_no_access(world: World, blank: Page) -> None:
    watching(blank, ["all"], token=world.token(), perspective="everything")
    wait_until_blocking(lambda: state(blank).get("problem"), SHOWN_S, "a problem")
    seen = state(blank)
    assert (seen["status"], seen["problem"]["code"], seen["problem"]["status"]) == ("invalid", "INVALID_REQUEST", 400)
    assert len(warnings(blank)) == 1


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A site of another origin that has copied the client, as documented."""
    for file in (ROOT / "service" / "web" / "dashboard" / "client").glob("ticket-counts*.js"):
        shutil.copy(file, tmp_path)
    (tmp_path / "index.html").write_text("<!doctype html><title>Desk</title>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Not among the tests' lines."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_missing_cors_permission_is_told_from_a_service_that_is_away(
    world: World, page: Page, elsewhere: str
) -> None:
    page.driver.get(f"{elsewhere}/index.html")
    watching(page, ["all"], f"{elsewhere}/ticket-counts.js", token=world.token(), base=f"{page.url}/")
    wait_until_blocking(lambda: state(page).get("problem"), SHOWN_S, "a problem")
    seen = state(page)
    assert (seen["status"], seen["problem"]["code"]) == ("denied", "ORIGIN_NOT_ALLOWED")
    assert "TICKET_COUNTS_CORS_ORIGINS" in seen["problem"]["message"]
    assert elsewhere in seen["problem"]["message"]
    assert len(warnings(page)) == 1
    nobody = f"http://127.0.0.1:{free_port()}"
    page.run("counts.close(); window.state = undefined")
    watching(page, ["all"], f"{elsewhere}/ticket-counts.js", token=world.token(), base=nobody)
    wait_until_blocking(lambda: state(page).get("problem"), SHOWN_S, "a problem")
    assert (state(page)["status"], state(page)["problem"]["code"]) == ("reconnecting", "")
    assert warnings(page) == []


NO_STORAGE = """
Object.defineProperty(window, "sessionStorage", { get() { throw new DOMException("denied", "SecurityError"); } });
"""


def test_the_page_signs_in_where_the_browser_allows_no_storage(world: World, page: Page) -> None:
    with no_demo(world), page.more_tabs(1) as [_, tab]:
        page.driver.switch_to.window(tab)
        page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NO_STORAGE})
        page.open().wait_word("Signed out")
        signed_in(page, world.token())
        page.wait_word("Live")
        wait_until_blocking(lambda: page.numbers() == world.counts(), SHOWN_S, "the numbers")
