/**
 * Slack's select menus (one and many) and its overflow menu, for mouse, keyboard and screen reader.
 */
import { h, icon, uniqueId } from "./dom.js";
import { plainText } from "./mrkdwn.js";
import { openPopup } from "./popup.js";

/** @typedef {Record<string, any>} Json */

/**
 * @typedef {object} SelectSpec
 * @property {{label: Json | null, options: Json[]}[]} groups
 * @property {Json[]} chosen
 * @property {boolean} many
 * @property {number} [max]
 * @property {string} placeholder
 * @property {Record<string, unknown>} attributes for the control that takes the focus
 * @property {(chosen: Json[]) => void} onChange at each choice
 * @property {(chosen: Json[]) => void} onSettled when a choice is final: at once for one, on closing for many
 */

/**
 * @param {SelectSpec} spec
 * @returns {{node: HTMLElement, show: (chosen: Json[]) => void}}
 */
export function selectMenu(spec) {
  let chosen = spec.chosen;
  let active = -1;
  let typed = "";
  let typedAt = 0;
  /** @type {(() => void) | null} */
  let close = null;
  let settled = chosen;

  const listId = uniqueId("options");
  const value = h("span", { class: "select-value" });
  const control = h(
    "button",
    {
      type: "button",
      ...spec.attributes,
      class: "select",
      role: "combobox",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      "aria-controls": listId,
    },
    value,
    icon("chevron-down"),
  );
  /** @type {{option: Json, node: HTMLElement}[]} */
  const items = [];
  const list = h(
    "div",
    {
      id: listId,
      class: "options",
      role: "listbox",
      popover: "manual",
      "aria-multiselectable": spec.many ? "true" : undefined,
    },
  );
  for (const group of spec.groups) {
    const nodes = group.options.map((option) => optionNode(option, items));
    if (group.label) {
      const labelId = uniqueId("group");
      list.append(
        h(
          "div",
          { role: "group", "aria-labelledby": labelId },
          h("div", { id: labelId, class: "options-label" }, plainText(group.label)),
          nodes,
        ),
      );
    } else {
      list.append(...nodes);
    }
  }

  const isChosen = (/** @type {Json} */ option) => chosen.some((each) => each.value === option.value);

  const draw = () => {
    const chips = chosen.map(
      (option) => h("span", { class: spec.many ? "chip" : "" }, plainText(option.text)),
    );
    value.replaceChildren(
      ...(chips.length ? chips : [h("span", { class: "placeholder" }, spec.placeholder)]),
    );
    for (const { option, node } of items) node.setAttribute("aria-selected", String(isChosen(option)));
  };

  const moveTo = (/** @type {number} */ index) => {
    if (items.length === 0) return;
    items[active]?.node.classList.remove("active");
    active = Math.max(0, Math.min(index, items.length - 1));
    items[active].node.classList.add("active");
    items[active].node.scrollIntoView({ block: "nearest" });
    control.setAttribute("aria-activedescendant", items[active].node.id);
  };

  const open = () => {
    if (close) return;
    close = openPopup(control, list, {
      onClose: () => {
        close = null;
        control.setAttribute("aria-expanded", "false");
        control.removeAttribute("aria-activedescendant");
        if (spec.many && JSON.stringify(settled) !== JSON.stringify(chosen)) {
          settled = chosen;
          spec.onSettled(chosen);
        }
      },
    });
    control.setAttribute("aria-expanded", "true");
    moveTo(items.findIndex(({ option }) => isChosen(option)));
  };

  const choose = (/** @type {number} */ index) => {
    const option = items[index]?.option;
    if (!option) return;
    if (!spec.many) {
      chosen = [option];
    } else if (isChosen(option)) {
      chosen = chosen.filter((each) => each.value !== option.value);
    } else if (chosen.length < (spec.max ?? Infinity)) {
      chosen = [...chosen, option];
    }
    draw();
    spec.onChange(chosen);
    control.dispatchEvent(new Event("change", { bubbles: true }));
    if (spec.many) return;
    close?.();
    spec.onSettled(chosen);
  };

  const typeAhead = (/** @type {string} */ letter) => {
    const now = Date.now();
    typed = now - typedAt > 600 ? letter : typed + letter;
    typedAt = now;
    const match = items.findIndex(
      ({ option }) => option.text.text.toLowerCase().startsWith(typed.toLowerCase()),
    );
    if (match >= 0) moveTo(match);
  };

  control.addEventListener("click", () => (close ? close() : open()));
  control.addEventListener("keydown", (event) => {
    const { key } = event;
    if (!close) {
      if (key === "ArrowDown" || key === "ArrowUp") {
        event.preventDefault();
        open();
      }
      return;
    }
    /** @type {Record<string, () => void>} */
    const moves = {
      ArrowDown: () => moveTo(active + 1),
      ArrowUp: () => moveTo(active - 1),
      Home: () => moveTo(0),
      End: () => moveTo(items.length - 1),
      Enter: () => choose(active),
      " ": () => choose(active),
      Escape: () => close?.(),
    };
    if (moves[key]) {
      event.preventDefault();
      event.stopPropagation();
      moves[key]();
    } else if (key === "Tab") {
      close();
    } else if (key.length === 1 && !event.ctrlKey && !event.metaKey) {
      typeAhead(key);
    }
  });
  list.addEventListener("click", (event) => {
    const node = /** @type {Element} */ (event.target).closest('[role="option"]');
    choose(items.findIndex((item) => item.node === node));
    control.focus();
  });

  draw();
  return {
    node: h("div", { class: "select-box" }, control, list),
    show: (next) => {
      chosen = next;
      settled = next;
      draw();
    },
  };
}

