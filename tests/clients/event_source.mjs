// An `EventSource` of an npm package, told by a line of JSON on stdin what to open; says as JSON lines what happens.
// The package has to reconnect by itself; but when it finds nobody it may give up (undici does), and then it is opened
// anew as a page would do it. A token is added below it: that interface has no headers.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const NAMES = ["snapshot", "counts", "current", "heartbeat", "bye"];
const [kind, modules] = process.argv.slice(2);
const packages = createRequire(`${modules}/`)(kind);

function say(stream, what) {
  process.stdout.write(JSON.stringify({ stream, ...what }) + "\n");
}

function opened(url, headers) {
  if (kind === "eventsource") {
    const sent = (to, init) => fetch(to, { ...init, headers: { ...init.headers, ...headers } });
    return new packages.EventSource(url, { fetch: sent });
  }
  class WithHeaders extends packages.Agent {
    dispatch(options, handler) {
      Object.assign(options.headers, headers);
      return super.dispatch(options, handler);
    }
  }
  return new packages.EventSource(url, { dispatcher: new WithHeaders() });
}

function follow(stream, url, headers, lastId = "") {
  const source = opened(lastId ? `${url}&last_event_id=${lastId}` : url, headers);
  for (const name of NAMES) {
    source.addEventListener(name, (event) => {
      lastId = event.lastEventId;
      say(stream, { name, id: event.lastEventId, data: event.data });
    });
  }
  let over = false;
  // Looked at a little later: some say what has become of them only after the event, and some say so twice.
  source.addEventListener("error", () => setTimeout(async () => {
    if (over) return;
    over = source.readyState === source.CLOSED;
    if (!over) {
      say(stream, { closed: false });
      return;
    }
    const refused = await isRefused(url, headers);
    say(stream, { closed: refused });
    if (!refused) setTimeout(() => follow(stream, url, headers, lastId), 500);
  }, 10));
}

async function isRefused(url, headers) {
  const stop = new AbortController();
  try {
    return (await fetch(url, { headers, signal: stop.signal })).status !== 200;
  } catch {
    return false;
  } finally {
    stop.abort();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  for (const { stream, url, headers } of JSON.parse(line)) follow(stream, url, headers);
}
