// The counts of one viewer in one page: gets tokens, talks to the hub of all tabs, and calls listeners. Part of
// ticket-counts.js, which has the types.

import { LIMITS, Refused, ask, backoffMs } from "./ticket-counts-ask.js";
import { Hub } from "./ticket-counts-worker.js";

/**
 * @typedef {import("./ticket-counts.js").Options} Options
 * @typedef {import("./ticket-counts.js").State} State
 */

const PROTOCOL = "ticket-counts-2"; // the worker's name: pages never share a worker of another version
const WORST_LAST =
  ["live", "polling", "delayed", "connecting", "reconnecting", "warming", "invalid", "denied", "expired"];
export const INVALID_FILTER_ID = "INVALID_FILTER_ID";
const NO_NUMBERS = { counts: {}, details: {}, summary: {}, invalid: [], knownAt: 0, asOf: null, version: "" };
const BEARER = /^[A-Za-z0-9._~+/-]+=*$/; // RFC 6750, 2.1

let policy; // for pages whose CSP requires trusted types
/** @type {Hub | null} */
let hubOfThisPage = null;
let sharing = "SharedWorker" in globalThis;

function openSharedWorker() {
  const url = new URL("./ticket-counts-worker.js", import.meta.url).href;
  policy ??= globalThis.trustedTypes?.createPolicy("ticket-counts", { createScriptURL: (own) => own });
  return new SharedWorker(policy ? policy.createScriptURL(url) : url, { type: "module", name: PROTOCOL });
}

function ownPort() {
  const { port1, port2 } = new MessageChannel();
  if (!hubOfThisPage) {
    const hub = new Hub();
    // Ends streams at once: browsers may keep a page that was left, and its open streams, for a while.
    addEventListener("pagehide", () => hub.rest());
    hubOfThisPage = hub;
  }
  hubOfThisPage.accept(port1);
  return port2;
}

/** Takes a lock until `unlock` is called or the page is gone. Without locks (insecure origin), `unlock` does nothing. */
async function takeLock() {
  if (!navigator.locks) return { unlock: () => {} };
  const life = `ticket-counts-tab-${crypto.randomUUID()}`;
  return new Promise((resolve) => {
    navigator.locks.request(life, () => new Promise((unlock) => resolve({ life, unlock })))
      .catch(() => resolve({ unlock: () => {} })); // a sandboxed frame
  });
}

const warned = new Set();

/** Writes each mistake in a page or in settings to the console once. */
export function warn(text) {
  if (warned.has(text)) return;
  warned.add(text);
  console.warn(`ticket-counts: ${text}`);
}

function warnOf({ code, status, message }) {
  const passes = status >= 500 || status === 429;
  if (code && !passes) warn(`${code}: ${message}`);
}

/** Returns the token's claims without those that change at a renewal: renewed tokens share a stream, others never. */
function identityOf(token) {
  try {
    const payload = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    for (const ofThisToken of ["exp", "iat", "nbf", "jti", "auth_time", "nonce", "sid"]) delete payload[ofThisToken];
    return JSON.stringify(payload);
  } catch {
    return token;
  }
}

/** The counts of one viewer. All tabs with the same view share its streams. */
export class TicketCounts {
  #watching = new Map(); // listener -> ids
  #states = new Map(); // feed number -> state
  #token = null;
  #port = null;
  #sendTimer = 0;
  /** @type {Promise<string | null> | null} */
  #tokenRequest = null;
  #failures = 0;
  #unlock = () => {};
  #key = "";

