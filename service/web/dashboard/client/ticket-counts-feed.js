// Keeps up to 500 counts of one view current: by a stream, or by polling where streams don't work. Part of
// ticket-counts.js; knows neither pages nor tabs.

import { Refused, ask, backoffMs } from "./ticket-counts-ask.js";

const COUNT = "/api/v2/ticketing/ticket/count";

const STREAMS = 4; // browsers open six connections to an origin over HTTP/1.1, and requests need the other two
const MAX_EVENTLESS = 2; // after so many streams in a row without an event, something in between buffers them

/** Whether this viewer may not see the counts, or this page may not ask for them. */
function isDenial({ code, status }) {
  return [403, 422].includes(status) || (status === 404 && code !== "INVALID_ANSWER") || code === "ORIGIN_NOT_ALLOWED";
}

/** Whether the request is wrong for every viewer: the page's code must be fixed. */
function isMistake({ code, status }) {
  const passes = [408, 425, 429].includes(status);
  return (status >= 400 && status < 500 && !passes) || code === "INVALID_REQUEST";
}

let open = 0;

/** Takes one of the origin's places for STREAMS streams. Returns the function that releases it; null if none is free. */
async function takeStreamPlace() {
  const { locks } = navigator; // undefined where the origin isn't secure
  try {
    for (let number = 0; number < STREAMS && locks; number += 1) {
      const free = await new Promise((resolve, reject) => {
        const held = (lock) => (lock ? new Promise((release) => resolve(release)) : resolve(null));
        locks.request(`ticket-counts-stream-${number}`, { ifAvailable: true }, held).catch(reject);
      });
      if (free) return free;
    }
    if (locks) return null;
  } catch {
    // A sandboxed frame has the interface but may not use it. It counts its own streams instead.
  }
  if (open >= STREAMS) return null;
  open += 1;
  return () => { open -= 1; };
}

/** Up to 500 counts of one view, updated while a port wants them. */
export class Feed {
  #url = null; // of the stream; valid as long as the cookie that came with it
  #ticketIds = []; // the ids of the stream's ticket
  #eventlessStreams = 0; // streams in a row without an event
  #streamsAgainAt = 0;
  #fresh = true;
  #wake = () => {};
  #end = null; // ends the stream that is open
  #gatherTimer = 0; // timer that ends the gathering of ids
  #running = false;

  constructor(group, limits, notify) {
    this.ids = new Set();
    this.state = { status: "connecting", problem: null, counts: {}, details: {}, summary: {}, invalid: [] };
    Object.assign(this.state, { heardAt: 0, knownAt: 0, version: "", asOf: null, computedAt: null });
    this.group = group;
    this.limits = limits;
    this.notify = notify;
  }

  /** Adds ids to the wanted ones. */
  add(ids) {
    for (const id of ids) this.ids.add(id);
    this.state.invalid = this.state.invalid.filter((id) => !this.ids.has(id));
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = setTimeout(() => this.#widen(), this.limits.gatherMs);
  }

  /** Drops the ids that aren't in `wanted`. An open stream continues with its ids. */
  keep(wanted) {
    for (const id of this.ids) if (!wanted.has(id)) this.ids.delete(id);
    this.state.invalid = this.state.invalid.filter((id) => wanted.has(id));
    if (this.ids.size === 0) this.#end?.(0);
    if (this.ids.size === 0) this.#wake();
  }

  /** Ends the current pause: there is a new token, or the network is back. */
  hurry() {
    this.#wake();
  }

  /** Replaces the stream by one with all wanted ids. The old stream stays open until there is a ticket for the new one. */
  async #widen() {
    if (!this.#running) return this.#run();
    if (!this.#end) {
      this.#url = null;
      return this.#wake();
    }
    try {
      this.#url = await this.#ticket();
    } catch (error) {
      if (error.code === "COUNTS_WARMING") {
        this.#gatherTimer = setTimeout(() => this.#widen(), error.retryMs || this.limits.backoffMs[0]);
        return undefined;
      }
      this.#url = null; // the next round gets the same error and handles it
    }
    return this.#end?.(0);
  }

  async #run() {
    this.#running = true;
    for (let failures = 0; this.ids.size > 0; ) {
      const heardBefore = this.state.heardAt;
      const pauseMs = await this.#round().catch((error) => this.#refused(error));
      failures = this.state.heardAt === heardBefore ? failures + 1 : 0;
      await this.#pause(pauseMs ?? backoffMs(failures, this.limits.backoffMs));
    }
    this.#running = false;
  }

  /** Runs one stream to its end, or one poll. Returns the pause in ms before the next; undefined for a back-off. */
  async #round() {
    const mayStream = this.#eventlessStreams < MAX_EVENTLESS || Date.now() > this.#streamsAgainAt;
    const free = mayStream ? await takeStreamPlace() : null;
    if (!free) return this.#poll();
    try {
      this.#url ??= await this.#ticket();
      if (this.ids.size > 0 && [...this.ids].every((id) => this.#ticketIds.includes(id))) return await this.#listen();
      this.#url = null; // other ids are wanted by now
      return 0;
    } finally {
      free();
    }
  }

  async #ticket() {
    this.#ticketIds = [...this.ids];
    const { data } = await ask(this.group.view, this.group.token, `${COUNT}/stream-ticket`, this.#requestBody());
    return `${this.group.view.base}${COUNT}/stream?ticket=${encodeURIComponent(data.ticket)}`;
  }

  #requestBody() {
    const { timezone, profile } = this.group.view;
    return { filterIds: [...this.ids], timezone, templateProfileFilterId: profile };
  }

