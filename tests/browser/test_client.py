"""What the client does when streams break, tokens end and filters go: against a service that does as it is told."""

from typing import Any


def test_a_silent_stream_is_left_for_one_that_goes_on_from_there(told: Any) -> None:
    seen = told("""
        const one = tab({ limits: { stallMs: 40 } });
        (await source(0)).send("snapshot", SNAPSHOT);
        const next = await source(1);
        next.send("current", { fresh: true, version: "e.1.v" });
        await until(() => one.statuses.at(-1) === "live", "live again");
        return [FakeSource.all[0].ended, next.url, one.statuses, one.state.counts, asked.length];
    """)
    ended, url, statuses, counts, asked = seen
    assert ended
    assert url.endswith("stream?ticket=t1&last_event_id=e.1.v"), "the same ticket, with its cookie"
    assert statuses == ["connecting", "live", "reconnecting", "live"]
    assert (counts, asked) == ({"all": 1, "a": 1}, 1)


def test_the_browser_may_come_back_once_then_pauses_grow(told: Any) -> None:
    seen = told("""
        const one = tab({ limits: { backoffMs: [40, 320] } });
        (await source(0)).send("snapshot", SNAPSHOT);
        FakeSource.all[0].fail();
        await pause(80);
        const left = FakeSource.all[0].ended;
        FakeSource.all[0].fail();
        for (let number = 1; number < 6; number += 1) {
          const lost = await source(number);
          lost.fail();
          lost.fail();
        }
        const begun = FakeSource.all.map((each) => each.openedAt);
        return [left, begun.slice(2).map((at, number) => at - begun[number + 1]), one.statuses];
    """)
    left, gaps, statuses = seen
    assert not left
    nominal = [80, 160, 320, 320]
    assert [gap >= 0.5 * least - 1 for gap, least in zip(gaps, nominal, strict=True)] == [True] * 4, gaps
    assert statuses == ["connecting", "live", "reconnecting"]


def test_a_planned_end_is_left_to_the_browser_and_does_not_show(told: Any) -> None:
    seen = told("""
        const one = tab();
        const stream = await source(0);
        stream.send("snapshot", SNAPSHOT);
        stream.send("bye", { reason: "rotation" });
        stream.fail();
        await pause(50);
        stream.send("current", { fresh: true, version: "e.1.v" });
        await pause(20);
        return [FakeSource.all.length, stream.ended, one.statuses];
    """)
    assert seen == [1, False, ["connecting", "live"]]


def test_overload_is_tried_again_with_growing_pauses(told: Any) -> None:
    seen = told("""
        const one = tab();
        for (let number = 0; number < 3; number += 1) {
          const full = await source(number);
          for (const _ of [1, 2]) {
            full.send("bye", { reason: "overload" });
            full.fail();
          }
        }
        return [asked.length, one.statuses];
    """)
    assert seen == [1, ["connecting", "reconnecting"]]


def test_where_streams_do_not_get_through_it_asks_and_tries_a_stream_now_and_then(told: Any) -> None:
    seen = told("""
        const one = tab({ limits: { firstEventMs: 20 } });
        await until(() => one.statuses.includes("polling"), "polling");
        const streams = FakeSource.all.length;
        const polls = () => asked.filter(({ path }) => path.endsWith("/count")).length;
        await until(() => polls() >= 2, "another poll");
        await until(() => {
          FakeSource.all.slice(streams).forEach((late) => late.send("snapshot", SNAPSHOT));
          return one.statuses.at(-1) === "live";
        }, "live");
        const polled = polls();
        await pause(100);
        return [streams, polled === polls(), one.statuses];
    """)
    streams, stopped_polling, statuses = seen
    assert (streams, stopped_polling) == (2, True)
    assert statuses[:3] == ["connecting", "reconnecting", "polling"]
    assert statuses[-1] == "live"


def test_a_filter_that_goes_is_left_out_and_the_others_go_on(told: Any) -> None:
    seen = told("""
        const one = tab({ ids: ["all", "a", "gone"] });
        (await source(0)).send("snapshot", SNAPSHOT);
        const usual = answer;
        answer = (question) => (question.body.filterIds.includes("gone")
          ? refusal(422, "INVALID_FILTER_ID", { invalidIds: ["gone"] }) : usual(question));
        FakeSource.all[0].send("bye", { reason: "access" });
        (await source(1)).send("snapshot", SNAPSHOT);
        await until(() => one.state.status === "live", "live");
        return [asked.map(({ body }) => body.filterIds), one.state.invalid, one.statuses.includes("denied")];
    """)
    assert seen == [[["all", "a", "gone"], ["all", "a", "gone"], ["all", "a"]], ["gone"], False]


def test_what_is_refused_altogether_says_why(told: Any) -> None:
    seen = told("""
        const one = tab({ ids: ["gone"] });
        answer = () => refusal(422, "INVALID_FILTER_ID", { invalidIds: ["gone"] });
        await until(() => one.state?.status === "denied", "denied");
        const other = tab({ key: "other" });
        answer = () => refusal(403, "FORBIDDEN");
        await until(() => other.state?.status === "denied", "denied");
        const third = tab({ key: "third" });
        answer = () => ({ ...refusal(503, "COUNTS_WARMING"), retryAfter: 0.02 });
        await until(() => third.state?.status === "warming", "warming");
        return [one.state.problem.code, other.state.problem.code, third.state.problem.code];
    """)
    assert seen == ["INVALID_FILTER_ID", "FORBIDDEN", "COUNTS_WARMING"]


