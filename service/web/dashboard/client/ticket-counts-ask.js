// Asks the service over HTTP, and says of each failure what it is. Part of ticket-counts.js; keeps nothing.

/** How long what may take, in milliseconds. */
export const LIMITS = {
  stallMs: 25_000, // the server is never silent for longer than 15 s
  firstEventMs: 10_000, // by then a proxy that holds events back is found out
  returnMs: 7_000, // a browser comes back after the 1 to 5 s that the server asked for
  backoffMs: [1_000, 30_000],
  answerMs: 10_000,
  pollMs: 10_000,
  streamAgainMs: 60_000,
  deniedMs: 10_000, // a role or a tenant that was given comes into force within seconds
  tokenMs: 10_000,
  pingMs: 30_000, // tabs in the background are slow to answer, but not that slow
  gatherMs: 20, // the counts of a page are asked for one by one, and asked for together
};

/** A question that the service, the browser or this code refuses. Network failures are other errors. */
export class Refused extends Error {
  constructor(code, message, { status = 0, details = {}, retryMs = 0 } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
    this.retryMs = retryMs;
  }
}

/** The pause after this many failures in a row: doubled each time up to the longest, with jitter. */
export function backoffMs(failures, [first, longest] = LIMITS.backoffMs) {
  return Math.min(first * 2 ** failures, longest) * (0.5 + Math.random() / 2);
}

/** Asks the API for a view's `path`; returns `data` and the response. Raises Refused. */
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
  const otherwise = `${view.base}${path} answers ${status}, and not as ticket counts do: is \`base\` right?`;
  const { code = "INVALID_ANSWER", message = otherwise, details } = error ?? {};
  throw new Refused(code, message, { status, retryMs, details });
}

/** Null for what isn't JSON, as proxies answer. Raises what a lost connection raises. */
function jsonOf(response) {
  return response.json().catch((error) => {
    if (error instanceof SyntaxError) return null;
    throw error;
  });
}

/** `fetch` with a limit, which tells a missing CORS permission from a service that is away. */
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
    return limited(options).catch(() => { // it may have come back between the two
      throw new Refused("ORIGIN_NOT_ALLOWED",
        `${origin} doesn't allow pages of ${globalThis.origin}: set TICKET_COUNTS_CORS_ORIGINS there`);
    });
  }
}

/** Whether something answers there. A browser tells a page no more than that of another origin. */
function answersAnybody(origin) {
  const options = { mode: "no-cors", signal: AbortSignal.timeout(LIMITS.answerMs) };
  return fetch(`${origin}/healthz`, options).then(() => true, () => false);
}
