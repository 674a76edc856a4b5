// Animates a changed number: it slides in from below after an increase, from above after a decrease, on a tint that
// fades. With reduced motion there is only the tint, which ends without fading.

const TINT_MS = 2_000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const tinted = new WeakMap();

/** `count` is the element with the number, `place` the element around it that is tinted. */
export function changed(count, place, { value, before }) {
  if (before === null || value === null) return;
  clearTimeout(tinted.get(place));
  place.classList.remove("changed");
  if (!calm.matches) {
    const from = value > before ? "min(45%, 1rem)" : "max(-45%, -1rem)"; // more would overlap the element above
    count.animate([{ transform: `translateY(${from})`, opacity: 0.2 }, { transform: "none", opacity: 1 }], {
      duration: 320,
      easing: "cubic-bezier(0.2, 0.9, 0.3, 1)",
    });
    void place.offsetWidth; // forces a layout, which restarts the fading
  }
  place.classList.add("changed");
  tinted.set(place, setTimeout(() => place.classList.remove("changed"), TINT_MS));
}
