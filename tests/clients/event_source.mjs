// An `EventSource` of an npm package, told by a line of JSON on stdin what to open; says as JSON lines what happens.
// The package has to reconnect by itself. A token is added below it: that interface has no headers.

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

for await (const line of createInterface({ input: process.stdin })) {
  for (const { stream, url, headers } of JSON.parse(line)) {
    const source = opened(url, headers);
    for (const name of NAMES) {
      source.addEventListener(name, (event) => say(stream, { name, id: event.lastEventId, data: event.data }));
    }
    source.addEventListener("error", () => say(stream, { closed: source.readyState === source.CLOSED }));
  }
}
