/**
 * The app's About tab: what it is, and the commands it has.
 */
import { h, icon } from "./dom.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */

/**
 * @param {Store} store
 * @param {HTMLElement} root
 */
export function mountAbout(store, root) {
  const { app, commands, workspace } = store.bootstrap;
  root.append(
    h(
      "div",
      { class: "about-body" },
      h(
        "div",
        { class: "about-head" },
        h("span", { class: "avatar avatar-app", "aria-hidden": "true" }, icon("app")),
        h("div", {}, h("h2", {}, app.name), app.description && h("p", {}, app.description)),
      ),
      h("h3", {}, commands.length === 1 ? "Command" : "Commands"),
      h(
        "ul",
        {},
        commands.map((/** @type {Json} */ one) =>
          h(
            "li",
            {},
            h("p", {}, h("strong", {}, one.command), " ", h("span", { class: "usage" }, one.usage_hint)),
            one.description !== app.description && h("p", { class: "muted" }, one.description),
          ),
        ),
      ),
      h(
        "p",
        { class: "muted about-note" },
        `Installed in ${workspace.name}. This workspace is a sandbox: nothing is charged.`,
      ),
    ),
  );
  store.on("place", () => (root.hidden = store.place.kind !== "about"));
}