  /** @param {Options} options */
  constructor({ base = "", tenant, realm, token, perspective = "template", timezone, profile = null }) {
    const zone = timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.view = { base: (base || location.origin).replace(/\/+$/, ""), tenant, realm, perspective, timezone: zone, profile };
    this.getToken = typeof token === "function" ? token : () => token;
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    addEventListener("pagehide", () => this.#hangUp(), { signal }); // browsers may freeze the page and keep it
    addEventListener("pageshow", ({ persisted }) => persisted && this.#changed(), { signal });
    addEventListener("online", () => this.#port?.postMessage({ key: this.#key, hurry: true }), { signal });
  }

  /**
   * Calls `listener` with the newest state, now and at every change. Without ids, the state has the summary only.
   * @param {string[]} ids
   * @param {(state: State) => void} listener
   * @returns {() => void} Ends the watch.
   */
  watch(ids, listener) {
    this.#watching.set(listener, ids.length > 0 ? ids : ["all"]);
    this.#changed();
    if (this.#states.size > 0) notify(listener, this.#state());
    return () => {
      this.#watching.delete(listener);
      this.#changed();
    };
  }

  /**
   * Returns the filters and profiles that this viewer may use. Rejects with `code`, `status` and `message` if the
   * service refuses, with the error of `token`, or with that of `fetch`.
   * @returns {Promise<{filters: {id: string, name: string, type: string, color?: string}[],
   *   profiles: {id: string, name: string}[]}>}
   */
  async filters() {
    this.#token ??= await this.#firstToken();
    if (!this.#token) throw new Refused("UNAUTHORIZED", "No user is signed in", { status: 401 });
    return (await ask(this.view, this.#token, "/api/v2/ticketing/ticket/filters")).data;
  }

  /** Asks for a new token, for example after a sign-in. Rejects with the error of `token`. */
  async renew() {
    const token = await this.#newToken(this.#token ?? undefined);
    if (!token || token === this.#token) return;
    this.#token = token;
    if (this.#port) this.#port.postMessage({ key: this.#key, token });
    else this.#changed();
  }

  /** Ends every watch. */
  close() {
    this.#watching.clear();
    this.leaving.abort();
    this.#hangUp();
  }

  #hangUp() {
    this.#unlock();
    this.#port?.postMessage({ key: this.#key, ids: [] });
    this.#port?.close();
    this.#port = null;
  }

  /** Sends the wanted ids soon, so that the watches of a starting page are sent together. */
  #changed() {
    clearTimeout(this.#sendTimer);
    this.#sendTimer = setTimeout(() => this.#send(), 0);
  }

  /** Returns a token other than the refused one; null if there is none. Throws the error of `token`, or TypeError. */
  async #newToken(refused) {
    const token = (await this.getToken(refused)) ?? "";
    if (typeof token !== "string") throw new TypeError(`token is not a string, but ${typeof token}`);
    const trimmed = token.trim();
    if (trimmed && !BEARER.test(trimmed)) throw new TypeError("token is not a bearer token");
    return trimmed === refused ? null : trimmed || null;
  }

  /** Calls `token`, which may show a form, only once at a time. */
  #firstToken() {
    this.#tokenRequest ??= this.#newToken().finally(() => { this.#tokenRequest = null; });
    return this.#tokenRequest;
  }

  async #send() {
    const slow = setTimeout(() => this.#noToken("it hasn't answered yet"), LIMITS.tokenMs);
    try {
      this.#token ??= await this.#firstToken();
      this.#failures = 0;
    } catch (error) {
      if (this.leaving.signal.aborted) return;
      this.#noToken(messageOf(error));
      clearTimeout(this.#sendTimer);
      this.#sendTimer = setTimeout(() => this.#send(), backoffMs(this.#failures++));
      return;
    } finally {
      clearTimeout(slow);
    }
    if (this.leaving.signal.aborted) return;
    if (!this.#token) {
      this.#receive(0, { ...NO_NUMBERS, status: "expired", problem: null });
      return;
    }
    if (!this.#port) {
      this.#port = this.#openPort();
      const { life, unlock } = await takeLock();
      this.#unlock = unlock;
      if (life) this.#port?.postMessage({ life });
    }
    this.#key ||= JSON.stringify([this.view, identityOf(this.#token)]);
    const ids = [...new Set([...this.#watching.values()].flat())];
    this.#port?.postMessage({ key: this.#key, view: this.view, ids, token: this.#token });
  }

  #openPort() {
    if (sharing) {
      try {
        const worker = openSharedWorker();
        worker.onerror = () => this.#withoutWorker();
        return this.#listenTo(worker.port);
      } catch {
        sharing = false; // the browser or the page's policy forbids shared workers
      }
    }
    return this.#listenTo(ownPort());
  }

  #withoutWorker() {
    sharing = false;
    this.#port = null;
    this.#changed();
  }

  #listenTo(port) {
    port.onmessage = ({ data }) => {
      if (data.ping) port.postMessage({ pong: true });
      else if (data.again) this.#changed();
      else if (data.refused) this.#answer(data.refused);
      else this.#receive(data.number, data.state);
    };
    return port;
  }

  #noToken(why) {
    this.#receive(0, { ...NO_NUMBERS, status: "reconnecting", problem: tokenFailed(why) });
  }

  /** Answers the hub's request for another token. After a `failure` the hub asks again after a pause. */
  async #answer(refused) {
    let failure;
    const token = this.#token === refused
      ? await this.#newToken(refused).catch((error) => { failure = tokenFailed(messageOf(error)); })
      : this.#token;
    // `renew` may have stored a new token meanwhile, which must not be overwritten.
    if (token && this.#token === refused) this.#token = token;
    this.#port?.postMessage({ key: this.#key, token: this.#token === refused ? null : this.#token, failure });
  }

  #receive(number, state) {
    if (state) this.#states.set(number, state);
    else this.#states.delete(number); // no count of the feed is wanted any more
    if (this.#states.size === 0) return;
    const whole = this.#state();
    if (whole.problem) warnOf(whole.problem);
    for (const listener of this.#watching.keys()) notify(listener, whole);
  }

  /** Merges the states of all feeds (500 counts each): the status is the worst one, `knownAt` the oldest. */
  #state() {
    const parts = [...this.#states.values()];
    const worst = parts.reduce((one, other) =>
      WORST_LAST.indexOf(other.status) > WORST_LAST.indexOf(one.status) ? other : one);
    const all = (key) => Object.assign({}, ...parts.map((part) => part[key]));
    const knownAt = Math.min(...parts.map((part) => part.knownAt));
    const wanted = new Set([...this.#watching.values()].flat());
    const invalid = parts.flatMap((part) => part.invalid).filter((id) => wanted.has(id)); // without other tabs' ids
    const problem = worst.problem ?? parts.find((part) => part.problem)?.problem ?? problemOf(invalid);
    const maps = { counts: all("counts"), details: all("details"), summary: all("summary") };
    return { ...worst, problem, knownAt, invalid, ...maps };
  }
}

function problemOf(invalid) {
  if (invalid.length === 0) return null;
  const message = `No such filters, or not for this viewer: ${invalid.join(", ")}`;
  return { code: INVALID_FILTER_ID, status: 422, message };
}

function tokenFailed(why) {
  return { code: "TOKEN_FAILED", status: 0, message: `Getting a token failed: ${why}` };
}

function messageOf(error) {
  return String(error?.message ?? error);
}

/** Calls a listener. Reports its exceptions to the page, so that the other listeners are called anyway. */
function notify(listener, state) {
  try {
    listener(state);
  } catch (error) {
    reportError(error);
  }
}