def test_numbers_that_are_counted_anew_are_delayed_and_stay(told: Any) -> None:
    seen = told("""
        const one = tab({ ids: ["all"] });
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.state?.status === "live", "live");
        const usual = answer;
        answer = () => ({ ...refusal(503, "COUNTS_WARMING"), retryAfter: 0.02 });
        FakeSource.all[0].fail({ refused: true });
        await until(() => one.state.status === "delayed", "delayed");
        const { problem, counts } = one.state;
        answer = usual;
        (await source(1)).send("snapshot", SNAPSHOT);
        await until(() => one.state.status === "live", "live again");
        return [problem.code, counts.all, one.statuses];
    """)
    assert seen == ["COUNTS_WARMING", 1, ["connecting", "live", "reconnecting", "delayed", "live"]]


def test_what_is_refused_is_asked_for_again_soon(told: Any) -> None:
    usual_ms, statuses = told("""
        const { LIMITS } = await import("/dashboard/ticket-counts-ask.js");
        const one = tab({ limits: { deniedMs: 20 } });
        const usual = answer;
        answer = () => refusal(404, "TENANT_NOT_FOUND");
        await until(() => one.state?.status === "denied", "denied");
        answer = usual;
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.state.status === "live", "live");
        return [LIMITS.deniedMs, one.statuses];
    """)
    assert statuses == ["connecting", "denied", "live"]
    assert usual_ms <= 15_000


def test_one_tab_with_a_new_token_is_enough_for_all(told: Any) -> None:
    seen = told("""
        const one = tab();
        const two = tab({ newToken: (refused) => (refused === "token-1" ? "token-2" : null) });
        (await source(0)).send("snapshot", SNAPSHOT);
        const usual = answer;
        answer = (question) => (question.token === "token-1" ? refusal(401, "UNAUTHORIZED") : usual(question));
        FakeSource.all[0].send("bye", { reason: "expired" });
        (await source(1)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live" && two.statuses.at(-1) === "live", "both live");
        return [asked.map(({ token }) => token), one.statuses.includes("expired")];
    """)
    assert seen == [["token-1", "token-1", "token-2"], False]


def test_without_a_new_token_it_waits_for_one(told: Any) -> None:
    seen = told("""
        const one = tab();
        answer = ({ token }) => (token === "token-1" ? refusal(401, "UNAUTHORIZED") : { data: { ticket: "t" } });
        await until(() => one.statuses.at(-1) === "expired", "expired");
        const before = asked.length;
        await pause(60);
        const meanwhile = asked.length - before;
        one.give("token-2");
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.statuses.at(-1) === "live", "live");
        return meanwhile;
    """)
    assert seen == 0


def test_one_more_count_leaves_the_stream_alone_until_it_is_filled(told: Any) -> None:
    seen = told("""
        const one = tab({ ids: ["all"] });
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => one.state.status === "live", "live");
        const usual = answer;
        let filled = false;
        answer = (question) => (filled ? usual(question) : { ...refusal(503, "COUNTS_WARMING"), retryAfter: 0.01 });
        one.want(["all", "new"]);
        await until(() => asked.length >= 3, "another question");
        FakeSource.all[0].send("counts", { counts: { all: 2 }, summary: {}, version: "e.2.v" });
        await until(() => one.state.counts.all === 2, "the old stream's count");
        const kept = !FakeSource.all[0].ended;
        filled = true;
        const next = await source(1);
        return [kept, FakeSource.all[0].ended, asked.at(-1).body.filterIds, one.statuses];
    """)
    assert seen == [True, True, ["all", "new"], ["connecting", "live"]]


def test_tabs_share_by_view_and_the_stream_ends_with_the_last(told: Any) -> None:
    seen = told("""
        const [one, two] = [tab({ ids: ["all"] }), tab({ ids: ["a"] })];
        const other = tab({ key: "other" });
        await source(1);
        await pause(50);
        const streams = FakeSource.all.length;
        for (const each of FakeSource.all) each.send("snapshot", SNAPSHOT);
        await until(() => [one, two, other].every(({ state }) => state?.status === "live"), "all live");
        one.want([]);
        await pause(30);
        const after = FakeSource.all.map(({ ended }) => ended);
        two.want([]);
        other.want([]);
        await until(() => FakeSource.all.every(({ ended }) => ended), "the end of all");
        return [streams, after, asked.map(({ body }) => body.filterIds)];
    """)
    assert seen == [2, [False, False], [["all", "a"], ["all"]]]


def test_more_than_500_counts_come_in_parts(told: Any) -> None:
    seen = told("""
        const one = tab({ ids: Array.from({ length: 1_203 }, (_, number) => `f${number}`) });
        await source(2);
        for (const each of FakeSource.all) each.send("snapshot", SNAPSHOT);
        await until(() => one.states.size === 3 && [...one.states.values()].every((s) => s.status === "live"), "live");
        return asked.map(({ body }) => body.filterIds.length);
    """)
    assert sorted(seen) == [203, 500, 500]


def test_a_tab_that_is_gone_without_a_word_is_forgotten(told: Any) -> None:
    seen = told("""
        const silent = tab({ limits: { pingMs: 10 } });
        (await source(0)).send("snapshot", SNAPSHOT);
        await until(() => FakeSource.all[0].ended, "the end of its stream");
        silent.give("token-2"); // it was only asleep
        await until(() => silent.again, "to be asked what it wants");
        silent.want(["all"]);
        return (await source(1)).ended;
    """)
    assert seen is False
