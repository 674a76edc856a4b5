// Shares feeds among all who look at the same view. As a SharedWorker it does so for every tab of an origin; a page
// that can't have one runs a Hub of its own. Part of ticket-counts.js, with which it talks through message ports.

import { LIMITS } from "./ticket-counts-ask.js";
import { Feed } from "./ticket-counts-feed.js";

const MOST_IDS = 500; // in one question

/** All feeds of one view, and who wants which counts of it. */
class Group {
  constructor(view, limits) {
    this.view = view;
    this.limits = limits;
    this.token = "";
    /** @type {Feed[]} */
    this.feeds = [];
    /** @type {Map<MessagePort, string[]>} */
    this.wanted = new Map();
    this.waiting = new Set(); // for another token
    this.without = new Map(); // port that has none -> the problem of getting one, if any
  }

  /** This port wants these counts, and no others. */
  want(port, ids) {
    this.wanted.delete(port);
    if (ids.length > 0) this.wanted.set(port, ids);
    const all = new Set([...this.wanted.values()].flat());
    for (const feed of this.feeds) feed.keep(all);
    for (const feed of this.feeds) for (const id of [...feed.ids, ...feed.state.invalid]) all.delete(id);
    for (const id of ids) if (this.feeds.some((feed) => feed.state.invalid.includes(id))) all.add(id); // once more
    for (const left = [...all]; left.length > 0; ) {
      const feed = this.feeds.find(({ ids: { size } }) => size < MOST_IDS) ?? this.#newFeed();
      feed.add(left.splice(0, MOST_IDS - feed.ids.size));
    }
    for (const feed of this.feeds) this.#tell(feed, [port]);
  }

  /** This port's newest token; null for none, where nobody is signed in or `failure` kept it from getting one. */
  take(port, token, failure) {
    if (token && token !== this.token) {
      this.token = token;
      this.#answered({ renewed: true });
      this.hurry();
    } else if (!token) {
      this.without.set(port, failure);
      if (![...this.wanted.keys()].every((each) => this.without.has(each))) return;
      this.#answered({ renewed: false, failure: [...this.without.values()].find(Boolean) });
    }
  }

  #answered(answer) {
    for (const resolve of this.waiting) resolve(answer);
    this.waiting.clear();
  }

  hurry() {
    for (const feed of this.feeds) feed.hurry();
  }

  /** Asks the tabs for another token than the one that was refused. Returns whether it was `renewed`, and else the
   * `failure` that kept all tabs from getting one; none where nobody is signed in any more. */
  renew() {
    this.without.clear();
    for (const port of this.wanted.keys()) port.postMessage({ refused: this.token });
    return new Promise((resolve) => {
      this.waiting.add(resolve);
      const failure = { code: "TOKEN_FAILED", status: 0, message: `No token within ${this.limits.tokenMs / 1_000} s` };
      setTimeout(() => resolve({ renewed: false, failure }), this.limits.tokenMs);
    });
  }

  #newFeed() {
    const feed = new Feed(this, this.limits, () => this.#tell(feed, this.wanted.keys()));
    this.feeds.push(feed);
    return feed;
  }

  #tell(feed, ports) {
    const used = feed.ids.size > 0 || feed.state.invalid.length > 0;
    for (const port of ports) port.postMessage({ number: this.feeds.indexOf(feed), state: used ? feed.state : null });
  }
}

/** Takes ports of pages, and answers each with the states of what it wants. */
export class Hub {
  #groups = new Map();
  #seenAt = new Map(); // by port

  constructor(limits = {}) {
    this.limits = { ...LIMITS, ...limits };
    setInterval(() => this.#ping(), this.limits.pingMs);
  }

  /** Serves this port from now on. */
  accept(port) {
    port.onmessage = ({ data }) => this.#heard(port, data);
  }

  /** Ends all streams at once; ports that speak again are served again. */
  rest() {
    for (const port of this.#seenAt.keys()) this.#forget(port);
  }

  #heard(port, { key, view, ids, token, failure, hurry, life }) {
    // A tab holds a lock of its own for as long as it lives: whoever gets it knows that the tab is gone.
    if (life) navigator.locks.request(life, () => this.#forget(port)).catch(() => {}); // then pings tell
    if (!this.#seenAt.has(port) && !ids && !life) port.postMessage({ again: true }); // given up, and back from a long sleep
    if (ids) {
      if (!this.#groups.has(key)) this.#groups.set(key, new Group(view, this.limits));
      const group = this.#groups.get(key);
      group.take(port, token);
      group.want(port, ids);
      if (group.wanted.size === 0) this.#groups.delete(key);
    } else if (token !== undefined) this.#groups.get(key)?.take(port, token, failure);
    if (hurry) this.#groups.get(key)?.hurry();
    this.#seenAt.set(port, Date.now());
  }

  /** Forgets tabs that are gone without a word, where there are no locks to tell. */
  #ping() {
    for (const [port, seenAt] of this.#seenAt) {
      if (Date.now() - seenAt < 4 * this.limits.pingMs) port.postMessage({ ping: true });
      else this.#forget(port);
    }
  }

  #forget(port) {
    this.#seenAt.delete(port);
    for (const [key, group] of this.#groups) {
      if (group.wanted.has(port)) group.want(port, []);
      if (group.wanted.size === 0) this.#groups.delete(key);
    }
  }
}

if ("onconnect" in globalThis) {
  const hub = new Hub();
  globalThis.onconnect = ({ ports: [port] }) => hub.accept(port);
}
