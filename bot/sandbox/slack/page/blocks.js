/**
 * The blocks of Block Kit, one function each; BLOCKS names those that the page knows. Anything else
 * is drawn as a warning with its JSON, never dropped.
 */
import { chart } from "./chart.js";
import { h, icon, reconcile, uniqueId } from "./dom.js";
import { ELEMENTS } from "./elements.js";
import { plainText, textObject } from "./mrkdwn.js";
import { markdown, richText } from "./richtext.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./elements.js").Surface} Surface */

/** @type {Record<string, (block: Json, surface: Surface) => Node>} */
const BLOCKS = {
  section,
  header,
  context,
  divider,
  actions,
  input,
  image,
  rich_text: rich,
  alert,
  data_visualization: chart,
  table,
  markdown: (block) => markdown(block.text),
};

/**
 * Draws `blocks` into `container`; blocks that did not change keep their nodes.
 *
 * @param {HTMLElement} container
 * @param {Json[]} blocks
 * @param {Surface} surface
 */
export function renderBlocks(container, blocks, surface) {
  surface.form.adopt(blocks);
  reconcile(
    container,
    blocks.map((block, index) => ({
      key: `${index}`,
      signature: JSON.stringify([block, surface.errors[block.block_id]]),
      build: () => drawBlock(block, surface),
    })),
  );
}

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function drawBlock(block, surface) {
  const draw = Object.hasOwn(BLOCKS, block.type) && BLOCKS[block.type];
  return h(
    "div",
    { class: `block block-${block.type}`, "data-block-id": block.block_id },
    draw ? draw(block, surface) : unknownPart("block", block),
  );
}

/**
 * @param {"block" | "element" | "message"} what
 * @param {Json} json
 */
export function unknownPart(what, json) {
  return h(
    "div",
    { class: "unknown", role: "note", "data-testid": "unknown" },
    h(
      "p",
      {},
      icon("warning"),
      h(
        "span",
        {},
        `This page does not know the ${what} type `,
        h("code", {}, String(json.type)),
        ". Slack may draw it.",
      ),
    ),
    h(
      "pre",
      { class: "preformatted", tabindex: "0", "aria-label": `JSON of the unknown ${what}` },
      JSON.stringify(json, null, 2),
    ),
  );
}

/**
 * @param {Json} element
 * @param {import("./elements.js").Spot} spot
 * @returns {Node}
 */
function drawElement(element, spot) {
  if (element.type === "image") return picture(element, "accessory-image");
  const draw = Object.hasOwn(ELEMENTS, element.type) && ELEMENTS[element.type];
  return draw ? draw(element, spot) : unknownPart("element", element);
}

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function section(block, surface) {
  const drawField = (/** @type {any} */ field) =>
    h("div", { class: "text field" }, textObject(field, surface.reader));
  const textId = uniqueId("text");
  // A button says what it does; a choice needs the words beside it.
  const speaks = ["button", "overflow", "image"].includes(block.accessory?.type);
  const aria = speaks ? {} : { "aria-labelledby": textId };
  const spot = { surface, blockId: block.block_id, dispatches: true, aria };
  return h(
    "div",
    { class: "section" },
    h(
      "div",
      { class: "section-body", id: textId },
      block.text && h("div", { class: "text" }, textObject(block.text, surface.reader)),
      block.fields && h("div", { class: "fields" }, block.fields.map(drawField)),
    ),
    block.accessory && h("div", { class: "accessory" }, drawElement(block.accessory, spot)),
  );
}

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function header(block, surface) {
  return h(surface.heading, { class: "header-text" }, plainText(block.text));
}

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function context(block, surface) {
  return h(
    "div",
    { class: "context" },
    (block.elements ?? []).map((/** @type {any} */ element) => {
      if (element.type === "image") return picture(element, "context-image");
      if (element.type !== "mrkdwn" && element.type !== "plain_text") return unknownPart("element", element);
      return h("span", { class: "text" }, textObject(element, surface.reader));
    }),
  );
}

