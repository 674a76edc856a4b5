// The list of all filters of the viewer, grouped by type, with colour, name and live count. Users write the names and
// colours, so they are inserted as text and as a validated colour, never as HTML.

import { changed } from "./motion.js";

const GROUPS = {
  system: "All", status: "Status", priority: "Priority", assignment: "Assignment", team: "Team", time: "Time",
  sla: "SLA", category: "Category", custom: "Custom",
};

// One shape per type, for people who can't distinguish the colours.
const SHAPES = {
  status: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2z",
  priority: "M8 2 14 13H2z",
  category: "M3 3h10v10H3z",
  assignment: "M8 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM2.5 14a5.5 5.5 0 0 1 11 0z",
  team: "M5.5 3a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM1 13a4.5 4.5 0 0 1 9 0zM11 4a2 2 0 1 1 0 4zM11.5 13H15a4 4 0 0 0-4-4z",
  time: "M4 2h8L9 8l3 6H4l3-6z",
  sla: "M8 1.5 14 4v4c0 3.5-2.5 5.5-6 6.5C4.5 13.5 2 11.5 2 8V4z",
  custom: "M8 1.5 14.5 8 8 14.5 1.5 8z",
  system: "M2 4h12v2H2zM2 7h12v2H2zM2 10h12v2H2z",
};

/** The list of filters. Redraws only when the filters have changed. */
export class Sidebar {
  #shown = "";

  constructor(element) {
    this.element = element;
    element.addEventListener("count", ({ target, detail }) => {
      changed(target, target.closest("li"), detail);
      this.#rescale(target.closest("ul"));
    });
  }

  clear() {
    this.#shown = "";
    this.element.replaceChildren();
  }

  show(filters) {
    const wanted = JSON.stringify(filters);
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    const types = [...new Set([...Object.keys(GROUPS), ...filters.map(({ type }) => type)])];
    const groups = types.map((type) => [type, filters.filter((each) => each.type === type)]);
    const columns = document.createElement("div");
    columns.append(...groups.filter(([, members]) => members.length > 0).map(([type, members]) => group(type, members)));
    this.element.replaceChildren(columns);
  }

  /** Sets the bars: each shows its count relative to the largest count of the group. */
  #rescale(list) {
    const counts = [...list.querySelectorAll("ticket-count")];
    const largest = Math.max(1, ...counts.map(({ value }) => value ?? 0));
    for (const count of counts) count.closest("li").style.setProperty("--share", (count.value ?? 0) / largest);
  }
}

function group(type, members) {
  const section = document.createElement("section");
  const title = document.createElement("h2");
  title.textContent = GROUPS[type] ?? type;
  const list = document.createElement("ul");
  list.append(...members.map(row));
  section.dataset.type = type;
  section.append(title, list);
  return section;
}

function row({ id, name, type, color }) {
  const item = document.createElement("li");
  const label = document.createElement("span");
  label.className = "name";
  label.textContent = name;
  label.title = name;
  const count = document.createElement("ticket-count");
  count.setAttribute("filter", id);
  if (color && CSS.supports("color", color)) item.style.setProperty("--color", color);
  item.append(shape(SHAPES[type] ?? SHAPES.custom), label, count);
  return item;
}

function shape(d) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", d);
  svg.append(path);
  return svg;
}
