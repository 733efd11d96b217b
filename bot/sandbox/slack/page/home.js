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
  const empty = h(
    "div",
    { class: "empty" },
    icon("home"),
    h("h2", {}, "Nothing here yet"),
    h(
      "p",
      {},
      `${store.bootstrap.app.name} draws this tab when someone opens it. `,
      "If it stays empty, the app is not running.",
    ),
  );

  const draw = () => {
    root.hidden = store.place.kind !== "home";
    const view = store.home;
    const shown = view ? blocks : empty;
    if (root.firstElementChild !== shown) root.replaceChildren(shown);
    if (!view) {
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