  async #poll() {
    const { data, response } = await ask(this.group.view, this.group.token, COUNT, this.#requestBody());
    const version = response.headers.get("x-counts-version") ?? "";
    const fresh = response.headers.get("x-counts-fresh") !== "false";
    this.#show({ ...data, version: `${version}.`, fresh, asOf: response.headers.get("x-counts-as-of") }, "polling");
    return this.limits.pollMs * (0.9 + Math.random() / 5);
  }

  #listen() {
    const last = this.state.version ? `&last_event_id=${encodeURIComponent(this.state.version)}` : "";
    const source = new EventSource(this.#url + last);
    return new Promise((resolve) => {
      let silence = 0;
      let errors = 0;
      let planned = false;
      let heard = false;
      const end = (pauseMs) => {
        clearTimeout(silence);
        source.close();
        this.#end = null;
        resolve(pauseMs);
      };
      const patience = (ms) => {
        clearTimeout(silence);
        silence = setTimeout(() => {
          if (!heard && errors === 0) this.#noEvents();
          this.#setStatus("reconnecting");
          end(heard ? 0 : undefined);
        }, ms);
      };
      this.#end = end;
      patience(this.limits.firstEventMs);
      for (const name of ["snapshot", "counts", "current", "heartbeat"]) {
        source.addEventListener(name, ({ data }) => {
          [errors, planned, heard, this.#eventlessStreams] = [0, false, true, 0];
          patience(this.limits.stallMs);
          try {
            this.#show(JSON.parse(data), "live");
          } catch { // something in between cut the event short: only a new stream sends all of it
            this.#url = null;
            this.#setStatus("reconnecting");
            end();
          }
        });
      }
      source.addEventListener("bye", ({ data }) => {
        const { reason } = JSON.parse(data);
        planned = reason === "rotation" || reason === "drain";
        if (reason === "expired" || reason === "access") {
          this.#url = null;
          end(0); // the next ticket request is refused with the reason
        }
      });
      source.onerror = () => {
        errors += 1;
        if (!planned || errors > 1) this.#setStatus("reconnecting");
        if (source.readyState === EventSource.CLOSED) this.#url = null; // refused: a new ticket is needed
        // The browser reconnects once by itself, after the server's `retry`. After that, our back-off decides.
        if (source.readyState === EventSource.CLOSED || errors > 1) end();
        else patience(this.limits.returnMs);
      };
    });
  }

  #noEvents() {
    this.#eventlessStreams += 1;
    this.#streamsAgainAt = Date.now() + this.limits.streamAgainMs;
  }

  #show({ counts = {}, summary = {}, ...data }, how) {
    const { state } = this;
    if (data.filterDetails) Object.assign(state, { counts: {}, summary: {}, details: data.filterDetails });
    Object.assign(state.counts, counts);
    Object.assign(state.summary, summary);
    for (const key of ["asOf", "computedAt", "version"]) if (key in data) state[key] = data[key];
    this.#fresh = data.fresh ?? this.#fresh; // `counts` events have no `fresh`
    state.heardAt = Date.now();
    if (this.#fresh) state.knownAt = state.heardAt;
    this.#setStatus(this.#fresh ? how : "delayed");
  }

  #setStatus(status, problem = null) {
    Object.assign(this.state, { status, problem });
    this.notify();
  }

  /** Handles an error answer or a network failure. Returns the pause in ms; undefined for a back-off. */
  #refused(error) {
    const { code, status, message, details, retryMs } =
      error instanceof Refused ? error : new Refused("", String(error?.message ?? error));
    const ids = details.invalidIds ?? [];
    const problem = { code, status, message: ids.length > 0 ? `${message}: ${ids.join(", ")}` : message };
    if (status === 401) return this.#tokenRefused(problem);
    if (status === 422 && this.#dropInvalid(ids) && this.ids.size > 0) return 0;
    // With counts on display the status is `delayed`, because they get old; without any it is `warming`.
    if (code === "COUNTS_WARMING") this.#setStatus(this.state.knownAt > 0 ? "delayed" : "warming", problem);
    else if (isDenial(problem)) {
      this.#setStatus("denied", problem);
      return this.limits.deniedMs;
    } else if (isMistake(problem)) {
      this.#setStatus("invalid", problem);
      return this.limits.deniedMs;
    } else this.#setStatus("reconnecting", problem);
    return retryMs || undefined;
  }

  async #tokenRefused(problem) {
    const { renewed, failure } = await this.group.renew();
    if (renewed) return undefined;
    if (failure) {
      this.#setStatus("reconnecting", failure);
      return undefined; // the next round is refused too, and asks for a token again
    }
    this.#setStatus("expired", problem);
    await this.#pause();
    return 0;
  }

  /** Drops the ids that the service refused. Returns whether there were any. */
  #dropInvalid(invalidIds) {
    const invalid = invalidIds.filter((id) => this.ids.delete(id));
    this.state.invalid = [...this.state.invalid, ...invalid];
    for (const id of invalid) delete this.state.counts[id];
    if (invalid.length > 0) this.notify();
    return invalid.length > 0;
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = ms === undefined ? 0 : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
