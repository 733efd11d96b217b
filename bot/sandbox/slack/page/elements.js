/**
 * The interactive elements of Block Kit, one function each; ELEMENTS names those that the page
 * knows.
 */
import { h, icon, uniqueId } from "./dom.js";
import { isSafeUrl, plainText, textObject } from "./mrkdwn.js";
import { picker } from "./pickers.js";
import { overflowMenu, selectMenu } from "./select.js";

/** @typedef {Record<string, any>} Json */

/**
 * Where blocks are drawn: a message, a modal or the Home tab.
 *
 * @typedef {object} Surface
 * @property {import("./mrkdwn.js").Reader} reader
 * @property {import("./form.js").Form} form
 * @property {"h2" | "h3"} heading the level of a header block
 * @property {Record<string, string>} errors by block id
 * @property {(element: Json, blockId: string, value: Json, control: HTMLElement) => Promise<boolean>} act
 *   sends the action; false when the person turned the confirm dialog down
 */

/**
 * Where an element stands.
 *
 * @typedef {object} Spot
 * @property {Surface} surface
 * @property {string} blockId
 * @property {boolean} dispatches true when a change is sent to the app at once
 * @property {Record<string, unknown>} aria labels and descriptions
 */

/** @type {Record<string, (element: Json, spot: Spot) => HTMLElement>} */
export const ELEMENTS = {
  button,
  overflow,
  static_select: staticSelect,
  multi_static_select: staticSelect,
  radio_buttons: choices,
  checkboxes: choices,
  plain_text_input: textInput,
  number_input: textInput,
  email_text_input: textInput,
  url_text_input: textInput,
  multi_users_select: (element, spot) => picker(element, spot, {
    field: "selected_users",
    placeholder: "Select people",
    options: spot.surface.reader.people(),
    attributes: fieldAttributes(element, spot),
  }),
  multi_conversations_select: (element, spot) => picker(element, spot, {
    field: "selected_conversations",
    placeholder: "Select a channel",
    options: spot.surface.reader.privateChannels(),
    attributes: fieldAttributes(element, spot),
  }),
  datepicker: (element, spot) => pickerInput(element, spot, "date", "selected_date"),
  timepicker: (element, spot) => pickerInput(element, spot, "time", "selected_time"),
};

/**
 * Attributes by which a test, and the focus after an update, finds a control.
 *
 * @param {Json} element
 * @param {Spot} spot
 */
function hooks(element, spot) {
  return {
    "data-block-id": spot.blockId,
    "data-action-id": element.action_id,
    "data-focus-on-load": element.focus_on_load ? "true" : undefined,
  };
}

/**
 * The hooks of a control that is one field, together with its label and description.
 *
 * @param {Json} element
 * @param {Spot} spot
 */
function fieldAttributes(element, spot) {
  return { ...hooks(element, spot), ...spot.aria };
}

/**
 * @param {Json} element
 * @param {Spot} spot
 */
function button(element, spot) {
  const style = element.style === "primary" || element.style === "danger" ? element.style : "";
  const content = h("span", { class: "button-text" }, plainText(element.text ?? { text: "" }));
  const spinner = h("span", { class: "spinner", "aria-hidden": "true" });
  const shared = {
    ...fieldAttributes(element, spot),
    class: `button ${style}`,
    "aria-label": element.accessibility_label,
  };
  const value = element.value === undefined ? {} : { value: element.value };
  const opensPage = isSafeUrl(element.url);
  const send = async (/** @type {Event} */ event) => {
    if (control.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      return;
    }
    const sent = await spot.surface.act(element, spot.blockId, value, control);
    if (sent && opensPage && element.confirm) window.open(element.url, "_blank", "noopener,noreferrer");
  };
  const outside = opensPage && [
    icon("external"),
    h("span", { class: "visually-hidden" }, " (opens in a new tab)"),
  ];
  // A link that asks first cannot be an anchor: the page would open before the answer.
  const control =
    opensPage && !element.confirm
      ? h(
        "a",
        { ...shared, href: element.url, target: "_blank", rel: "noopener noreferrer", onclick: send },
        content,
        outside,
        spinner,
      )
      : h("button", { type: "button", ...shared, onclick: send }, content, outside, spinner);
  return control;
}

/**
 * @param {Json} element
 * @param {Spot} spot
 */
function overflow(element, spot) {
  const node = overflowMenu({
    label: "More options",
    options: element.options ?? [],
    attributes: hooks(element, spot),
    onChoose: (option) => {
      if (isSafeUrl(option.url)) window.open(option.url, "_blank", "noopener,noreferrer");
      const control = /** @type {HTMLElement} */ (node.firstElementChild);
      spot.surface.act(element, spot.blockId, { selected_option: option }, control);
    },
  });
  return node;
}

/**
 * @param {Json} element
 * @param {Spot} spot
 */
