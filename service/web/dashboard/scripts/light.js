// The status of the numbers: a light with a shape, a word and their age, and a notice when there are no numbers.

const WORDS = {
  connecting: "Connecting", live: "Live", polling: "Live", delayed: "Delayed", reconnecting: "Reconnecting",
  warming: "Warming up", denied: "No access", invalid: "Wrong request", expired: "Signed out",
};
const SHAPES = {
  polling: "live", warming: "connecting", denied: "reconnecting", invalid: "reconnecting", expired: "reconnecting",
};
const JUST_NOW_MS = 2_000;

const element = (id) => document.getElementById(id);

/** The light and the notice of the page. */
export class Light {
  #state = { status: "connecting", knownAt: 0 };

  constructor() {
    setInterval(() => this.#tick(), 1_000);
  }

  show(state) {
    this.#state = state;
    document.body.dataset.status = state.status;
    element("light").dataset.shape = SHAPES[state.status] ?? state.status;
    put(element("light-word"), WORDS[state.status]); // screen readers speak each change, so `put` skips equal text
    this.#tick();
    this.#notice();
  }

  #tick() {
    const { status, knownAt } = this.#state;
    const ms = Date.now() - knownAt;
    let age = ms < JUST_NOW_MS ? "just now" : `${inWords(ms)} ago`;
    if (status !== "live" && status !== "polling") age = `${inWords(ms)} old`;
    put(element("light-age"), knownAt === 0 ? "" : age);
  }

  #notice() {
    const [title, text] = noticeOf(this.#state);
    put(element("notice-title"), title);
    put(element("notice-text"), text);
    element("notice").hidden = !title;
    document.body.dataset.numbers = this.#state.knownAt > 0 || this.#state.version ? "yes" : "no";
  }
}

function noticeOf({ status, problem, knownAt, summary = {} }) {
  if (status === "warming") {
    return ["Counting for the first time", "The tickets are still being loaded. The numbers appear here by themselves."];
  }
  if (status === "denied") return ["No access", sentence(problem?.message ?? "You may not see these counts")];
  if (status === "invalid") return ["Wrong request", sentence(problem.message)];
  if (status === "expired" && problem) return ["Signed out", "The token is no longer good. Another one is needed to go on."];
  if (status === "reconnecting" && !knownAt) {
    return ["No answer yet", "The service can't be reached or has no counts at the moment. The page keeps trying."];
  }
  if (["live", "delayed", "polling"].includes(status) && summary.totalOpen + summary.totalClosed === 0) {
    return ["No tickets yet", "There are none in this view. The first one is counted here as soon as it is made."];
  }
  return ["", ""];
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function inWords(ms) {
  const s = Math.round(ms / 1_000);
  if (s < 100) return `${s} s`;
  return s < 6_000 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3_600)} h`;
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
