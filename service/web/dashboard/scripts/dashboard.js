// The page at "/": who looks, at what, and what becomes of the numbers. The counting is ticket-counts.js's.

import { Choices } from "./choices.js";
import { Light } from "./light.js";
import { changed } from "./motion.js";
import { Sidebar } from "./sidebar.js";
import { askForToken, developmentViewers, forgetViewer, keptViewer } from "./sign-in.js";
import { connect } from "./ticket-counts.js";
import { Trend } from "./trend.js";

const FILTERS_EVERY_MS = 60_000; // a new filter is announced to nobody
const FILTERS_AGAIN_MS = 5_000; // after a failure
const TREND_EVERY_MS = 10_000;

const element = (id) => document.getElementById(id);
const tiles = [...document.querySelectorAll(".tile")];
const trends = new Map(tiles.map((tile) => [tile, new Trend(tile)]));
const sidebar = new Sidebar(element("filters"));
const light = new Light();
const choices = new Choices((name) => (name === "theme" ? undefined : restart()));

let viewers = [];
let isDemo = false;
let counts = null;
let latest = null;
let listingAgain = 0;

/** Shows what is chosen from the beginning. */
function restart() {
  const viewer = viewers.find(({ role, label }) => (role ?? label) === choices.get("viewer")) ?? viewers[0];
  const name = viewer.tenantName ?? viewer.tenant;
  element("tenant").textContent = name;
  element("sign-out").hidden = isDemo;
  choices.allowAgent(viewer.role !== "ticket_user");
  for (const trend of trends.values()) trend.clear();
  sidebar.clear();
  latest = null;
  light.show({ status: "connecting", knownAt: 0 });
  counts = connect({
    tenant: viewer.tenant,
    realm: viewer.realm,
    token: (refused) => newToken(viewer, refused),
    perspective: choices.get("perspective"),
    timezone: choices.get("zone"),
    profile: choices.get("profile") || null,
  });
  counts.watch([], (state) => show(counts, state, name));
  listFilters(counts);
}

function show(mine, state, name) {
  if (mine !== counts) return;
  const before = latest;
  latest = state;
  light.show(state);
  const open = state.summary.totalOpen;
  document.title = open === undefined ? name : `${open} open · ${name}`;
  element("as-of").textContent = state.asOf ? new Date(state.asOf).toLocaleTimeString("en-GB") : "–";
  element("version").textContent = (state.version || "–").split(".").slice(0, 2).join(".");
  if (state.status === "expired" && !isDemo && element("sign-in").hidden) signIn();
  const back = before && before.status !== "live" && state.status === "live";
  const fewer = state.invalid.length > (before?.invalid.length ?? 0);
  const renamed = before?.version && JSON.stringify(before.details) !== JSON.stringify(state.details);
  if (back || fewer || renamed) listFilters(mine);
}

/** What may be asked for changes with the catalogue, and with who asks. */
async function listFilters(mine) {
  try {
    const { filters, profiles } = await mine.filters();
    if (mine !== counts) return;
    if (!choices.offerProfiles(profiles)) choices.reset("profile");
    if ((choices.get("profile") || null) !== mine.view.profile) restart(); // it came with the page's address, or is gone
    else sidebar.show(filters);
  } catch {
    // The watch meets the same, and says what it is.
    clearTimeout(listingAgain);
    listingAgain = setTimeout(() => mine === counts && listFilters(mine), FILTERS_AGAIN_MS);
  }
}

/** Demos renew their tokens in a file; elsewhere somebody has to sign in again. */
async function newToken(viewer, refused) {
  if (!refused) return viewer.token;
  if (isDemo) {
    const found = (await developmentViewers()).find(({ role }) => role === viewer.role);
    viewer.token = found?.token ?? viewer.token;
  }
  return viewer.token === refused ? null : viewer.token;
}

function signIn() {
  forgetViewer();
  if (!counts) light.show({ status: "expired", knownAt: 0 });
  askForToken(element("sign-in"), (viewer) => begin([viewer]));
}

function begin(found) {
  viewers = found;
  document.body.dataset.signedIn = "yes";
  choices.offerViewers(viewers);
  restart();
}

element("sign-out").addEventListener("click", () => {
  forgetViewer();
  location.reload();
});
element("summary").addEventListener("count", ({ target, detail }) => {
  const tile = target.closest(".tile");
  tile.style.setProperty("--length", target.textContent.length);
  tile.dataset.none = detail.value === 0 ? "yes" : "no";
  if (detail.value !== null) trends.get(tile).add(detail.value);
  changed(target, tile, detail);
});
setInterval(() => trends.forEach((trend) => trend.draw()), TREND_EVERY_MS);
setInterval(() => {
  if (counts && document.visibilityState === "visible") listFilters(counts);
  if (isDemo && latest?.status === "expired") counts.renew().catch(() => {}); // asked again in a minute
}, FILTERS_EVERY_MS);

const development = await developmentViewers().catch(() => []);
isDemo = development.length > 0;
const kept = keptViewer();
if (isDemo) begin(development);
else if (kept) begin([kept]);
else signIn();
