/**
 * Building DOM nodes from data. Nothing on this page is ever parsed as HTML.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {Node | string | number | null | undefined | false | Child[]} Child
 */

/**
 * An element with attributes, listeners (`onclick: fn`) and children. `false`, `null` and
 * `undefined` leave an attribute or a child out; `true` sets an empty attribute.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

/**
 * @param {Node} parent
 * @param {Child} child
 */
export function append(parent, child) {
  if (child === null || child === undefined || child === false) return;
  if (Array.isArray(child)) for (const each of child) append(parent, each);
  else parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
}

/**
 * A decorative picture out of the page's own sprite; give `label` when it carries meaning of its
 * own.
 *
 * @param {string} name
 * @param {string} [label]
 * @param {"icons" | "emoji"} [sprite]
 */
export function icon(name, label = "", sprite = "icons") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", sprite === "emoji" ? "emoji" : `icon icon-${name}`);
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/page/${sprite}.svg#${name}`);
  svg.appendChild(use);
  return svg;
}

let serial = 0;

/** An id that no other element of this page has. */
export function uniqueId(prefix = "id") {
  serial += 1;
  return `${prefix}-${serial}`;
}

const FOCUSABLE = [
  "a[href]",
  "summary",
  "button:not([disabled])",
  "input:not([disabled])",
  "select:not([disabled])",
  "textarea:not([disabled])",
  '[tabindex]:not([tabindex="-1"])',
].join(",");

/**
 * What Tab reaches inside `root`, in order.
 *
 * @param {ParentNode} root
 * @returns {HTMLElement[]}
 */
export function focusable(root) {
  const all = /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(FOCUSABLE));
  return [...all].filter(
    (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest("[inert]"),
  );
}

/**
 * Keeps Tab inside `root` while it is the layer in front.
 *
 * @param {HTMLElement} root
 * @param {KeyboardEvent} event
 */
export function wrapTab(root, event) {
  if (event.key !== "Tab") return;
  const stops = focusable(root);
  if (stops.length === 0) {
    event.preventDefault();
    return;
  }
  const first = stops[0];
  const last = stops[stops.length - 1];
  const active = document.activeElement;
  if (event.shiftKey && (active === first || active === root)) {
    event.preventDefault();
    last.focus();
  } else if (!event.shiftKey && active === last) {
    event.preventDefault();
    first.focus();
  }
}

/**
 * @typedef {object} Row
 * @property {string} key
 * @property {string} signature what the row shows; an equal signature leaves the node alone
 * @property {() => HTMLElement} build
 */

/** @type {WeakMap<Element, Row>} */
const drawn = new WeakMap();

/**
 * Brings `parent`'s children to `rows`. A row that did not change keeps its node, and with it the
 * focus, the selection and an open menu.
 *
 * @param {HTMLElement} parent
 * @param {Row[]} rows
 * @returns {{added: HTMLElement[], replaced: HTMLElement[]}}
 */
export function reconcile(parent, rows) {
  const old = new Map(
    [...parent.children].map((node) => [drawn.get(node)?.key, /** @type {HTMLElement} */ (node)]),
  );
  const kept = new Set(rows.map((row) => row.key));
  for (const [key, node] of old) if (key === undefined || !kept.has(key)) node.remove();
  const added = [];
  const replaced = [];
  rows.forEach((row, index) => {
    let node = old.get(row.key);
    if (!node) {
      node = row.build();
      added.push(node);
    } else if (drawn.get(node)?.signature !== row.signature) {
      const next = row.build();
      keepFocus(node, () => /** @type {HTMLElement} */ (node).replaceWith(next), next);
      node = next;
      replaced.push(node);
    }
    drawn.set(node, row);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  return { added, replaced };
}

/**
 * Replaces `before` through `swap` and finds the focus again in `after`: by block and action, then
 * by action alone, as an updated message has new block ids.
 *
 * @param {HTMLElement} before
 * @param {() => void} swap
 * @param {HTMLElement} after
 */
function keepFocus(before, swap, after) {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || !before.contains(active)) {
    swap();
    return;
  }
  const { blockId, actionId, option } = active.dataset;
  const isText = active instanceof HTMLInputElement || active instanceof HTMLTextAreaElement;
  const caret = isText && active.selectionStart !== null ? [
    active.selectionStart,
    active.selectionEnd,
  ] : null;
  swap();
  const candidates = /** @type {HTMLElement[]} */ ([...after.querySelectorAll("[data-action-id]")]).filter(
    (node) => node.dataset.actionId === actionId && node.dataset.option === option,
  );
  const target = candidates.find((node) => node.dataset.blockId === blockId) ?? candidates[0];
  if (!target) {
    after.tabIndex = -1;
    after.focus({ preventScroll: true });
    return;
  }
  target.focus({ preventScroll: true });
  if (caret && (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement)) {
    target.setSelectionRange(caret[0], caret[1]);
  }
}
