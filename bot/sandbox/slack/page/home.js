/**
 * The app's Home tab.
 */
import { renderBlocks } from "./blocks.js";
import { h, icon } from "./dom.js";
import { Form } from "./form.js";
import { createSurface } from "./surface.js";

/** @typedef {import("./store.js").Store} Store */

/**
 * @param {Store} store
 * @param {HTMLElement} root
 */
export function mountHome(store, root) {
  let form = new Form();
  /** @type {import("./elements.js").Surface | null} */
  let surface = null;
  const blocks = h("div", { class: "blocks home-blocks" });
  const empty = h("div", { class: "empty", role: "status" });

  const draw = () => {
    root.hidden = store.place.kind !== "home";
    const view = store.home;
    const shown = view ? blocks : empty;
    if (root.firstElementChild !== shown) root.replaceChildren(shown);
    if (!view) {
      empty.replaceChildren(...withoutHome(store));
      surface = null;
      blocks.replaceChildren();
      return;
    }
    surface ??= createSurface(store, { type: "home", view_id: view.id }, form);
    renderBlocks(blocks, view.blocks ?? [], surface);
  };
  store.on("home", draw);
  store.on("place", draw);
  store.on("person", () => {
    form = new Form();
    surface = null;
    blocks.replaceChildren();
    draw();
  });
}

/**
 * What the tab says while there is nothing to draw.
 *
 * @param {Store} store
 */
function withoutHome(store) {
  const { app, teams, workspace } = store.bootstrap;
  const { real_name: name, team_id: team } = store.person;
  const again = h(
    "button",
    { type: "button", class: "button", onclick: () => store.openHome() },
    "Try again",
  );
  if (store.homeAnswer === "asking") {
    return [h("span", { class: "waiting", "aria-hidden": "true" }), h("p", {}, `Opening ${app.name}…`)];
  }
  if (store.homeAnswer === "not_installed") {
    return [
      icon("home"),
      h("h2", {}, `${app.name} has no Home for ${name}`),
      h(
        "p",
        {},
        `${teams[team]} does not have the app. ${name} meets it only in channels that are shared with `,
        `${workspace.name}.`,
      ),
    ];
  }
  if (store.homeAnswer !== "asked") {
    return [
      icon("warning"),
      h("h2", {}, `${app.name} did not answer`),
      h("p", {}, "It is not running, or it is starting again."),
      again,
    ];
  }
  return [
    icon("home"),
    h("h2", {}, "Nothing here yet"),
    h("p", {}, `${app.name} was told that ${name} opened this tab, and has not drawn it.`),
    again,
  ];
}
