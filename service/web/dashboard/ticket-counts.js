// Live ticket counts for any page: `connect({...})`, then <ticket-count filter="3745"></ticket-count>, or `watch`.
// Keep ticket-counts-feed.js and ticket-counts-worker.js beside it; there is nothing else to install or to build.

import { ask } from "./ticket-counts-feed.js";
import { Hub } from "./ticket-counts-worker.js";

/**
 * @typedef {object} Options
 * @property {string} [base] Origin of the service, like "https://counts.example"; this page's own unless given.
 * @property {string} tenant
 * @property {string} realm
 * @property {string | ((refused?: string) => string | null | Promise<string | null>)} token A bearer token, or what
 *   gets one: it is called again with the token that was refused, and returns another one, or null when nobody is
 *   signed in any more. It never stands in a URL.
 * @property {"template" | "agent" | "user"} [perspective] "template", all that the role may see, unless given.
 * @property {string} [timezone] IANA name; the browser's unless given.
 * @property {string | null} [profile] Id of a profile that narrows every count.
 */

/**
 * @typedef {"connecting" | "live" | "polling" | "delayed" | "reconnecting" | "warming" | "denied" | "expired"} Status
 * `live`: pushed as it happens. `polling`: asked for every 10 s, where streams don't get through. `delayed`: the
 * service answers, but what feeds it lags behind. `reconnecting`: nobody answers. `warming`: being counted for the
 * first time. `denied`: `problem` says why. `expired`: another token is needed, see `renew`.
 */

/**
 * @typedef {object} State
 * @property {Status} status
 * @property {{code: string, status: number, message: string} | null} problem The refusal behind the status, if any.
 * @property {Record<string, number>} counts By filter id.
 * @property {Record<string, {id: string, name: string, type: string, color?: string}>} details By filter id.
 * @property {Record<string, number>} summary totalOpen, totalClosed, slaBreached, dueToday, overdue.
 * @property {string[]} invalid Ids that don't exist, or not for this viewer.
 * @property {number} knownAt When the numbers were last known to be newest, as Date.now(); 0 for never.
 * @property {string | null} asOf Time of the newest ticket event in the numbers.
 * @property {string} version Grows with every change.
 */

const PROTOCOL = "ticket-counts-1"; // a page never meets a worker of another version
const WORST_LAST = ["live", "polling", "delayed", "connecting", "reconnecting", "warming", "denied", "expired"];

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
    navigator.locks.request(life, () => new Promise((unlock) => resolve({ life, unlock })));
  });
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
  #unlock = () => {};
  #key = "";

  /** @param {Options} options */
  constructor({ base = "", tenant, realm, token, perspective = "template", timezone, profile = null }) {
    const zone = timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.view = { base: base || location.origin, tenant, realm, perspective, timezone: zone, profile };
    this.newToken = typeof token === "function" ? token : (refused) => (token === refused ? null : token);
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
    if (this.#states.size > 0) listener(this.#state());
    return () => {
      this.#watching.delete(listener);
      this.#changed();
    };
  }

  /**
   * What this viewer may ask for.
   * @returns {Promise<{filters: {id: string, name: string, type: string, color?: string}[],
   *   profiles: {id: string, name: string}[]}>}
   */
  async filters() {
    this.#token ??= await this.newToken();
    return (await ask(this.view, this.#token, "/api/v2/ticketing/ticket/filters")).data;
  }

  /** Asks for a token again: somebody has signed in. */
  async renew() {
    const token = await this.newToken(this.#token ?? undefined);
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

  async #send() {
    this.#token ??= await this.newToken();
    if (this.leaving.signal.aborted) return;
    if (!this.#token) {
      this.#take(0, { status: "expired", problem: null, counts: {}, details: {}, summary: {}, invalid: [], knownAt: 0 });
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

  async #answer(refused) {
    if (this.#token === refused) this.#token = await this.newToken(refused);
    this.#port?.postMessage({ key: this.#key, token: this.#token });
    this.#token ??= refused; // until `renew`
  }

  #take(number, state) {
    if (state) this.#states.set(number, state);
    else this.#states.delete(number); // nothing of it is wanted any more
    if (this.#states.size === 0) return;
    const whole = this.#state();
    for (const listener of this.#watching.keys()) listener(whole);
  }

  /** More than 500 counts come in parts; their status is the worst of them. */
  #state() {
    const parts = [...this.#states.values()];
    const worst = parts.reduce((one, other) =>
      WORST_LAST.indexOf(other.status) > WORST_LAST.indexOf(one.status) ? other : one);
    const all = (key) => Object.assign({}, ...parts.map((part) => part[key]));
    const knownAt = Math.min(...parts.map((part) => part.knownAt));
    const invalid = parts.flatMap((part) => part.invalid);
    return { ...worst, knownAt, invalid, counts: all("counts"), details: all("details"), summary: all("summary") };
  }
}

const connected = new EventTarget();
/** @type {TicketCounts | null} */
let current = null;

/**
 * Has every <ticket-count> of the page show this viewer's counts, instead of those before.
 * @param {Options} options
 * @returns {TicketCounts}
 */
export function connect(options) {
  current?.close();
  current = new TicketCounts(options);
  connected.dispatchEvent(new Event("connect"));
  return current;
}

/**
 * `<ticket-count filter="3745">` or `<ticket-count summary="overdue">`: the number as text, "–" before it is known.
 * `data-status` is the state's; a `count` event bubbles with `{value, before}` when the number has changed.
 */
export class TicketCountElement extends HTMLElement {
  static observedAttributes = ["filter", "summary"];
  #stop = () => {};
  #again = () => this.#begin();
  /** @type {number | null} */
  value = null;

  connectedCallback() {
    connected.addEventListener("connect", this.#again);
    this.#begin();
  }

  disconnectedCallback() {
    connected.removeEventListener("connect", this.#again);
    this.#stop();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#begin();
  }

  #begin() {
    this.#stop();
    this.value = null;
    this.textContent = "–";
    const [filter, summary] = [this.getAttribute("filter"), this.getAttribute("summary")];
    const show = (state) => this.#show(state, filter ? state.counts[filter] : state.summary[summary ?? ""]);
    this.#stop = current && (filter || summary) ? current.watch(filter ? [filter] : [], show) : () => {};
  }

  #show({ status }, value = null) {
    this.dataset.status = status;
    if (value === this.value) return;
    const before = this.value;
    this.value = value;
    const language = this.closest("[lang]")?.getAttribute("lang") ?? undefined;
    this.textContent = value === null ? "–" : new Intl.NumberFormat(language).format(value);
    this.dispatchEvent(new CustomEvent("count", { bubbles: true, detail: { value, before } }));
  }
}

customElements.define("ticket-count", TicketCountElement);
