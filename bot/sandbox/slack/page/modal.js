/**
 * The top of the person's stack of modals. It lies over the workspace and leaves the inspector in
 * reach, so that one can watch a modal work.
 */
import { announce } from "./announce.js";
import { api } from "./api.js";
import { renderBlocks } from "./blocks.js";
import { h, icon, wrapTab } from "./dom.js";
import { Form } from "./form.js";
import { plainText } from "./mrkdwn.js";
import { popupIsOpen } from "./popup.js";
import { spokenView } from "./spoken.js";
import { createSurface, setPending } from "./surface.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */

/**
 * @param {Store} store
 * @param {HTMLElement} root where the modal lies
 * @param {HTMLElement[]} behind what cannot be reached meanwhile
 */
export function mountModal(store, root, behind) {
  /** @type {Map<string, Form>} by view id: a pushed view leaves what was typed below it alone */
  const forms = new Map();
  /** @type {ModalNode | null} */
  let open = null;
  /** @type {HTMLElement | null} */
  let opener = null;

  const draw = () => {
    for (const id of forms.keys()) if (!store.stack.some((one) => one.id === id)) forms.delete(id);
    const view = store.stack.at(-1);
    if (!view) {
      if (!open) return;
      const hadFocus = root.contains(document.activeElement);
      open = null;
      root.replaceChildren();
      root.hidden = true;
      for (const part of behind) part.inert = false;
      if (hadFocus) (opener?.isConnected ? opener : document.getElementById("composer"))?.focus();
      opener = null;
      return;
    }
    if (open?.viewId === view.id) {
      open.update(view, store.stack.length);
      return;
    }
    if (!open) opener = /** @type {HTMLElement | null} */ (document.activeElement);
    const form = forms.get(view.id) ?? new Form();
    forms.set(view.id, form);
    open = modalNode(store, view, form);
    root.hidden = false;
    // A click beside the modal must not take the focus out of it.
    root.replaceChildren(
      h("div", { class: "scrim", onmousedown: (/** @type {Event} */ event) => event.preventDefault() }),
      open.node,
    );
    for (const part of behind) part.inert = true;
    open.update(view, store.stack.length);
    open.focus();
    // The focus has said the title.
    announce(spokenView(view, store.reader));
  };
  store.on("stack", draw);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !open || popupIsOpen() || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    open.close();
  });
}

/**
 * @typedef {object} ModalNode
 * @property {string} viewId
 * @property {HTMLElement} node
 * @property {(view: Json, depth: number) => void} update
 * @property {() => void} focus
 * @property {() => void} close
 */

/**
 * @param {Store} store
 * @param {Json} first
 * @param {Form} values
 * @returns {ModalNode}
 */
function modalNode(store, first, values) {
  const viewId = first.id;
  let view = first;
  const surface = createSurface(store, { type: "view", view_id: viewId }, values);
  const user = store.person.id;

  const close = () => api.close({ user, view_id: viewId });
  const closeAll = () => api.close({ user, view_id: viewId, everything: true });

  const title = h("h2", { id: "modal-title" });
  const back = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": "Back", onclick: close },
    icon("arrow-left"),
  );
  const trouble = h("div", { class: "modal-trouble", role: "alert" });
  const blocks = h("div", { class: "blocks" });
  const body = h("div", { class: "modal-body" }, trouble, blocks);
  const closeText = h("span");
  const submitText = h("span", { class: "button-text" });
  const submitButton = h(
    "button",
    { type: "submit", class: "button large primary", "data-testid": "modal-submit" },
    submitText,
    h("span", { class: "spinner", "aria-hidden": "true" }),
  );
  const form = h(
    "form",
    { class: "modal-form", novalidate: true },
    h(
      "div",
      { class: "modal-head" },
      back,
      h("span", { class: "avatar avatar-app", "aria-hidden": "true" }, icon("app")),
      title,
      h(
        "button",
        { type: "button", class: "icon-button", "aria-label": "Close", onclick: closeAll },
        icon("close"),
      ),
    ),
    body,
    h(
      "div",
      { class: "modal-foot" },
      h(
        "button",
        { type: "button", class: "button large", "data-testid": "modal-close", onclick: close },
        closeText,
      ),
      submitButton,
    ),
  );
  const node = h(
    "div",
    {
      class: "modal",
      role: "dialog",
      "aria-modal": "true",
      "aria-labelledby": "modal-title",
      tabindex: "-1",
      "data-testid": "modal",
      "data-view-id": viewId,
    },
    form,
  );

  const update = (/** @type {Json} */ next, /** @type {number} */ depth) => {
    const changed = next.hash !== view.hash;
    view = next;
    if (changed) {
      surface.errors = {};
      trouble.replaceChildren();
    }
    title.replaceChildren(plainText(view.title ?? { text: "" }));
    closeText.replaceChildren(plainText(view.close ?? { text: "Cancel" }));
    submitText.replaceChildren(plainText(view.submit ?? { text: "Submit" }));
    submitButton.hidden = !view.submit;
    back.hidden = depth < 2;
    const hadFocus = node.contains(document.activeElement);
    const waiting = document.activeElement === node;
    renderBlocks(blocks, view.blocks ?? [], surface);
    if (hadFocus && !node.contains(document.activeElement)) node.focus();
    // An app shows a loading view first; the fields that replace it are what the person came for.
    if (waiting) focus();
    if (changed) announce(`${view.title?.text ?? ""}. ${spokenView(view, store.reader)}`);
  };

  const submit = async () => {
    if (!view.submit || submitButton.getAttribute("aria-disabled") === "true") return;
    trouble.replaceChildren();
    setPending(submitButton, true);
    const answer = await api.submit({ user, view_id: viewId, state: values.values() });
    setPending(submitButton, false);
    surface.errors = answer.errors ?? {};
    renderBlocks(blocks, view.blocks ?? [], surface);
    const wrong = blocks.querySelector('[aria-invalid="true"]');
    if (wrong) {
      const field = wrong.matches("[role=group], [role=radiogroup]") ? wrong.querySelector("input") : wrong;
      /** @type {HTMLElement} */ (field ?? wrong).focus();
      announce(Object.values(surface.errors).join(" "));
    } else if (!answer.ok) {
      trouble.replaceChildren(
        icon("warning"),
        h("span", {}, answer.error ?? "We had some trouble connecting. Try again?"),
      );
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  node.addEventListener("keydown", (event) => {
    wrapTab(node, event);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit();
    }
  });

  // A complaint holds until its field is touched, as in Slack.
  for (const type of ["input", "change"]) {
    blocks.addEventListener(type, (event) => {
      const target = /** @type {Element} */ (event.target);
      const block = /** @type {HTMLElement | null} */ (target.closest(".block"));
      if (!block?.dataset.blockId || !surface.errors[block.dataset.blockId]) return;
      delete surface.errors[block.dataset.blockId];
      block.querySelector(".field-error")?.remove();
      block.querySelector(".invalid")?.classList.remove("invalid");
      block.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    });
  }

  const focus = () => {
    const wanted =
      blocks.querySelector("[data-focus-on-load]") ??
      blocks.querySelector(".input input, .input textarea, .input .select");
    /** @type {HTMLElement} */ (wanted ?? node).focus();
  };
  return { viewId, node, update, close, focus };
}
