// Live ticket counts for any page: `connect({...})`, then <ticket-count filter="3745"></ticket-count>, or `watch`.
// It needs the other ticket-counts-*.js beside it, and no installation or build.

import { INVALID_FILTER_ID, TicketCounts, warn } from "./ticket-counts-viewer.js";

export { TicketCounts };

/**
 * @typedef {object} Options
 * @property {string} [base] Origin of the service, like "https://counts.example". Default: this page's origin.
 * @property {string} tenant
 * @property {string} realm
 * @property {string | ((refused?: string) => string | null | Promise<string | null>)} token A bearer token, or a function
 *   that returns one. When the service refuses a token, the function is called with it, and returns another one, or null
 *   when the user isn't signed in any more. If it throws or rejects, it is called again after a pause. A token is never
 *   put into a URL.
 * @property {"template" | "agent" | "user"} [perspective] Default: "template", all that the role may see.
 * @property {string} [timezone] IANA name. Default: the browser's.
 * @property {string | null} [profile] Id of a profile that narrows every count.
 */

/**
 * @typedef {"connecting" | "live" | "polling" | "delayed" | "reconnecting" | "warming" | "denied" | "invalid" |
 *   "expired"} Status
 * `live`: the service pushes changes at once. `polling`: requested every 10 s, because streams don't work here.
 * `delayed`: the service answers, but its counts lag behind or are being rebuilt. `reconnecting`: there is no answer.
 * `warming`: the counts are being computed for the first time. `denied`: this viewer or this page may not see them.
 * `invalid`: the request is wrong for every viewer. `expired`: another token is needed, see `renew`. `problem` has the
 * reason, if there is one.
 */

/**
 * @typedef {object} Problem Problems that the page's developer must fix are also written to the console, once.
 * @property {string} code The API's code, like FORBIDDEN; or INVALID_REQUEST (status 0: the browser can't send the
 *   request), ORIGIN_NOT_ALLOWED (CORS doesn't allow this page), INVALID_ANSWER (another server answers), TOKEN_FAILED
 *   (`token` threw, hangs, or returned something other than a bearer token). "" for a network failure.
 * @property {number} status The HTTP status; 0 without a response.
 * @property {string} message For developers.
 */

/**
 * @typedef {object} State
 * @property {Status} status
 * @property {Problem | null} problem The reason of the status, if any. INVALID_FILTER_ID can come with any status: see
 *   `invalid`.
 * @property {Record<string, number>} counts By filter id.
 * @property {Record<string, {id: string, name: string, type: string, color?: string}>} details By filter id.
 * @property {Record<string, number>} summary totalOpen, totalClosed, slaBreached, dueToday, overdue.
 * @property {string[]} invalid Ids that don't exist, or that this viewer may not use.
 * @property {number} knownAt When the numbers were last confirmed to be fresh, as Date.now(); 0 for never.
 * @property {string | null} asOf Time of the newest ticket event in the numbers.
 * @property {string} version Grows with every change.
 */

const connected = new EventTarget();
/** @type {TicketCounts | null} */
let current = null;

/**
 * Connects every <ticket-count> of the page to this viewer's counts. Ends the previous connection.
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
 * `<ticket-count filter="3745">` or `<ticket-count summary="overdue">`: shows the number as text, "–" before it is known.
 * `data-status` is the status, `data-problem` the code of the problem with this number, if any. When the number has
 * changed, it dispatches a bubbling `count` event with `{value, before}`.
 */
export class TicketCountElement extends HTMLElement {
  static observedAttributes = ["filter", "summary"];
  #stop = () => {};
  #onConnect = () => this.#begin();
  /** @type {number | null} */
  value = null;

  connectedCallback() {
    connected.addEventListener("connect", this.#onConnect);
    this.#begin();
  }

  disconnectedCallback() {
    connected.removeEventListener("connect", this.#onConnect);
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
    this.#showProblem(problem, known);
    if (value === this.value) return;
    const before = this.value;
    this.value = value;
    this.textContent = value === null ? "–" : inLanguage(this.closest("[lang]")?.getAttribute("lang"), value);
    this.dispatchEvent(new CustomEvent("count", { bubbles: true, detail: { value, before } }));
  }

  #showProblem(problem, known) {
    const code = known ? problem?.code : INVALID_FILTER_ID;
    if (code && (!known || code !== INVALID_FILTER_ID)) this.dataset.problem = code; // not for another filter's id
    else delete this.dataset.problem;
    const summary = this.getAttribute("summary");
    if (!known && !this.getAttribute("filter")) warn(`<ticket-count summary="${summary}">: there is no such total`);
  }
}

/** Formats the number in the page's language; in the browser's if the page names none, or an invalid one. */
function inLanguage(language, value) {
  try {
    return new Intl.NumberFormat(language || undefined).format(value);
  } catch { // an invalid language tag, like lang="en_US"
    return new Intl.NumberFormat().format(value);
  }
}

customElements.define("ticket-count", TicketCountElement);
