// The viewer's choices, kept in the URL fragment, so that a wall display can be bookmarked. Never puts a secret there.

const NAMES = ["viewer", "perspective", "profile", "zone", "theme"];
const element = (id) => document.getElementById(id);

const ZONES = Intl.supportedValuesOf?.("timeZone") ?? [];
export const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The pickers of the page. Calls `changed` with the name of a picker when its value changes. */
export class Choices {
  #kept = new URLSearchParams(location.hash.slice(1));

  constructor(changed) {
    offer(element("zone"), [...new Set([LOCAL_ZONE, "UTC", ...ZONES])].map((zone) => [zone, zone.replaceAll("_", " ")]));
    offer(element("profile"), [["", "None"]]);
    for (const name of NAMES) {
      select(element(name), this.#kept.get(name));
      element(name).addEventListener("change", () => {
        this.#keep(name, element(name).value);
        changed(name);
      });
    }
    element("choices").addEventListener("submit", (event) => event.preventDefault());
    const toggle = element("choices-toggle");
    toggle.addEventListener("click", () => {
      toggle.setAttribute("aria-expanded", String(toggle.getAttribute("aria-expanded") !== "true"));
    });
  }

  get(name) {
    return element(name).value;
  }

  /** Fills the viewer picker. */
  offerViewers(viewers) {
    offer(element("viewer"), viewers.map(({ role, label }) => [role ?? label, label]));
    select(element("viewer"), this.#kept.get("viewer"));
  }

  /** Fills the profile picker and keeps the chosen profile. Returns whether that one still exists. */
  offerProfiles(profiles) {
    const chosen = this.get("profile") || this.#kept.get("profile");
    offer(element("profile"), [["", "None"], ...profiles.map(({ id, name }) => [id, name])]);
    return select(element("profile"), chosen);
  }

  /** Enables or disables the agent perspective, which some roles don't have. */
  allowAgent(allowed) {
    const agent = element("perspective").querySelector("[value=agent]");
    agent.disabled = !allowed;
    if (!allowed && agent.selected) element("perspective").value = "template";
  }

  /** Resets a choice to its first option. */
  reset(name) {
    element(name).selectedIndex = 0;
    this.#keep(name, "");
  }

  #keep(name, value) {
    if (value) this.#kept.set(name, value);
    else this.#kept.delete(name);
    history.replaceState(null, "", `#${this.#kept}`);
    if (name === "theme") document.documentElement.dataset.theme = value;
  }
}

function offer(picker, options) {
  picker.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

function select(picker, value) {
  if (value && [...picker.options].some((option) => option.value === value)) picker.value = value;
  return !value || picker.value === value;
}
