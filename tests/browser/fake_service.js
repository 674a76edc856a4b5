// A service that does what a test says, put in place of `fetch` and `EventSource`, and a tab that talks to the hub.

class FakeSource extends EventTarget {
  static CLOSED = 2;
  static all = [];

  constructor(url) {
    super();
    Object.assign(this, { url, readyState: 0, ended: false, openedAt: performance.now() });
    FakeSource.all.push(this);
  }

  close() {
    this.readyState = 2;
    this.ended = true;
  }

  send(name, data) {
    if (this.readyState === FakeSource.CLOSED) return; // as a browser: nothing arrives at what was closed
    this.readyState = 1;
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
  }

  /** The connection is lost: the browser tries again, unless it was refused. */
  fail({ refused = false } = {}) {
    this.readyState = refused ? 2 : 0;
    this.onerror?.(new Event("error"));
  }
}

const asked = []; // {path, body, token}
let tickets = 0;
let answer = ({ path }) => (path.endsWith("stream-ticket")
  ? { data: { ticket: `t${(tickets += 1)}` } }
  : { data: { counts: { all: 7 }, summary: {}, filterDetails: {} } });

window.EventSource = FakeSource;
window.fetch = async (url, { headers, body }) => {
  const token = headers.authorization.slice(7);
  const question = { path: new URL(url).pathname, body: body && JSON.parse(body), token };
  asked.push(question);
  const { status = 200, retryAfter, text, ...json } = answer(question); // what it throws, `fetch` rejects with
  const answered = { "x-counts-version": "e.1", ...(retryAfter && { "retry-after": String(retryAfter) }) };
  return new Response(text ?? JSON.stringify(json), { status, headers: answered });
};

function refusal(status, code, details = {}) {
  return { status, error: { code, message: code, details } };
}

async function until(condition, what) {
  for (const end = performance.now() + 10_000; !condition(); await new Promise((done) => setTimeout(done, 2))) {
    if (performance.now() > end) throw new Error(`waited for ${what}`);
  }
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

const SNAPSHOT = { counts: { all: 1, a: 1 }, summary: { totalOpen: 1 }, filterDetails: {}, fresh: true, version: "e.1.v" };
const SMALL = {
  stallMs: 5_000, firstEventMs: 5_000, returnMs: 5_000, backoffMs: [10, 40], pollMs: 30, streamAgainMs: 100, gatherMs: 1,
};
const { Hub } = await import("/dashboard/ticket-counts-worker.js");
let hub = null;

/** A tab that looks at this view, and remembers each state it was sent. */
function tab({ limits = {}, ids = ["all"], key = "k", token = "token-1", newToken = () => null } = {}) {
  hub ??= new Hub({ ...SMALL, ...limits });
  const { port1, port2 } = new MessageChannel();
  hub.accept(port1);
  const view = { base: location.origin, tenant: "t", realm: "r", perspective: "template", timezone: "UTC", profile: null };
  const made = { statuses: [], states: new Map(), want: (wanted) => port2.postMessage({ key, view, ids: wanted, token }) };
  port2.onmessage = async ({ data }) => {
    if (data.refused) {
      let failure;
      const token = await Promise.resolve(data.refused).then(newToken).catch(({ message }) => {
        failure = { code: "TOKEN_FAILED", status: 0, message };
      });
      port2.postMessage({ key, token: token ?? null, failure });
    }
    if (data.again) made.again = true;
    if (!("state" in data)) return;
    made.states.set(data.number, data.state);
    made.state = data.state;
    if (data.state && made.statuses.at(-1) !== data.state.status) made.statuses.push(data.state.status);
  };
  made.give = (given) => port2.postMessage({ key, token: given });
  made.want(ids);
  return made;
}

async function source(number) {
  await until(() => FakeSource.all.length > number, `stream ${number}`);
  return FakeSource.all[number];
}

/** A page that watches these counts by `connect`, without any other tab, and remembers each state it was told. */
async function viewer({ ids = ["all"], limits = {}, ...options } = {}) {
  Reflect.deleteProperty(window, "SharedWorker");
  const { LIMITS } = await import("/dashboard/ticket-counts-ask.js");
  Object.assign(LIMITS, SMALL, limits);
  const { connect } = await import("/dashboard/ticket-counts.js");
  const made = { statuses: [], codes: [] };
  made.counts = connect({ tenant: "t", realm: "r", token: "token-1", ...options });
  made.counts.watch(ids, (state) => {
    made.state = state;
    if (made.statuses.at(-1) !== state.status) made.statuses.push(state.status);
    if (state.problem && made.codes.at(-1) !== state.problem.code) made.codes.push(state.problem.code);
  });
  return made;
}
