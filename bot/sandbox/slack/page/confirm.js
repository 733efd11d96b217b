/**
 * Block Kit's confirm dialog, in front of everything.
 */
import { h, icon, uniqueId, wrapTab } from "./dom.js";
import { textObject } from "./mrkdwn.js";

/** @typedef {import("./mrkdwn.js").Reader} Reader */

/**
 * @param {Record<string, any>} confirm a confirmation object
 * @param {Reader} reader
 * @returns {Promise<boolean>} true when the person confirms
 */
export function askConfirm(confirm, reader) {
  const { promise, resolve } = Promise.withResolvers();
  const titleId = uniqueId("confirm");
  const textId = uniqueId("confirm");
  let answer = false;
  const settle = (/** @type {boolean} */ value) => () => {
    answer = value;
    dialog.close();
  };
  const style = confirm.style === "danger" ? "danger" : "primary";
  const dialog = h(
    "dialog",
    { class: "confirm", "aria-labelledby": titleId, "aria-describedby": textId, "data-testid": "confirm" },
    h(
      "header",
      { class: "confirm-head" },
      h(
        "h2",
        { id: titleId },
        textObject(confirm.title ?? { type: "plain_text", text: "Are you sure?" }, reader),
      ),
      h(
        "button",
        { type: "button", class: "icon-button", "aria-label": "Close", onclick: settle(false) },
        icon("close"),
      ),
    ),
    h("div", { id: textId, class: "confirm-text" }, textObject(confirm.text, reader)),
    h(
      "footer",
      { class: "confirm-foot" },
      h(
        "button",
        { type: "button", class: "button large", onclick: settle(false) },
        textObject(confirm.deny ?? { type: "plain_text", text: "Cancel" }, reader),
      ),
      h(
        "button",
        {
          type: "button",
          class: `button large ${style}`,
          autofocus: true,
          "data-testid": "confirm-yes",
          onclick: settle(true),
        },
        textObject(confirm.confirm ?? { type: "plain_text", text: "Yes" }, reader),
      ),
    ),
  );
  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation();
    wrapTab(dialog, event);
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(answer);
  });
  document.body.append(dialog);
  dialog.showModal();
  return promise;
}
