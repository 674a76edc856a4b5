// Live ticket counts for any page: `connect({...})`, then <ticket-count filter="3745"></ticket-count>, or `watch`.
// Keep the other ticket-counts-*.js beside it; there is nothing else to install or to build.

import { INVALID_FILTER_ID, TicketCounts, warn } from "./ticket-counts-viewer.js";

export { TicketCounts };

/**
 * @typedef {object} Options
 * @property {string} [base] Origin of the service, like "https://counts.example"; this page's own unless given.
 * @property {string} tenant
 * @property {string} realm
 * @property {string | ((refused?: string) => string | null | Promise<string | null>)} token A bearer token, or what
 *   gets one: it is called again with the token that was refused, and returns another one, or null when nobody is
 *   signed in any more. One that throws or rejects is called again after a pause. A token never stands in a URL.
 * @property {"template" | "agent" | "user"} [perspective] "template", all that the role may see, unless given.
 * @property {string} [timezone] IANA name; the browser's unless given.
 * @property {string | null} [profile] Id of a profile that narrows every count.
 */

/**
 * @typedef {"connecting" | "live" | "polling" | "delayed" | "reconnecting" | "warming" | "denied" | "invalid" |
 *   "expired"} Status
 * `live`: pushed as it happens. `polling`: asked for every 10 s, where streams don't get through. `delayed`: the
 * service answers, but what feeds it lags behind, or is being counted anew. `reconnecting`: nobody answers.
 * `warming`: being counted for the first time. `denied`: this viewer, or this page, may not see them. `invalid`: the
 * question is wrong, whoever asks it. `expired`: another token is needed, see `renew`. Where there is a reason, `problem` says it.
 */

/**
 * @typedef {object} Problem Mistakes are also written to the console, once.
 * @property {string} code The API's, like FORBIDDEN; or INVALID_REQUEST (status 0: the browser can't even send it),
 *   ORIGIN_NOT_ALLOWED (the CORS permission is missing), INVALID_ANSWER (something else answers there), TOKEN_FAILED
 *   (`token` threw, hangs, or returned no bearer token). "" for a network failure.
 * @property {number} status The answer's, 0 without one.
 * @property {string} message For developers.
 */

/**
 * @typedef {object} State
 * @property {Status} status
 * @property {Problem | null} problem Behind the status, if any. INVALID_FILTER_ID beside any status: see `invalid`.
 * @property {Record<string, number>} counts By filter id.
 * @property {Record<string, {id: string, name: string, type: string, color?: string}>} details By filter id.
 * @property {Record<string, number>} summary totalOpen, totalClosed, slaBreached, dueToday, overdue.
 * @property {string[]} invalid Ids that don't exist, or not for this viewer.
 * @property {number} knownAt When the numbers were last known to be newest, as Date.now(); 0 for never.
 * @property {string | null} asOf Time of the newest ticket event in the numbers.
 * @property {string} version Grows with every change.
 */

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
 * `data-status` is the state's, `data-problem` the code of the problem that keeps this number away, if any; a `count`
 * event bubbles with `{value, before}` when the number has changed.
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
    const show = (state) => {
      const known = filter ? !state.invalid.includes(filter) : !state.version || (summary ?? "") in state.summary;
      this.#show(state, filter ? state.counts[filter] : state.summary[summary ?? ""], known);
    };
    this.#stop = current && (filter || summary) ? current.watch(filter ? [filter] : [], show) : () => {};
  }

  #show({ status, problem }, value = null, known = true) {
    this.dataset.status = status;
    this.#sayProblem(problem, known);
    if (value === this.value) return;
    const before = this.value;
    this.value = value;
    this.textContent = value === null ? "–" : inLanguage(this.closest("[lang]")?.getAttribute("lang"), value);
    this.dispatchEvent(new CustomEvent("count", { bubbles: true, detail: { value, before } }));
  }

  #sayProblem(problem, known) {
    const code = known ? problem?.code : INVALID_FILTER_ID;
    if (code && (!known || code !== INVALID_FILTER_ID)) this.dataset.problem = code; // another filter's isn't this one's
    else delete this.dataset.problem;
    const summary = this.getAttribute("summary");
    if (!known && !this.getAttribute("filter")) warn(`<ticket-count summary="${summary}">: there is no such total`);
  }
}

/** As a page's language writes numbers; as the browser's does where the page names none that there is. */
function inLanguage(language, value) {
  try {
    return new Intl.NumberFormat(language || undefined).format(value);
  } catch { // like lang="en_US"
    return new Intl.NumberFormat().format(value);
  }
}

customElements.define("ticket-count", TicketCountElement);
