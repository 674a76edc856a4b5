// The page at "/": signs in, lists the filters, and shows their counts as the stream pushes them.
// Everything that comes from the server is put in as text, never as HTML.

const COUNT = "/api/v2/ticketing/ticket/count";
const SUMMARY = {
  totalOpen: "Open", totalClosed: "Closed", slaBreached: "SLA breached", dueToday: "Due today", overdue: "Overdue",
};
const STALL_MS = 25_000; // a heartbeat comes every 15 s
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

const element = (id) => document.getElementById(id);
let viewers = [];
let source = null;
let stall = 0;
let retryMs = FIRST_RETRY_MS;
let generation = 0; // of the view on show: what arrives for an older one is dropped

function light(state, text) {
  element("light").dataset.state = state;
  element("light").textContent = text;
}

function problem(text) {
  element("problem").textContent = text;
  element("problem").hidden = !text;
}

async function ask(viewer, path, body) {
  const query = new URLSearchParams({ type: element("perspective").value, module: "ticketing" });
  const response = await fetch(`${path}?${query}`, {
    method: body ? "POST" : "GET",
    headers: {
      accept: "application/json",
      authorization: `Bearer ${viewer.token}`,
      "content-type": "application/json",
      "x-tenantid": viewer.tenant,
      realmname: viewer.realm,
    },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) {
    throw Object.assign(new Error(answer.error.message), { code: answer.error.code, status: response.status });
  }
  return answer.data;
}

function dot(color) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("width", "12");
  svg.setAttribute("height", "12");
  svg.setAttribute("aria-hidden", "true");
  const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [name, value] of Object.entries({ cx: 6, cy: 6, r: 6, fill: color ?? "transparent" })) {
    circle.setAttribute(name, value);
  }
  svg.append(circle);
  return svg;
}

function drawFilters(filters) {
  const groups = Map.groupBy ? Map.groupBy(filters, (each) => each.type) : groupedByType(filters);
  element("filters").replaceChildren(...[...groups].map(([type, members]) => {
    const section = document.createElement("section");
    const title = document.createElement("h2");
    title.textContent = type;
    const list = document.createElement("ul");
    for (const each of members) {
      const item = document.createElement("li");
      const name = document.createElement("span");
      name.className = "name";
      name.textContent = each.name;
      const count = document.createElement("output");
      count.dataset.filter = each.id;
      count.textContent = "–";
      count.setAttribute("aria-label", each.name);
      item.append(dot(each.color), name, count);
      list.append(item);
    }
    section.append(title, list);
    return section;
  }));
}

function groupedByType(filters) {
  const groups = new Map();
  for (const each of filters) groups.set(each.type, [...(groups.get(each.type) ?? []), each]);
  return groups;
}

function put(target, value) {
  const text = String(value);
  if (target.textContent === text) return;
  target.textContent = text;
  target.classList.remove("changed");
  void target.offsetWidth; // lets the animation start again
  target.classList.add("changed");
}

function show(data) {
  for (const [id, value] of Object.entries(data.counts ?? {})) {
    const target = document.querySelector(`output[data-filter="${CSS.escape(id)}"]`);
    if (target) put(target, value);
  }
  for (const [key, value] of Object.entries(data.summary ?? {})) {
    const target = element(`summary-${key}`);
    if (target) put(target, value);
  }
  if (data.version) element("version").textContent = data.version.split(".").slice(0, 2).join(".");
  if (data.asOf) element("as-of").textContent = new Date(data.asOf).toLocaleString();
  if ("fresh" in data) light(data.fresh ? "live" : "delayed", data.fresh ? "live" : "delayed");
}

function drawSummary() {
  element("summary").replaceChildren(...Object.entries(SUMMARY).map(([key, label]) => {
    const tile = document.createElement("div");
    const name = document.createElement("dt");
    const value = document.createElement("dd");
    name.textContent = label;
    value.id = `summary-${key}`;
    value.textContent = "–";
    tile.append(name, value);
    return tile;
  }));
  element("summary").hidden = false;
}

function again(mine) {
  source?.close();
  clearTimeout(stall);
  if (mine !== generation) return;
  light("reconnecting", "reconnecting");
  setTimeout(() => mine === generation && follow(mine), retryMs * (0.8 + 0.4 * Math.random()));
  retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
}

async function follow(mine) {
  const viewer = viewers[element("viewer").selectedIndex];
  try {
    const { filters } = await ask(viewer, "/api/v2/ticketing/ticket/filters");
    if (mine !== generation) return;
    problem("");
    drawFilters(filters);
    drawSummary();
    const { ticket } = await ask(viewer, `${COUNT}/stream-ticket`, {
      filterIds: filters.slice(0, 500).map((each) => each.id),
      timezone: element("zone").value,
    });
    if (mine !== generation) return;
    listen(mine, `${COUNT}/stream?${new URLSearchParams({ ticket })}`);
  } catch (error) {
    if (mine !== generation) return;
    problem(error.message);
    if (error.status === 401) signIn();
    else if (error.status === undefined || error.status >= 429) again(mine);
    else light("delayed", "no access");
  }
}

function listen(mine, url) {
  source?.close();
  source = new EventSource(url);
  const seen = () => {
    retryMs = FIRST_RETRY_MS;
    clearTimeout(stall);
    stall = setTimeout(() => again(mine), STALL_MS);
  };
  for (const name of ["snapshot", "counts", "current", "heartbeat"]) {
    source.addEventListener(name, (event) => {
      if (mine !== generation) return;
      seen();
      const data = JSON.parse(event.data);
      if (name === "counts") light("live", "live");
      show(data);
    });
  }
  source.addEventListener("bye", (event) => {
    const { reason } = JSON.parse(event.data);
    // The browser comes back by itself, but for what needs a new ticket.
    if (reason === "expired" || reason === "access") again(mine);
    else light("reconnecting", "reconnecting");
  });
  source.onerror = () => {
    if (mine !== generation) return;
    light("reconnecting", "reconnecting");
    if (source.readyState === EventSource.CLOSED) again(mine);
  };
}

function restart() {
  generation += 1;
  retryMs = FIRST_RETRY_MS;
  follow(generation);
}

function signIn() {
  generation += 1;
  source?.close();
  element("sign-in").hidden = false;
  element("summary").hidden = true;
  element("filters").replaceChildren();
}

function offer(list) {
  viewers = list;
  element("viewer").replaceChildren(...list.map((each) => new Option(each.label)));
  element("sign-in").hidden = true;
  restart();
}

element("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const [realm, tenant, token] = ["realm", "tenant", "token"].map((name) => form.get(name).trim());
  offer([{ label: tenant, realm, tenant, token }]);
});
for (const id of ["viewer", "perspective", "zone"]) element(id).addEventListener("change", restart);

const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
const zones = ["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? []).filter((zone) => zone !== "UTC")];
element("zone").replaceChildren(...zones.map((zone) => new Option(zone, zone, false, zone === local)));

const development = await fetch("/development-sign-in.json");
if (development.ok) offer((await development.json()).viewers);
else signIn();