function divider() {
  return h("hr");
}

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function actions(block, surface) {
  const elements = /** @type {Json[]} */ (block.elements ?? []);
  return h(
    "div",
    { class: "actions" },
    elements.map((element) =>
      drawElement(
        element,
        {
          surface,
          blockId: block.block_id,
          dispatches: true,
          aria: { "aria-label": element.placeholder?.text },
        },
      ),
    ),
  );
}

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function input(block, surface) {
  const labelId = uniqueId("label");
  const hintId = uniqueId("hint");
  const errorId = uniqueId("error");
  const error = surface.errors[block.block_id];
  const described = [block.hint && hintId, error && errorId].filter(Boolean).join(" ");
  const control = drawElement(block.element ?? {}, {
    surface,
    blockId: block.block_id,
    dispatches: Boolean(block.dispatch_action),
    aria: {
      "aria-labelledby": labelId,
      "aria-describedby": described || undefined,
      "aria-invalid": error ? "true" : undefined,
      "aria-required": block.optional ? undefined : "true",
    },
  });
  const label = h(
    "div",
    { class: "label", id: labelId },
    plainText(block.label ?? { text: "" }),
    block.optional && h("span", { class: "optional" }, " (optional)"),
  );
  label.addEventListener("click", () => {
    const field = label.parentElement?.querySelector(".text-input, .select");
    if (field instanceof HTMLElement) field.focus();
  });
  return h(
    "div",
    { class: error ? "input invalid" : "input" },
    label,
    control,
    error && h(
      "p",
      { class: "field-error", id: errorId, "data-testid": "field-error" },
      icon("warning"),
      h("span", {}, error),
    ),
    block.hint && h("p", { class: "hint", id: hintId }, plainText(block.hint)),
  );
}

/** @param {Json} block */
function image(block) {
  return h(
    "figure",
    { class: "image" },
    block.title && h("figcaption", {}, plainText(block.title)),
    picture(block, "whole-image"),
  );
}

/**
 * @param {Json} element
 * @param {string} className
 */
function picture(element, className) {
  const name = element.alt_text || "Image";
  const words = h(
    "span",
    { class: `${className} missing`, role: "img", "aria-label": name, title: element.image_url },
    icon("picture"),
    h("span", { class: "missing-text" }, name),
  );
  // The sandbox fetches nothing from outside; in place of such a picture stands what it shows.
  if (!/^(data:image\/|http:\/\/(127\.0\.0\.1|localhost)[:/])/.test(element.image_url ?? "")) return words;
  const img = h(
    "img",
    {
      class: className,
      src: element.image_url,
      alt: element.alt_text ?? "",
      width: element.image_width,
      height: element.image_height,
    },
  );
  img.addEventListener("error", () => img.replaceWith(words));
  return img;
}

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function rich(block, surface) {
  return richText(block, surface.reader, (part) => unknownPart("element", part));
}

/** @type {Record<string, {icon: string, word: string}>} */
const LEVELS = {
  default: { icon: "info", word: "Note" },
  info: { icon: "info", word: "Information" },
  warning: { icon: "warning", word: "Warning" },
  error: { icon: "error", word: "Error" },
  success: { icon: "check-circle", word: "Success" },
};

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function alert(block, surface) {
  const name = Object.hasOwn(LEVELS, block.level) ? block.level : "default";
  return h(
    "div",
    { class: `alert alert-${name}`, role: "note", "aria-label": LEVELS[name].word },
    icon(LEVELS[name].icon),
    h("div", { class: "text" }, textObject(block.text, surface.reader)),
  );
}

/**
 * @param {Json} block
 * @param {Surface} surface
 */
function table(block, surface) {
  const [head = [], ...body] = /** @type {Json[][]} */ (block.rows ?? []);
  const settings = /** @type {(Json | null)[]} */ (block.column_settings ?? []);
  const cells = (/** @type {Json[]} */ row, /** @type {"th" | "td"} */ tag) =>
    row.map((cell, column) => {
      const { align = "left", is_wrapped: wrapped = false } = settings[column] ?? {};
      const attributes = {
        class: `align-${align}${wrapped ? " wrapped" : ""}`,
        scope: tag === "th" ? "col" : undefined,
      };
      return h(tag, attributes, tableCell(cell, surface));
    });
  return h(
    "div",
    { class: "table-scroll", role: "region", "aria-label": "Table", tabindex: "0" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, cells(head, "th"))),
      h("tbody", {}, body.map((row) => h("tr", {}, cells(row, "td")))),
    ),
  );
}

/**
 * @param {Json} cell
 * @param {Surface} surface
 * @returns {Node}
 */
function tableCell(cell, surface) {
  if (cell.type === "rich_text") return rich(cell, surface);
  if (cell.type !== "raw_text" && cell.type !== "raw_number") return unknownPart("element", cell);
  return document.createTextNode(String(cell.text ?? cell.value ?? ""));
}