/**
 * @param {Json} option
 * @param {{option: Json, node: HTMLElement}[]} items
 */
function optionNode(option, items) {
  const node = h(
    "div",
    { id: uniqueId("option"), class: "option", role: "option" },
    h("span", { class: "option-text" }, plainText(option.text)),
    option.description && h("span", { class: "option-description" }, plainText(option.description)),
    icon("check"),
  );
  items.push({ option, node });
  return node;
}

/**
 * @typedef {object} OverflowSpec
 * @property {string} label
 * @property {Json[]} options
 * @property {Record<string, unknown>} attributes for the control
 * @property {(option: Json) => void} onChoose
 */

/** @param {OverflowSpec} spec */
export function overflowMenu(spec) {
  /** @type {(() => void) | null} */
  let close = null;
  const menuId = uniqueId("menu");
  const control = h(
    "button",
    {
      type: "button",
      ...spec.attributes,
      class: "button overflow",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-controls": menuId,
      "aria-label": spec.label,
    },
    icon("more"),
  );
  const entries = spec.options.map((option) =>
    h(
      "button",
      { type: "button", class: "option", role: "menuitem", tabindex: "-1", onclick: () => pick(option) },
      plainText(option.text),
    ),
  );
  const menu = h("div", { id: menuId, class: "options", role: "menu", popover: "manual" }, entries);

  const shut = () => {
    close?.();
    control.focus();
  };
  const pick = (/** @type {Json} */ option) => {
    shut();
    spec.onChoose(option);
  };
  const open = (/** @type {number} */ at) => {
    close = openPopup(control, menu, {
      align: "end",
      onClose: () => {
        close = null;
        control.setAttribute("aria-expanded", "false");
      },
    });
    control.setAttribute("aria-expanded", "true");
    entries.at(at)?.focus();
  };

  control.addEventListener("click", () => (close ? close() : open(0)));
  control.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    open(event.key === "ArrowDown" ? 0 : -1);
  });
  menu.addEventListener("keydown", (event) => {
    const index = entries.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const next = {
      ArrowDown: index + 1,
      ArrowUp: index - 1 + entries.length,
      Home: 0,
      End: entries.length - 1,
    }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      entries[next % entries.length].focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      shut();
    } else if (event.key === "Tab") {
      close?.();
    }
  });
  return h("div", { class: "overflow-box" }, control, menu);
}
