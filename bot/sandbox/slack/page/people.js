/**
 * How people and apps are pictured: initials on a color, and a drawn mark for the app.
 */
import { h, icon } from "./dom.js";

/** @typedef {Record<string, any>} Json */

/**
 * @param {{name: string, isApp: boolean, person: Json | null}} author
 * @returns {HTMLElement}
 */
export function avatar({ name, isApp, person }) {
  if (isApp) return h("span", { class: "avatar avatar-app", "aria-hidden": "true" }, icon("app"));
  if (!person) return h("span", { class: "avatar avatar-slack", "aria-hidden": "true" }, icon("bell"));
  const initials = name
    .split(/\s+/)
    .map((part) => part.charAt(0))
    .slice(0, 2)
    .join("");
  const node = h("span", { class: "avatar", "aria-hidden": "true" }, initials);
  const color = String(person.color ?? "").replace("#", "");
  if (/^[0-9a-f]{6}$/i.test(color)) node.style.backgroundColor = `#${color}`;
  return node;
}
