// The recent history of a number: a stepped line over the last half hour, and the difference in words.

const WINDOW_MS = 30 * 60_000;
const SHORTEST_MS = 60_000; // shortest time span of the line, so that a newly opened page draws no steep steps
const MOST_STEPS = 600;
const [WIDTH, HEIGHT, MARGIN] = [100, 32, 3];

/** The history of one number. */
export class Trend {
  #steps = []; // [time, value]: each value holds until the next step

  /** Draws into the paths and the text of this tile. */
  constructor(tile) {
    this.area = tile.querySelector(".area");
    this.line = tile.querySelector(".line");
    this.text = tile.querySelector(".delta");
  }

  /** Forgets the history, because the tile now shows another number. */
  clear() {
    this.#steps = [];
    this.draw();
  }

  add(value, now = Date.now()) {
    this.#steps.push([now, value]);
    while (this.#steps.length > MOST_STEPS) this.#steps.shift();
    this.draw(now);
  }

  draw(now = Date.now()) {
    const begin = Math.max(this.#steps[0]?.[0] ?? now, now - WINDOW_MS);
    while (this.#steps.length > 1 && this.#steps[1][0] <= begin) this.#steps.shift();
    if (this.#steps.length === 0) {
      for (const path of [this.area, this.line]) path.removeAttribute("d");
      this.text.textContent = "";
      return;
    }
    const values = this.#steps.map(([, value]) => value);
    const line = this.#path(Math.min(begin, now - SHORTEST_MS), now, values);
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", `${line}V${HEIGHT}H0Z`);
    this.text.textContent = inWords(values.at(-1) - values[0], now - begin);
  }

  #path(begin, now, values) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const range = Math.max(high - low, 4); // at least 4, so that one ticket more isn't a tall step
    const least = (low + high - range) / 2;
    const across = (when) => (WIDTH * Math.max(0, when - begin)) / (now - begin);
    const up = (value) => HEIGHT - MARGIN - ((HEIGHT - 2 * MARGIN) * (value - least)) / range;
    const steps = this.#steps.map(([when, value]) => `H${across(when).toFixed(2)}V${up(value).toFixed(2)}`);
    return `M0 ${up(values[0]).toFixed(2)}${steps.join("")}H${WIDTH}`;
  }
}

function inWords(difference, ms) {
  if (ms < 5_000) return "";
  const time = ms < 60_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
  if (difference === 0) return `unchanged in ${time}`;
  return `${difference > 0 ? "+" : "−"}${Math.abs(difference)} in ${time}`;
}
