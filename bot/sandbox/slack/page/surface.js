/**
 * Sends the actions of one message, modal or Home tab, and shows on the control that the app has
 * not answered yet.
 */
import { api } from "./api.js";
import { askConfirm } from "./confirm.js";
import { h, icon } from "./dom.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./elements.js").Surface} Surface */

/**
 * @param {import("./store.js").Store} store
 * @param {Json} container where the action comes from, as the API takes it
 * @param {import("./form.js").Form} form
 * @returns {Surface}
 */
export function createSurface(store, container, form) {
  const { reader } = store;
  return {
    reader,
    form,
    // A message and a modal have a heading of their own above; the Home tab has the page's.
    heading: container.type === "home" ? "h2" : "h3",
    errors: {},
    act: async (element, blockId, value, control) => {
      if (element.confirm && !(await askConfirm(element.confirm, reader))) {
        control.focus();
        return false;
      }
      clearFault(control);
      setPending(control, true);
      const answer = await api.action({
        user: store.person.id,
        container,
        block_id: blockId,
        action_id: element.action_id,
        value,
        state: form.values(),
      });
      setPending(control, false);
      if (!answer.ok) showFault(control, answer.error ?? "The app did not answer.");
      return true;
    },
  };
}

/**
 * @param {HTMLElement} control
 * @param {boolean} pending
 */
export function setPending(control, pending) {
  for (const name of ["aria-busy", "aria-disabled"]) {
    if (pending) control.setAttribute(name, "true");
    else control.removeAttribute(name);
  }
}

/**
 * @param {HTMLElement} control
 * @param {string} text
 */
function showFault(control, text) {
  control.closest(".block")?.append(
    h("p", { class: "block-fault", role: "alert" }, icon("warning"), h("span", {}, text)),
  );
}

/** @param {HTMLElement} control */
function clearFault(control) {
  control.closest(".block")?.querySelector(":scope > .block-fault")?.remove();
}
