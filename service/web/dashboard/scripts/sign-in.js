// Signs a viewer in: a person of the demo, or a user with a token. Keeps the token in this tab only, never in a URL.

const KEPT = "ticket-counts-viewer";

/**
 * @typedef {object} Viewer
 * @property {string} label
 * @property {string} realm
 * @property {string} tenant
 * @property {string} token
 * @property {string} [tenantName]
 * @property {string} [role]
 */

/** Returns the viewers of a demo; none elsewhere. @returns {Promise<Viewer[]>} */
export async function developmentViewers() {
  const response = await fetch("/development-sign-in.json");
  return response.ok ? (await response.json()).viewers : [];
}

/** Returns the viewer who signed in earlier in this tab. @returns {Viewer | null} */
export function keptViewer() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  } catch { // the browser allows no storage, or the text isn't ours
    return null;
  }
}

export function forgetViewer() {
  try {
    sessionStorage.removeItem(KEPT);
  } catch {
    // Without storage, no viewer was kept.
  }
}

function keep(viewer) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(viewer));
  } catch {
    // Without storage, the sign-in lasts until the page is reloaded.
  }
}

/** Shows the form until it is submitted, then calls `signedIn` with the viewer. */
export function askForToken(form, signedIn) {
  form.hidden = false;
  form.onsubmit = (event) => {
    event.preventDefault();
    const fields = new FormData(form);
    const [realm, tenant, token] = ["realm", "tenant", "token"].map((name) => String(fields.get(name)).trim());
    const viewer = { label: "Token", realm, tenant, token: token.replace(/^bearer\s+/i, "") };
    keep(viewer);
    form.elements.namedItem("token").value = "";
    form.hidden = true;
    signedIn(viewer);
  };
}
