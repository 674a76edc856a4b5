// The page at "/": connects sign-in, choices, sidebar, tiles and status light. ticket-counts.js gets the counts.

import { Choices } from "./choices.js";
import { Light } from "./light.js";
import { changed } from "./motion.js";
import { Sidebar } from "./sidebar.js";
import { askForToken, developmentViewers, forgetViewer, keptViewer } from "./sign-in.js";
import { connect } from "./ticket-counts.js";
import { Trend } from "./trend.js";

const FILTERS_EVERY_MS = 60_000; // the service doesn't announce new filters
const FILTERS_AGAIN_MS = 5_000; // pause after a failure
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

/** Clears the page and shows the chosen view. */
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

/** Lists the filters and profiles of this viewer, which change with the catalogue and with the viewer's role. */
async function listFilters(mine) {
  try {
    const { filters, profiles } = await mine.filters();
    if (mine !== counts) return;
    if (!choices.offerProfiles(profiles)) choices.reset("profile");
    // The profile of the URL fragment is known only now, or the chosen profile is gone.
    if ((choices.get("profile") || null) !== mine.view.profile) restart();
    else sidebar.show(filters);
  } catch {
    // The watch gets the same error and shows it.
    clearTimeout(listingAgain);
    listingAgain = setTimeout(() => mine === counts && listFilters(mine), FILTERS_AGAIN_MS);
  }
}

/** Returns another token than the refused one: a demo's from its file; null elsewhere, where the user must sign in. */
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
  if (isDemo && latest?.status === "expired") counts.renew().catch(() => {}); // tried again in a minute
}, FILTERS_EVERY_MS);

const development = await developmentViewers().catch(() => []);
isDemo = development.length > 0;
const kept = keptViewer();
if (isDemo) begin(development);
else if (kept) begin([kept]);
else signIn();
