// How a changed number draws the eye: it comes in from below when it has grown, from above when it has shrunk, on a
// tint that fades. Where less motion is asked for, the tint alone, which then just ends.

const TINT_MS = 2_000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const tinted = new WeakMap();

/** `count` is the element with the number, `place` what is tinted around it. */
export function changed(count, place, { value, before }) {
  if (before === null || value === null) return;
  clearTimeout(tinted.get(place));
  place.classList.remove("changed");
  if (!calm.matches) {
    const from = value > before ? "min(45%, 1rem)" : "max(-45%, -1rem)"; // the largest would cross what is above them
    count.animate([{ transform: `translateY(${from})`, opacity: 0.2 }, { transform: "none", opacity: 1 }], {
      duration: 320,
      easing: "cubic-bezier(0.2, 0.9, 0.3, 1)",
    });
    void place.offsetWidth; // has the fading begin anew
  }
  place.classList.add("changed");
  tinted.set(place, setTimeout(() => place.classList.remove("changed"), TINT_MS));
}
