/**
 * What happens without a person's own doing: said to screen readers, and shown as a toast when it
 * is elsewhere.
 */
import { h, icon } from "./dom.js";

const TOAST_MS = 7000;
const SPOKEN_MS = 10_000;

/**
 * Says `text` to a screen reader when it has finished what it says now.
 *
 * @param {string} text
 */
export function announce(text) {
  const line = h("p", {}, text);
  document.getElementById("announcer")?.append(line);
  // Kept for a while: a second announcement must not take the first one's place before it is read.
  setTimeout(() => line.remove(), SPOKEN_MS);
}

/**
 * @typedef {object} Toast
 * @property {string} title
 * @property {string} [text]
 * @property {"message" | "warning" | "check-circle"} [picture]
 * @property {{label: string, run: () => void}} [action]
 */

/**
 * @param {Toast} toast
 * @returns {() => void} takes it away
 */
export function showToast({ title, text = "", picture = "message", action }) {
  const remove = () => node.remove();
  const act = () => {
    remove();
    action?.run();
  };
  const node = h(
    "div",
    { class: `toast toast-${picture}`, "data-testid": "toast" },
    icon(picture),
    h("div", { class: "toast-body" }, h("strong", {}, title), text && h("p", {}, text)),
    action && h("button", { type: "button", class: "button", onclick: act }, action.label),
    h(
      "button",
      { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: remove },
      icon("close"),
    ),
  );
  const shelf = document.getElementById("toasts");
  shelf?.append(node);
  while (shelf && shelf.children.length > 3) shelf.firstElementChild?.remove();
  const expire = () => {
    if (node.matches(":hover, :focus-within")) setTimeout(expire, TOAST_MS);
    else remove();
  };
  setTimeout(expire, TOAST_MS);
  return remove;
}
