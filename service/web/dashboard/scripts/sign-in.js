// Who looks: the people of a demo, or whoever has a token. A token is kept in this tab, and never stands in a URL.

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

/** Those that a demo hands out; none elsewhere. @returns {Promise<Viewer[]>} */
export async function developmentViewers() {
  const response = await fetch("/development-sign-in.json");
  return response.ok ? (await response.json()).viewers : [];
}

/** @returns {Viewer | null} */
export function keptViewer() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  } catch { // a browser that allows no storage, or something else's text
    return null;
  }
}

export function forgetViewer() {
  try {
    sessionStorage.removeItem(KEPT);
  } catch {
    // Nothing was kept.
  }
}

function keep(viewer) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(viewer));
  } catch {
    // Signed in all the same, until the page is loaded again.
  }
}

/** Shows the form until it is sent; calls `signedIn` with the viewer. */
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
