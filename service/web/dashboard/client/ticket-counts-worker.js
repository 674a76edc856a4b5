// Shares feeds among all tabs of an origin that show the same view, as a SharedWorker. A page without shared workers runs
// its own Hub. Part of ticket-counts.js, with which it talks through message ports.

import { LIMITS } from "./ticket-counts-ask.js";
import { Feed } from "./ticket-counts-feed.js";

const MOST_IDS = 500; // in one request

/** All feeds of one view, and the counts that each port wants. */
class ViewFeeds {
  constructor(view, limits) {
    this.view = view;
    this.limits = limits;
    this.token = "";
    /** @type {Feed[]} */
    this.feeds = [];
    /** @type {Map<MessagePort, string[]>} */
    this.wanted = new Map();
    this.waiting = new Set(); // callbacks of feeds that wait for another token
    this.without = new Map(); // port without a token -> the problem of getting one, if any
  }

  /** Sets the counts that this port wants. */
  want(port, ids) {
    this.wanted.delete(port);
    if (ids.length > 0) this.wanted.set(port, ids);
    const all = new Set([...this.wanted.values()].flat());
    for (const feed of this.feeds) feed.keep(all);
    for (const feed of this.feeds) for (const id of [...feed.ids, ...feed.state.invalid]) all.delete(id);
    // Invalid ids are asked for again when a port wants them anew: they may be valid by now.
    for (const id of ids) if (this.feeds.some((feed) => feed.state.invalid.includes(id))) all.add(id);
    for (const left = [...all]; left.length > 0; ) {
      const feed = this.feeds.find(({ ids: { size } }) => size < MOST_IDS) ?? this.#newFeed();
      feed.add(left.splice(0, MOST_IDS - feed.ids.size));
    }
    for (const feed of this.feeds) this.#post(feed, [port]);
  }

  /** Takes this port's token. It is null when the page isn't signed in, or when `failure` kept it from getting one. */
  take(port, token, failure) {
    if (token && token !== this.token) {
      this.token = token;
      this.#resolveWaiting({ renewed: true });
      this.hurry();
    } else if (!token) {
      this.without.set(port, failure);
      if (![...this.wanted.keys()].every((each) => this.without.has(each))) return;
      this.#resolveWaiting({ renewed: false, failure: [...this.without.values()].find(Boolean) });
    }
  }

  #resolveWaiting(answer) {
    for (const resolve of this.waiting) resolve(answer);
    this.waiting.clear();
  }

  hurry() {
    for (const feed of this.feeds) feed.hurry();
  }

  /** Asks all tabs for a token other than the refused one. Resolves to whether it was `renewed`; if not, `failure` is the
   * problem that a tab had, and undefined when no tab is signed in any more. */
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
    const feed = new Feed(this, this.limits, () => this.#post(feed, this.wanted.keys()));
    this.feeds.push(feed);
    return feed;
  }

  #post(feed, ports) {
    const used = feed.ids.size > 0 || feed.state.invalid.length > 0;
    for (const port of ports) port.postMessage({ number: this.feeds.indexOf(feed), state: used ? feed.state : null });
  }
}

/** Serves the ports of pages: sends each the states of the feeds with its counts. */
export class Hub {
  #groups = new Map();
  #seenAt = new Map(); // port -> time of its last message

  constructor(limits = {}) {
    this.limits = { ...LIMITS, ...limits };
    setInterval(() => this.#ping(), this.limits.pingMs);
  }

  /** Serves this port from now on. */
  accept(port) {
    port.onmessage = ({ data }) => this.#receive(port, data);
  }

  /** Ends all streams at once. A port that sends a message later is served again. */
  rest() {
    for (const port of this.#seenAt.keys()) this.#forget(port);
  }

  #receive(port, { key, view, ids, token, failure, hurry, life }) {
    // A tab holds its own lock while it lives, so this request is granted when the tab is gone. Without locks, pings tell.
    if (life) navigator.locks.request(life, () => this.#forget(port)).catch(() => {});
    // A forgotten tab is back from a long sleep: it has to send its ids again.
    if (!this.#seenAt.has(port) && !ids && !life) port.postMessage({ again: true });
    if (ids) {
      if (!this.#groups.has(key)) this.#groups.set(key, new ViewFeeds(view, this.limits));
      const group = this.#groups.get(key);
      group.take(port, token);
      group.want(port, ids);
      if (group.wanted.size === 0) this.#groups.delete(key);
    } else if (token !== undefined) this.#groups.get(key)?.take(port, token, failure);
    if (hurry) this.#groups.get(key)?.hurry();
    this.#seenAt.set(port, Date.now());
  }

  /** Pings all tabs, and forgets those that don't answer: they are gone where no lock could tell. */
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
