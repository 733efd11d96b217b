/**
 * Light, dark, or what the system says. Loaded before the first paint, so that a chosen theme never
 * flashes.
 */

const KEY = "sandbox.theme";
// After the system's own theme comes the other one, so that the first click already shows something.
const ORDER = matchMedia("(prefers-color-scheme: dark)").matches
  ? ["system", "light", "dark"]
  : ["system", "dark", "light"];

/** @returns {string} */
export function theme() {
  const kept = localStorage.getItem(KEY) ?? "";
  return ORDER.includes(kept) ? kept : "system";
}

function apply() {
  document.documentElement.dataset.theme = theme();
}

/** Goes on to the next theme. */
export function nextTheme() {
  localStorage.setItem(KEY, ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length]);
  apply();
}

apply();
