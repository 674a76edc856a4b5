// The counts of one viewer in one page: gets tokens, talks to the hub of all tabs, and tells those who watch. Part of
// ticket-counts.js, which has the types.

import { LIMITS, Refused, ask, backoffMs } from "./ticket-counts-ask.js";
import { Hub } from "./ticket-counts-worker.js";

/**
 * @typedef {import("./ticket-counts.js").Options} Options
 * @typedef {import("./ticket-counts.js").State} State
 */

const PROTOCOL = "ticket-counts-2"; // a page never meets a worker of another version
const WORST_LAST =
  ["live", "polling", "delayed", "connecting", "reconnecting", "warming", "invalid", "denied", "expired"];
export const INVALID_FILTER_ID = "INVALID_FILTER_ID";
const NO_NUMBERS = { counts: {}, details: {}, summary: {}, invalid: [], knownAt: 0, asOf: null, version: "" };
const BEARER = /^[A-Za-z0-9._~+/-]+=*$/; // RFC 6750, 2.1

let policy; // for pages that take scripts from named policies only
/** @type {Hub | null} */
let hubOfThisPage = null;
let sharing = "SharedWorker" in globalThis;

function shared() {
  const url = new URL("./ticket-counts-worker.js", import.meta.url).href;
  policy ??= globalThis.trustedTypes?.createPolicy("ticket-counts", { createScriptURL: (own) => own });
  return new SharedWorker(policy ? policy.createScriptURL(url) : url, { type: "module", name: PROTOCOL });
}

function unshared() {
  const { port1, port2 } = new MessageChannel();
  if (!hubOfThisPage) {
    const hub = new Hub();
    // Browsers keep pages that were left for a while, streams and all, unless these are ended at once.
    addEventListener("pagehide", () => hub.rest());
    hubOfThisPage = hub;
  }
  hubOfThisPage.accept(port1);
  return port2;
}

/** A lock that is held until it is released, or this page is gone; none where the origin isn't secure. */
async function heldLock() {
  if (!navigator.locks) return { unlock: () => {} };
  const life = `ticket-counts-tab-${crypto.randomUUID()}`;
  return new Promise((resolve) => {
    navigator.locks.request(life, () => new Promise((unlock) => resolve({ life, unlock })))
      .catch(() => resolve({ unlock: () => {} })); // a sandboxed frame
  });
}

const warned = new Set();

/** Mistakes in a page or in settings, which nobody would see otherwise; each once. */
export function warn(text) {
  if (warned.has(text)) return;
  warned.add(text);
  console.warn(`ticket-counts: ${text}`);
}

function warnOf({ code, status, message }) {
  const passes = status >= 500 || status === 429;
  if (code && !passes) warn(`${code}: ${message}`);
}

/** Whom a token speaks for: a renewed one goes on with the same stream, another person's never does. */
function holder(token) {
  try {
    const payload = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    for (const ofThisToken of ["exp", "iat", "nbf", "jti", "auth_time", "nonce", "sid"]) delete payload[ofThisToken];
    return JSON.stringify(payload);
  } catch {
    return token;
  }
}

