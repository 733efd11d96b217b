/**
 * What a person has typed and chosen in one view or message, in the shape of Slack's
 * `state.values`.
 */

/** @typedef {Record<string, any>} Json */

/** @typedef {(element: Json) => Json} Initial the value an element starts with, without `type` */

/** @type {Initial} */
const text = (element) => ({ value: element.initial_value ?? null });
/** @type {Initial} */
const one = (element) => ({ selected_option: element.initial_option ?? null });
/** @type {Initial} */
const many = (element) => ({ selected_options: element.initial_options ?? [] });

/** @type {Record<string, Initial>} */
const INITIAL = {
  plain_text_input: text,
  number_input: text,
  email_text_input: text,
  url_text_input: text,
  static_select: one,
  radio_buttons: one,
  multi_static_select: many,
  checkboxes: many,
  multi_users_select: (element) => ({ selected_users: element.initial_users ?? [] }),
  multi_conversations_select: (element) => ({
    selected_conversations: element.initial_conversations ?? [],
  }),
  datepicker: (element) => ({ selected_date: element.initial_date ?? null }),
  timepicker: (element) => ({ selected_time: element.initial_time ?? null }),
};

/**
 * Every interactive element of `blocks` with its block.
 *
 * @param {Json[]} blocks
 * @returns {{block: Json, element: Json}[]}
 */
function elementsOf(blocks) {
  return blocks.flatMap((block) => {
    const all = [block.element, block.accessory, ...(block.type === "actions" ? (block.elements ?? []) : [])];
    return all.filter(Boolean).map((element) => ({ block, element }));
  });
}

export class Form {
  /** @type {Record<string, Record<string, Json>>} */
  #values = {};

  /**
   * Takes over a new version of the blocks. An element whose block and action id stayed keeps its
   * value, as in Slack; any other starts from its initial value.
   *
   * @param {Json[]} blocks
   */
  adopt(blocks) {
    const before = this.#values;
    this.#values = {};
    for (const { block, element } of elementsOf(blocks)) {
      const initial = INITIAL[element.type];
      if (!initial) continue;
      const kept = before[block.block_id]?.[element.action_id];
      this.set(block.block_id, element, kept?.type === element.type ? kept : initial(element));
    }
  }

  /**
   * @param {string} blockId
   * @param {Json} element
   * @param {Json} value without `type`
   */
  set(blockId, element, value) {
    (this.#values[blockId] ??= {})[element.action_id] = { ...value, type: element.type };
  }

  /**
   * @param {string} blockId
   * @param {Json} element
   * @returns {Json}
   */
  get(blockId, element) {
    return this.#values[blockId]?.[element.action_id] ?? {
      ...INITIAL[element.type]?.(element),
      type: element.type,
    };
  }

  /** Slack's `state.values`. */
  values() {
    return structuredClone(this.#values);
  }
}