function staticSelect(element, spot) {
  const { surface, blockId } = spot;
  const many = element.type === "multi_static_select";
  const asValue = (/** @type {Json[]} */ chosen) => (many ? { selected_options: chosen } : {
    selected_option: chosen[0] ?? null,
  });
  const current = () => {
    const value = surface.form.get(blockId, element);
    return many ? value.selected_options : [value.selected_option].filter(Boolean);
  };
  let accepted = current();
  const menu = selectMenu({
    groups: element.option_groups ?? [{ label: null, options: element.options ?? [] }],
    chosen: accepted,
    many,
    max: element.max_selected_items,
    placeholder: element.placeholder?.text ?? (many ? "Select options" : "Select an option"),
    attributes: fieldAttributes(element, spot),
    onChange: (chosen) => surface.form.set(blockId, element, asValue(chosen)),
    onSettled: async (chosen) => {
      if (!spot.dispatches) return;
      const control = /** @type {HTMLElement} */ (menu.node.firstElementChild);
      if (await surface.act(element, blockId, asValue(chosen), control)) {
        accepted = chosen;
      } else {
        surface.form.set(blockId, element, asValue(accepted));
        menu.show(accepted);
      }
    },
  });
  return menu.node;
}

/**
 * Radio buttons and checkboxes.
 *
 * @param {Json} element
 * @param {Spot} spot
 */
function choices(element, spot) {
  const { surface, blockId } = spot;
  const many = element.type === "checkboxes";
  const group = uniqueId("choices");
  const options = /** @type {Json[]} */ (element.options ?? []);
  const value = surface.form.get(blockId, element);
  /** @type {string[]} */
  let accepted = (many ? value.selected_options : [value.selected_option].filter(Boolean)).map(
    (/** @type {Json} */ each) => each.value,
  );

  const boxes = options.map((option) => {
    const box = h("input", {
      type: many ? "checkbox" : "radio",
      name: group,
      ...hooks(element, spot),
      "data-option": option.value,
    });
    box.checked = accepted.includes(option.value);
    return box;
  });
  const chosen = () => options.filter((_option, index) => boxes[index].checked);
  const asValue = () => (many ? { selected_options: chosen() } : { selected_option: chosen()[0] ?? null });

  const node = h(
    "div",
    {
      class: "choices",
      ...spot.aria,
      ...(many ? { role: "group", "aria-required": undefined } : { role: "radiogroup" }),
    },
    options.map((option, index) =>
      h(
        "label",
        { class: "choice" },
        boxes[index],
        h(
          "span",
          { class: "choice-text" },
          h("span", {}, textObject(option.text, surface.reader)),
          option.description && h(
            "span",
            { class: "choice-description" },
            textObject(option.description, surface.reader),
          ),
        ),
      ),
    ),
  );
  node.addEventListener("change", async () => {
    surface.form.set(blockId, element, asValue());
    if (!spot.dispatches) return;
    if (await surface.act(element, blockId, asValue(), node)) {
      accepted = chosen().map((each) => each.value);
    } else {
      options.forEach((option, index) => (boxes[index].checked = accepted.includes(option.value)));
      surface.form.set(blockId, element, asValue());
    }
  });
  return node;
}

/** How many characters before its limit a field starts to count down. */
const COUNTDOWN = 10;
const INPUT_TYPES = { email_text_input: "email", url_text_input: "url" };

/**
 * @param {Json} element
 * @param {Spot} spot
 */
function textInput(element, spot) {
  const { surface, blockId } = spot;
  const number = element.is_decimal_allowed ? "decimal" : "numeric";
  const attributes = {
    ...fieldAttributes(element, spot),
    class: "text-input",
    placeholder: element.placeholder?.text,
    autocomplete: "off",
    inputmode: element.type === "number_input" ? number : undefined,
  };
  const field = element.multiline
    ? h("textarea", { ...attributes, rows: 4 })
    : h(
      "input",
      { ...attributes, type: INPUT_TYPES[/** @type {keyof typeof INPUT_TYPES} */ (element.type)] ?? "text" },
    );
  field.value = surface.form.get(blockId, element).value ?? "";
  const counter = h("span", { class: "counter", "aria-hidden": "true" });
  const count = () => {
    const left = (element.max_length ?? Infinity) - field.value.length;
    counter.textContent = left <= COUNTDOWN && field.value ? String(left) : "";
    counter.classList.toggle("over", left < 0);
  };
  const triggers = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const dispatch = () => {
    if (spot.dispatches) surface.act(element, blockId, { value: field.value || null }, field);
  };
  field.addEventListener("input", () => {
    surface.form.set(blockId, element, { value: field.value || null });
    count();
    if (triggers.includes("on_character_entered")) dispatch();
  });
  field.addEventListener("keydown", (event) => {
    const enter = /** @type {KeyboardEvent} */ (event).key === "Enter";
    if (!enter || !spot.dispatches || element.multiline || !triggers.includes("on_enter_pressed")) return;
    event.preventDefault();
    dispatch();
  });
  count();
  return h("div", { class: "text-box" }, field, counter);
}

/**
 * @param {Json} element
 * @param {Spot} spot
 * @param {"date" | "time"} type
 * @param {"selected_date" | "selected_time"} key
 */
function pickerInput(element, spot, type, key) {
  const { surface, blockId } = spot;
  const field = h("input", { ...fieldAttributes(element, spot), class: "text-input picker", type });
  let accepted = surface.form.get(blockId, element)[key] ?? "";
  field.value = accepted;
  field.addEventListener("change", async () => {
    surface.form.set(blockId, element, { [key]: field.value || null });
    if (!spot.dispatches) return;
    if (await surface.act(element, blockId, { [key]: field.value || null }, field)) {
      accepted = field.value;
    } else {
      field.value = accepted;
      surface.form.set(blockId, element, { [key]: accepted || null });
    }
  });
  return field;
}