/** The counts of one viewer. All tabs that show the same share one stream. */
export class TicketCounts {
  #watching = new Map(); // listener -> ids
  #states = new Map(); // by the number of their feed
  #token = null;
  #port = null;
  #sending = 0;
  /** @type {Promise<string | null> | null} */
  #getting = null;
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
    addEventListener("pagehide", () => this.#hangUp(), { signal }); // browsers may keep the page, asleep
    addEventListener("pageshow", ({ persisted }) => persisted && this.#changed(), { signal });
    addEventListener("online", () => this.#port?.postMessage({ key: this.#key, hurry: true }), { signal });
  }

  /**
   * Calls `listener` with the newest state, now and whenever it changes. No ids: the summary alone.
   * @param {string[]} ids
   * @param {(state: State) => void} listener
   * @returns {() => void} Ends it.
   */
  watch(ids, listener) {
    this.#watching.set(listener, ids.length > 0 ? ids : ["all"]);
    this.#changed();
    if (this.#states.size > 0) tell(listener, this.#state());
    return () => {
      this.#watching.delete(listener);
      this.#changed();
    };
  }

  /**
   * What this viewer may ask for. Rejects with `code`, `status` and `message`, as `token` does, or as `fetch` does.
   * @returns {Promise<{filters: {id: string, name: string, type: string, color?: string}[],
   *   profiles: {id: string, name: string}[]}>}
   */
  async filters() {
    this.#token ??= await this.#firstToken();
    if (!this.#token) throw new Refused("UNAUTHORIZED", "Nobody is signed in", { status: 401 });
    return (await ask(this.view, this.#token, "/api/v2/ticketing/ticket/filters")).data;
  }

  /** Asks for a token again: somebody has signed in. Rejects as `token` does. */
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

  /** A page's watches begin one by one and are sent together. */
  #changed() {
    clearTimeout(this.#sending);
    this.#sending = setTimeout(() => this.#send(), 0);
  }

  /** Raises what `token` raises, and TypeError for what is no bearer token. Null for none but the refused one. */
  async #newToken(refused) {
    const token = (await this.getToken(refused)) ?? "";
    if (typeof token !== "string") throw new TypeError(`token is no text, but ${typeof token}`);
    const trimmed = token.trim();
    if (trimmed && !BEARER.test(trimmed)) throw new TypeError("token is no bearer token");
    return trimmed === refused ? null : trimmed || null;
  }

  /** Asked for once at a time: `token` may show a form. */
  #firstToken() {
    this.#getting ??= this.#newToken().finally(() => { this.#getting = null; });
    return this.#getting;
  }

  async #send() {
    const slow = setTimeout(() => this.#noToken("it hasn't answered yet"), LIMITS.tokenMs);
    try {
      this.#token ??= await this.#firstToken();
      this.#failures = 0;
    } catch (error) {
      if (this.leaving.signal.aborted) return;
      this.#noToken(messageOf(error));
      clearTimeout(this.#sending);
      this.#sending = setTimeout(() => this.#send(), backoffMs(this.#failures++));
      return;
    } finally {
      clearTimeout(slow);
    }
    if (this.leaving.signal.aborted) return;
    if (!this.#token) {
      this.#take(0, { ...NO_NUMBERS, status: "expired", problem: null });
      return;
    }
    if (!this.#port) {
      this.#port = this.#opened();
      const { life, unlock } = await heldLock();
      this.#unlock = unlock;
      if (life) this.#port?.postMessage({ life });
    }
    this.#key ||= JSON.stringify([this.view, holder(this.#token)]);
    const ids = [...new Set([...this.#watching.values()].flat())];
    this.#port?.postMessage({ key: this.#key, view: this.view, ids, token: this.#token });
  }

  #opened() {
    if (sharing) {
      try {
        const worker = shared();
        worker.onerror = () => this.#withoutWorker();
        return this.#heeded(worker.port);
      } catch {
        sharing = false; // a browser or a page's policy that allows none
      }
    }
    return this.#heeded(unshared());
  }

  #withoutWorker() {
    sharing = false;
    this.#port = null;
    this.#changed();
  }

  #heeded(port) {
    port.onmessage = ({ data }) => {
      if (data.ping) port.postMessage({ pong: true });
      else if (data.again) this.#changed();
      else if (data.refused) this.#answer(data.refused);
      else this.#take(data.number, data.state);
    };
    return port;
  }

  #noToken(why) {
    this.#take(0, { ...NO_NUMBERS, status: "reconnecting", problem: tokenFailed(why) });
  }

  /** The hub asks again after a pause when getting a token has failed. */
  async #answer(refused) {
    let failure;
    const token = this.#token === refused
      ? await this.#newToken(refused).catch((error) => { failure = tokenFailed(messageOf(error)); })
      : this.#token;
    // Meanwhile `renew` may have brought one; the refused one is kept until then.
    if (token && this.#token === refused) this.#token = token;
    this.#port?.postMessage({ key: this.#key, token: this.#token === refused ? null : this.#token, failure });
  }

  #take(number, state) {
    if (state) this.#states.set(number, state);
    else this.#states.delete(number); // nothing of it is wanted any more
    if (this.#states.size === 0) return;
    const whole = this.#state();
    if (whole.problem) warnOf(whole.problem);
    for (const listener of this.#watching.keys()) tell(listener, whole);
  }

  /** More than 500 counts come in parts; their status is the worst of them. */
  #state() {
    const parts = [...this.#states.values()];
    const worst = parts.reduce((one, other) =>
      WORST_LAST.indexOf(other.status) > WORST_LAST.indexOf(one.status) ? other : one);
    const all = (key) => Object.assign({}, ...parts.map((part) => part[key]));
    const knownAt = Math.min(...parts.map((part) => part.knownAt));
    const wanted = new Set([...this.#watching.values()].flat());
    const invalid = parts.flatMap((part) => part.invalid).filter((id) => wanted.has(id)); // not those of other tabs
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
  return { code: "TOKEN_FAILED", status: 0, message: `No token could be got: ${why}` };
}

function messageOf(error) {
  return String(error?.message ?? error);
}

/** A listener that throws is its page's to mend; the others are told all the same. */
function tell(listener, state) {
  try {
    listener(state);
  } catch (error) {
    reportError(error);
  }
}
