// Sends requests to the service and classifies their failures. Part of ticket-counts.js; keeps no state.

/** Timeouts and intervals, in milliseconds. */
export const LIMITS = {
  stallMs: 25_000, // longest silence of a stream: the server sends something every 15 s
  firstEventMs: 10_000, // longest wait for a stream's first event: after it, a proxy probably buffers events
  returnMs: 7_000, // longest wait for the browser's reconnect, 1 to 5 s by the server's `retry`
  backoffMs: [1_000, 30_000], // first and longest pause after failures
  answerMs: 10_000, // longest wait for a response
  pollMs: 10_000, // interval of polling
  streamAgainMs: 60_000, // after so long, polling tries a stream again
  deniedMs: 10_000, // interval of requests while denied: a new role or tenant takes effect within seconds
  tokenMs: 10_000, // longest wait for a token
  pingMs: 30_000, // interval of pings to tabs: background tabs are slow to answer, but not that slow
  gatherMs: 20, // elements of a page ask for counts one by one; those within this time share a request
};

/** A request that the service, the browser or this code refuses. Network failures are other errors. */
export class Refused extends Error {
  constructor(code, message, { status = 0, details = {}, retryMs = 0 } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
    this.retryMs = retryMs;
  }
}

/** Returns the pause after so many failures in a row: doubled each time up to the longest, with jitter. */
export function backoffMs(failures, [first, longest] = LIMITS.backoffMs) {
  return Math.min(first * 2 ** failures, longest) * (0.5 + Math.random() / 2);
}

/** Requests a view's `path` from the API: POST with a body, else GET. Returns `data` and the response. Throws Refused. */
export async function ask(view, token, path, body) {
  const query = new URLSearchParams({ type: view.perspective, module: "ticketing" });
  const url = `${view.base}${path}?${query}`;
  const response = await allowedFetch(url, {
    method: body ? "POST" : "GET",
    headers: {
      authorization: `Bearer ${token}`,
      "x-tenantid": view.tenant,
      realmname: view.realm,
      ...(body && { "content-type": "application/json" }),
    },
    body: body && JSON.stringify(body),
  });
  const { error, data } = (await jsonOf(response)) ?? {};
  if (response.ok && data) return { data, response };
  const { status, headers } = response;
  const retryMs = 1_000 * Number(headers.get("retry-after") ?? 0);
  const otherwise = `${view.base}${path} answers ${status}, but not in the format of ticket counts: is \`base\` right?`;
  const { code = "INVALID_ANSWER", message = otherwise, details } = error ?? {};
  throw new Refused(code, message, { status, retryMs, details });
}

/** Returns the parsed body; null if it isn't JSON, like a proxy's error page. Throws when the connection is lost. */
function jsonOf(response) {
  return response.json().catch((error) => {
    if (error instanceof SyntaxError) return null;
    throw error;
  });
}

/** `fetch` with a timeout. Throws Refused when the service is up but CORS doesn't allow this page's origin. */
async function allowedFetch(url, options) {
  try {
    new Request(url, options);
  } catch (error) {
    throw new Refused("INVALID_REQUEST", `The browser can't send it: ${error.message}`);
  }
  const limited = (more) => fetch(url, { ...more, signal: AbortSignal.timeout(LIMITS.answerMs) });
  try {
    return await limited(options);
  } catch (error) {
    const { origin } = new URL(url);
    if (origin === globalThis.origin || !(await answersAnybody(origin))) throw error;
    return limited(options).catch(() => { // tried again, because the service may be back since the first failure
      throw new Refused("ORIGIN_NOT_ALLOWED",
        `${origin} doesn't allow pages of ${globalThis.origin}: set TICKET_COUNTS_CORS_ORIGINS there`);
    });
  }
}

/** Whether the origin answers at all: a browser tells a page no more about another origin. */
function answersAnybody(origin) {
  const options = { mode: "no-cors", signal: AbortSignal.timeout(LIMITS.answerMs) };
  return fetch(`${origin}/healthz`, options).then(() => true, () => false);
}
